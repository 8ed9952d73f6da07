"""What the log says of a span of time, counted as it is read, and told to who asked.

The log may be too long to be read in the three seconds that Slack gives, so who asks is answered by a loop.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.errors import ApprovalsError
from approvals.model import PersonId
from approvals.stats import EVERYTHING, Counting, Only, Tally
from approvals.store import OUT_OF_ORDER, Store
from blocks import stats as words
from bot.channels import Channels
from bot.daily import pictures
from bot.replying import Replier
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=1)  # to learn whose the requests are that wait when the span begins
WAITING = 20  # who may have asked and not been answered
ANSWER_S = 300.0


async def of(store: Store, since: datetime, until: datetime, only: Only = EVERYTHING) -> Tally:
    """Count what happened from `since` until just before `until`. Raises as `Store.entries`."""
    counting = Counting(since=since, until=until, only=only)
    last_seq = await store.last_seq()
    async for entry in store.log(await store.first_seq_at(since - LOOK_BACK)):
        if entry.seq > last_seq or entry.at > until + OUT_OF_ORDER:
            break
        counting.add(entry)
    return counting.tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody has asked for."""

    person: PersonId
    span_s: int
    only: Only
    response_url: str | None


class Statistics:
    """Answers who asks, one after the other. Who is not answered when a process ends asks again."""

    def __init__(self, store: Store, slack: AsyncWebClient, channels: Channels, replier: Replier) -> None:
        self._store, self._slack, self._channels, self._replier = store, slack, channels, replier
        self._waiting: asyncio.Queue[Wanted] = asyncio.Queue(WAITING)

    def ask(self, wanted: Wanted) -> bool:
        """Have it answered soon; False if too many wait already."""
        try:
            self._waiting.put_nowait(wanted)
        except asyncio.QueueFull:
            return False
        return True

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            wanted = await self._waiting.get()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._answer(wanted)
            except (ApprovalsError, TimeoutError) as error:
                logger.warning("nothing was counted", extra={"error": type(error).__name__})
                await self._replier.whisper(wanted.response_url, words.AWAY)
            except Exception:
                logger.exception("nothing was counted")

    async def _answer(self, wanted: Wanted) -> None:
        now, only = await self._store.now(), wanted.only
        when = words.last(wanted.span_s)
        tally = await of(self._store, now - timedelta(seconds=wanted.span_s), now, only)
        if tally.is_empty:
            await self._replier.whisper(wanted.response_url, words.nothing(when, only))
            return
        has_picture = await self._show(wanted.person, tally, words.heading(tally, when, only))
        told = words.stats_card(tally, when, only, has_picture=has_picture)
        await self._replier.whisper(wanted.response_url, told.text, told.blocks)

    async def _show(self, person: PersonId, tally: Tally, title: str) -> bool:
        """Put the picture among the person's messages with the app; where that fails, words must do."""
        if not pictures.is_worth_drawing(tally):
            return False
        picture = await pictures.drawn(tally, title=title)
        try:
            await self._slack.files_upload_v2(
                channel=await self._channels.dm_of(person),
                filename="approvals.png",
                title=title,
                alt_txt=pictures.alt_text(tally),
                file=picture,
            )
        except (SlackApiError, SlackRequestError, aiohttp.ClientError, TimeoutError) as error:
            logger.warning("a picture was not taken", extra={"error": word_of(error)})
            return False
        return True
