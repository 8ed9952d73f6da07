"""What there is to tell each channel in the morning: read from the log, and from what waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from approvals.audit import Entry
from approvals.model import Request, RequestId
from approvals.stats import Counting, Tally
from approvals.store import OUT_OF_ORDER, Store
from blocks.daily import Waiting

PAGE = 500

Where: TypeAlias = Callable[[Request], Awaitable[str | None]]  # the channel that a request belongs to, by id


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What one channel is told."""

    tally: Tally
    waiting: Waiting
    reviews: tuple[Request, ...] = ()  # open, the oldest first

    def is_worth_telling(self, until: datetime) -> bool:
        """Whether anything happened, or was left, before `until`."""
        is_waiting = self.waiting.oldest is not None and self.waiting.oldest < until
        opened = (request.review.opened_at for request in self.reviews if request.review)
        return not self.tally.is_empty or is_waiting or any(at < until for at in opened)


async def numbers(store: Store, where: Where, since: datetime, until: datetime) -> dict[str, Numbers]:
    """What there is to tell each channel of the time from `since` until just before `until`.

    Raises:
        Unavailable: Redis was away.
    """
    counted = await tallies(store, where, since, until)
    waiting = await _by_channel(where, _all(store.pending))
    reviews = await _by_channel(where, _all(store.reviews))
    nothing = Counting(since=since, until=until).tally
    return {
        channel: Numbers(
            tally=counted.get(channel, nothing),
            waiting=_told(waiting.get(channel, [])),
            reviews=tuple(reviews.get(channel, ())),
        )
        for channel in sorted({*counted, *waiting, *reviews})
    }


async def tallies(store: Store, where: Where, since: datetime, until: datetime) -> dict[str, Tally]:
    """Count what happened, for each channel of its own.

    The log does not say where a request is shown: the request does, as long as it is kept.
    """
    counting: dict[str, Counting] = {}
    known: dict[str, str | None] = {}
    async for page in _pages(store, since, until):
        known |= await _channels(store, where, {entry.request for entry in page} - {"", *known})
        for entry in page:
            if channel := known.get(entry.request):
                counting.setdefault(channel, Counting(since=since, until=until)).add(entry)
    return {channel: each.tally for channel, each in counting.items() if not each.tally.is_empty}


async def tally_of(channel: str, store: Store, where: Where, since: datetime, until: datetime) -> Tally:
    """Count what happened for one channel."""
    counted = await tallies(store, where, since, until)
    return counted.get(channel) or Counting(since=since, until=until).tally


async def _pages(store: Store, since: datetime, until: datetime) -> AsyncIterator[Sequence[Entry]]:
    last_seq = await store.last_seq()
    first = await store.first_seq_at(since)
    while first <= last_seq and (page := await store.entries(first, PAGE)):
        yield page
        if page[-1].at > until + OUT_OF_ORDER:
            return
        first = page[-1].seq + 1


async def _channels(store: Store, where: Where, ids: set[str]) -> Mapping[str, str | None]:
    found = await store.get_many(RequestId(id) for id in ids)
    return {id: await where(found[RequestId(id)]) if id in found else None for id in ids}


async def _all(read: Callable[..., Awaitable[list[Request]]]) -> AsyncIterator[Request]:
    """All of a queue. What moves in it meanwhile may be missed: then a number is less exact."""
    offset = 0
    while page := await read(limit=PAGE, offset=offset):
        for request in page:
            yield request
        offset += PAGE


async def _by_channel(where: Where, requests: AsyncIterator[Request]) -> dict[str, list[Request]]:
    found: defaultdict[str, list[Request]] = defaultdict(list)
    async for request in requests:
        if (channel := await where(request)) is not None:
            found[channel].append(request)
    return dict(found)


def _told(requests: Sequence[Request]) -> Waiting:
    deadlines = [request.deadline for request in requests if request.deadline is not None]
    return Waiting(
        count=len(requests),
        oldest=min((request.created_at for request in requests), default=None),
        deadline=min(deadlines, default=None),
    )
