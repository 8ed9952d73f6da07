import asyncio

from approvals import Approvals

approvals = Approvals.connect()  # where and as whom: REDIS_URL, APPROVALS_AGENT


@approvals.required(risk="high")
async def refund(customer: str, amount: float, currency: str = "USD") -> str:
    return f"refunded {amount:.2f} {currency} to {customer}"


async def main() -> None:
    async with approvals:
        print(await refund("c_42", 940))


asyncio.run(main())
