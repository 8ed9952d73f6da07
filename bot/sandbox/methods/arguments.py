"""Reading the arguments of a method: everything may come as JSON, as text in a form, or not at all."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from bot.sandbox import limits
from bot.sandbox.model import Channel
from bot.sandbox.wire import Json, SlackError
from bot.sandbox.world import World

Handler = Callable[[World, Json], Json]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Method:
    """A handler with its tier (limits.TIERS) and the scope that the app's token needs for it."""

    handle: Handler
    tier: int
    scope: str | None = None
    # Which of the two tokens; or the app's own id and secret; or a token that the method is about.
    needs: Literal["bot", "app", "client", "itself"] | None = "bot"


def text(args: Json, name: str) -> str | None:
    value = args.get(name)
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)


def required(args: Json, name: str, error: str = "invalid_arguments") -> str:
    value = text(args, name)
    if value is None:
        messages = [f"[ERROR] missing required field: {name}"]
        extra = {"response_metadata": {"messages": messages}} if error == "invalid_arguments" else {}
        raise SlackError(error, **extra)
    return value


def flag(args: Json, name: str, default: bool = False) -> bool:
    value = args.get(name)
    return default if value is None else value in (True, 1, "1", "true", "True")


def decoded(args: Json, name: str, error: str) -> Any:
    """An argument that is JSON, possibly still as text. None when it was not given."""
    value = args.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise SlackError(error) from None


def page(args: Json, items: list[T]) -> tuple[list[T], Json]:
    """The part of `items` that was asked for, and `response_metadata` with the cursor to the next."""
    try:
        size = int(text(args, "limit") or limits.PAGE_LIMIT_DEFAULT)
    except ValueError:
        raise SlackError("invalid_limit") from None
    if not 1 <= size <= limits.PAGE_LIMIT_MAX + 1:
        raise SlackError("invalid_limit")
    start = _position(text(args, "cursor"))
    end = start + size
    cursor = base64.b64encode(f"next:{end}".encode()).decode() if end < len(items) else ""
    return items[start:end], {"next_cursor": cursor}


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        kind, _, position = base64.b64decode(cursor, validate=True).decode().partition(":")
        if kind == "next":
            return int(position)
    except (binascii.Error, ValueError):
        pass
    raise SlackError("invalid_cursor")


def channel(world: World, args: Json, *, member: bool = False) -> Channel:
    """The channel that is meant, by id or name; `member`: the app must be in it."""
    wanted = required(args, "channel", "channel_not_found")
    found = world.workspace.channels.get(wanted) or next(
        (
            one
            for one in world.workspace.channels.values()
            if one.name and one.name == wanted.removeprefix("#")
        ),
        None,
    )
    if found is None or (found.is_private and not world.is_ours(found)):
        raise SlackError("channel_not_found")
    if member and not world.is_ours(found):
        raise SlackError("not_in_channel")
    return found
