"""Posts a daily thread, message by message, so that whoever comes after a crash goes on where it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from approvals.daily_book import DailyBook
from approvals.model import Request, RequestId
from approvals.mornings import DailyThread, Reply
from approvals.places import Place, Posted
from approvals.trust import Proposal
from blocks.daily import Picture, head, pages, reply
from blocks.pieces import Card
from blocks.proposals import listed
from blocks.replies import Commands
from bot.daily import pictures
from bot.daily.numbers import Numbers
from bot.drawing.sending import Sending
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)

ROWS = 40  # that a thread shows; the rest is named
TRIES = 3  # at a message with a picture: Slack needs a moment before blocks may name an upload
MOMENT_S = 1.0
NO_PICTURE = ""

_Put: TypeAlias = Callable[[Posted], DailyThread]  # the thread with one of its messages as it is now


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a channel is told."""

    numbers: Numbers
    when: str  # how its first sentence begins
    now: datetime
    proposals: Sequence[Proposal] = ()


class DailyPosting:
    """Makes the messages of daily threads equal to what is kept of them."""

    def __init__(self, book: DailyBook, sending: Sending, commands: Commands) -> None:
        self._book, self._sending, self._commands = book, sending, commands

    async def tell(self, thread: DailyThread, told: Told) -> None:
        """Post what of the thread is not posted yet.

        Raises:
            Limited, Undrawable, SlackApiError, ClientError, TimeoutError: as `Sending.send`.
            Unavailable: Redis was away, or the turn was lost.
        """
        if thread.head.ts is None:
            thread = await self._tell_head(thread, told)
        reviews = told.numbers.reviews
        if thread.replies is None:
            thread = replace(thread, replies=_replies(thread, told))
        known = {request.id: request for request in reviews}
        for nth, each in enumerate(thread.replies or ()):
            if each.posted.ts is None:
                thread = await self._draw(thread, nth, known, told.now)
        if told.proposals and (thread.suggestions is None or thread.suggestions.ts is None):
            below = thread.suggestions or _below(thread, "suggestions")
            card = listed(told.proposals, self._commands)
            thread = await self._send(thread, below, card, _suggestions(thread))
        await self._book.put(replace(thread, is_told=True))

    async def redraw(
        self,
        thread: DailyThread,
        touched: Collection[RequestId],
        requests: Mapping[RequestId, Request],
        now: datetime,
    ) -> None:
        """Show what became of some of its calls. Raises as `tell`."""
        for nth, each in enumerate(thread.replies or ()):
            if each.posted.ts is not None and not set(touched).isdisjoint(each.requests):
                thread = await self._draw(thread, nth, requests, now)

    async def _tell_head(self, thread: DailyThread, told: Told) -> DailyThread:
        tally = told.numbers.tally
        if thread.picture is None:
            file = NO_PICTURE if tally.is_empty else await self._uploaded(told)
            thread = replace(thread, picture=file)
            await self._book.put(thread)
        for _ in range(TRIES if thread.picture else 0):
            try:
                picture = Picture(file=str(thread.picture), alt=pictures.alt_text(tally))
                return await self._send(thread, thread.head, self._head(told, picture), _head(thread))
            except SlackApiError as error:
                if word_of(error) != "invalid_blocks":
                    raise
                await asyncio.sleep(MOMENT_S)
        is_refused, thread = bool(thread.picture), replace(thread, picture=NO_PICTURE)
        thread = await self._send(thread, thread.head, self._head(told, None), _head(thread))
        if is_refused:
            await self._uploaded(told, thread.head)
        return thread

    def _head(self, told: Told, picture: Picture | None) -> Card:
        return head(
            told.numbers.tally,
            told.when,
            told.numbers.waiting,
            now=told.now,
            up_for_a_look=told.numbers.review_count,
            picture=picture,
            commands=self._commands,
        )

    async def _uploaded(self, told: Told, below: Posted | None = None) -> str:
        """The file of the picture, shared in a thread or nowhere yet; empty if anything went wrong."""
        tally = told.numbers.tally
        try:
            answer = await self._sending.slack.files_upload_v2(
                filename=f"{told.now:%Y-%m-%d}.png",
                title=told.when,
                content=await pictures.drawn(tally, title=told.when),
                alt_txt=pictures.alt_text(tally),
                channel=None if below is None else below.channel,
                thread_ts=None if below is None else below.ts,
            )
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            logger.warning("the day's picture was not uploaded: %s", type(error).__name__)
            return NO_PICTURE
        return str(answer["files"][0]["id"])

    async def _draw(
        self, thread: DailyThread, nth: int, requests: Mapping[RequestId, Request], now: datetime
    ) -> DailyThread:
        each = (thread.replies or ())[nth]
        shown = [requests[id] for id in each.requests if id in requests]
        if not shown:
            return thread  # forgotten meanwhile
        card = reply(shown, now=now, is_old=each.is_old, left_out=each.left_out, commands=self._commands)
        return await self._send(thread, each.posted, card, _nth(thread, nth))

    async def _send(self, thread: DailyThread, posted: Posted, card: Card, put: _Put) -> DailyThread:
        async def write(as_it_is: Posted) -> None:
            await self._book.put(put(as_it_is))

        owner = f"daily {thread.day.isoformat()} {posted.place}"
        return put(await self._sending.send(owner, posted, card, write))


def _replies(thread: DailyThread, told: Told) -> tuple[Reply, ...]:
    """The messages below it: what ran since the last morning, then what was left from before."""
    reviews, now = told.numbers.reviews, told.now
    fresh = [request for request in reviews if request.review and request.review.opened_at >= thread.since]
    old = [request for request in reviews if request.review and request.review.opened_at < thread.since]
    fresh, old = fresh[:ROWS], old[: ROWS - len(fresh[:ROWS])]
    found = [*_some(thread, fresh, now, is_old=False), *_some(thread, old, now, is_old=True)]
    left_out = told.numbers.review_count - len(fresh) - len(old)
    return (*found[:-1], replace(found[-1], left_out=left_out)) if found else ()


def _some(
    thread: DailyThread, requests: Sequence[Request], now: datetime, *, is_old: bool
) -> Iterable[Reply]:
    for nth, page in enumerate(pages(requests, now)):
        below = _below(thread, f"{'before' if is_old else 'since'} {nth}")
        yield Reply(posted=below, requests=tuple(each.id for each in page), is_old=is_old)


def _below(thread: DailyThread, place: str) -> Posted:
    return Posted(place=Place(place), channel=thread.head.channel, thread_ts=thread.head.ts)


def _head(thread: DailyThread) -> _Put:
    return lambda posted: replace(thread, head=posted)


def _suggestions(thread: DailyThread) -> _Put:
    return lambda posted: replace(thread, suggestions=posted)


def _nth(thread: DailyThread, nth: int) -> _Put:
    every = thread.replies or ()

    def put(posted: Posted) -> DailyThread:
        return replace(thread, replies=(*every[:nth], replace(every[nth], posted=posted), *every[nth + 1 :]))

    return put
