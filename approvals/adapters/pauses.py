"""What a paused graph asks, and how it wants to be answered: the shapes of LangChain and of Agent Inbox.

Pure: the values of LangGraph's interrupts are plain dicts, read here into calls that people can decide.
What `PausingMiddleware` asks is signed with the call's name: the gate before the tool asks by it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from approvals.adapters import words
from approvals.errors import Answered, InvalidCall, NotApproved, Rejected
from approvals.model import Args, Json

Shape: TypeAlias = Literal["batched", "per_call", "inbox"]
Word: TypeAlias = Literal["approve", "edit", "reject", "respond"]

_INBOX: dict[str, Word] = {
    "allow_accept": "approve",
    "allow_edit": "edit",
    "allow_ignore": "reject",
    "allow_respond": "respond",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that a paused graph asks about."""

    tool: str
    args: Args
    name: str  # what makes it the same call, in its thread
    allowed: frozenset[str]
    reason: str | None = None
    schema: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One interrupt, which is answered as a whole."""

    id: str
    shape: Shape
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    word: Word
    args: Args | None = None  # of an edit
    text: str | None = None


def signed(description: str, name: str) -> str:
    """What `PausingMiddleware` tells of a call, so that the answer finds the same request."""
    return f"{description}\n[countersign {name}]".lstrip()


_SIGNED = re.compile(r"(.*?)\n?\[countersign ([^\n]+)\]", re.DOTALL)


def pause_of(id: str, value: object, schema: object) -> Pause:
    """Read what an interrupt asks.

    Raises:
        InvalidCall: it isn't of a shape that can be answered.
    """
    try:
        return _read(id, value, schema)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidCall(
            f"interrupt {id} asks in a shape that isn't known here, so it can't be answered: {value!r:.200}"
        ) from error


def _read(id: str, value: Any, schema: Any) -> Pause:
    if isinstance(value, list) or "action_request" in value:
        asked = value if isinstance(value, list) else [value]
        calls = [_inbox_call(f"{id}/{index}", one) for index, one in enumerate(asked)]
        return _pause(id, "inbox", calls)
    if "action_requests" in value:
        pairs = zip(value["action_requests"], value["review_configs"], strict=False)
        calls = [_call(action, config["allowed_decisions"]) for action, config in pairs]
        if len(calls) != len(value["action_requests"]):
            raise KeyError("review_configs")
        return _pause(id, "batched", calls)
    if value["type"] != "tool_approval":
        raise KeyError("type")
    return _pause(id, "per_call", [_call(value, _allowed(schema), _args_schema(schema))])


def _pause(id: str, shape: Shape, calls: Sequence[Call]) -> Pause:
    if not calls:
        raise KeyError("calls")
    return Pause(id=id, shape=shape, calls=tuple(calls))


def _call(action: Mapping[str, Any], allowed: Sequence[str], schema: dict[str, Json] | None = None) -> Call:
    found = _SIGNED.fullmatch(action.get("description") or "")
    if found is None:
        raise InvalidCall(
            f"{action['name']} is paused by LangChain's own HumanInTheLoopMiddleware, which runs an approved "
            "call again when its step is repeated; use PausingMiddleware of approvals.adapters.langchain"
        )
    return Call(
        tool=action["name"],
        args=dict(action["args"]),
        name=found[2],
        allowed=frozenset(allowed),
        reason=found[1] or None,
        schema=schema,
    )


def _inbox_call(name: str, value: Any) -> Call:
    action, config = value["action_request"], value["config"]
    return Call(
        tool=action["action"],
        args=dict(action["args"]),
        name=name,
        allowed=frozenset(word for flag, word in _INBOX.items() if config.get(flag) is True),
        reason=value.get("description") or None,
    )


def _allowed(schema: Any) -> Sequence[str]:
    """The decisions that the schema of an answer lists: a union told apart by `type`, or a single one."""
    if "discriminator" in schema:
        return list(schema["discriminator"]["mapping"])
    return [schema["properties"]["type"]["const"]]


def _args_schema(schema: Any) -> dict[str, Json] | None:
    """The schema of the args that an edit may send."""
    named = schema.get("$defs", {})
    action = named.get("EditedAction")
    if action is None:
        return None
    args = action["properties"]["args"]
    if "$ref" in args:
        args = named[args["$ref"].rpartition("/")[2]]
    own = {name: one for name, one in named.items() if not name.endswith("Decision") and one is not action}
    return {**args, "$defs": own} if "$ref" in str(args) else dict(args)


def instead(pause: Pause, call: Call, no: NotApproved) -> Decision:
    """The answer to a call that isn't to run.

    A rejection is told as one, and nothing else is: silence is not a no.

    Raises:
        NotApproved: the pause takes no answer but yes, so the run stops.
    """
    hears_why = pause.shape != "inbox"  # an inbox's `ignore` carries no words
    if isinstance(no, Rejected) and "reject" in call.allowed and (hears_why or not no.feedback):
        return Decision(word="reject", text=no.feedback)
    if "respond" in call.allowed:
        is_answer = isinstance(no, Answered) and no.feedback
        return Decision(word="respond", text=no.feedback if is_answer else words.instead(no))
    if "reject" in call.allowed:
        return Decision(word="reject", text=words.instead(no))
    raise no


def answer(pause: Pause, decisions: Sequence[Decision]) -> object:
    """What the graph is resumed with."""
    pairs = list(zip(pause.calls, decisions, strict=True))
    if pause.shape == "inbox":
        return [_inbox_answer(call, decision) for call, decision in pairs]
    told = [_told(call, decision) for call, decision in pairs]
    return {"decisions": told} if pause.shape == "batched" else told[0]


def _told(call: Call, decision: Decision) -> dict[str, object]:
    match decision.word:
        case "approve":
            return {"type": "approve"}
        case "edit":
            return {"type": "edit", "edited_action": {"name": call.tool, "args": decision.args}}
        case "reject" if decision.text is None:
            return {"type": "reject"}
        case word:
            return {"type": word, "message": decision.text}


def _inbox_answer(call: Call, decision: Decision) -> dict[str, object]:
    match decision.word:
        case "approve":
            return {"type": "accept", "args": None}
        case "edit":
            return {"type": "edit", "args": {"action": call.tool, "args": cast("Json", decision.args)}}
        case "reject":
            return {"type": "ignore", "args": None}
        case "respond":
            return {"type": "response", "args": decision.text}
