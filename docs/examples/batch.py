import asyncio

from approvals import Approvals


async def main() -> None:
    async with Approvals.connect() as approvals:
        async with approvals.batch(reason="month end") as batch:
            for customer, amount in [("c_17", 35), ("c_42", 940), ("c_99", 120.5)]:
                batch.submit("refund", {"customer": customer, "amount": amount})
        outcomes = await batch.wait(timeout="1d")
        for outcome in outcomes.values():
            print(outcome.status, outcome.args)


asyncio.run(main())
