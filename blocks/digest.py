"""The digest: many requests as one message, page by page, with what has become of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import TypeAlias

from approvals.digest import Digest, GroupBy, Row, covered, heading_of, is_batch, waiting
from approvals.model import Freeze, Kind, Principal, Request, RequestId, Status
from blocks import ids
from blocks.buttons import is_open, is_risky
from blocks.people import mention
from blocks.pieces import (
    Block,
    Card,
    Line,
    Moment,
    Strong,
    actions,
    aside,
    button,
    confirm,
    header,
    line_text,
    notice,
    rich,
    section,
)
from blocks.request import label
from blocks.rows import ended_words, row_words, standing
from blocks.sums import add_up, money
from blocks.text import MESSAGE_CHARS, MESSAGE_TEXT_CHARS, clip, escape, json_size, name, one_line, units

PAGE = 14  # rows of a page at most: each may have a heading, and there are 50 blocks
PAGE_CHARS = 8_300  # of JSON for its rows, of the 13,000 of a message
ROW_CHARS = 570  # of JSON of a row with three buttons, without its words
HEADING_CHARS = 40
FROZEN_TOLD = 2  # freezes that a digest names
TEXT_SPARE_CHARS = 1200  # of JSON: the least that is left for the message's text
SPOKEN_CHARS = (240, 90, 45)  # of a row in the message's text, the most that fits
_RESULTS = {
    Status.REJECTED: "rejected",
    Status.EXPIRED: "expired",
    Status.CANCELLED: "cancelled",
    Status.ANSWERED: "answered",
    Status.WITHDRAWN: "taken back",
}  # anything else that is over was approved

Requests: TypeAlias = Mapping[RequestId, Request]
Frozen: TypeAlias = Mapping[RequestId, Freeze]
NONE_FROZEN: Frozen = {}


def digest_card(
    digest: Digest,
    requests: Requests,
    now: datetime,
    *,
    ping: Sequence[Principal] = (),
    frozen: Frozen = NONE_FROZEN,
) -> Card:
    """Draw the page that `digest` is on. `ping` are mentioned: in a first post, never in an update. What is
    `frozen` is told, and has no button that decides it.
    """
    title, facts = headline(digest, requests), _facts(digest, requests, now)
    mentions = mention(ping) if not digest.closed else ""
    told_frozen = _frozen(frozen)
    top = [header(title), rich(section(facts, *told_frozen))]
    if mentions:
        told: Block = {"type": "mrkdwn", "text": f"For {mentions}", "verbatim": True}
        top.append({"type": "context", "elements": [told]})
    open_rows = [row for row in ready(digest, requests, digest.shown, now) if row.request_id not in frozen]
    decidable = {row.request_id for row in open_rows}
    foot = list(_foot(digest, requests, open_rows))
    blocks = [*top, *_grouped_rows(digest, requests, now, decidable), *foot]
    if json_size(blocks) > MESSAGE_CHARS - TEXT_SPARE_CHARS:
        blocks = [*top, *_rows(digest, requests, now, digest.shown, decidable), *foot]
    lines = [facts, *told_frozen]
    spoken = [escape(title), *map(line_text, lines), *([f"For {mentions}"] if mentions else [])]
    return Card(_text(digest, requests, now, spoken, json_chars=MESSAGE_CHARS - json_size(blocks)), blocks)


def page_starts(requests: Iterable[Request]) -> tuple[int, ...]:
    """At which rows of a new digest its pages begin: as many rows each as a message surely holds."""
    starts, count, chars = [0], 0, 0
    for index, request in enumerate(requests):
        needed = ROW_CHARS + json_size(row_words(request).text)
        if count == PAGE or (count and chars + needed > PAGE_CHARS):
            starts.append(index)
            count, chars = 0, 0
        count, chars = count + 1, chars + needed
    return tuple(starts)


def page_count(digest: Digest) -> int:
    return len(digest.starts)


def _page(digest: Digest) -> int:
    return min(digest.page, page_count(digest) - 1)


def ready(digest: Digest, requests: Requests, indexes: Iterable[int], now: datetime) -> list[Row]:
    """Those of the rows that one click on many may decide now."""
    rows = covered(digest, requests, indexes, digest.version).rows
    return [row for row in rows if is_open(requests[row.request_id], now)]


# -- what it adds up to -------------------------------------------------------------------------------


def headline(digest: Digest, requests: Requests) -> str:
    """How many wait, of what, for how much; or what has become of them all."""
    places = list(waiting(digest, requests))
    if not places:
        return f"{_all(len(digest.rows))}: {results(digest, requests)}"
    rows = [digest.rows[place] for place in places]
    those = [requests[row.request_id] for row in rows]
    risky = sum(map(is_risky, those))
    total = add_up(rows).words(digest.unit)
    told = [
        _together(digest, those) or _wait(those),
        f"total {total}" if total else "",
        f"{risky:,} high risk" if risky else "",
    ]
    return " · ".join(filter(None, told))


def results(digest: Digest, requests: Requests) -> str:
    """How the rows that are over have ended, counted."""
    ended: Counter[str] = Counter()
    for row in digest.rows:
        request = requests.get(row.request_id)
        if request is None:
            ended["forgotten"] += 1
        elif not request.is_pending:
            ended[_RESULTS.get(request.status, "approved")] += 1
    return ", ".join(f"{count:,} {word}" for word, count in ended.most_common())


def _all(count: int) -> str:
    return "It is decided" if count == 1 else f"All {count:,} are decided"


def _wait(those: Sequence[Request]) -> str:
    kinds = {(request.kind, request.tool) for request in those}
    noun = "request"
    if {kind for kind, _ in kinds} == {Kind.QUESTION}:
        noun = "question"
    elif len(kinds) == 1:
        noun = f"{one_line(those[0].tool, HEADING_CHARS)} request"
    return f"1 {noun} waits" if len(those) == 1 else f"{len(those):,} {noun}s wait"


def _together(digest: Digest, those: Sequence[Request]) -> str:
    """Who asks for how many things at once, if it is a batch; some may be decided already."""
    if not is_batch(digest.name):
        return ""
    agent, count = name(those[0].agent), len(digest.rows)
    return f"{agent} asks for 1 thing" if count == 1 else f"{agent} asks for {count:,} things together"


def _facts(digest: Digest, requests: Requests, now: datetime) -> Line:
    those = [requests[digest.rows[place].request_id] for place in waiting(digest, requests)]
    if not those:
        return ("Asked for together, ", Moment(digest.made_at, near=now))
    oldest = min(request.created_at for request in those)
    deadlines = [request.deadline for request in those if request.deadline is not None]
    first: Line = (" · first deadline ", Moment(min(deadlines), near=now)) if deadlines else ()
    decided = results(digest, requests)
    left = (f" · {len(those):,} of {len(digest.rows):,} left: {decided}",) if decided else ()
    return ("Oldest from ", Moment(oldest, near=now), *first, *left)  # a span would be told wrong in no time


# -- the rows -----------------------------------------------------------------------------------------


def _frozen(frozen: Frozen) -> list[Line]:
    """Who has stopped rows of it, and which."""
    told: Counter[tuple[str, str]] = Counter((each.by.name, each.words) for each in frozen.values())
    return [
        (
            Strong("❄ Frozen: "),
            f"{name(by)} froze {one_line(what, HEADING_CHARS)}, so {count:,} can't be decided",
        )
        for (by, what), count in told.most_common(FROZEN_TOLD)
    ]


def _grouped_rows(
    digest: Digest, requests: Requests, now: datetime, decidable: Collection[RequestId]
) -> Iterator[Block]:
    """The page's rows under their headings; a tool that is one stands in no row."""
    headings, is_tool = _headings(digest, requests), digest.group_by is GroupBy.TOOL
    for heading, indexes in groupby(digest.shown, lambda index: headings[index]):
        yield rich(section(_heading(digest, requests, headings, heading)))
        yield from _rows(digest, requests, now, list(indexes), decidable, with_tool=not is_tool)


