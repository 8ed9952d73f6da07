import asyncio

from pydantic_ai import Agent

from approvals import Approvals
from approvals.adapters.pydantic_ai import AskPeople

approvals = Approvals.connect()  # where and as whom: REDIS_URL, APPROVALS_AGENT
people = AskPeople(approvals)
agent = Agent("openai:gpt-5", capabilities=[people])


@agent.tool_plain(requires_approval=True)
async def refund(customer: str, amount: float) -> str:
    """Give a customer money back."""
    return f"refunded {amount:.2f} to {customer}"


async def main() -> None:
    async with approvals:
        result = await agent.run("c_42 was charged 940 twice.")
        print(result.output)


if __name__ == "__main__":
    asyncio.run(main())
