"""One click on many rows of a digest: all that wait in a dialog, the question before it, what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from approvals.bulk import BulkVerb
from approvals.digest import Digest, LeftOut, Row
from approvals.model import Request
from blocks import ids
from blocks.buttons import is_open, reject_button
from blocks.check import VIEW_BLOCKS
from blocks.digest import Requests, headline, largest, ready, row_text
from blocks.pieces import (
    Block,
    View,
    actions,
    aside,
    asked,
    button,
    dialog,
    header,
    notice,
    option,
    overflow,
    writing,
)
from blocks.request import label
from blocks.rows import named
from blocks.sums import add_up
from blocks.text import one_line

NAMED = 10  # of those that were left out; the others are counted
TOOLS = 5
LARGEST = 3
TOO_LATE = "its deadline has passed"
_DID = {BulkVerb.APPROVE: "Approved", BulkVerb.REJECT: "Rejected"}
_DO = {BulkVerb.APPROVE: "Approve", BulkVerb.REJECT: "Reject"}
_WHY = {
    LeftOut.GONE: "forgotten by now",
    LeftOut.DECIDED: "decided already",
    LeftOut.CHANGED: "changed since you saw it",
    LeftOut.TO_BE_OPENED: "to be opened first",
    LeftOut.TO_BE_CONFIRMED: "to be confirmed one by one, each with a sign-in",
}


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one row; `why_not`, in mrkdwn, is empty where it was done."""

    short: str
    why_not: str = ""


def all_view(
    digest: Digest, requests: Requests, indexes: Iterable[int], now: datetime, *, note: str = ""
) -> View:
    """The rows at `indexes`, which all wait, as far as they have room; submitting approves what is ready.

    `note` is told above them, in mrkdwn.
    """
    places = [place for place in indexes if digest.rows[place].request_id in requests]
    said: Block = {"type": "section", "text": {"type": "mrkdwn", "text": note, "verbatim": True}}
    notes = [said] if note else []
    shown = places[: VIEW_BLOCKS - len(notes) - 2]  # beside what stands above and below them
    rows = ready(digest, requests, shown, now)
    metadata = ids.pack_shown(digest.id, digest.version, shown)
    top = notice(headline(digest, requests))
    if rows:
        reject = f"Reject the {len(rows):,}…"
        top["accessory"] = button(reject, ids.BULK_REJECT, metadata, style="danger")
    blocks = [top, *notes]
    can_be_decided = {row.request_id for row in rows}
    for place in shown:
        request = requests[digest.rows[place].request_id]
        blocks.append(_row(digest, place, request, now, is_ready=request.id in can_be_decided))
    if len(places) > len(shown):
        blocks.append(aside(f"{len(places) - len(shown):,} more follow when these are decided."))
    if not shown:
        blocks.append(notice("Nothing waits here any more."))
    submit = f"Approve {len(rows):,}" if rows else None
    return dialog(ids.SEE_ALL, "All that wait", blocks, metadata=metadata, submit=submit)


def _row(digest: Digest, place: int, request: Request, now: datetime, *, is_ready: bool) -> Block:
    made = notice(row_text(request, now))
    choices: list[tuple[str, ids.RowVerb]] = [("Approve", "approve"), ("Reject…", "reject"), ("Open", "open")]
    accessory = button("Open", ids.ROW, ids.pack_row("open"), described=f"Open {named(request)}")
    if is_ready:
        accessory = overflow(ids.ROW, (option(words, ids.pack_row(verb)) for words, verb in choices))
    return {**made, "block_id": ids.row_block(digest.id, place, digest.version), "accessory": accessory}


def row_view(whole_call: View, request: Request) -> View:
    """The whole call of a row that was opened: who may approve it there may reject it there."""
    if "submit" not in whole_call:
        return whole_call
    return {**whole_call, "blocks": [*whole_call["blocks"], actions("decide", reject_button(request))]}


# -- the question before it ---------------------------------------------------------------------------


