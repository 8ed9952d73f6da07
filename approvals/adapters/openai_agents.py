"""The gate in the OpenAI Agents SDK: tools that ask, and runs that are put by while people decide."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias, Unpack
from uuid import uuid4

from approvals.adapters import needs, words
from approvals.adapters.asking import approved, claimed, submitted
from approvals.canonical import fingerprint
from approvals.client import Approvals
from approvals.errors import ApprovalsError, InvalidCall, NotApproved
from approvals.messages import Outcome
from approvals.model import Args, RequestId
from approvals.submitting import Options, Span, submission

with needs("openai"):
    from agents import Agent, FunctionTool, RunContextWrapper, Runner, RunResult, RunState, TResponseInputItem
    from agents.exceptions import ModelBehaviorError, UserError
    from agents.items import ToolApprovalItem
    from agents.tool import (
        MCPToolApprovalFunction,
        MCPToolApprovalFunctionResult,
        MCPToolApprovalRequest,
        ToolOutputFileContent,
        ToolOutputImage,
        ToolOutputText,
        maybe_invoke_function_tool_failure_error_function,
        set_function_tool_failure_error_function,
    )
    from agents.tool_context import ToolContext
    from agents.version import __version__

_State: TypeAlias = RunState[Any, Agent[Any]]
_Step: TypeAlias = str | list[TResponseInputItem] | _State

FRAMEWORK = f"openai-agents {__version__}"


@dataclass(frozen=True, slots=True)
class _Current:
    """The run that `run` drives: what it has asked about, so that nothing is asked twice."""

    run_id: str
    asked: dict[str, RequestId] = field(default_factory=dict)


_CURRENT: ContextVar[_Current | None] = ContextVar("current run", default=None)


def gated(
    tool: FunctionTool,
    approvals: Approvals,
    *,
    timeout: Span | None = None,
    **options: Unpack[Options],
) -> FunctionTool:
    """The same tool, which runs only once its call is approved, with the arguments that were approved.

    Under `run` the whole run is put by while people decide; under the SDK's own `Runner.run` the tool waits
    where it is, `timeout` at most.

    Raises:
        InvalidCall: it is an agent as a tool, or an option can't be.
    """
    if getattr(tool, "_is_agent_tool", False):
        raise InvalidCall(
            f"{tool.name} is an agent, which may be put by midway and so is no single call: "
            "put the gate before the tools of that agent"
        )
    options.setdefault("schema", tool.params_json_schema)
    submission(tool.name, {}, **options)  # for its checks: what is wrong shows when the program starts
    gate = _Gate(tool, approvals, timeout, options)
    ours = copy.copy(tool)
    ours.on_invoke_tool = gate
    ours.needs_approval = _is_driven
    return ours


async def _is_driven(_: RunContextWrapper[Any], __: dict[str, Any], ___: str) -> bool:
    return _CURRENT.get() is not None


@dataclass(frozen=True, slots=True)
class _Gate:
    """What the SDK invokes in the tool's place. It asks whatever the SDK believes to be approved."""

    tool: FunctionTool
    approvals: Approvals
    timeout: Span | None
    options: Options

    async def __call__(self, ctx: ToolContext[Any], arguments: str) -> Any:
        try:
            args = _args(arguments)
            request_id = await self.ask(ctx.tool_call_id, args)
        except InvalidCall as fault:
            return words.unaskable(fault)
        try:
            await approved(self.approvals, request_id, self.timeout)
            permit, report = await claimed(self.approvals, request_id)
        except NotApproved as no:
            return words.instead(no)
        try:
            result = await self._run(ctx, permit.args)
        except BaseException as error:
            await report.failed(error)
            if isinstance(error, ModelBehaviorError):  # the arguments, which the SDK takes for the model's
                return words.UNFIT
            if isinstance(error, Exception):
                return await self._told(ctx, error)
            raise
        await report.executed(result)
        is_edited = permit.fingerprint != fingerprint(self.tool.name, args)
        return _noticed(result, permit.args) if is_edited else result

    async def ask(self, call_id: str, args: Args) -> RequestId:
        current = _CURRENT.get() or _Current(uuid4().hex)
        known = f"{call_id}/{fingerprint(self.tool.name, args)}"
        if known not in current.asked:
            current.asked[known] = await submitted(
                self.approvals, current.run_id, call_id, self.tool.name, args, **self.options
            )
        return current.asked[known]

    async def _run(self, ctx: ToolContext[Any], args: Args) -> Any:
        """Run what was approved, and have what it raises raised, which the SDK would turn into a result."""
        raising = set_function_tool_failure_error_function(copy.copy(self.tool), None)
        ctx.tool_arguments = json.dumps(args, ensure_ascii=False)
        return await raising.on_invoke_tool(ctx, ctx.tool_arguments)

    async def _told(self, ctx: ToolContext[Any], error: Exception) -> str:
        """What the tool's own way with errors makes of it."""
        told = await maybe_invoke_function_tool_failure_error_function(
            function_tool=self.tool, context=ctx, error=error
        )
        if told is None:
            raise error
        return told


