"""Gemini CLI's hooks: what it says before and after a tool runs, and what it takes for an answer.

https://geminicli.com/docs/hooks/reference
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from approvals.adapters.tool_hooks import ToolCall, ToolHooks, Verdict
from approvals.errors import InvalidCall

AGENT = "gemini-cli"


async def answer(hooks: ToolHooks, event: Mapping[str, object]) -> dict[str, object]:
    """Answer one event; after a tool has run there is nothing to say.

    Raises:
        InvalidCall: it is no event of a tool, or says too little.
    """
    name = event.get("hook_event_name")
    if name not in ("BeforeTool", "AfterTool"):
        raise InvalidCall(f"{name!r:.60} is no event of this hook; it takes BeforeTool and AfterTool")
    session, tool, args = event.get("session_id"), event.get("tool_name"), event.get("tool_input")
    if not isinstance(session, str) or not isinstance(tool, str) or not isinstance(args, dict):
        raise InvalidCall("the event has no session_id, tool_name and tool_input")
    call = ToolCall(session=session, tool=tool, args=args)
    if name == "BeforeTool":
        return _told(await hooks.ask(call))
    response = event.get("tool_response")
    failed = response.get("error") if isinstance(response, dict) else None
    await hooks.ran(call, not failed, _text(failed or response))
    return {}


def denial(name: object, why: str) -> dict[str, object]:
    """The answer that denies, whatever was wrong."""
    return _told(Verdict(words=why))


def _told(verdict: Verdict) -> dict[str, object]:
    if verdict.args is None:
        return {"decision": "deny", "reason": verdict.words}
    told: dict[str, object] = {
        "decision": "allow",
        "reason": verdict.words,
        "hookSpecificOutput": {"hookEventName": "BeforeTool", "tool_input": verdict.args},
    }
    return told | {"systemMessage": verdict.words} if verdict.edited else told


def _text(value: object) -> str | None:
    """The beginning of a result as people read it."""
    if isinstance(value, dict) and isinstance(value.get("returnDisplay"), str):
        value = value["returnDisplay"]
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)