def _rows(
    digest: Digest,
    requests: Requests,
    now: datetime,
    indexes: Sequence[int],
    decidable: Collection[RequestId],
    *,
    with_tool: bool = True,
) -> Iterator[Block]:
    """What waits, with its buttons; what is over, a line each."""
    ended: list[Line] = []
    for index in indexes:
        row = digest.rows[index]
        request = requests.get(row.request_id)
        if request is None or not request.is_pending:
            ended.append(_ended(row, request))
            continue
        yield from _ended_block(ended)
        ended = []
        text = row_text(request, now, with_tool=with_tool)
        yield from _waiting(digest, index, request, text, is_ready=request.id in decidable)
    yield from _ended_block(ended)


def _headings(digest: Digest, requests: Requests) -> list[str]:
    """What each row stands under; one that is forgotten stays with the row before it."""
    headings: list[str] = []
    for row in digest.rows:
        request = requests.get(row.request_id)
        if request is not None:
            headings.append(heading_of(request, digest.group_by))
        else:
            headings.append(headings[-1] if headings else "")
    return headings


def _heading(digest: Digest, requests: Requests, headings: Sequence[str], heading: str) -> Line:
    rows = [digest.rows[place] for place in waiting(digest, requests) if headings[place] == heading]
    told = [f"{len(rows):,} waiting" if rows else "all decided", add_up(rows).words(digest.unit)]
    name = one_line(heading, HEADING_CHARS) or "⟨no name⟩"
    return (Strong(name), *(f" · {words}" for words in told if words))


def _ended(row: Row, request: Request | None) -> Line:
    return (f"{row.request_id[:6]} · forgotten by now",) if request is None else ended_words(request)


def _ended_block(lines: Sequence[Line]) -> list[Block]:
    return [rich(section(*lines))] if lines else []


