"""The gate in Pydantic AI: whatever fails, the tool does not run without its approval."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest

pytest.importorskip("pydantic_ai", reason="make test installs Pydantic AI")

from pydantic_ai import (
    Agent,
    AgentRunResult,
    ApprovalRequired,
    CallDeferred,
    DeferredToolRequests,
    FunctionToolset,
    ModelMessage,
    ModelResponse,
    RunContext,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolReturnPart,
)
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import UserError
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from approvals import Approvals, InvalidCall, StillPending
from approvals.adapters.pydantic_ai import FRAMEWORK, AskPeople
from approvals.model import Args, Kind, Status
from tests.adapters.pages import a_page
from tests.clerk import Clerk, serving, yes

Result = AgentRunResult[Any]
Way = Callable[["Desk"], Awaitable[Result]]


async def inline(desk: "Desk") -> Result:
    return await desk.agent.run("Refund c_42.")


async def driven(desk: "Desk") -> Result:
    return await desk.people.run(desk.agent, "Refund c_42.")


both = pytest.mark.parametrize("way", [inline, driven])


class Desk:
    """A tool that notes with what it ran, and an agent that calls it as the test says."""

    def __init__(self, approvals: Approvals, timeout: float = 5) -> None:
        self.ran: list[tuple[str, float]] = []
        self.turns: list[list[tuple[str, str, Args]]] = [[("call_1", "refund", CALL)]]
        self.told: dict[str, str] = {}  # what the model read, by the call
        self.denied: set[str] = set()
        self.last_words = "done"
        self.people = AskPeople(approvals, timeout=timeout)
        self.agent: Agent[None, str] = Agent(FunctionModel(self.say), capabilities=[self.people])

        @self.agent.tool_plain(requires_approval=True)
        async def refund(customer: str, amount: float) -> str:
            """Give money back."""
            self.ran.append((customer, amount))
            if customer == "c_0":
                raise RuntimeError("no such customer")
            return f"refunded {amount:.2f}"

    def say(self, messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        turn = 0
        for message in messages:
            turn += isinstance(message, ModelResponse)
            for part in message.parts:
                if isinstance(part, ToolReturnPart):
                    self.told[part.tool_call_id] = part.model_response_str(wrap_if_error=False)
                    self.denied |= {part.tool_call_id} if part.outcome == "denied" else set()
        if turn >= len(self.turns):
            return ModelResponse(parts=[TextPart(self.last_words)])
        return ModelResponse(parts=[ToolCallPart(tool, args, id) for id, tool, args in self.turns[turn]])


CALL: Args = {"customer": "c_42", "amount": 940}


@pytest.fixture
def desk(approvals: Approvals) -> Desk:
    return Desk(approvals)


@asynccontextmanager
async def meanwhile(
    doing: Awaitable[AgentRunResult[Any]],
) -> AsyncIterator["asyncio.Task[AgentRunResult[Any]]"]:
    """Have it go on while the block decides, and see it end."""

    async def until_done() -> Result:
        return await doing

    async with asyncio.TaskGroup() as group:
        yield group.create_task(until_done())


@both
async def test_an_approved_call_runs_once_and_is_reported(way: Way, desk: Desk, clerk: Clerk) -> None:
    async with meanwhile(way(desk)) as running:
        (request,) = await clerk.arrived()
        assert desk.ran == []
        await clerk.approve(request.id)
    assert running.result().output == "done"
    assert desk.ran == [("c_42", 940)]
    assert desk.told == {"call_1": "refunded 940.00"}
    done = await clerk.until_status(request.id, Status.EXECUTED)
    assert done.receipt is not None
    assert done.receipt.result == "refunded 940.00"
    assert request.schema is not None, "people edit in a form"


@both
async def test_what_people_changed_is_what_runs_and_the_model_is_told(
    way: Way, desk: Desk, clerk: Clerk
) -> None:
    async with meanwhile(way(desk)):
        (request,) = await clerk.arrived()
        await clerk.approve(request.id, {"customer": "c_42", "amount": 90})
    assert desk.ran == [("c_42", 90)]
    assert desk.told["call_1"] == (
        'A person changed the call, and it ran with {"customer": "c_42", "amount": 90}.\nrefunded 90.00'
    )


async def reject(clerk: Clerk, id: str) -> None:
    await clerk.reject(id, "it has open invoices")


async def expire(clerk: Clerk, id: str) -> None:
    await clerk.expire(id)


async def answer(clerk: Clerk, id: str) -> None:
    await clerk.answer(id, "use a voucher")


async def send_back(clerk: Clerk, id: str) -> None:
    await clerk.send_back(id, "half of it")


async def give_up(clerk: Clerk, id: str) -> None:
    await clerk.give_up(id, "nobody is there")


NO = {
    reject: "The call was rejected and did not run. Don't try it again in other words. Their words: it has",
    expire: "The call did not run: nobody answered in time.",
    answer: "The call did not run: a person answered instead. Their words: use a voucher",
    send_back: "The call did not run: a person wants it otherwise.",
    give_up: "The call did not run: nobody who may decide could be reached.",
}


@both
@pytest.mark.parametrize(("say_no", "words"), NO.items())
async def test_without_a_yes_the_model_reads_why_and_nothing_runs(
    way: Way,
    say_no: Callable[[Clerk, str], Awaitable[None]],
    words: str,
    desk: Desk,
    redis_url: str,
    tenant: str,
) -> None:
    deadline_s = 0 if say_no is expire else 3600
    async with serving(redis_url, tenant, deadline_s=deadline_s) as clerk, meanwhile(way(desk)):
        (request,) = await clerk.arrived()
        await say_no(clerk, request.id)
    assert desk.ran == []
    assert desk.told["call_1"].startswith(words)
    assert desk.denied == {"call_1"}


@both
async def test_calls_of_one_turn_are_decided_one_by_one(way: Way, desk: Desk, clerk: Clerk) -> None:
    desk.turns = [[("call_1", "refund", CALL), ("call_2", "refund", {"customer": "c_7", "amount": 35})]]
    async with meanwhile(way(desk)):
        for request in await clerk.arrived(2):
            if request.args["customer"] == "c_7":
                await clerk.approve(request.id)
            else:
                await clerk.reject(request.id)
    assert desk.ran == [("c_7", 35)]
    assert desk.told["call_2"] == "refunded 35.00"
    assert desk.denied == {"call_1"}


async def test_a_run_that_was_killed_goes_on_with_the_answers_it_has(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    first = Desk(approvals, timeout=0.05)
    first.turns = desk.turns = [
        [("call_1", "refund", CALL), ("call_2", "refund", {"customer": "c_7", "amount": 35})]
    ]
    with pytest.raises(StillPending):  # as good as killed: this process knows nothing of it any more
        await first.people.run(first.agent, "Refund c_42.", run_id="inv-881")
    one, other = await clerk.arrived(2)
    await clerk.approve(one.id)
    with pytest.raises(StillPending):
        await first.people.run(first.agent, "Refund c_42.", run_id="inv-881")
    await clerk.approve(other.id)
    result = await desk.people.run(desk.agent, "ignored", run_id="inv-881")
    assert result.output == "done"
    assert sorted(desk.ran) == [("c_42", 940), ("c_7", 35)]
    assert (first.ran, len(clerk.requests)) == ([], 2)
    assert await approvals.runs.state("inv-881", FRAMEWORK) is None


async def test_a_run_put_by_with_another_version_is_refused(desk: Desk, approvals: Approvals) -> None:
    await approvals.runs.put_by("inv-881", "pydantic-ai 1.0.0", "{}")
    with pytest.raises(InvalidCall, match=r"was put by with pydantic-ai 1\.0\.0, and this is pydantic-ai"):
        await desk.people.run(desk.agent, "Refund c_42.", run_id="inv-881")
    assert desk.ran == []


async def test_of_two_that_go_on_with_one_run_one_runs_the_call(approvals: Approvals, clerk: Clerk) -> None:
    first = Desk(approvals, timeout=0.05)
    with pytest.raises(StillPending):
        await first.people.run(first.agent, "Refund c_42.", run_id="inv-881")
    (request,) = await clerk.arrived()
    await clerk.approve(request.id)
    desks = [Desk(approvals), Desk(approvals)]
    async with asyncio.TaskGroup() as group:
        for desk in desks:
            group.create_task(desk.people.run(desk.agent, "ignored", run_id="inv-881"))
    assert desks[0].ran + desks[1].ran == [("c_42", 940)]
    (late,) = [desk for desk in desks if not desk.ran]
    assert late.told["call_1"].startswith("The call did not run now: its approval was used before")


@both
async def test_the_same_call_twice_runs_once(way: Way, desk: Desk, clerk: Clerk) -> None:
    """Some models number their calls anew in each turn."""
    desk.turns *= 2
    clerk.habit = yes
    await way(desk)
    assert desk.ran == [("c_42", 940)]
    assert desk.told["call_1"].startswith("The call did not run now: its approval was used before")


async def test_what_somebody_else_approves_is_still_asked_about(desk: Desk, clerk: Clerk) -> None:
    """A program that resumes by itself, with results of its own."""
    requests = DeferredToolRequests(approvals=[ToolCallPart("refund", CALL, "call_1")])
    history: list[ModelMessage] = [ModelResponse(parts=[ToolCallPart("refund", CALL, "call_1")])]
    results = requests.build_results(approve_all=True)
    async with meanwhile(desk.agent.run(message_history=history, deferred_tool_results=results)):
        (request,) = await clerk.arrived()
        await clerk.reject(request.id)
    assert desk.ran == []
    assert desk.told["call_1"].startswith("The call was rejected")


async def test_an_approval_for_another_tool_is_not_used(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    clerk.habit = yes
    ticket = await approvals.submit("look_up", CALL)
    await approvals.wait(ticket.id, timeout=20)
    requests = DeferredToolRequests(approvals=[ToolCallPart("refund", CALL, "call_1")])
    history: list[ModelMessage] = [ModelResponse(parts=[ToolCallPart("refund", CALL, "call_1")])]
    forged = {"call_1": {"countersign": ticket.id, "edited": False}}
    results = requests.build_results(approve_all=True, metadata=forged)
    await desk.agent.run(message_history=history, deferred_tool_results=results)
    assert desk.ran == []


async def test_what_another_capability_makes_of_an_approved_call_does_not_run(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    class Rounding(AbstractCapability[None]):
        async def before_tool_execute(
            self, ctx: RunContext[None], *, call: ToolCallPart, tool_def: ToolDefinition, args: dict[str, Any]
        ) -> dict[str, Any]:
            return args | {"amount": 1000}

    clerk.habit = yes
    await desk.agent.run("Refund c_42.", capabilities=[Rounding()])
    assert desk.ran == [("c_42", 940)]


async def test_a_tool_may_ask_only_sometimes_and_say_why(approvals: Approvals, clerk: Clerk) -> None:
    ran: list[date] = []
    desk = Desk(approvals)

    @desk.agent.tool
    async def close(ctx: RunContext[None], day: date) -> str:
        if not ctx.tool_call_approved and day.year < 2026:
            raise ApprovalRequired(metadata={"reason": "it is long past"})
        ran.append(day)
        return "closed"

    desk.turns = [[("call_1", "close", {"day": "2026-01-01"})], [("call_2", "close", {"day": "2025-01-01"})]]
    async with meanwhile(desk.agent.run("Close.")):
        (request,) = await clerk.arrived()
        assert (ran, request.reason) == ([date(2026, 1, 1)], "it is long past")
        await clerk.approve(request.id, {"day": "2025-06-30"})
    assert ran == [date(2026, 1, 1), date(2025, 6, 30)], "in the tool's own types"


async def test_a_whole_toolset_can_be_asked_about(approvals: Approvals, clerk: Clerk) -> None:
    ran: list[str] = []
    toolset: FunctionToolset[None] = FunctionToolset()

    @toolset.tool_plain
    def drop(table: str) -> dict[str, str]:
        ran.append(table)
        return {"dropped": table}

    desk = Desk(approvals)
    desk.turns = [[("call_1", "drop", {"table": "invoices"})]]
    agent = Agent(FunctionModel(desk.say), toolsets=[toolset.approval_required()], capabilities=[desk.people])
    async with meanwhile(agent.run("Drop it.")):
        (request,) = await clerk.arrived()
        assert ran == []
        await clerk.approve(request.id, {"table": "drafts"})
    assert ran == ["drafts"]
    assert json.loads(desk.told["call_1"]) == {"dropped": "drafts"}


async def test_a_stream_that_cant_wait_runs_nothing(desk: Desk, clerk: Clerk) -> None:
    async def stream(_: list[ModelMessage], __: AgentInfo) -> AsyncIterator[DeltaToolCalls]:
        yield {0: DeltaToolCall("refund", json.dumps(CALL), tool_call_id="call_1")}

    with pytest.raises(UserError, match="DeferredToolRequests"):
        async with desk.agent.run_stream("Refund c_42.", model=FunctionModel(stream_function=stream)) as run:
            await run.get_output()
    assert (desk.ran, clerk.requests) == ([], {})


@both
async def test_people_answer_what_a_tool_asks_them(way: Way, desk: Desk, clerk: Clerk) -> None:
    @desk.agent.tool_plain
    async def ask(question: str, options: list[str]) -> str:
        raise CallDeferred(kind="question")

    desk.turns = [[("call_1", "ask", {"question": "Which region?", "options": ["eu", "us"]})]]
    async with meanwhile(way(desk)):
        (request,) = await clerk.arrived()
        assert (request.kind, request.args["options"]) == (Kind.QUESTION, ["eu", "us"])
        await clerk.answer(request.id, "eu")
    assert desk.told == {"call_1": "eu"}


async def test_a_run_that_waits_for_something_else_than_people_is_not_driven(desk: Desk) -> None:
    @desk.agent.tool_plain
    async def elsewhere() -> str:
        raise CallDeferred

    desk.turns = [[("call_1", "elsewhere", {})]]
    with pytest.raises(InvalidCall, match="waits for a tool that runs elsewhere"):
        await driven(desk)


async def test_the_program_of_the_page_prints_what_the_page_says(
    redis_url: str,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    desk: Desk,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "never used")
    page = a_page("pydantic_ai")
    example = page.program(redis_url, tenant, monkeypatch)  # imports much: before anything waits for Redis
    desk.last_words = "Done: refunded 940.00 to c_42"
    with example.agent.override(model=FunctionModel(desk.say)):
        async with serving(redis_url, tenant, habit=yes), asyncio.timeout(30):
            await example.main()
    assert capsys.readouterr().out == page.printed
    assert desk.told == {"call_1": "refunded 940.00 to c_42"}
