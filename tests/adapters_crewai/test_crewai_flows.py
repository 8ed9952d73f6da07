"""Flows that wait for people: no answer is ever taken for one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("crewai", reason="CrewAI has an environment of its own: make test-crewai")

from crewai.flow import Flow, human_feedback, listen, start
from crewai.flow.async_feedback import HumanFeedbackPending
from crewai.flow.persistence import SQLiteFlowPersistence

from approvals import Approvals, Expired, InvalidCall, Rejected, Unavailable
from approvals.adapters.crewai import Feedback
from approvals.model import Kind
from tests.clerk import Clerk, serving

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # CrewAI warns of what it does itself

DRAFT = "We were down from 14:02 to 14:09."
published: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def warmed_up() -> None:
    """The first flow imports what CrewAI remembers with, which takes seconds and lets nothing else run."""

    class First(Flow):
        @start()
        def go(self) -> None: ...

    First().kickoff()


@pytest.fixture(autouse=True)
def nothing_published() -> None:
    published.clear()


def flow(provider: Feedback, emit: list[str] | None = None) -> Any:
    class Publishing(Flow):
        @start()
        @human_feedback("Publish this?", provider=provider, emit=emit)
        def draft(self) -> str:
            return DRAFT

        @listen(draft)
        def publish(self, result: Any) -> str:
            if result.feedback == "publish":
                published.append(result.output)
            return str(result.feedback)

    return Publishing


@asynccontextmanager
async def running(work: Callable[[], Any]) -> AsyncIterator["asyncio.Task[Any]"]:
    async def run() -> Any:
        return await asyncio.to_thread(work)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        yield group.create_task(run())


async def test_a_flow_goes_on_with_what_a_person_chose(approvals: Approvals, clerk: Clerk) -> None:
    async with running(flow(Feedback(approvals, ["publish", "drop"]))().kickoff) as done:
        (request,) = await clerk.arrived()
        assert request.kind is Kind.QUESTION
        assert request.args["question"] == "Publish this?"
        assert request.args["options"] == ["publish", "drop"]
        assert request.args["context"] == DRAFT
        assert published == []
        await clerk.answer(request.id, "publish")
    assert done.result() == "publish"
    assert published == [DRAFT]


@pytest.mark.parametrize("error", [Rejected, Expired])
async def test_without_an_answer_the_flow_stops(
    error: type[Exception], approvals: Approvals, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, deadline_s=0 if error is Expired else 3600) as clerk:
        with pytest.raises(ExceptionGroup) as stopped:
            async with running(flow(Feedback(approvals))().kickoff):
                (request,) = await clerk.arrived()
                await (clerk.expire(request.id) if error is Expired else clerk.reject(request.id))
    assert stopped.group_contains(error)
    assert published == []


async def test_without_redis_the_flow_stops() -> None:
    async with Approvals.connect("redis://127.0.0.1:1", agent="billing", patience=0) as nowhere:
        with pytest.raises(Unavailable):
            await asyncio.to_thread(flow(Feedback(nowhere))().kickoff)
    assert published == []


async def test_words_that_a_model_would_guess_at_are_refused(approvals: Approvals, clerk: Clerk) -> None:
    with pytest.raises(InvalidCall, match="leave emit= out"):
        await asyncio.to_thread(flow(Feedback(approvals), ["publish", "drop"])().kickoff)
    assert clerk.requests == {}
    assert published == []


async def test_a_flow_that_nobody_answers_in_time_is_paused_and_goes_on_later(
    approvals: Approvals, clerk: Clerk, tmp_path: Path
) -> None:
    kept = SQLiteFlowPersistence(str(tmp_path / "flows.db"))
    publishing = flow(Feedback(approvals, ["publish", "drop"], timeout=0.05))
    paused = await asyncio.to_thread(publishing(persistence=kept).kickoff)
    assert isinstance(paused, HumanFeedbackPending)
    (request,) = await clerk.arrived()
    await clerk.answer(request.id, "publish")
    again = Feedback(approvals, ["publish", "drop"])  # as another process would

    def resume() -> Any:
        return again.resume(publishing.from_pending(paused.context.flow_id, kept))

    assert await asyncio.to_thread(resume) == "publish"
    assert published == [DRAFT]
    assert len(clerk.requests) == 1
