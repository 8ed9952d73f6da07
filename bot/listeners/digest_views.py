"""The dialogs of a digest as things stand: all that waits in it, and the walk through it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from approvals.digest import Covered, Digest, DigestId, LeftOut, Row, covered, waiting
from approvals.errors import DigestNotFound
from approvals.model import Request, RequestId, Via
from approvals.past import past_decisions
from blocks import digest_replies, ids
from blocks.bulk import all_view
from blocks.ids import Shown
from blocks.request import Offer, offer_for
from blocks.walk import walk_end, walk_view
from bot.listeners.parts import Json, Parts
from bot.payloads import Who
from bot.people import LookupFailed


class NotOpened(Exception):
    """Whoever wants a digest doesn't get it; the message is the sentence for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A digest, and its requests as they are: read after it, so that no older call passes for its row's."""

    digest: Digest
    requests: dict[RequestId, Request]
    now: datetime

    def waiting(self) -> list[int]:
        return list(waiting(self.digest, self.requests))

    def at(self, index: int) -> Request | None:
        return self.requests.get(self.digest.rows[index].request_id)


async def opened(parts: Parts, who: Who, shown: Shown, verb: str) -> Opened:
    """The digest that somebody acts on, if it is for them and has the rows that they name.

    Raises:
        NotOpened: it is not; that is in the log, unless the digest has just been forgotten.
    """
    digest = await digest_for(parts, who, shown, verb)
    requests = await parts.desk.store.get_many([row.request_id for row in digest.rows])
    return Opened(digest=digest, requests=requests, now=await parts.desk.store.now())


async def digest_for(parts: Parts, who: Who, shown: Shown, verb: str) -> Digest:
    """The digest alone, without its requests. Raises as `opened`."""
    digest = await _digest(parts, who, shown.digest_id, verb)
    if not await _may_see(parts, who, digest):
        raise await _refusal(parts, who, digest.id, verb, digest_replies.NOT_YOURS)
    is_known = shown.version <= digest.version
    if not is_known or any(index >= len(digest.rows) for index in shown.indexes):
        raise await _refusal(parts, who, digest.id, verb, digest_replies.NOT_AS_SHOWN)
    return digest


def meant(seen: Opened, shown: Shown) -> Covered:
    """What a click on many rows means."""
    return covered(seen.digest, seen.requests, shown.indexes, shown.version)


def why_not(seen: Opened, shown: Shown) -> tuple[Row, str]:
    """The row that a click on one means, and why it can't be decided from it; "": it can."""
    (index,) = shown.indexes
    left_out = meant(seen, shown).left_out
    return seen.digest.rows[index], _WORDS[left_out[0][1]] if left_out else ""


async def list_view(parts: Parts, seen: Opened, *, note: str = "") -> Json:
    """All that waits."""
    return all_view(seen.digest, seen.requests, seen.waiting(), seen.now, note=note)


async def walk_at(
    parts: Parts, who: Who, seen: Opened, indexes: Iterable[int], *, notes: Sequence[str] = ()
) -> Json:
    """The first of these rows that waits and that this person may decide; else the end of the walk."""
    over = others = 0
    for index in indexes:
        request = seen.at(index)
        if request is None or not request.is_pending:
            over += 1
        elif not await parts.desk.may_decide(who, request, now=seen.now):
            others += 1
        else:
            note = _noted(notes, over, others)
            return await _walk_view(parts, seen, index, request, note)
    return walk_end(seen.digest, seen.requests, note=_noted(notes, over, others))


async def _walk_view(parts: Parts, seen: Opened, index: int, request: Request, note: str) -> Json:
    is_long = offer_for(request) is Offer.FILE
    return walk_view(
        seen.digest,
        index,
        request,
        seen.now,
        place=index + 1,
        left=len(seen.digest.rows),
        past=await past_decisions(parts.desk.store, request),
        can_act=True,
        file_url=await parts.desk.file_of(request) if is_long else None,
        note=note,
    )


def _noted(notes: Sequence[str], over: int, others: int) -> str:
    return "\n".join(filter(None, [*notes, digest_replies.passed_over(over, others)]))


async def _digest(parts: Parts, who: Who, digest_id: DigestId, verb: str) -> Digest:
    try:
        return await parts.digests.get(digest_id)
    except DigestNotFound:
        raise await _refusal(parts, who, digest_id, verb, digest_replies.NO_DIGEST) from None


async def _may_see(parts: Parts, who: Who, digest: Digest) -> bool:
    if digest.person is not None:
        return digest.person == who.id
    try:
        return who.id in await parts.people.members.get(digest.channel)
    except LookupFailed:
        return False


async def _refusal(parts: Parts, who: Who, digest_id: DigestId, verb: str, words: str) -> NotOpened:
    actor = await parts.owners.actor(who)
    await parts.desk.store.refuse(digest_id, actor, f"{verb} in a digest", words, Via.SLACK)
    return NotOpened(words)


_WORDS = {
    LeftOut.GONE: digest_replies.GONE,
    LeftOut.DECIDED: "",  # the desk says by whom
    LeftOut.CHANGED: digest_replies.CHANGED,
    LeftOut.TO_BE_OPENED: digest_replies.MUST_BE_OPENED,
    LeftOut.TO_BE_CONFIRMED: digest_replies.MUST_BE_OPENED,
}


# -- under another dialog -----------------------------------------------------------------------------


def list_beneath(digest: Digest) -> str:
    """What a dialog remembers that is put on the list."""
    return f"{ids.SEE_ALL} {ids.pack_shown(digest.id, digest.version, ())}"


def walk_beneath(shown: Shown) -> str:
    """What a dialog remembers that is put on the walk; the one index is where the walk is."""
    return f"{ids.WALK} {ids.pack_shown(shown.digest_id, shown.version, shown.indexes)}"


async def beneath(parts: Parts, who: Who, packed: str, *, note: str = "") -> Json:
    """What lay beneath a dialog, as it is now.

    Raises:
        NotOpened: the digest is for this person no longer.
        Stale: it is of an older version.
    """
    which, _, value = packed.partition(" ")
    shown = ids.unpack_shown(value)
    seen = await opened(parts, who, shown, "look")
    if which == ids.WALK:
        rows = range(min(shown.indexes, default=0), len(seen.digest.rows))
        return await walk_at(parts, who, seen, rows, notes=[note])
    return await list_view(parts, seen, note=note)
