"""What `countersign watch` shows, and what its keys mean: a list of what waits, and one whole call. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.text import Text

from approvals.cli import printable
from approvals.model import Kind, Request
from blocks.action import headline
from blocks.request import label, whole_call
from bot.terminal.watch_answers import listed, one_key

Deed: TypeAlias = Literal["approve", "reject", "edit", "answer", "take over", "quit"]

LIST_KEYS = "j/k move · Enter open · a approve · r reject · e edit · q quit"
CALL_KEYS = "j/k space scroll · a approve exactly this · r reject · e edit · q back"
QUESTION_KEYS = "j/k space scroll · 1-9 choose · w write · t take over · r reject · q back"
DOWN, UP, ENTER, BACK = ("j", "\x1b[B"), ("k", "\x1b[A"), ("\r", "\n"), ("q", "\x1b")
AROUND = 4  # lines of a screen that aren't the list's or the call's


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where its operator is. What they decide is what `opened` has shown to its end."""

    requests: tuple[Request, ...] = ()
    at: int = 0
    opened: Request | None = None
    top: int = 0  # the first line of the call that is shown
    note: str = ""
    answer: str | None = None  # what a single key has answered; None: it is to be written

    @property
    def chosen(self) -> Request | None:
        if self.opened is not None:
            return self.opened
        return self.requests[self.at] if self.at < len(self.requests) else None

    def told(self, note: str) -> Screen:
        return replace(self, note=note)

    def with_requests(self, requests: Sequence[Request]) -> Screen:
        """What waits now; the mark stays on its request as long as that is there."""
        chosen = self.requests[self.at].id if self.at < len(self.requests) else None
        places = [place for place, request in enumerate(requests) if request.id == chosen]
        at = places[0] if places else min(self.at, max(len(requests) - 1, 0))
        return replace(self, requests=tuple(requests), at=at)

    def closed(self) -> Screen:
        return replace(self, opened=None, top=0)


def pressed(screen: Screen, key: str, console: Console) -> tuple[Screen, Deed | None]:
    """Where a key leads, and what is to be done."""
    screen = screen.told("")
    return _in_call(screen, key, console) if screen.opened is not None else _in_list(screen, key)


def _in_list(screen: Screen, key: str) -> tuple[Screen, Deed | None]:
    if key in BACK[:1]:
        return screen, "quit"
    if key in DOWN:
        return replace(screen, at=min(screen.at + 1, max(len(screen.requests) - 1, 0))), None
    if key in UP:
        return replace(screen, at=max(screen.at - 1, 0)), None
    if screen.chosen is None:
        return screen, None
    is_question = screen.chosen.kind is Kind.QUESTION
    if key in ENTER or (key == "e" and not is_question):
        return replace(screen, opened=screen.chosen, top=0), "edit" if key == "e" else None
    if key == "a":
        note = "Press a number, or w to write." if is_question else "Press a to approve exactly this call."
        return replace(screen, opened=screen.chosen, top=0, note=note), None
    return screen, "reject" if key == "r" else None


def _in_call(screen: Screen, key: str, console: Console) -> tuple[Screen, Deed | None]:
    last = last_top(screen, console)
    if key in BACK:
        return screen.closed(), None
    if key in DOWN:
        return replace(screen, top=min(screen.top + 1, last)), None
    if key in UP:
        return replace(screen, top=max(screen.top - 1, 0)), None
    if key == " ":
        return replace(screen, top=min(screen.top + _room(console), last)), None
    is_question = screen.opened is not None and screen.opened.kind is Kind.QUESTION
    if screen.top < last and (key == "a" or (is_question and key in "123456789wt")):
        return screen.told("Read on to its end first, with j or space."), None  # nobody decides the unseen
    if is_question and screen.opened is not None:
        return _in_question(screen, screen.opened, key)
    deeds: dict[str, Deed] = {"a": "approve", "r": "reject", "e": "edit"}
    return screen, deeds.get(key)


def _in_question(screen: Screen, request: Request, key: str) -> tuple[Screen, Deed | None]:
    answer = one_key(request, key)
    if answer is not None or key == "w":
        return replace(screen, answer=answer), "answer"
    if key in ("a", "e"):
        return screen.told("Press a number, or w to write."), None
    deeds: dict[str, Deed] = {"t": "take over", "r": "reject"}
    return screen, deeds.get(key)


def last_top(screen: Screen, console: Console) -> int:
    """From which line on the end of the opened call is shown."""
    return max(len(_call_lines(screen, console)) - _room(console), 0)


def drawn(screen: Screen, console: Console, now: datetime) -> Group:
    """All of it, as high as the terminal at most."""
    if screen.opened is None:
        body, keys = _list(screen, console, now), LIST_KEYS
        title = f"{len(screen.requests):,} wait" if len(screen.requests) != 1 else "1 waits"
    else:
        lines = _call_lines(screen, console)
        body = lines[screen.top : screen.top + _room(console)]
        keys = QUESTION_KEYS if screen.opened.kind is Kind.QUESTION else CALL_KEYS
        more = len(lines) - screen.top - len(body)
        title = f"{label(screen.opened)}" + (f" · {more:,} more lines" if more else "")
    note = Text(printable(screen.note).replace("\n", " "), style="bold", no_wrap=True, overflow="ellipsis")
    bar = Text(keys, style="dim", no_wrap=True, overflow="ellipsis")
    return Group(Text(f"Countersign · {title}", style="bold"), *body, note, bar)


def _list(screen: Screen, console: Console, now: datetime) -> list[Text]:
    if not screen.requests:
        return [Text("Nothing waits.")]
    room = _room(console)
    first = max(0, min(screen.at - room // 2, len(screen.requests) - room))
    return [
        _row(request, console.width, now, is_chosen=first + place == screen.at)
        for place, request in enumerate(screen.requests[first : first + room])
    ]


def _row(request: Request, width: int, now: datetime, *, is_chosen: bool) -> Text:
    left = f"{_minutes(request, now)} · {request.terms.risk}"
    start = f"{'›' if is_chosen else ' '} {label(request)}  {request.agent}: "
    what = printable(headline(request)).replace("\n", " ")
    room = max(width - cell_len(start) - cell_len(left) - 2, 8)
    line = f"{start}{set_cell_size(what, room)}  {left}"
    return Text(line, style="reverse" if is_chosen else "", no_wrap=True, overflow="ellipsis")


def _minutes(request: Request, now: datetime) -> str:
    if request.deadline is None:
        return "no deadline"
    minutes = max(int((request.deadline - now).total_seconds() // 60), 0)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _call_lines(screen: Screen, console: Console) -> list[Text]:
    request = screen.opened
    if request is None:
        return []
    about = f"{request.agent} asks · {request.terms.risk} risk · {request.terms.because}"
    reason = f"\n\nIt says: {request.reason}" if request.reason else ""
    options = f"\n{listed(request)}" if request.kind is Kind.QUESTION else ""
    told = f"{headline(request)}\n{about}\n\n{whole_call(request).text}{reason}{options}"
    return list(Text(printable(told)).wrap(console, console.width, overflow="fold", tab_size=4))


def _room(console: Console) -> int:
    return max(console.height - AROUND, 1)
