"""Review one by one: a dialog that walks through a digest, with the whole call of each request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from approvals.digest import Digest, waiting
from approvals.model import Kind, Request
from blocks import ids
from blocks.action import headline
from blocks.buttons import is_open, is_risky
from blocks.dialogs import call_blocks, change_blocks, reason_blocks
from blocks.digest import Requests, results
from blocks.form import has_fields
from blocks.pieces import Block, View, actions, aside, button, confirm, dialog, header, notice, rich, section
from blocks.request import Offer, about, offer_for, told_elements
from blocks.rows import ended_words
from blocks.status import BECAUSE_CHARS, story
from blocks.text import INPUT_CHARS, one_line

PAST = 5
WORDS_CHARS = INPUT_CHARS - 500


def walk_view(
    digest: Digest,
    index: int,
    request: Request,
    now: datetime,
    *,
    place: int,
    left: int,
    past: Sequence[Request] = (),
    can_act: bool,
    file_url: str | None = None,
    note: str = "",
) -> View:
    """The `place`-th of `left` that wait, in full. `past` are similar ones that were decided.

    `note`, in mrkdwn, says what has just been done, or that somebody was faster.
    """
    metadata = ids.pack_walk(digest.id, digest.version, index, request)
    blocks = [_said(note)] if note else []
    blocks += [header(headline(request)), about(request), *call_blocks(request, file_url)]
    blocks += [*change_blocks(request), *reason_blocks(request), _because(request)]
    told = story(request, now)
    if told:
        blocks.append(rich(*(element for one in told for element in told_elements(one, WORDS_CHARS))))
    blocks += _past(past)
    blocks.append(actions("walk", *_buttons(request, now, metadata, can_act=can_act, file_url=file_url)))
    return dialog(ids.WALK, f"{place:,} of {left:,}", blocks, metadata=metadata)


def walk_end(digest: Digest, requests: Requests, *, note: str = "") -> View:
    """After the last one: what was decided, and what was skipped."""
    left, count = len(list(waiting(digest, requests))), len(digest.rows)
    blocks = [_said(note)] if note else []
    blocks.append(header(f"That was the last of {count:,}"))
    decided = results(digest, requests)
    blocks.append(notice(f"Decided: {decided}." if decided else "None of them is decided yet."))
    metadata = ids.pack_shown(digest.id, digest.version, waiting(digest, requests))
    if left:
        blocks.append(notice("1 still waits." if left == 1 else f"{left:,} still wait."))
        blocks.append(actions("walk", button("Go through them again", ids.WALK, metadata)))
    return dialog(ids.WALK, "Done", blocks, metadata=metadata)


def _said(words: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": words, "verbatim": True}}


def _because(request: Request) -> Block:
    return aside(f"Asked because: {one_line(request.terms.because, BECAUSE_CHARS) or 'the policy says so'}")


def _past(past: Sequence[Request]) -> list[Block]:
    lines = [ended_words(one) for one in past[:PAST]]
    return [rich(section(("Similar ones before:",), *lines))] if lines else []


def _buttons(
    request: Request, now: datetime, value: str, *, can_act: bool, file_url: str | None
) -> Iterator[Block]:
    if can_act and is_open(request, now):
        yield from _deciding(request, value, file_url)
        yield button("Skip", ids.WALK_SKIP, value)
    else:
        yield button("Next", ids.WALK_SKIP, value, style="primary")
    yield button("Back", ids.WALK_BACK, value)


def _deciding(request: Request, value: str, file_url: str | None) -> Iterator[Block]:
    """Nothing can be approved whose whole call can't be read here or in a file."""
    is_all_there = offer_for(request) is not Offer.FILE or file_url is not None
    is_action = request.kind is Kind.ACTION
    if request.sent_back is None:
        if not is_action:
            yield button("Answer…", ids.WALK_READ, value, style="primary")
        elif is_all_there:
            yield _approve(request, value)
        if is_action and has_fields(request) and offer_for(request) is not Offer.FILE:
            yield button("Edit…", ids.WALK_EDIT, value)
    yield button("Reject…", ids.WALK_REJECT, value, style="danger")


def _approve(request: Request, value: str) -> Block:
    what = headline(request)
    sure = None
    if is_risky(request):
        words = f"Approve this {request.terms.risk}-risk action? {what}"
        sure = confirm(f"{request.terms.risk} risk", words, yes="Approve", no="Not yet")
    return button(
        "Approve", ids.WALK_APPROVE, value, style="primary", confirm=sure, described=f"Approve: {what}"
    )
