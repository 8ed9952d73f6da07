"""A request as one row of a digest: the call in a line, whether that is all of it, and what became of it."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from approvals.masking import shown_args, spoken
from approvals.model import Args, Json, Kind, OnDeadline, Request, Status
from blocks.action import most_telling
from blocks.buttons import is_open, is_risky
from blocks.call import PLAIN_KEY, value
from blocks.pieces import Line, Moment, Part
from blocks.question import question_of
from blocks.request import label
from blocks.status import ending, mark
from blocks.text import clip, cut, json_size, name, one_line, size

ARGS_CHARS = 120  # of all arguments in a row
ENDED_ARGS_CHARS = 60
PART_CHARS = 32  # of a value that is too long for a row
TOOL_CHARS, AGENT_CHARS = 40, 30
NAMED_CHARS = 40  # with the verb before it
WORDS_CHARS = 60  # of what a person said with a decision
LOOKED_AT = 30  # arguments
_TOKEN = re.compile(r"[\w@.+/:#%-]+")
_SINCE = {
    Status.EXECUTING: "running",
    Status.EXECUTED: "ran",
    Status.FAILED: "ran, and failed",
    Status.LAPSED: "never run",
    Status.WITHDRAWN: "taken back",
}


@dataclass(frozen=True, slots=True)
class RowWords:
    """A row's plain text; `is_whole`: with the tool it says all of the call, letter by letter."""

    text: str
    is_whole: bool


def row_words(request: Request, *, with_tool: bool = True) -> RowWords:
    """Tell a request in a line. Without its tool where a heading above it names that."""
    told, is_whole = _what(request, ARGS_CHARS)
    is_whole = is_whole and _is_plain(request.tool, TOOL_CHARS)
    tool = [one_line(request.tool, TOOL_CHARS)] if with_tool and request.kind is not Kind.QUESTION else []
    risk = f", {request.terms.risk} risk" if is_risky(request) else ""
    asks = one_line(request.agent, AGENT_CHARS) or "someone"
    return RowWords(f"{' · '.join([label(request), *tool, told])} — {asks}{risk}", is_whole)


def named(request: Request) -> str:
    """Which request a button is for, for those who hear it."""
    tool = "question" if request.kind is Kind.QUESTION else one_line(request.tool, TOOL_CHARS)
    return clip(f"{label(request)}, {tool} {_what(request, PART_CHARS)[0]}", NAMED_CHARS)


def standing(request: Request, now: datetime) -> str:
    """How far a request is that still waits; nothing to be said of most."""
    terms, told = request.terms, []
    if request.sent_back is not None:
        feedback = one_line(spoken(request.sent_back.feedback), WORDS_CHARS)
        told.append(f"back with {one_line(request.agent, AGENT_CHARS) or 'its agent'}: “{feedback}”")
    if request.twins:
        told.append(f"{len(request.twins) + 1} identical calls")
    if request.votes:
        needed = sum(group.needed for group in terms.groups) or terms.quorum
        told.append(f"{len(request.votes)} of {needed}, {name(request.votes[-1].name)} approved")
    if request.objections:
        count = f"{len(request.objections)} of {terms.rejections} rejections"
        told.append(f"{count}, {name(request.objections[-1].name)}")
    if not is_open(request, now):
        told.append("its deadline has passed")
    elif terms.on_deadline is OnDeadline.APPROVE and request.deadline is not None:
        told.append("goes ahead at its deadline unless someone rejects it")
    return " · ".join(told)


def ended_words(request: Request) -> Line:
    """What became of a request: the row that takes the place of its buttons."""
    what = (f"{mark(request)}{label(request)} · {_what(request, ENDED_ARGS_CHARS)[0]}",)
    if request.decision is None:
        return what
    told = ending(request, request.decision)
    since = "frozen for now" if request.hold else _SINCE.get(request.status)
    words = (f": “{one_line(told.words, WORDS_CHARS)}”",) if told.words else ()
    return (*what, " · ", *_until_when(told.line), *words, *((f" · {since}",) if since else ()))


def _until_when(line: Line) -> Line:
    """A sentence up to its time; what a card says after that has no room in a row."""
    kept: list[Part] = []
    for part in line:
        kept.append(part)
        if isinstance(part, Moment):
            break
    return tuple(kept)


# -- the call in a line -------------------------------------------------------------------------------


def _what(request: Request, chars: int) -> tuple[str, bool]:
    if request.kind is Kind.QUESTION:
        return f"“{one_line(question_of(request).text, chars)}”", False
    return _call(shown_args(request), chars)


def _call(args: Args, chars: int) -> tuple[str, bool]:
    """As many arguments as fit, and whether those are all, just as they are."""
    if not args:
        return "no arguments", True
    told, missing = "", max(len(args) - LOOKED_AT, 0)
    for key in most_telling(dict(islice(args.items(), LOOKED_AT))):
        pair = _pair(key, args[key])
        longer = " · ".join(filter(None, [told, pair or _part(key, args[key])]))
        if max(json_size(longer), size(longer)) <= chars:
            told = longer
        else:
            pair = None
        missing += pair is None
    return (f"{told} … {missing:,} more".strip(), False) if missing else (told, True)


def _pair(key: str, item: Json) -> str | None:
    """An argument of which nothing is left to be seen; None: it can't be told so in a line."""
    shown = _bare(item)
    if shown is None or not PLAIN_KEY.fullmatch(key):
        return None
    pair = f"{key} {shown}"
    return pair if _is_plain(pair, ARGS_CHARS) else None


def _bare(item: Json) -> str | None:
    """A value so that it can't pass for two; None: it is long, or in quotes of its own."""
    if not isinstance(item, str):
        shown = _beginning(item)
        return shown if len(shown) <= ARGS_CHARS else None
    if len(item) > ARGS_CHARS:
        return None
    shown = value(item).text
    if shown == json.dumps(item, ensure_ascii=False):
        return shown
    if shown != item or re.search("[“”]", item):
        return None
    return item if _TOKEN.fullmatch(item) else f"“{item}”"


def _beginning(item: Json) -> str:
    """A value as JSON, and no more of a long one than it takes to see that it is."""
    spelled = ""
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(item):
        spelled += piece
        if len(spelled) > ARGS_CHARS:
            break
    return spelled


def _is_plain(text: str, chars: int) -> bool:
    """Whether it is shown as it is: one line, all visible, and read from left to right."""
    is_ltr = not any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text)
    return one_line(text, chars) == text and json_size(text) <= chars + 2 and is_ltr


def _part(key: str, item: Json) -> str:
    """The beginning of what is too long, or hides something; in quotes that nothing in it can close."""
    shown = item if isinstance(item, str) else _beginning(item)
    line = re.sub("[“”]", "'", one_line(shown[:ARGS_CHARS], 20 * ARGS_CHARS))
    words = cut(line, PART_CHARS)
    dots = "…" if words != line or len(shown) > ARGS_CHARS else ""
    return f"{one_line(key, PART_CHARS)} “{words}{dots}”"
