"""Claude Code's hooks: what it says before and after a tool runs, and what it takes for an answer.

https://code.claude.com/docs/en/hooks
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from approvals.adapters.tool_hooks import SAID_CHARS, ToolCall, ToolHooks, Verdict
from approvals.errors import InvalidCall

AGENT = "claude-code"
BEFORE = ("PreToolUse", "PermissionRequest")
AFTER = ("PostToolUse", "PostToolUseFailure")


async def answer(hooks: ToolHooks, event: Mapping[str, object]) -> dict[str, object]:
    """Answer one event; after a tool has run there is nothing to say.

    Raises:
        InvalidCall: it is no event of a tool, or says too little.
    """
    name = event.get("hook_event_name")
    if name not in (*BEFORE, *AFTER):
        raise InvalidCall(f"{name!r:.60} is no event of this hook; it takes {', '.join((*BEFORE, *AFTER))}")
    call = _call_of(event)
    if name in BEFORE:
        return _told(str(name), await hooks.ask(call))
    failed = event.get("error") if name == "PostToolUseFailure" else None
    duration = event.get("duration_ms")
    await hooks.ran(
        call,
        name == "PostToolUse",
        _text(event.get("tool_response") if failed is None else failed),
        duration if isinstance(duration, int) else None,
    )
    return {}


def denial(name: object, why: str) -> dict[str, object]:
    """The answer that denies, whatever was wrong."""
    return _told("PermissionRequest" if name == "PermissionRequest" else "PreToolUse", Verdict(words=why))


def _told(name: str, verdict: Verdict) -> dict[str, object]:
    said = verdict.words[:SAID_CHARS]
    if name == "PermissionRequest":
        decision: dict[str, object] = (
            {"behavior": "deny", "message": said}
            if verdict.args is None
            else {"behavior": "allow", "updatedInput": verdict.args}
        )
        return {"hookSpecificOutput": {"hookEventName": name, "decision": decision}}
    told: dict[str, object] = {
        "hookEventName": name,
        "permissionDecision": "deny" if verdict.args is None else "allow",
        "permissionDecisionReason": said,
    }
    if verdict.args is not None:
        told["updatedInput"] = verdict.args  # always: what runs is what was approved
    if verdict.edited:
        told["additionalContext"] = said  # it isn't told of a changed input otherwise
    return {"hookSpecificOutput": told}


def _call_of(event: Mapping[str, object]) -> ToolCall:
    session, tool, args = event.get("session_id"), event.get("tool_name"), event.get("tool_input")
    id = event.get("tool_use_id")
    if not isinstance(session, str) or not isinstance(tool, str) or not isinstance(args, dict):
        raise InvalidCall("the event has no session_id, tool_name and tool_input")
    return ToolCall(session=session, tool=tool, args=args, id=id if isinstance(id, str) else None)


def _text(value: object) -> str | None:
    """The beginning of a result as people read it."""
    if isinstance(value, dict) and isinstance(value.get("stdout"), str):
        value = value["stdout"] or value.get("stderr")
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)
