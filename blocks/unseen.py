"""The human queue: what expired or was let through past its normal path, and nobody has looked at yet."""

from __future__ import annotations

from collections.abc import Sequence

from approvals.model import Request
from blocks import ids
from blocks.action import headline
from blocks.pieces import Block, Card, actions, aside, button, header, line_text, notice, plain, rich
from blocks.request import label, told_elements
from blocks.status import Told, ending
from blocks.text import MESSAGE_CHARS, escape, json_size

LISTED = 10
SPARE_CHARS = 700  # of JSON, for what is around the rows
WORDS_CHARS = 200


def unseen_list(requests: Sequence[Request]) -> Card:
    """The answer to `/approvals expired`: the oldest first, each with *Seen*."""
    if not requests:
        nothing = "Somebody has looked at everything that ended without an answer."
        return Card(nothing, [notice(nothing)])
    title = "Nobody has looked at these yet"
    text, blocks = [f"{title}:"], [header(title)]
    room, listed = MESSAGE_CHARS - SPARE_CHARS, 0
    for one in requests[:LISTED]:
        told = f"{escape(label(one))}: {escape(headline(one))}. {line_text(_ended(one).line)}"
        drawn = _row(one)
        room -= json_size(told) + json_size(drawn)
        if room < 0:
            break
        text, blocks, listed = [*text, told], [*blocks, *drawn], listed + 1
    if len(requests) > listed:
        more = f"… and {len(requests) - listed:,} more, once these have been seen."
        text, blocks = [*text, more], [*blocks, aside(more)]
    return Card("\n".join(text), blocks)


def unseen_rows(requests: Sequence[Request]) -> list[Block]:
    return [block for one in requests for block in _row(one)]


def _row(request: Request) -> list[Block]:
    """What it was and how it ended; *Seen* takes it off the list, for everybody."""
    what, value = headline(request), ids.pack(request)
    return [
        {"type": "section", "text": plain(f"{label(request)}  {what}")},
        rich(*told_elements(_ended(request), WORDS_CHARS)),
        actions(
            f"unseen|{request.id}|{request.version}",
            button("Seen", ids.SEEN, value, described=f"Seen: {what}"),
            button("Open", ids.OPEN, value, described=f"Open {what}"),
        ),
    ]


def _ended(request: Request) -> Told:
    return Told(("Still open.",)) if request.decision is None else ending(request, request.decision)