def _waiting(digest: Digest, index: int, request: Request, text: str, *, is_ready: bool) -> Iterator[Block]:
    """A row with its buttons below it; or with Open beside it, where it can't be decided from here."""
    which, block_id = label(request), ids.row_block(digest.id, index, digest.version)
    look = button("Open", ids.in_row("open"), described=f"Open {which}")
    if not is_ready:
        yield {**notice(text), "block_id": block_id, "accessory": look}
        return
    approve = button("Approve", ids.in_row("approve"), described=f"Approve {which}")
    reject = button("Reject…", ids.in_row("reject"), described=f"Reject {which}")
    yield from (notice(text), actions(block_id, approve, reject, look))


def row_text(request: Request, now: datetime, *, with_tool: bool = True) -> str:
    """A row that waits, and below it how far it is."""
    words, how_far = row_words(request, with_tool=with_tool).text, standing(request, now)
    return f"{words}\n{how_far}" if how_far else words


# -- what can be done with them -----------------------------------------------------------------------


def _foot(digest: Digest, requests: Requests, rows: Sequence[Row]) -> Iterator[Block]:
    value = ids.pack_shown(digest.id, digest.version, _waiting_indexes(digest, requests))
    all_waiting = list(waiting(digest, requests))
    buttons = _bulk_buttons(digest, requests, rows, value) if len(rows) > 1 else []
    if all_waiting:
        buttons.append(button("Review one by one", ids.WALK, value))
    if len(all_waiting) > 1 and page_count(digest) > 1:
        buttons.append(button(f"See all {len(all_waiting):,}…", ids.SEE_ALL, value))
    if buttons:
        yield actions(f"digest|{digest.id}|{digest.version}|{digest.page}", *buttons)
    yield from _turning(digest, value)


def _waiting_indexes(digest: Digest, requests: Requests) -> list[int]:
    return [index for index in waiting(digest, requests) if index in digest.shown]


def _bulk_buttons(digest: Digest, requests: Requests, rows: Sequence[Row], value: str) -> list[Block]:
    count, total = len(rows), add_up(rows)
    much = "" if total.amount is None else f", {money(total.amount, digest.unit)}"
    what = f"{count:,} calls{much and f', {total.words(digest.unit)}'}."
    stay = _stay(len(_waiting_indexes(digest, requests)) - count)
    words = " ".join(filter(None, [what, largest(digest, requests, rows, 1), stay]))
    asked = confirm(f"Approve these {count:,}?", words, yes=f"Approve {count:,}", no="Not yet")
    approve = f"Approve the {count:,} shown{much}"
    return [
        button(approve, ids.BULK_APPROVE, value, style="primary", confirm=asked),
        button(f"Reject the {count:,} shown…", ids.BULK_REJECT, value, style="danger"),
    ]


def _stay(count: int) -> str:
    if not count:
        return ""
    return "1 more stays: it must be opened." if count == 1 else f"{count:,} more stay: each must be opened."


def largest(digest: Digest, requests: Requests, rows: Iterable[Row], count: int) -> str:
    """Which rows add most to the sum, or nothing where there is none."""
    amounts = [(row.amount, label(requests[row.request_id])) for row in rows if row.amount is not None]
    amounts.sort(key=lambda one: -one[0])
    told = (f"{short}, {money(amount, digest.unit)}" for amount, short in amounts[:count])
    return f"The largest: {'; '.join(told)}." if amounts else ""


def _turning(digest: Digest, value: str) -> Iterator[Block]:
    pages, page = page_count(digest), _page(digest)
    if pages == 1:
        return
    turns = [button("Back", ids.turn(page - 1), value)] if page else []
    turns += [button("Next", ids.turn(page + 1), value)] if page + 1 < pages else []
    yield aside(f"Page {page + 1:,} of {pages:,}")
    yield actions(f"turn|{digest.id}|{digest.version}|{page}", *turns)


# -- the message's text -------------------------------------------------------------------------------


def _text(digest: Digest, requests: Requests, now: datetime, first: Sequence[str], *, json_chars: int) -> str:
    """The page for those who hear it; rows that have no room are shortened, then counted."""
    pages = page_count(digest)
    last = [f"Page {_page(digest) + 1:,} of {pages:,}."] if pages > 1 else []
    text = ""
    for chars in SPOKEN_CHARS:
        text = "\n".join([*first, *_spoken(digest, requests, now, chars), *last])
        if units(text) <= MESSAGE_TEXT_CHARS and json_size(text) <= json_chars:
            return text
    return "\n".join([*first, *last])


def _spoken(digest: Digest, requests: Requests, now: datetime, chars: int) -> Iterator[str]:
    for index in digest.shown:
        row = digest.rows[index]
        request = requests.get(row.request_id)
        if request is None or not request.is_pending:
            yield line_text(_ended(row, request))
        else:
            yield escape(clip(row_text(request, now).replace("\n", " · "), chars))
