import asyncio

from approvals import Approvals, TakenOver


async def main() -> None:
    async with Approvals.connect() as approvals:
        try:
            guidance = await approvals.escalate(
                "The invoice has two customers, and I can't tell which to pay.",
                context="Invoice 881.",
                transcript_url="https://runs.example/42",
            )
        except TakenOver as taken:
            print(taken)  # stop here
            return
        print("going on with:", guidance)


asyncio.run(main())
