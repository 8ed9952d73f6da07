"""`countersign audit trim` and `erase`: what leaves the log, and why what is left still proves itself."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime

from approvals.audit import Entry, is_erased
from approvals.cli import FINE, NO
from approvals.errors import InvalidCall, RequestNotFound
from approvals.ids import is_id
from approvals.model import Request, RequestId, ReviewState, Status
from bot.audit.ground import Ground, fail, out
from bot.login import operator

_UNDER_WAY = (Status.PENDING, Status.APPROVED, Status.EXECUTING)


async def trim(ground: Ground, arguments: argparse.Namespace) -> int:
    """Take out of the log what has been exported and read back."""
    exported, trimmed = await ground.book.exported(), await ground.book.trimmed()
    through = arguments.through
    if through is None:
        through = await ground.store.first_seq_at(_day(arguments.before)) - 1
    if exported is None or through > exported.through:
        limit = exported.through if exported else 0
        return fail(
            f"Only the entries 1 to {limit} are exported and read back, not {through}:"
            " export the log to a file or to S3 first.",
            NO,
        )
    known = [entry.hash for entry in await ground.store.entries(exported.through, 1)]
    if exported.through > trimmed and known != [exported.hash]:
        return fail(f"Entry {exported.through} is another than was exported: `audit verify` tells more.", NO)
    if through <= trimmed:
        out(f"Nothing to trim: the log begins at {trimmed + 1}.")
        return FINE
    detail = {"exported_through": exported.through, "where": exported.where, "sha256": exported.sha256}
    await ground.book.trim(through, operator(), detail)
    if arguments.json:
        out(json.dumps({"trimmed_through": through, "first": through + 1}))
    else:
        out(f"The log begins at {through + 1} now. What came before is in your exports: {exported.where}.")
    return FINE


def _day(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidCall(f"{text!r} is no day; write it as 2026-04-01") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def erase(ground: Ground, arguments: argparse.Namespace) -> int:
    """Erase args, names and words of one request from the log, and the request itself."""
    request_id = await _ended(ground, arguments.request)
    entries = await ground.store.chain(request_id)
    if not entries:
        raise RequestNotFound(arguments.request)
    old = [entry.seq for entry in entries if entry.salt is None and not is_erased(entry)]
    if old:
        return fail(f"Entry {old[0]} was logged before anything could be erased from the log.", NO)
    await ground.book.erase(request_id, entries, operator(), " ".join(arguments.because))
    await ground.store.forget(request_id)
    if arguments.json:
        out(json.dumps({"request": request_id, "erased": [entry.seq for entry in entries]}))
    else:
        out(f"{request_id}: {_numbers(entries)} were erased. Exports and messages in Slack have them still.")
    return FINE


async def _ended(ground: Ground, typed: str) -> RequestId:
    """The request, unless it is still under way."""
    whole = RequestId(typed.strip().upper())
    request_id = whole if is_id(whole) else await ground.store.find(typed)
    try:
        request, _ = await ground.store.get(request_id)
    except RequestNotFound:  # forgotten by now; the log has it still
        return request_id
    if not _is_over(request):
        raise InvalidCall(f"{request.short} is {request.status}: only what has ended can be erased")
    return request_id


def _is_over(request: Request) -> bool:
    is_looked_at = request.review is None or request.review.state is not ReviewState.OPEN
    return request.status not in _UNDER_WAY and is_looked_at


def _numbers(entries: list[Entry]) -> str:
    return f"args, names and words of {len(entries)} entries"
