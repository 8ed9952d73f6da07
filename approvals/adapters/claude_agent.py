"""Claude Agent SDK: `ClaudeAgentOptions(hooks=approval_hooks(approvals))` asks before a tool runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Unpack, cast
from uuid import uuid4

from approvals.adapters import claude_code, needs
from approvals.adapters.tool_hooks import ToolCall, ToolHooks
from approvals.errors import InvalidCall
from approvals.submitting import Options, Span, seconds_of

with needs("claude"):
    from claude_agent_sdk import HookMatcher, PermissionResultAllow, PermissionResultDeny

    if "on_failure" not in {field.name for field in fields(HookMatcher)}:
        raise ImportError("this claude-agent-sdk lets a tool run when its hook fails")

if TYPE_CHECKING:
    from claude_agent_sdk import (
        CanUseTool,
        HookContext,
        HookInput,
        HookJSONOutput,
        PermissionResult,
        ToolPermissionContext,
    )
    from claude_agent_sdk.types import HookEvent

    from approvals.client import Approvals

MARGIN_S = 60.0  # between the end of our wait and that of the SDK's, which would say less


def approval_hooks(
    approvals: Approvals, matcher: str | None = None, *, timeout: Span = "1h", **options: Unpack[Options]
) -> dict[HookEvent, list[HookMatcher]]:
    """Have people decide about every call of the tools that `matcher` names (all, unless told).

    A hook that fails blocks its tool. When `timeout` ends the request stays open, and the same call, made
    again in the same session, goes on waiting for it.

    Raises:
        InvalidCall: an option can't be asked for.
    """
    waits_s = seconds_of("timeout", timeout)
    if waits_s is None:
        raise InvalidCall("the wait must end before the SDK's does: say timeout='1d'")
    hooks = ToolHooks(approvals, timeout, **options)

    async def answer(event: HookInput, _: str | None, __: HookContext) -> HookJSONOutput:
        said = await claude_code.answer(hooks, cast("Mapping[str, object]", event))
        return cast("HookJSONOutput", said)

    before = HookMatcher(matcher=matcher, hooks=[answer], timeout=waits_s + MARGIN_S, on_failure="block")
    after = HookMatcher(matcher=matcher, hooks=[answer])
    return {"PreToolUse": [before], "PostToolUse": [after], "PostToolUseFailure": [after]}


def can_use_tool(
    approvals: Approvals, *, timeout: Span | None = None, **options: Unpack[Options]
) -> CanUseTool:
    """`ClaudeAgentOptions(can_use_tool=…)`: people decide about what Claude Code itself would ask for.

    That leaves out what its own rules and modes let through: `approval_hooks` is the gate before everything.
    """
    hooks = ToolHooks(approvals, timeout, **options)
    session = uuid4().hex  # the SDK doesn't say which session it is

    async def decide(tool: str, args: dict[str, Any], context: ToolPermissionContext) -> PermissionResult:
        verdict = await hooks.ask(ToolCall(session=session, tool=tool, args=args, id=context.tool_use_id))
        if verdict.args is None:
            return PermissionResultDeny(message=verdict.words)
        return PermissionResultAllow(updated_input=verdict.args)

    return decide
