from crewai import Agent, Crew, Task
from crewai.tools import tool

from approvals.adapters.crewai import approval_hooks
from approvals.client import Approvals

approvals = Approvals.connect()  # where and as whom: REDIS_URL, APPROVALS_AGENT


@tool("refund")
def refund(customer: str, amount: float) -> str:
    """Give a customer money back."""
    return f"refunded {amount:.2f} to {customer}"


agent = Agent(
    role="billing", goal="Settle complaints.", backstory="Careful.", llm="openai/gpt-5.4", tools=[refund]
)
task = Task(description="c_42 was charged 940 twice.", expected_output="What was done.", agent=agent)


def main() -> None:
    with approval_hooks(approvals):
        print(Crew(agents=[agent], tasks=[task]).kickoff())
    approvals.close()


if __name__ == "__main__":
    main()
