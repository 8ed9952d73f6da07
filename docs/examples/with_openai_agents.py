import asyncio

from agents import Agent, function_tool

from approvals import Approvals
from approvals.adapters.openai_agents import gated, run

approvals = Approvals.connect()  # where and as whom: REDIS_URL, APPROVALS_AGENT


@function_tool
async def refund(customer: str, amount: float) -> str:
    """Give a customer money back."""
    return f"refunded {amount:.2f} to {customer}"


agent = Agent(name="billing", instructions="You look after invoices.", tools=[gated(refund, approvals)])


async def main() -> None:
    async with approvals:
        result = await run(agent, "c_42 was charged 940 twice.", approvals, run_id="inv-881")
        print(result.final_output)


if __name__ == "__main__":
    asyncio.run(main())
