"""The Home tab: what waits for whom, and how to use this."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from approvals.model import Request, RequestId
from blocks.pieces import Block, View, aside, dialog, header, notice
from blocks.replies import Commands, by_urgency, help_text, row
from blocks.unseen import unseen_rows

ROWS = 20
UNSEEN_ROWS = 10


def home_view(
    pending: Sequence[Request],
    mine_ids: Collection[RequestId],
    commands: Commands | None = None,
    *,
    unseen: Sequence[Request] = (),
    deputy: str | None = None,
) -> View:
    """What waits for this person (`mine_ids`) first, then for others, then what nobody has looked at.

    `deputy` says who stands in for them.
    """
    mine = [one for one in by_urgency(pending) if one.id in mine_ids]
    others = [one for one in by_urgency(pending) if one.id not in mine_ids]
    shown_mine, shown_others = mine[:ROWS], others[: ROWS - len(mine[:ROWS])]
    told: Block = {"type": "mrkdwn", "text": deputy, "verbatim": True}
    blocks: list[Block] = [{"type": "context", "elements": [told]}] if deputy else []
    blocks += [header("Waiting for you"), *_rows(shown_mine, "Nothing waits for you.")]
    if shown_others:
        blocks += [header("Waiting for others"), *_rows(shown_others, "")]
    left_out = len(pending) - len(shown_mine) - len(shown_others)
    if left_out:
        blocks.append(aside(f"… and {left_out:,} more."))
    if unseen:
        blocks += [header("Nobody has looked at these yet"), *unseen_rows(unseen[:UNSEEN_ROWS])]
    usage: Block = {"type": "mrkdwn", "text": help_text(commands or Commands()), "verbatim": True}
    blocks += [{"type": "divider"}, header("How it works"), {"type": "section", "text": usage}]
    return {"type": "home", "callback_id": "home", "blocks": blocks}


def queue_view(mine: Sequence[Request]) -> View:
    """What waits for this person, as a dialog."""
    shown = by_urgency(mine)[:ROWS]
    blocks = _rows(shown, "Nothing waits for you.")
    if len(mine) > len(shown):
        blocks.append(aside(f"… and {len(mine) - len(shown):,} more."))
    return dialog("queue", "Waiting for you", blocks, metadata="")


def _rows(requests: Sequence[Request], otherwise: str) -> list[Block]:
    return [block for one in requests for block in row(one)] or [notice(otherwise)]