def _args(arguments: str | None) -> Args:
    """Raises InvalidCall: the model has written something else than a JSON object."""
    try:
        args = json.loads(arguments or "{}")
    except ValueError as error:
        raise InvalidCall(f"its arguments are not JSON: {error}") from error
    if not isinstance(args, dict):
        raise InvalidCall("its arguments are not a JSON object")
    return args


def _noticed(result: Any, args: Args) -> Any:
    """The result, after a notice that the call was changed, in a shape that the SDK gives to the model."""
    notice = words.edited(args)
    parts = result if isinstance(result, list) else [result]
    if parts and all(
        isinstance(one, ToolOutputText | ToolOutputImage | ToolOutputFileContent) for one in parts
    ):
        return [ToolOutputText(text=notice), *parts]
    return f"{notice}\n{result}"


# -- runs that are put by -----------------------------------------------------------------------------


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
    with _driving(run_id or uuid4().hex):
        begin = run_id and await _restored(agent, approvals, run_id, options.get("context"))
        step: _Step = begin or input
        while True:
            if isinstance(step, RunState):
                if run_id is not None:
                    await approvals.runs.put_by(
                        run_id, FRAMEWORK, step.to_string(context_serializer=_nothing)
                    )
                await _decide(step, timeout)
            result = await _go_on(agent, step, options)
            if not result.interruptions:
                break
            step = result.to_state()
        if run_id is not None:
            await approvals.runs.forget(run_id)
        return result


@contextmanager
def _driving(run_id: str) -> Iterator[None]:
    token = _CURRENT.set(_Current(run_id))
    try:
        yield
    finally:
        _CURRENT.reset(token)


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


async def _decide(state: _State, timeout: Span | None) -> None:  # noqa: ASYNC109  # likewise
    """Ask about all that the run waits for, and pass on what is decided first; the others stay open."""
    asked: dict[RequestId, tuple[_Gate, ToolApprovalItem]] = {}
    for item in state.get_interruptions():
        gate = _gate_of(item)
        try:
            request_id = await gate.ask(item.call_id or "", _args(item.arguments))
        except InvalidCall as fault:
            return state.reject(item, rejection_message=words.unaskable(fault))
        asked[request_id] = gate, item
    for request_id, answer in (await _first_answers(asked, timeout)).items():
        _, item = asked[request_id]
        if isinstance(answer, NotApproved):
            state.reject(item, rejection_message=words.instead(answer))
        else:
            state.approve(item)
    return None


def _gate_of(item: ToolApprovalItem) -> _Gate:
    tools = [tool for tool in item.agent.tools if isinstance(tool, FunctionTool)]
    invoked = {tool.qualified_name: tool.on_invoke_tool for tool in tools}.get(item.qualified_name or "")
    if isinstance(invoked, _Gate):
        return invoked
    raise InvalidCall(
        f"{item.qualified_name} needs approval, but has no gate. For a function: gated(tool, approvals); "
        "for a hosted MCP server: on_approval_request=hosted(approvals); for others: countersign mcp-gateway"
    )


async def _first_answers(
    asked: Mapping[RequestId, tuple[_Gate, ToolApprovalItem]],
    timeout: Span | None,  # noqa: ASYNC109  # likewise
) -> dict[RequestId, Outcome | NotApproved]:
    """Wait until at least one is decided.

    Raises:
        StillPending, Unavailable: and none is decided.
    """

    async def answer(request_id: RequestId, gate: _Gate) -> Outcome | ApprovalsError:
        try:
            return await approved(gate.approvals, request_id, timeout)
        except ApprovalsError as error:
            return error

    async with asyncio.TaskGroup() as group:
        waits = {id: group.create_task(answer(id, gate)) for id, (gate, _) in asked.items()}
        await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
        answers = {id: wait.result() for id, wait in waits.items() if wait.done()}
        for wait in waits.values():
            wait.cancel()
    decided = {id: one for id, one in answers.items() if isinstance(one, Outcome | NotApproved)}
    if not decided:
        raise next(one for one in answers.values() if isinstance(one, ApprovalsError))
    return decided


# -- MCP servers that OpenAI calls --------------------------------------------------------------------


def hosted(
    approvals: Approvals,
    *,
    timeout: Span | None = None,
    **options: Unpack[Options],
) -> MCPToolApprovalFunction:
    """For `HostedMCPTool(on_approval_request=…)`: calls that OpenAI makes itself, once they are approved.

    What a person has changed can't be passed on: then the model is told to make the changed call. How it went
    is not told to us either.
    """

    async def decide(asked: MCPToolApprovalRequest) -> MCPToolApprovalFunctionResult:
        call, tool = asked.data, f"{asked.data.server_label}.{asked.data.name}"
        try:
            args = _args(call.arguments)
            request_id = await submitted(approvals, "hosted", call.id, tool, args, **options)
            outcome = await approved(approvals, request_id, timeout)
            if outcome.edited:
                changed = json.dumps(outcome.args, ensure_ascii=False)
                return {"approve": False, "reason": f"A person changed it. Call it again with {changed}."}
            _, report = await claimed(approvals, request_id)
        except InvalidCall as fault:
            return {"approve": False, "reason": words.unaskable(fault)}
        except NotApproved as no:
            return {"approve": False, "reason": words.instead(no)}
        await report.executed("handed to OpenAI, which runs it and tells nobody how it went")
        return {"approve": True}

    return decide
