"""What a value in the policy file must be: each reader makes it one of ours, or says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias, TypeVar

from approvals.durations import parse_duration
from approvals.model import PersonId
from approvals.policy.globs import GLOB_CHARS
from approvals.policy.tables import Wrong, tell, told

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Reader: TypeAlias = Callable[[object], T]

TEXT_CHARS = 500
NAME_CHARS = 100
PERSON = re.compile(r"[UW][A-Z0-9]{2,20}")
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{2,20}")
_CHANNEL_NAME = re.compile(r"#[^\s#@<>&,A-Z]{1,80}")  # Slack's: lower case, no spaces, at most 80 characters


def one_of(words: type[E]) -> Callable[[object], E]:
    def read(value: object) -> E:
        try:
            return words(str(value))
        except ValueError:
            raise Wrong(f"is {tell(value)}", f"use one of {told(list(words))}") from None

    return read


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"is {tell(value)}", "use true or false")
    return value


def whole_number(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 1_000_000:
            raise Wrong(f"is {tell(value)}", f"use a whole number, {least} or more")
        return value

    return read


def span_or_never(value: object) -> int | None:
    try:
        return parse_duration(_text(value, 'use a duration such as "30m", "4h", "1d" or "never"'))
    except Wrong:
        raise
    except ValueError as error:
        raise Wrong(f"is {tell(value)}", str(error)) from None


def span(value: object) -> int:
    seconds = span_or_never(value)
    if seconds is None:
        raise Wrong('is "never"', "it must end: use a duration such as 1h or 90d")
    return seconds


def line_of_text(value: object) -> str:
    text = _text(value, "write a sentence").strip()
    if not text or len(text) > TEXT_CHARS or not text.isprintable():
        raise Wrong(f"is {tell(value)}", f"write one line of 1 to {TEXT_CHARS} characters")
    return text


def share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Wrong(f"is {tell(value)}", "use a number from 0 to 1")
    return float(value)


def rate(value: object) -> tuple[int, int]:
    """So many in so many seconds."""
    mend = 'write how many in which time, such as "60/1h"'
    count, _, per = _text(value, mend).partition("/")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", count.strip()):
        raise Wrong(f"is {tell(value)}", mend)
    return int(count), span(per)


def name(value: object) -> str:
    text = _text(value, "give it a name, in quotes").strip()
    if not text or len(text) > NAME_CHARS or not text.isprintable():
        raise Wrong(f"is {tell(value)}", f"use one line of 1 to {NAME_CHARS} characters")
    return text


def texts(value: object, mend: str) -> tuple[str, ...]:
    """A list of texts with something in it, each once."""
    if not isinstance(value, list) or not value:
        raise Wrong(f"is {tell(value)}", mend)
    return tuple(dict.fromkeys(_text(item, mend, within="holds") for item in value))


def globs(value: object) -> tuple[str, ...]:
    found = texts(value, 'list names, such as ["refund", "read_*"]')
    for glob in found:
        if not 0 < len(glob) <= GLOB_CHARS:
            raise Wrong(f"holds {tell(glob)}", f"a name has 1 to {GLOB_CHARS} characters")
    return found


def person(value: object) -> PersonId:
    text = _text(value, 'use a Slack user id such as "U0ANA"')
    if not PERSON.fullmatch(text):
        raise Wrong(f"is {tell(value)}, which is no Slack user id", 'use one such as "U0ANA"')
    return PersonId(text)


def channel(value: object) -> str:
    """A channel by name or id."""
    text = _text(value, 'use a channel such as "#approvals"')
    if not (_CHANNEL_NAME.fullmatch(text) or _CHANNEL_ID.fullmatch(text)):
        raise Wrong(f"is {tell(value)}, which names no channel", 'use one such as "#approvals" or its id')
    return text


def channel_or_dm(value: object) -> str:
    return "dm" if value == "dm" else channel(value)


def _text(value: object, mend: str, *, within: str = "is") -> str:
    if not isinstance(value, str):
        raise Wrong(f"{within} {tell(value)}", mend)
    return value
