"""CrewAI's row of the table in docs/agents/README.md: the scenes that all adapters are played."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("crewai", reason="CrewAI has an environment of its own: make test-crewai")

from crewai import Agent, Crew, Task
from crewai.hooks.dispatch import clear_all
from crewai.tools import tool as crew_tool

from approvals.adapters.crewai import approval_hooks
from tests.adapters.scenes import REFUND, SCENES, Case, Make, Stage, Way, check
from tests.adapters_crewai.scripted import Script

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # CrewAI warns of what it does itself


@pytest.fixture(autouse=True)
def no_hooks_of_others() -> Iterator[None]:
    yield
    clear_all()


@asynccontextmanager
async def crew(case: Case) -> AsyncIterator[Make]:
    """One crew for each try, as CrewAI keeps the results of its tools."""

    def kickoff() -> str:
        model = Script(model="script", calls=[REFUND], heard=[])
        refund = crew_tool("refund")(case.shop.refund)
        agent = Agent(role="clerk", goal="refunds", backstory="careful", llm=model, tools=[refund])
        task = Task(description="Refund them.", expected_output="done", agent=agent)
        Crew(agents=[agent], tasks=[task]).kickoff()
        return model.heard[-1]

    with approval_hooks(case.approvals, timeout=case.timeout_s, run_id="inv-881", reason=case.reason):
        yield lambda: asyncio.to_thread(kickoff)


@pytest.mark.parametrize("column", SCENES)
async def test_what_becomes_of_a_call_is_what_the_table_says(
    column: str, redis_url: str, tenant: str
) -> None:
    way = Way(row="CrewAI", name="crew", open=crew, is_async=False)
    await check(way, column, Stage(redis_url, tenant))
