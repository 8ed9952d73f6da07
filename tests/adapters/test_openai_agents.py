"""The gate in the OpenAI Agents SDK: whatever fails, the tool does not run without its approval."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("agents", reason="make test installs the OpenAI Agents SDK")

from agents import Agent, FunctionTool, HostedMCPTool, Runner, RunResult, function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call
from openai.types.responses.response_output_item import McpApprovalRequest

from approvals import Approvals, InvalidCall, StillPending
from approvals.adapters.openai_agents import FRAMEWORK, gated, hosted, run
from approvals.model import Args, Status
from tests.adapters.pages import a_page
from tests.clerk import Clerk, serving, yes

set_tracing_disabled(True)

Way = Callable[[Agent[Any], Approvals], Awaitable[RunResult]]


async def driven(agent: Agent[Any], approvals: Approvals) -> RunResult:
    return await run(agent, "Refund c_42.", approvals, timeout=20)


async def bare(agent: Agent[Any], _: Approvals) -> RunResult:
    return await Runner.run(agent, "Refund c_42.")


both = pytest.mark.parametrize("way", [driven, bare])


class Desk:
    """A tool that notes with what it ran, and an agent that calls it as the test says."""

    def __init__(self, approvals: Approvals) -> None:
        self.ran: list[tuple[str, float]] = []
        self.approvals = approvals
        self.model = ScriptedModel()

    def tool(self) -> FunctionTool:
        @function_tool
        async def refund(customer: str, amount: float) -> str:
            """Give money back."""
            self.ran.append((customer, amount))
            if customer == "c_0":
                raise RuntimeError("no such customer")
            return f"refunded {amount:.2f}"

        return refund

    def agent(self, *calls: tuple[str, Args], timeout: float | None = 5) -> Agent[Any]:
        """An agent whose model makes these calls at once, and then says that it is done."""
        made = [function_call("refund", args, call_id=call_id) for call_id, args in calls]
        self.model = ScriptedModel([made, [assistant_message("done")]])
        tool = gated(self.tool(), self.approvals, timeout=timeout)
        return Agent(name="billing", model=self.model, tools=[tool])

    @property
    def told(self) -> dict[str, str]:
        """What the model read, by the call."""
        assert self.model.last_call is not None
        read = self.model.last_call.input
        assert isinstance(read, list)
        return {str(one["call_id"]): str(one["output"]) for one in read if "output" in one}


@pytest.fixture
def desk(approvals: Approvals) -> Desk:
    return Desk(approvals)


CALL: tuple[str, Args] = ("call_1", {"customer": "c_42", "amount": 940})


@asynccontextmanager
async def meanwhile(doing: Awaitable[RunResult]) -> AsyncIterator["asyncio.Task[RunResult]"]:
    """Have it go on while the block decides, and see it end."""

    async def until_done() -> RunResult:
        return await doing

    async with asyncio.TaskGroup() as group:
        task = group.create_task(until_done())
        yield task


@both
async def test_an_approved_call_runs_once_and_is_reported(
    way: Way, desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    async with meanwhile(way(desk.agent(CALL), approvals)) as running:
        (request,) = await clerk.arrived()
        assert desk.ran == []
        await clerk.approve(request.id)
    assert running.result().final_output == "done"
    assert desk.ran == [("c_42", 940)]
    assert desk.told == {"call_1": "refunded 940.00"}
    done = await clerk.until_status(request.id, Status.EXECUTED)
    assert done.receipt is not None
    assert done.receipt.result == "refunded 940.00"
    assert request.schema is not None, "people edit in a form"


@both
async def test_what_people_changed_is_what_runs_and_the_model_is_told(
    way: Way, desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    async with meanwhile(way(desk.agent(CALL), approvals)):
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
    approvals: Approvals,
    redis_url: str,
    tenant: str,
) -> None:
    deadline_s = 0 if say_no is expire else 3600
    async with serving(redis_url, tenant, deadline_s=deadline_s) as clerk:
        async with meanwhile(way(desk.agent(CALL), approvals)):
            (request,) = await clerk.arrived()
            await say_no(clerk, request.id)
        assert desk.ran == []
        assert desk.told["call_1"].startswith(words)
        if say_no is send_back:
            await clerk.until_status(request.id, Status.CANCELLED)  # the changed call is asked for anew


async def test_one_yes_runs_while_the_other_call_still_waits(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    other: tuple[str, Args] = ("call_2", {"customer": "c_7", "amount": 35})
    async with meanwhile(driven(desk.agent(CALL, other), approvals)):
        for request in await clerk.arrived(2):
            if request.args["customer"] == "c_7":
                await clerk.approve(request.id)
                await clerk.until_status(request.id, Status.EXECUTED)
                assert desk.ran == [("c_7", 35)]
        for request in await clerk.arrived(2):
            if request.args["customer"] == "c_42":
                await clerk.reject(request.id)
    assert desk.ran == [("c_7", 35)]
    assert desk.told["call_2"] == "refunded 35.00"
    assert desk.told["call_1"].startswith("The call was rejected")


async def test_a_run_that_was_killed_goes_on_where_it_was_put_by(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    with pytest.raises(StillPending):  # as good as killed: this process knows nothing of it any more
        await run(desk.agent(CALL), "Refund c_42.", approvals, run_id="inv-881", timeout=0.05)
    (request,) = await clerk.arrived()
    await clerk.approve(request.id)
    again = desk.agent(timeout=20)
    again.model = desk.model = ScriptedModel([[assistant_message("done")]])
    result = await run(again, "ignored", approvals, run_id="inv-881", context={"of": "the second process"})
    assert result.final_output == "done"
    assert desk.ran == [("c_42", 940)]
    assert len(clerk.requests) == 1
    assert await approvals.runs.state("inv-881", FRAMEWORK) is None


async def test_a_run_put_by_with_another_version_of_the_sdk_is_refused(
    desk: Desk, approvals: Approvals
) -> None:
    await approvals.runs.put_by("inv-881", "openai-agents 0.1.0", "{}")
    with pytest.raises(InvalidCall, match=r"was put by with openai-agents 0\.1\.0, and this"):
        await run(desk.agent(CALL), "Refund c_42.", approvals, run_id="inv-881")
    assert desk.ran == []


async def test_of_two_that_go_on_with_one_run_one_runs_the_call(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    with pytest.raises(StillPending):
        await run(desk.agent(CALL), "Refund c_42.", approvals, run_id="inv-881", timeout=0.05)
    (request,) = await clerk.arrived()
    await clerk.approve(request.id)
    models = [ScriptedModel([[assistant_message("done")]]) for _ in range(2)]
    tool = gated(desk.tool(), approvals)
    async with asyncio.TaskGroup() as group:
        for model in models:
            agent = Agent(name="billing", model=model, tools=[tool])
            group.create_task(run(agent, "ignored", approvals, run_id="inv-881"))
    assert desk.ran == [("c_42", 940)]


@both
async def test_the_same_call_twice_runs_once(
    way: Way, desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    """Some models number their calls anew in each turn."""
    agent = desk.agent(CALL)
    desk.model = ScriptedModel(
        [[function_call("refund", CALL[1], call_id="call_1")]] * 2 + [[assistant_message("done")]]
    )
    agent.model = desk.model
    clerk.habit = yes
    await way(agent, approvals)
    assert desk.ran == [("c_42", 940)]
    assert len(clerk.requests) == 1


async def test_a_call_whose_result_was_lost_is_not_run_again(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    clerk.habit = yes
    agent = desk.agent(CALL)
    agent.model = ScriptedModel([[function_call("refund", CALL[1], call_id="call_1")], OSError("no network")])
    with pytest.raises(OSError, match="no network"):
        await run(agent, "Refund c_42.", approvals, run_id="inv-881")
    agent.model = desk.model = ScriptedModel([[assistant_message("done")]])
    await run(agent, "ignored", approvals, run_id="inv-881")
    assert desk.ran == [("c_42", 940)]
    assert desk.told["call_1"].startswith("The call did not run now: its approval was used before")


@both
async def test_arguments_that_are_no_json_are_not_asked_for(
    way: Way, desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    agent = desk.agent()
    agent.model = desk.model = ScriptedModel(
        [[function_call("refund", '{"customer": ', call_id="call_1")], [assistant_message("done")]]
    )
    result = await way(agent, approvals)
    if way is driven:
        assert desk.told["call_1"].startswith("The call did not run, since it can't be asked for")
    else:
        assert result.interruptions  # the SDK leaves it to people
    assert (desk.ran, clerk.requests) == ([], {})


async def test_what_somebody_else_approves_is_still_asked_about(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    agent = desk.agent(CALL)
    agent.tools[0].needs_approval = True  # type: ignore[union-attr]  # a program that does it all by itself
    state = (await Runner.run(agent, "Refund c_42.")).to_state()
    for item in state.get_interruptions():
        state.approve(item, always_approve=True)
    async with meanwhile(Runner.run(agent, state)):
        (request,) = await clerk.arrived()
        await clerk.reject(request.id)
    assert desk.ran == []


async def test_a_streamed_run_waits_in_the_tool(desk: Desk, clerk: Clerk) -> None:
    streamed = Runner.run_streamed(desk.agent(CALL), "Refund c_42.")

    async def to_its_end() -> None:
        async for _ in streamed.stream_events():
            pass

    async with asyncio.TaskGroup() as group:
        group.create_task(to_its_end())
        (request,) = await clerk.arrived()
        await clerk.approve(request.id)
    assert streamed.final_output == "done"
    assert desk.ran == [("c_42", 940)]


async def test_tools_of_agents_that_are_tools_are_asked_about(
    desk: Desk, approvals: Approvals, clerk: Clerk
) -> None:
    inner = desk.agent(CALL)
    outer = Agent(
        name="front",
        model=ScriptedModel(
            [
                [function_call("billing", {"input": "refund"}, call_id="call_9")],
                [assistant_message("all done")],
            ]
        ),
        tools=[inner.as_tool("billing", "Handles money.")],
    )
    async with meanwhile(driven(outer, approvals)) as running:
        (request,) = await clerk.arrived()
        await clerk.approve(request.id)
    assert running.result().final_output == "all done"
    assert desk.ran == [("c_42", 940)]


def test_an_agent_as_a_tool_has_no_gate_of_its_own(desk: Desk, approvals: Approvals) -> None:
    with pytest.raises(InvalidCall, match="put the gate before the tools of that agent"):
        gated(desk.agent().as_tool("billing", "Handles money."), approvals)


async def test_a_tool_that_needs_approval_without_a_gate_stops_the_run(
    desk: Desk, approvals: Approvals
) -> None:
    tool = desk.tool()
    tool.needs_approval = True
    agent = desk.agent(CALL)
    agent.tools = [tool]
    with pytest.raises(InvalidCall, match="refund needs approval, but has no gate"):
        await driven(agent, approvals)
    assert desk.ran == []


@pytest.mark.parametrize("decision", ["approve", "edit", "revise", "reject"])
async def test_a_hosted_mcp_server_is_called_once_people_approve(
    decision: str, approvals: Approvals, clerk: Clerk
) -> None:
    decide = hosted(approvals, timeout=20)
    wanted = McpApprovalRequest(
        id="mcpr_1", arguments='{"to": "all"}', name="send", server_label="mail", type="mcp_approval_request"
    )
    tool = HostedMCPTool(
        tool_config={"type": "mcp", "server_label": "mail", "require_approval": "always"},
        on_approval_request=decide,
    )
    model = ScriptedModel([[wanted], [assistant_message("done")]])
    agent = Agent(name="mailer", model=model, tools=[tool])
    async with meanwhile(Runner.run(agent, "Write to all.")):
        (request,) = await clerk.arrived()
        assert (request.tool, request.args) == ("mail.send", {"to": "all"})
        if decision == "revise":  # by another process of the same agent
            await approvals.revise(request.id, {"to": "few"})
            await clerk.until(lambda: clerk.requests[request.id].args == {"to": "few"})
        if decision == "reject":
            await clerk.reject(request.id, "not now")
        else:
            await clerk.approve(request.id, {"to": "few"} if decision == "edit" else None)
    assert model.last_call is not None
    assert isinstance(model.last_call.input, list)
    (told,) = [one for one in model.last_call.input if one.get("type") == "mcp_approval_response"]
    assert told.get("approve") is (decision == "approve")
    again = 'Call it again with {"to": "few"}.'
    reasons = {"approve": None, "edit": again, "revise": again, "reject": "not now"}
    assert str(reasons[decision] or "") in str(told.get("reason") or "")


async def test_the_program_of_the_page_prints_what_the_page_says(
    redis_url: str,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = a_page("openai_agents")
    example = page.program(redis_url, tenant, monkeypatch)  # imports much: before anything waits for Redis
    example.agent.model = ScriptedModel(
        [
            [function_call("refund", CALL[1], call_id="call_1")],
            [assistant_message("Done: refunded 940.00 to c_42")],
        ]
    )
    async with serving(redis_url, tenant, habit=yes) as clerk, asyncio.timeout(30):
        await example.main()
        (request,) = await clerk.arrived()
        await clerk.until_status(request.id, Status.EXECUTED)
    assert capsys.readouterr().out == page.printed
    assert example.agent.model.remaining_steps == 0
