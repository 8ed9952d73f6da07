"""Tools of the OpenAI Agents SDK that ask people first. `openai_agents` has the runs around them."""

from __future__ import annotations

import copy
import json
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Unpack
from uuid import uuid4

from approvals.adapters import needs, words
from approvals.adapters.asking import approved, claimed, submitted
from approvals.canonical import fingerprint
from approvals.client import Approvals
from approvals.errors import InvalidCall, NotApproved
from approvals.model import Args, RequestId
from approvals.submitting import Options, Span, submission

with needs("openai"):
    from agents import FunctionTool, RunContextWrapper
    from agents.exceptions import ModelBehaviorError
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


@dataclass(frozen=True, slots=True)
class Current:
    """The run that `run` drives: what it has asked about, so that nothing is asked twice."""

    run_id: str
    asked: dict[str, RequestId] = field(default_factory=dict)


CURRENT: ContextVar[Current | None] = ContextVar("current run", default=None)


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
    gate = Gate(tool, approvals, timeout, options)
    ours = copy.copy(tool)
    ours.on_invoke_tool = gate
    ours.needs_approval = _is_driven
    return ours


async def _is_driven(_: RunContextWrapper[Any], __: dict[str, Any], ___: str) -> bool:
    return CURRENT.get() is not None


@dataclass(frozen=True, slots=True)
class Gate:
    """What the SDK invokes in the tool's place. It asks whatever the SDK believes to be approved."""

    tool: FunctionTool
    approvals: Approvals
    timeout: Span | None
    options: Options

    async def __call__(self, ctx: ToolContext[Any], arguments: str) -> Any:
        try:
            args = read_args(arguments)
            request_id = await self.ask(ctx.tool_call_id, args)
        except InvalidCall as fault:
            return words.unaskable(fault)
        try:
            await approved(self.approvals, request_id, self.timeout)
            permit, report = await claimed(self.approvals, request_id, self.tool.name)
        except NotApproved as no:
            return words.instead(no)
        try:
            result = await self._run(ctx, permit.args)
        except BaseException as error:
            await report.failed(error)
            if _is_misfit(error):
                return words.UNFIT
            if isinstance(error, Exception):
                return await self._told(ctx, error)
            raise
        await report.executed(result)
        is_edited = permit.fingerprint != fingerprint(self.tool.name, args)
        return _noticed(result, permit.args) if is_edited else result

    async def ask(self, call_id: str, args: Args) -> RequestId:
        current = CURRENT.get() or Current(uuid4().hex)
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


def _is_misfit(error: BaseException) -> bool:
    """Whether the tool didn't take its arguments, which the SDK tells by these words alone."""
    return isinstance(error, ModelBehaviorError) and str(error).startswith("Invalid JSON input for tool")


def read_args(arguments: str | None) -> Args:
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
            args = read_args(call.arguments)
            request_id = await submitted(approvals, "hosted", call.id, tool, args, **options)
            outcome = await approved(approvals, request_id, timeout)
            if outcome.fingerprint != fingerprint(tool, args):
                changed = json.dumps(outcome.args, ensure_ascii=False)
                return {"approve": False, "reason": f"A person changed it. Call it again with {changed}."}
            _, report = await claimed(approvals, request_id, tool)
        except InvalidCall as fault:
            return {"approve": False, "reason": words.unaskable(fault)}
        except NotApproved as no:
            return {"approve": False, "reason": words.instead(no)}
        await report.executed("handed to OpenAI, which runs it and tells nobody how it went")
        return {"approve": True}

    return decide
