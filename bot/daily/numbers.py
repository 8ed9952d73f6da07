"""What there is to tell each channel in the morning: read from the log, and from what waits."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from approvals.audit import Entry
from approvals.model import Request, RequestId
from approvals.stats import Counting, Tally
from approvals.store import OUT_OF_ORDER, Store
from blocks.daily import NOTHING_WAITS, Waiting

PAGE = 500
MOST_REVIEWS = 1000  # of one channel that are held at once, the newest: far more than a thread shows

Where: TypeAlias = Callable[[Request], Awaitable[str | None]]  # the channel that a request belongs to, by id


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What one channel is told."""

    tally: Tally
    waiting: Waiting = NOTHING_WAITS
    reviews: tuple[Request, ...] = ()  # open, the oldest first
    review_count: int = 0

    def is_worth_telling(self, until: datetime) -> bool:
        """Whether anything happened, or was left, before `until`."""
        is_waiting = self.waiting.oldest is not None and self.waiting.oldest < until
        opened = (request.review.opened_at for request in self.reviews if request.review)
        return not self.tally.is_empty or is_waiting or any(at < until for at in opened)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Counts for each channel of its own. The log does not say where a request is shown: the request does."""

    store: Store
    where: Where
    go_on: Callable[[], Awaitable[None]]  # awaited now and then: counting may take long

    async def numbers(self, since: datetime, until: datetime) -> dict[str, Numbers]:
        """What there is to tell each channel of the time from `since` until just before `until`.

        Raises:
            Unavailable: Redis was away.
        """
        found = {
            channel: Numbers(tally=tally) for channel, tally in (await self._tallies(since, until)).items()
        }
        nothing = Numbers(tally=Counting(since=since, until=until).tally)
        for channel, waiting in (await self._waiting()).items():
            found[channel] = replace(found.get(channel, nothing), waiting=waiting)
        for channel, (requests, count) in (await self._reviews()).items():
            known = found.get(channel, nothing)
            found[channel] = replace(known, reviews=tuple(requests), review_count=count)
        return found

    async def tally_of(self, channel: str, since: datetime, until: datetime) -> Tally:
        """Count what happened for one channel."""
        counted = await self._tallies(since, until)
        return counted.get(channel) or Counting(since=since, until=until).tally

    async def _tallies(self, since: datetime, until: datetime) -> dict[str, Tally]:
        counting: dict[str, Counting] = {}
        known: dict[str, str | None] = {}
        async for page in self._pages(since, until):
            known |= await self._channels({entry.request for entry in page} - {"", *known})
            for entry in page:
                if channel := known.get(entry.request):
                    counting.setdefault(channel, Counting(since=since, until=until)).add(entry)
        return {channel: each.tally for channel, each in counting.items() if not each.tally.is_empty}

    async def _pages(self, since: datetime, until: datetime) -> AsyncIterator[Sequence[Entry]]:
        last_seq = await self.store.last_seq()
        first = await self.store.first_seq_at(since)
        while first <= last_seq and (page := await self.store.entries(first, PAGE)):
            await self.go_on()
            yield page
            if page[-1].at > until + OUT_OF_ORDER:
                return
            first = page[-1].seq + 1

    async def _channels(self, ids: set[str]) -> Mapping[str, str | None]:
        found = await self.store.get_many(RequestId(id) for id in ids)
        return {id: await self.where(found[RequestId(id)]) if id in found else None for id in ids}

    async def _waiting(self) -> dict[str, Waiting]:
        found: defaultdict[str, Waiting] = defaultdict(Waiting)
        async for channel, request in self._all(self.store.pending):
            found[channel] = found[channel].and_(request.created_at, request.deadline)
        return found

    async def _reviews(self) -> dict[str, tuple[deque[Request], int]]:
        found: dict[str, tuple[deque[Request], int]] = {}
        async for channel, request in self._all(self.store.reviews):
            requests, count = found.get(channel, (deque(maxlen=MOST_REVIEWS), 0))
            requests.append(request)
            found[channel] = requests, count + 1
        return found

    async def _all(self, read: Callable[..., Awaitable[list[Request]]]) -> AsyncIterator[tuple[str, Request]]:
        """All of a queue. What moves in it meanwhile may be missed: then a number is less exact."""
        offset = 0
        while page := await read(limit=PAGE, offset=offset):
            await self.go_on()
            for request in page:
                if (channel := await self.where(request)) is not None:
                    yield channel, request
            offset += PAGE
