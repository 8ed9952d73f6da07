"""The agent's side of an undo: who does it, with what, how often, and what people hear of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any

import pytest

from approvals import Approvals, InvalidCall
from approvals import sync as threads
from approvals.commands import AskUndo, Command
from approvals.messages import UndoNotice
from approvals.model import Request
from tests.clerk import ADA, Clerk, serving

NOWHERE = "redis://127.0.0.1:1/0"
WANTED = AskUndo(by=ADA, text="the customer still waits")


def unhappy(_: Request) -> Command:
    """The habit of a clerk who wants everything undone."""
    return WANTED


@pytest.fixture
async def agent(redis_url: str, tenant: str) -> AsyncIterator[Approvals]:
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as agent:
        yield agent


@pytest.fixture
async def clerk(redis_url: str, tenant: str) -> AsyncIterator[Clerk]:
    async with serving(redis_url, tenant, habit=unhappy, reviewed=["close", "close_on"]) as clerk:
        yield clerk


async def told(clerk: Clerk, count: int = 1) -> list[UndoNotice]:
    """What the agent has told of its undos, as soon as there is so much of it."""
    found: list[UndoNotice] = []

    def is_there() -> bool:
        found[:] = [letter for letter in clerk.letters if isinstance(letter, UndoNotice)]
        return len(found) >= count

    await clerk.until(is_there)
    return found


async def test_it_gets_the_args_that_ran_in_its_own_types_and_no_more_than_it_takes(
    agent: Approvals, clerk: Clerk
) -> None:
    got: list[object] = []

    async def reopen(day: date, result: str, note: str = "none") -> str:
        got.extend([day, result, note])
        return "open"

    @agent.required(undo=reopen, tool="close_on")
    async def close(ticket: str, day: date) -> str:
        return f"closed {ticket}"

    async with agent.undoing():
        await close("T-17", date(2024, 2, 29))
        (notice,) = await told(clerk)
    assert got == [date(2024, 2, 29), "closed T-17", "none"]
    assert (notice.ok, notice.text) == (True, "open")


async def test_one_that_is_not_async_runs_beside_the_loop_and_may_take_everything(
    agent: Approvals, clerk: Clerk
) -> None:
    got: list[object] = []

    def reopen(**all_there_is: Any) -> None:
        got.extend([all_there_is, threading.current_thread() is threading.main_thread()])

    @agent.required(undo=reopen)
    def close(ticket: str) -> str:
        return f"closed {ticket}"

    async with agent.undoing():
        await asyncio.to_thread(close, "T-17")
        (notice,) = await told(clerk)
    assert got == [{"ticket": "T-17", "result": "closed T-17"}, False]
    assert (notice.ok, notice.text) == (True, None)


async def test_what_goes_wrong_is_told_to_people_and_stops_nobody(agent: Approvals, clerk: Clerk) -> None:
    def reopen(ticket: str) -> str:
        if ticket == "T-17":
            raise KeyError("archived")
        return "open"

    @agent.required(undo=reopen)
    async def close(ticket: str) -> None: ...

    async with agent.undoing():
        await close("T-17")
        (failed,) = await told(clerk)
        await close("T-18")
        _, done = await told(clerk, 2)
    assert (failed.ok, failed.text) == (False, "KeyError: 'archived'")
    assert (done.ok, done.text) == (True, "open")


async def test_what_was_wanted_while_nobody_listened_is_undone_later(agent: Approvals, clerk: Clerk) -> None:
    @agent.required(undo=lambda ticket: f"{ticket} is open")
    async def close(ticket: str) -> None: ...

    await close("T-17")
    await clerk.until(lambda: any(one.review and one.review.undo for one in clerk.requests.values()))
    async with agent.undoing():
        (notice,) = await told(clerk)
    assert notice.text == "T-17 is open"


async def test_what_has_begun_is_done_before_it_closes(agent: Approvals, clerk: Clerk) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def reopen(ticket: str) -> str:
        begun.set()
        await go_on.wait()
        return "open"

    @agent.required(undo=reopen)
    async def close(ticket: str) -> None: ...

    async with agent.undoing():
        await close("T-17")
        await asyncio.wait_for(begun.wait(), 5)
        asyncio.get_running_loop().call_later(0.01, go_on.set)
    assert [notice.ok for notice in await told(clerk)] == [True]


async def test_an_error_inside_is_raised_as_it_is(agent: Approvals) -> None:
    with pytest.raises(ZeroDivisionError):
        async with agent.undoing():
            raise ZeroDivisionError


async def test_calls_of_other_tools_are_left_to_whoever_can_undo_them(agent: Approvals, clerk: Clerk) -> None:
    @agent.required(undo=lambda: "never", tool="another")
    async def other() -> None: ...

    async with agent.undoing():
        await agent.review("close", {"ticket": "T-17"}, result="closed")
        (asked,) = await agent.undos(timeout=20)
    assert (asked.tool, asked.args, asked.result) == ("close", {"ticket": "T-17"}, "closed")
    assert (asked.text, asked.asked_by) == (WANTED.text, "Ada")
    assert await agent.undos(timeout=0) == []


async def test_threads_can_do_all_of_it(redis_url: str, tenant: str, clerk: Clerk) -> None:
    heard = threading.Event()

    def close(ticket: str) -> None: ...

    def work() -> None:
        with threads.Approvals.connect(redis_url, agent="billing", tenant=tenant) as agent:
            agent.review("close", {"ticket": "T-17"})
            (asked,) = agent.undos(timeout=20)
            agent.report_undone(asked.id, True, "by hand")
            gated = agent.required(undo=lambda ticket: f"{ticket} is open")(close)
            listening = threading.Thread(target=agent.run_undos)
            listening.start()
            gated("T-18")
            assert heard.wait(5)
        listening.join(5)
        assert not listening.is_alive()

    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(work))
        notices = await told(clerk, 2)
        heard.set()
    assert [notice.text for notice in notices] == ["by hand", "T-18 is open"]


@pytest.mark.parametrize(
    ("undo", "why"),
    [
        (lambda customer: None, "undo= takes 'customer', which is none of ticket, result"),
        (lambda ticket, /: None, "undo= gets its arguments by name"),
        (lambda *tickets: None, "undo= gets its arguments by name"),
    ],
)
def test_what_it_can_not_be_given_is_told_when_the_program_starts(
    undo: Callable[..., object], why: str
) -> None:
    def close(ticket: str) -> None: ...

    with pytest.raises(InvalidCall, match=why):
        Approvals.connect(NOWHERE, agent="billing").required(undo=undo)(close)