def confirm_view(
    digest: Digest,
    verb: BulkVerb,
    rows: Sequence[Row],
    requests: Requests,
    now: datetime,
    *,
    left_out: Sequence[tuple[Row, LeftOut]] = (),
) -> View:
    """Say what is about to happen to many, and ask for a note or the reason."""
    open_rows = [row for row in rows if is_open(requests[row.request_id], now)]
    missed = [left_out_row(row, why, requests) for row, why in left_out]
    missed += [Done(label_of(row, requests), TOO_LATE) for row in rows if row not in open_rows]
    places = {row.request_id: place for place, row in enumerate(digest.rows)}
    metadata = ids.pack_shown(digest.id, digest.version, (places[row.request_id] for row in open_rows))
    callback_id = ids.BULK_APPROVE if verb is BulkVerb.APPROVE else ids.BULK_REJECT
    count, did = len(open_rows), f"{_DO[verb]} {len(open_rows):,}"
    if not count:
        blocks = [notice("None of them can be decided from here now."), *_left_out(missed)]
        return dialog(callback_id, "Nothing to decide", blocks, metadata=metadata)
    total = add_up(open_rows).words(digest.unit)
    blocks = [header(f"{did}{f', {total}' if total else ''}?"), notice(_tools(requests, open_rows))]
    most = largest(digest, requests, open_rows, LARGEST)
    blocks += [notice(most)] if most else []
    blocks += [*_left_out(missed), _field(verb)]
    return dialog(callback_id, did, blocks, metadata=metadata, submit=did)


def _tools(requests: Requests, rows: Sequence[Row]) -> str:
    """How many calls of which tools by which agents."""
    those = [requests[row.request_id] for row in rows]
    counts = Counter((one_line(one.tool, 40), one_line(one.agent, 40)) for one in those)
    told = [f"{count:,} × {tool} by {agent}" for (tool, agent), count in counts.most_common(TOOLS)]
    rest = sum(counts.values()) - sum(count for _, count in counts.most_common(TOOLS))
    return " · ".join([*told, *([f"{rest:,} others"] if rest else [])])


def _left_out(missed: Sequence[Done]) -> list[Block]:
    return [notice(f"Left out: {_named(missed)}.")] if missed else []


def label_of(row: Row, requests: Requests) -> str:
    """A row's short id, also when its request is forgotten."""
    request = requests.get(row.request_id)
    return row.request_id[:6] if request is None else label(request)


def _field(verb: BulkVerb) -> Block:
    if verb is BulkVerb.REJECT:
        hint = "Each agent gets these words, and can act on them."
        return asked(ids.WORDS, "Why not?", writing(lines=True), hint=hint, optional=True)
    return asked(ids.WORDS, "Note", writing(lines=True), hint="Each agent gets it too.", optional=True)


# -- what came of it ----------------------------------------------------------------------------------


def told(verb: BulkVerb, rows: Sequence[Done]) -> str:
    """To whoever clicked: how many were done, and which were not, and why. In mrkdwn."""
    missed = [row for row in rows if row.why_not]
    done = len(rows) - len(missed)
    if not missed:
        return f"{_DID[verb]} {'it' if done == 1 else f'all {done:,}'}."
    count = f"{done:,}" if done else "none"
    return f"{_DID[verb]} {count} of {len(rows):,}. Left out: {_named(missed)}."


def left_out_row(row: Row, why: LeftOut, requests: Requests) -> Done:
    """A row that no click on many reaches, for `told`."""
    return Done(label_of(row, requests), _WHY[why])


def _named(missed: Sequence[Done]) -> str:
    """The rows for each reason, as far as they are named."""
    why: dict[str, list[str]] = {}
    for one in missed[:NAMED]:
        why.setdefault(one.why_not.rstrip("."), []).append(one.short)
    words = [_told_of(shorts, reason) for reason, shorts in why.items()]
    rest = len(missed) - NAMED
    return "; ".join([*words, *([f"and {rest:,} more"] if rest > 0 else [])])


def _told_of(shorts: Sequence[str], reason: str) -> str:
    """Which rows, and why; a refusal of the rules names its row itself."""
    return reason if all(short in reason for short in shorts) else f"{', '.join(shorts)}: {reason}"
