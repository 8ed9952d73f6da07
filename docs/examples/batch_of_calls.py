import asyncio

from approvals import Approvals

approvals = Approvals.connect()


@approvals.required
async def refund(customer: str, amount: float) -> str:
    return f"refunded {amount:.2f} to {customer}"


async def main() -> None:
    async with approvals:
        async with approvals.batch(reason="month end") as batch:
            print(await refund("c_17", 35))
            print(await refund("c_99", 120.5))
        for number, result in (await batch.wait_for_approvals()).items():
            print(number, result)


asyncio.run(main())
