import asyncio

from approvals import Approvals

approvals = Approvals.connect()
reopened = asyncio.Event()


async def reopen(ticket: str, result: str) -> str:
    print(f"undoing: {result}")
    reopened.set()
    return f"{ticket} is open again"  # people read this


@approvals.required(undo=reopen)
async def close_ticket(ticket: str) -> str:
    return f"closed {ticket}"


async def main() -> None:
    async with approvals, approvals.undoing():  # for as long as this program runs
        print(await close_ticket("T-17"))
        await reopened.wait()  # here stands what your program does


asyncio.run(main())
