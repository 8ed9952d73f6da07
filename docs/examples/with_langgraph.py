import asyncio
from typing import Any

from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver

from approvals import Approvals
from approvals.adapters.langchain import PausingMiddleware
from approvals.adapters.langgraph import Resolver

approvals = Approvals.connect()  # where and as whom: REDIS_URL, APPROVALS_AGENT


def refund(customer: str, amount: float) -> str:
    """Give a customer money back."""
    return f"refunded {amount:.2f} to {customer}"


async def main(model: Any = "openai:gpt-5") -> None:
    agent = create_agent(
        model,
        tools=[refund],
        middleware=[PausingMiddleware(approvals, {"refund": True}, interrupt_mode="per_call")],
        checkpointer=InMemorySaver(),  # one that keeps: PostgresSaver, RedisSaver, …
    )
    async with approvals:
        result = await Resolver(agent, approvals).ainvoke(
            {"messages": [{"role": "user", "content": "c_42 was charged 940 twice."}]},
            {"configurable": {"thread_id": "inv-881"}},
        )
    print(result["messages"][-1].text)


if __name__ == "__main__":
    asyncio.run(main())
