import asyncio

from approvals import Answered, Approvals, ChangesRequested, Expired, Rejected

approvals = Approvals.connect()


@approvals.required
async def delete_account(account: str) -> str:
    return f"deleted {account}"


async def tool(account: str) -> str:
    """What the model gets to read. Everything else, Unavailable first of all, is for the program."""
    try:
        return await delete_account(account)
    except Rejected as no:
        return f"A person said no: {no.feedback or 'without a reason'}. Don't try it again."
    except Expired:
        return "Nobody answered. That is not a no; say that it is still to be done."
    except Answered as instead:
        return f"A person answered instead: {instead.feedback}"
    except ChangesRequested as wanted:
        return f"A person wants it done differently: {wanted.feedback}"


async def main() -> None:
    async with approvals:
        print(await tool("a_99"))


asyncio.run(main())
