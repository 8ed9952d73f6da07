"""Break-glass, aloud: the dialog that shows what is let through, and what everybody is told of it."""

from __future__ import annotations

from datetime import datetime

from approvals.masking import spoken
from approvals.model import Request
from blocks import ids
from blocks.dialogs import read_view
from blocks.pieces import (
    Block,
    Card,
    Moment,
    Strong,
    View,
    asked,
    line_text,
    notice,
    quote,
    rich,
    section,
    writing,
)
from blocks.replies import row
from blocks.request import label
from blocks.text import clip, escape, name, one_line, reveal

REASON_CHARS = 600
ALOUD = (
    "⚠ This lets it through past its normal path. Its thread and the operators are told, with your name and "
    "reason, and somebody else looks at it afterwards."
)


def override_view(request: Request, now: datetime, reason: str, *, file_url: str | None = None) -> View:
    """The whole call, and the reason as it was typed; submitting lets it through."""
    read = read_view(request, now, file_url=file_url)
    if "submit" not in read:
        return read  # not all of it can be read yet
    hint = f"{name(request.agent)} gets it too, and it stays in the log."
    field = asked(ids.WORDS, "Why?", writing(lines=True, initial=reason), hint=hint)
    blocks = [block for block in read["blocks"] if block["type"] != "input"]
    return {
        **read,
        "callback_id": ids.OVERRIDE,
        "title": {**read["title"], "text": "Override"},
        "submit": {**read["submit"], "text": "Let it through"},
        "blocks": [*blocks, notice(ALOUD), field],
    }


def override_told(request: Request, *, is_in_thread: bool) -> Card:
    """What its thread and the operators' channel are told."""
    decision = request.decision
    if decision is None:
        raise ValueError(f"{request.id} is not decided")
    what = "this" if is_in_thread else label(request)
    at = Moment(decision.at, near=request.created_at)
    line = ("⚠ ", Strong(name(decision.by.name)), f" let {what} through past its normal path, ", at, ":")
    reason = spoken(decision.text or "")
    blocks: list[Block] = [rich(section(line), quote(clip(reveal(reason)[0], REASON_CHARS)))]
    text = f"{line_text(line)} “{escape(one_line(reason, REASON_CHARS))}”"
    return Card(text, blocks if is_in_thread else [*blocks, *row(request)])
