"""Every morning each channel is told about the day before, once, whichever of the workers is up.

One worker at a time has the turn. What it is about to tell is kept in Redis before it is told, and what it
has told after, so that the next one goes on where it ended. It also follows the log: a call that is up for a
look turns into what people made of it, wherever they looked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta

import aiohttp
from slack_sdk.errors import SlackApiError

from approvals.daily_book import DailyBook
from approvals.errors import Unavailable
from approvals.events import Confirmed, Flagged, UndoAsked, UndoFailed, Undone
from approvals.model import Request, RequestId
from approvals.mornings import Daily, DailyThread, daily_for
from approvals.places import Place, Posted
from approvals.policy import Policy
from approvals.store import Store
from approvals.trust import Proposal
from blocks.daily import since_when
from bot.channels import DM, Channels, NoSuchChannel
from bot.daily.numbers import Counter, Numbers
from bot.daily.posting import DailyPosting, Told
from bot.drawing.sending import Limited, Undrawable
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)

IDLE_S = 5.0
AGAIN_S = 10.0  # after Slack took something amiss
PAUSE_S = 1.0  # from one look to the next: what changes in between is drawn together
PATIENCE_S = 20.0  # for the turn and for Slack, where somebody waits for them
LONGEST = timedelta(days=7)  # that is told at once, after mornings without a message
A_DAY = timedelta(days=1)
SUGGESTED = 3  # rules that one thread suggests
TROUBLE = (Limited, SlackApiError, aiohttp.ClientError, TimeoutError)  # of Slack's, that passes
LOOKED = {event.word for event in (Confirmed, Flagged, UndoAsked, Undone, UndoFailed)}


class DailyThreads:
    """Tells channels about the day before, and keeps the threads up to date."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        store: Store,
        book: DailyBook,
        channels: Channels,
        posting: DailyPosting,
        proposals: Callable[[], Awaitable[Sequence[Proposal]]],
    ) -> None:
        self._policy, self._store, self._book = policy, store, book
        self._channels, self._posting, self._proposals = channels, posting, proposals
        self._counter = Counter(store=store, where=self._where, go_on=book.hold_turn)
        self._proposed: Sequence[Proposal] | None = None  # None: not worked out yet for this morning
        self._ids: dict[str, str | None] = {}  # of channels, as this look has found them
        self._done: set[tuple[Daily, date]] = set()  # mornings after which this process need not look again

    async def run(self) -> None:
        """Do so for ever."""
        seq = 0
        while True:
            is_whole = False
            try:
                is_whole = await self.look(await self._store.now())
                seq = await self._store.until_changed(seq, IDLE_S)
            except Unavailable as error:
                logger.warning("no channel can be told about the day: %s", error)
            except TROUBLE as error:
                logger.warning("no channel can be told about the day", extra={"error": word_of(error)})
            except Exception:  # the next morning is another one
                logger.exception("channels could not be told about the day")
            await asyncio.sleep(PAUSE_S if is_whole else AGAIN_S)

    async def look(self, now: datetime) -> bool:
        """Tell what is due, and show what became of the calls of earlier threads, if it is our turn.

        Returns whether nothing of it is left to be tried again.

        Raises:
            Unavailable: Redis was away.
        """
        async with self._book.turn() as is_ours:
            if not is_ours:
                return True
            self._ids.clear()
            is_whole = True
            for daily in self._policy().dailies:
                day = daily.day_of(now)
                morning = daily.morning_of(day)
                if morning is None or morning > now or (daily, day) in self._done:
                    continue
                if await self._tell(daily, morning, now, set()):
                    self._done.add((daily, day))
                else:
                    is_whole = False
            return await self._follow(now) and is_whole

    async def make_it_tomorrow(self) -> int:
        """Tell now what the next morning would tell; returns to how many channels. For the demo.

        Raises:
            Unavailable: Redis was away.
        """
        now, told = await self._store.now(), set[str]()
        with suppress(TimeoutError):  # the next one goes on where this ended
            async with asyncio.timeout(PATIENCE_S):
                while not await self._bring_tomorrow(now, told):  # noqa: ASYNC110 - Slack has no way to call us
                    await asyncio.sleep(PAUSE_S / 2)
        return len(told)

    async def _bring_tomorrow(self, now: datetime, told: set[str]) -> bool:
        """Whether it was our turn, and nothing is left to be tried again; adds the channels to `told`."""
        async with self._book.turn() as is_ours:
            self._ids.clear()
            mornings = [(daily, daily.after(now)) for daily in self._policy().dailies if is_ours]
            done = [await self._tell(daily, at, now, told) for daily, at in mornings if at is not None]
            return is_ours and all(done)

    # -- telling --------------------------------------------------------------------------------------

    async def _tell(self, daily: Daily, morning: datetime, now: datetime, told: set[str]) -> bool:
        """Tell every channel whose morning it is, but those in `told`, to which it adds them.

        Returns whether nothing is left to be tried again.
        """
        self._proposed = None
        until = min(morning, now)
        since = daily.before(morning) or morning - A_DAY
        found = await self._counter.numbers(since, until)
        is_whole = True
        for channel in [each for each in found if await self._speaks_for(daily, each) and each not in told]:
            try:
                if await self._tell_channel(daily, channel, found[channel], (since, until, morning), now):
                    told.add(channel)
            except Undrawable as undrawable:
                logger.error("a channel can't be told about the day: %s", undrawable.why)
            except TROUBLE as error:
                logger.warning("a channel is not told yet", extra={"error": word_of(error)})
                is_whole = False
        return is_whole

    async def _tell_channel(
        self,
        daily: Daily,
        channel: str,
        found: Numbers,
        span: tuple[datetime, datetime, datetime],
        now: datetime,
    ) -> bool:
        since, until, morning = span
        threads = await self._book.threads(channel)
        day = daily.day_of(morning)
        if morning > now:  # it is made tomorrow, perhaps once more
            while day in threads and threads[day].is_told and (later := daily.after(morning)):
                morning, day = later, daily.day_of(later)
        thread = threads.get(day) or _new(channel, day, threads, since, until)
        if thread.is_told:
            return False
        if (thread.since, thread.until) != (since, until):
            tally = await self._counter.tally_of(channel, thread.since, thread.until)
            found = replace(found, tally=tally)
        if thread.head.attempt is None and not found.is_worth_telling(thread.until):
            return False
        when = since_when(thread.since, max(morning, thread.until), daily.tz)
        suggested = await self._suggested(channel)
        if found.reviews and await self._book.followed() is None:
            await self._book.follow(await self._store.last_seq())
        await self._posting.tell(thread, Told(numbers=found, when=when, now=now, proposals=suggested))
        return True

    async def _suggested(self, channel: str) -> Sequence[Proposal]:
        if self._proposed is None:
            self._proposed = await self._proposals()
        return [each for each in self._proposed if await self._id_of(each.channel) == channel][:SUGGESTED]

    # -- following ------------------------------------------------------------------------------------

    async def _follow(self, now: datetime) -> bool:
        """Draw the calls of earlier threads that people have looked at since; False: not all yet."""
        seq, last_seq = await self._book.followed(), await self._store.last_seq()
        if seq is None or seq >= last_seq:
            return True
        touched: set[RequestId] = set()
        async for entry in self._store.log(seq + 1):
            if entry.seq > last_seq:
                break
            if entry.event in LOOKED:
                touched.add(RequestId(entry.request))
        try:
            await self._redraw(touched, now)
        except TROUBLE as error:
            logger.warning("a daily thread is not redrawn yet", extra={"error": word_of(error)})
            return False
        await self._book.follow(last_seq)
        return True

    async def _redraw(self, touched: set[RequestId], now: datetime) -> None:
        by_channel: defaultdict[str, set[RequestId]] = defaultdict(set)
        for request in (await self._store.get_many(touched)).values():
            if (channel := await self._where(request)) is not None:
                by_channel[channel].add(request.id)
        for channel, theirs in by_channel.items():
            for thread in (await self._book.threads(channel)).values():
                shown = {id for each in thread.replies or () for id in each.requests}
                if theirs.isdisjoint(shown):
                    continue
                try:
                    await self._posting.redraw(thread, theirs, await self._store.get_many(shown), now)
                except Undrawable as undrawable:
                    logger.error("a daily thread can't be redrawn: %s", undrawable.why)

    # -- where ----------------------------------------------------------------------------------------

    async def _where(self, request: Request) -> str | None:
        return await self._id_of(request.terms.channel)

    async def _id_of(self, name: str) -> str | None:
        if name not in self._ids:
            try:
                self._ids[name] = None if name == DM else await self._channels.id_of(name)
            except NoSuchChannel:
                self._ids[name] = None
        return self._ids[name]

    async def _speaks_for(self, daily: Daily, channel: str) -> bool:
        dailies = self._policy().dailies
        for each in dailies:
            for name in each.channels:
                if await self._id_of(name) == channel:
                    return daily_for(dailies, frozenset({name})) == daily
        return daily_for(dailies, frozenset({channel})) == daily


def _new(
    channel: str, day: date, threads: dict[date, DailyThread], since: datetime, until: datetime
) -> DailyThread:
    """A thread that begins where the channel's last one ended."""
    earlier = [thread.until for thread in threads.values() if thread.day < day]
    last = max(earlier, default=since)
    begins = last if until - LONGEST <= last <= until else since
    return DailyThread(day=day, since=begins, until=until, head=Posted(place=Place("head"), channel=channel))
