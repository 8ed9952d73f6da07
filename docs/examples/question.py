import asyncio

from approvals import Approvals


async def main() -> None:
    async with Approvals.connect() as approvals:
        region = await approvals.ask(
            "Which region?", options=["eu", "us"], context="Both have capacity", timeout="30m"
        )
        print("going to", region)


asyncio.run(main())
