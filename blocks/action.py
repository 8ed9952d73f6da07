"""The action in words: made by us from the call, never from what the agent says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from approvals.masking import shown_args
from approvals.model import Args, Json, Kind, Request
from blocks.call import PLAIN_KEY, value
from blocks.text import HEADER_CHARS, clip, name, one_line

TOOL_CHARS = 60
VALUE_CHARS = 48
LOOKED_AT = 60  # arguments
TELLING = 3  # how many arguments a headline holds; the card has all
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_TOKEN = re.compile(r"[\w@.+/:#%-]+")
_AMOUNTS = ("amount", "total", "price", "sum")
_ADDRESSEES = ("to", "recipient", "recipients")
# What tells most about a call, most telling first; others follow in the order of the call.
_FIRST = (
    "customer", "user", "account", "name", "subject", "title", "service", "app", "repo", "repository",
    "branch", "table", "database", "path", "file", "url", "host", "command", "cmd", "query", "version",
    "environment", "env", "region", "channel", "id",
)  # fmt: skip


def headline(request: Request) -> str:
    """What would happen, in a line: the tool's name as words, then the arguments that tell most."""
    if request.kind is Kind.QUESTION:
        return f"Question from {name(request.agent)}"
    did = tool_words(request.tool)
    rest = dict(islice(shown_args(request).items(), LOOKED_AT))
    did += _amount(rest) + _addressee(rest)
    parts = [did, *_telling(rest)]
    return clip(" · ".join(parts), HEADER_CHARS - 2)  # room for the mark of how it ended


def tool_words(tool: str) -> str:
    """`send_email` → “Send email”; a name without words stays as it is."""
    words = [word if word.isupper() else word.lower() for word in _WORDS.findall(one_line(tool, TOOL_CHARS))]
    told = " ".join(words)
    return told[0].upper() + told[1:] if told else one_line(tool, TOOL_CHARS) or "Call"


def _amount(rest: Args) -> str:
    """The sum with its currency, both as the call has them."""
    for key in _AMOUNTS:
        amount = rest.get(key)
        if isinstance(amount, int | float) and not isinstance(amount, bool):
            del rest[key]
            currency = rest.pop("currency", None) if isinstance(rest.get("currency"), str) else None
            return f" {_brief(amount)}" + (f" {_brief(currency)}" if currency else "")
    return ""


def _addressee(rest: Args) -> str:
    for key in _ADDRESSEES:
        if _is_brief(rest.get(key)):
            return f" to {_brief(rest.pop(key))}"
    return ""


def _telling(rest: Args) -> Iterator[str]:
    brief = [key for key in most_telling(rest) if PLAIN_KEY.fullmatch(key) and _is_brief(rest[key])]
    for key in brief[:TELLING]:
        yield f"{one_line(key, 24)} {_brief(rest[key])}"


def most_telling(args: Args) -> list[str]:
    """The names of the arguments, those that tell most first."""
    return list(dict.fromkeys(key for key in (*_FIRST, *args) if key in args))


def _is_brief(item: Json) -> bool:
    match item:
        case str():
            return bool(item.strip()) and "\n" not in item and len(item) <= 2 * VALUE_CHARS
        case list():
            return 0 < len(item) <= 2 and all(isinstance(one, str | int) for one in item)
        case dict() | None:
            return False
        case _:
            return True


def _brief(item: Json) -> str:
    """A value in a line: bare if it is one word, else in quotes that nothing in it can close."""
    if isinstance(item, list):
        return ", ".join(_brief(one) for one in item)
    if not isinstance(item, str):
        return one_line(value(item).text, VALUE_CHARS)
    shown = one_line(item, VALUE_CHARS)
    return shown if _TOKEN.fullmatch(shown) else "“" + re.sub("[“”]", "'", shown) + "”"
