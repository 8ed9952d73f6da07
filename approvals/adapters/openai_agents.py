"""The gate in the OpenAI Agents SDK: tools that ask, and runs that are put by while people decide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import uuid4

from approvals.adapters import needs, words
from approvals.adapters.asking import approved
from approvals.adapters.openai_tools import CURRENT, Current, Gate, gated, hosted, read_args
from approvals.client import Approvals
from approvals.errors import ApprovalsError, InvalidCall, NotApproved
from approvals.messages import Outcome
from approvals.model import RequestId
from approvals.submitting import Span

with needs("openai"):
    from agents import Agent, FunctionTool, RunContextWrapper, Runner, RunResult, RunState, TResponseInputItem
    from agents.exceptions import UserError
    from agents.items import ToolApprovalItem
    from agents.version import __version__

__all__ = ["FRAMEWORK", "gated", "hosted", "run"]

_State: TypeAlias = RunState[Any, Agent[Any]]
_Step: TypeAlias = str | list[TResponseInputItem] | _State
_Answer: TypeAlias = Outcome | ApprovalsError

FRAMEWORK = f"openai-agents {__version__}"


async def run(
    agent: Agent[Any],
    input: str | list[TResponseInputItem],
    approvals: Approvals,
    *,
    run_id: str | None = None,
    timeout: Span | None = None,  # noqa: ASYNC109  # of each wait; the run stays put by
    **options: Any,
) -> RunResult:
    """Run `agent` to its end, put by whenever gated tools wait for people.

    With a `run_id` it can be killed and started again, anywhere: it goes on where it was put by. `options`
    are those of `Runner.run`.

    Raises:
        StillPending: nobody has decided within `timeout`.
        InvalidCall: another version of the SDK has put the run by; or a tool needs approval without a gate.
        Unavailable: Redis was away.
    """
    async with _driving(run_id or uuid4().hex, timeout) as answers:
        begin = run_id and await _restored(agent, approvals, run_id, options.get("context"))
        step: _Step = begin or input
        while True:
            if isinstance(step, RunState):
                if run_id is not None:
                    state = step.to_string(context_serializer=_nothing)
                    await approvals.runs.put_by(run_id, FRAMEWORK, state)
                await _decide(step, answers)
            result = await _go_on(agent, step, options)
            if not result.interruptions:
                break
            step = result.to_state()
        if run_id is not None:
            await approvals.runs.forget(run_id)
        return result


@asynccontextmanager
async def _driving(run_id: str, timeout: Span | None) -> AsyncIterator[_Answers]:  # noqa: ASYNC109  # likewise
    token = CURRENT.set(Current(run_id))
    try:
        async with asyncio.TaskGroup() as group:
            yield _Answers(group, timeout)
    except ExceptionGroup as failed:  # of one: the waits themselves raise nothing
        raise failed.exceptions[0] from None
    finally:
        CURRENT.reset(token)


class _Answers:
    """What people say to all that a run asks about: one wait for each request, as long as the run lasts."""

    def __init__(self, group: asyncio.TaskGroup, timeout: Span | None) -> None:
        self._group, self._timeout = group, timeout
        self._waits: dict[RequestId, asyncio.Task[_Answer]] = {}

    async def first(self, asked: Mapping[RequestId, Gate]) -> dict[RequestId, Outcome | NotApproved]:
        """Wait until at least one is decided, and return all that are.

        Raises:
            StillPending, Unavailable: none is decided.
        """
        for id, gate in asked.items():
            if id not in self._waits:
                self._waits[id] = self._group.create_task(self._answer(id, gate))
        waits = {id: self._waits[id] for id in asked}
        await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
        told = {id: wait.result() for id, wait in waits.items() if wait.done()}
        decided = {id: one for id, one in told.items() if isinstance(one, Outcome | NotApproved)}
        if not decided:
            raise next(one for one in told.values() if isinstance(one, ApprovalsError))
        return decided

    async def _answer(self, request_id: RequestId, gate: Gate) -> _Answer:
        try:
            return await approved(gate.approvals, request_id, self._timeout)
        except ApprovalsError as error:
            return error


def _nothing(_: object) -> dict[str, object]:
    """Contexts aren't kept: they may hold anything. Whoever goes on with a run gives its context again."""
    return {}


async def _restored(agent: Agent[Any], approvals: Approvals, run_id: str, context: object) -> _State | None:
    kept = await approvals.runs.state(run_id, FRAMEWORK)
    if kept is None:
        return None
    return await RunState.from_string(agent, kept, context_override=RunContextWrapper(context))


async def _go_on(agent: Agent[Any], step: _Step, options: dict[str, Any]) -> RunResult:
    """Run until it ends or waits. The SDK wraps what a tool raises; ours is for whoever called `run`."""
    try:
        return await Runner.run(agent, step, **options)
    except UserError as error:
        if isinstance(error.__cause__, ApprovalsError):
            raise error.__cause__ from None
        raise


async def _decide(state: _State, answers: _Answers) -> None:
    """Ask about all that the run waits for, and pass on what is decided first; the others stay open."""
    items: dict[RequestId, ToolApprovalItem] = {}
    asked: dict[RequestId, Gate] = {}
    for item in state.get_interruptions():
        gate = _gate_of(item)
        try:
            request_id = await gate.ask(item.call_id or "", read_args(item.arguments))
        except InvalidCall as fault:
            return state.reject(item, rejection_message=words.unaskable(fault))
        items[request_id], asked[request_id] = item, gate
    for request_id, answer in (await answers.first(asked)).items():
        if isinstance(answer, NotApproved):
            state.reject(items[request_id], rejection_message=words.instead(answer))
        else:
            state.approve(items[request_id])
    return None


def _gate_of(item: ToolApprovalItem) -> Gate:
    tools = [tool for tool in item.agent.tools if isinstance(tool, FunctionTool)]
    invoked = {tool.qualified_name: tool.on_invoke_tool for tool in tools}.get(item.qualified_name or "")
    if isinstance(invoked, Gate):
        return invoked
    raise InvalidCall(
        f"{item.qualified_name} needs approval, but has no gate. For a function: gated(tool, approvals); "
        "for a hosted MCP server: on_approval_request=hosted(approvals); for others: countersign mcp-gateway"
    )
