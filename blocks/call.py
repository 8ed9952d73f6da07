"""The call as literal text: each argument on its own line, where none can pass itself off as another.

Continued lines of a text stand behind a bar, so a value with newlines in it looks like no second argument.
A text that could be taken for something else (`"940"`, `"null"`, one with spaces at its ends) is in quotes;
all others are as they are.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from approvals.model import Args, Json
from blocks.text import reveal, size, spread

KEY_CHARS = 24  # longer names stand as they are, and only push their own value aside
SHORT_JSON_CHARS = 60  # a list or object that is no longer stays on its line
INDENTED_LEVELS = 10  # deeper ones are told on one line: indentation would hide them
BAR = "│ "
PLAIN_KEY = re.compile(r"[^\W\d][\w.-]{0,63}")
_LOOKS_LIKE_JSON = re.compile(r'["\[{]|(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)\Z|.*[│→]')


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as people see it, and how many characters in it would have been invisible."""

    text: str
    hidden: int = 0


def call_text(args: Args, value_chars: int | None = None) -> Shown:
    """Every argument, name and value aligned; `value_chars` cuts the middle out of longer values."""
    if not args:
        return Shown("⟨no arguments⟩")
    keys = {name: key(name) for name in args}
    width = min(KEY_CHARS, max(len(shown.text) for shown in keys.values()))
    hidden = sum(shown.hidden for shown in keys.values())
    lines = []
    for name, item in args.items():
        shown = value(item, value_chars)
        hidden += shown.hidden
        lines.append(row(keys[name].text, shown.text, width))
    return Shown("\n".join(lines), hidden)


def row(name: str, shown: str, width: int) -> str:
    """One argument; the lines of its value are all in one column."""
    first, *others = shown.split("\n")
    column = " " * (width + 3)
    return "\n".join([f"{name:<{width}}   {first}", *(column + line for line in others)])


def key(name: str) -> Shown:
    """An argument's name; in quotes when it is not a word, so that it can't imitate a line."""
    return Shown(*reveal(name if PLAIN_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)))


def value(item: Json, chars: int | None = None) -> Shown:
    """One value, perhaps over several lines."""
    shown, hidden = reveal(_spelled(item))
    if chars is not None and size(shown) > chars:
        shown = spread(shown, chars * 3 // 4, chars // 4)
    if isinstance(item, str) and "\n" in shown:
        shown = "\n".join(BAR + line for line in shown.split("\n"))
    return Shown(shown, hidden)


def _spelled(item: Json) -> str:
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False) if _needs_quotes(item) else item
    short = json.dumps(item, ensure_ascii=False)
    if len(short) <= SHORT_JSON_CHARS or levels(item) > INDENTED_LEVELS:
        return short
    return json.dumps(item, ensure_ascii=False, indent=2)


def _needs_quotes(item: str) -> bool:
    if "\n" in item or "\r" in item:
        return False
    return item != item.strip() or item == "" or _LOOKS_LIKE_JSON.match(item) is not None


def levels(item: Json) -> int:
    """How deep the lists and objects of a value are nested."""
    if isinstance(item, dict):
        return 1 + max(map(levels, item.values()), default=0)
    if isinstance(item, list):
        return 1 + max(map(levels, item), default=0)
    return 0
