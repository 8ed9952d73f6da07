"""What ran without asking and is up for a look afterwards: its rows, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from approvals.machine import may_be_undone
from approvals.model import Kind, Request, Review, ReviewState, Undo
from blocks import ids
from blocks.action import headline
from blocks.pieces import (
    Block,
    Card,
    Line,
    Moment,
    Strong,
    actions,
    aside,
    button,
    header,
    line_text,
    notice,
    rich,
    section,
)
from blocks.request import label, told_elements
from blocks.status import Told, ran
from blocks.text import MESSAGE_CHARS, escape, json_size, name, one_line

LISTED = 10
SPARE_CHARS = 700  # of JSON, for what is around the rows
WORDS_CHARS = 200
RULE_CHARS = 80
BECAUSE_CHARS = 300
TITLE = "These ran without asking. Please have a look"


def reviews_list(requests: Sequence[Request], now: datetime, *, just: Request | None = None) -> Card:
    """The answer to `/approvals reviews`: the oldest first. `just` was looked at just now, and tops it."""
    rows = [*([just] if just else []), *(one for one in requests if just is None or one.id != just.id)]
    if not rows:
        nothing = "Nothing that ran without asking waits for you to look at it."
        return Card(nothing, [notice(nothing)])
    text, blocks = [f"{TITLE}:"], [header(TITLE)]
    room, listed = MESSAGE_CHARS - SPARE_CHARS, 0
    for one in rows[:LISTED]:
        told, drawn = review_text(one), review_rows([one], now)
        room -= json_size(told) + json_size(drawn)
        if room < 0:
            break
        text, blocks, listed = [*text, told], [*blocks, *drawn], listed + 1
    if len(rows) > listed:
        more = f"… and {len(rows) - listed:,} more, once these have been looked at."
        text, blocks = [*text, more], [*blocks, aside(more)]
    return Card("\n".join(text), blocks)


def review_rows(requests: Sequence[Request], now: datetime) -> list[Block]:
    """What ran and how, each with what can be said of it, or with what was."""
    return [block for one in requests for block in _row(one, now)]


def review_blocks(request: Request, now: datetime) -> list[Block]:
    """What became of it, and what can still be said, among the details of a request."""
    *buttons, _ = _buttons(request, now)
    said = rich(*told_elements(review_line(request), WORDS_CHARS))
    return [said, actions(f"review|{request.id}", *buttons)] if buttons else [said]


def review_text(request: Request) -> str:
    """A row in words, for those to whom nobody shows the blocks."""
    told = _ran(request) if _is_open(request) else review_line(request)
    words = f" “{escape(one_line(told.words, WORDS_CHARS))}”" if told.words else ""
    return f"{escape(label(request))}: {escape(headline(request))}. {line_text(told.line)}{words}"


def review_line(request: Request) -> Told:
    """What became of its review."""
    review = request.review
    if review is None or review.by is None or review.at is None:
        return Told(("Nobody has looked at it yet.",))
    by, at = Strong(name(review.by.name)), _at(request, review.at)
    if review.undo is not None:
        return _undo_told(request, review, review.undo)
    if review.state is ReviewState.CONFIRMED:
        return Told(("✓ ", by, " looked at it, ", at, ": it is right."))
    return Told(("⚑ ", by, " flagged it, ", at, ":"), review.text)


def _undo_told(request: Request, review: Review, undo: Undo) -> Told:
    by, agent = Strong(name(undo.by.name)), name(request.agent)
    if undo.answered_at is None:
        asked_for: Line = ("⚑ ", by, f" asked {agent} to undo it, ", _at(request, undo.at))
        return Told((*asked_for, "; not answered yet:"), undo.text)
    at = _at(request, undo.answered_at)
    if review.state is ReviewState.UNDONE:
        return Told((f"↩ {agent} undid it, ", at, ", as ", by, " wanted."), undo.answer)
    return Told((f"⚠ {agent} could not undo it, ", at, ", as ", by, " wanted."), undo.answer)


def _row(request: Request, now: datetime) -> list[Block]:
    what: Line = (Strong(headline(request)), f" · {label(request)}")
    elements = [section(what), *told_elements(_ran(request), WORDS_CHARS)]
    if not _is_open(request):
        elements = [*elements, *told_elements(review_line(request), WORDS_CHARS)]
    return [
        rich(*elements),
        actions(f"review|{request.id}|{request.version}", *_buttons(request, now)),
    ]


def _buttons(request: Request, now: datetime) -> list[Block]:
    value, what = ids.pack(request), headline(request)
    found = []
    if _is_open(request):
        found = [
            button("Looks right", ids.LOOKS_RIGHT, value, described=f"Looks right: {what}"),
            button("Flag…", ids.FLAG, value, described=f"Flag: {what}"),
        ]
    if may_be_undone(request, now):
        found.append(button("Undo…", ids.UNDO, value, described=f"Undo: {what}"))
    return [*found, button("Open", ids.OPEN, value, described=f"Open {what}")]


def _is_open(request: Request) -> bool:
    return request.review is not None and request.review.state is ReviewState.OPEN


def _ran(request: Request) -> Told:
    """How it went, and which rule had let it."""
    told, terms = ran(request), request.terms
    why = f"Let through by rule “{one_line(terms.rule, RULE_CHARS)}”."
    if request.kind is Kind.REVIEW:
        why = f"Told of afterwards: {one_line(terms.because, BECAUSE_CHARS)}."
    return Told((*told.line, f". {why}"), told.words)


def _at(request: Request, at: datetime) -> Moment:
    return Moment(at, near=request.created_at)
