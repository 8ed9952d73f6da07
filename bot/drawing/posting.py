"""Makes every message in Slack equal to Redis: takes what is to be drawn, draws it, and ticks it off.

What is drawn is a request or a digest. It is ticked off only if nothing changed meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import aiohttp
from slack_sdk.errors import SlackApiError

from approvals.cards import Cards
from approvals.digest import DigestId, is_digest_id
from approvals.errors import Unavailable
from approvals.model import RequestId
from approvals.store import Store
from bot.drawing.digest_posting import DigestPosting
from bot.drawing.request_posting import RequestPosting
from bot.drawing.sending import Limited
from bot.people import LookupFailed
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)

LEASE_S = 10.0
AT_ONCE = 16  # drawn side by side by one worker
IDLE_S = 0.3  # what only turns the page of a digest wakes nobody
GIVE_BACK_S = 1.0
AGAIN_S = 2.0  # after something failed whose effect is unknown


class Posting:
    """Draws requests and digests, as often as they change."""

    def __init__(self, store: Store, cards: Cards, requests: RequestPosting, digests: DigestPosting) -> None:
        self._store, self._cards = store, cards
        self._requests, self._digests = requests, digests
        self._at_work: set[RequestId] = set()

    async def run(self) -> None:
        """Draw for ever. Woken by every commit, of this process or another."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._draw_claimed())
            loops.create_task(self._renew_leases())

    async def _draw_claimed(self) -> None:
        seq = 0
        while True:
            try:
                claimed = await self._cards.claim(AT_ONCE, LEASE_S)
                await self._draw_all(claimed)
                if not claimed:
                    seq = await self._store.until_changed(seq, await self._cards.idle_s(IDLE_S))
            except Unavailable as error:
                logger.warning("nothing can be drawn: %s", error)
                await asyncio.sleep(IDLE_S)

    async def _draw_all(self, claimed: list[RequestId]) -> None:
        try:
            async with asyncio.TaskGroup() as drawing:
                for request_id in claimed:
                    drawing.create_task(self._draw_safely(request_id))
        except asyncio.CancelledError:  # we are to stop: others need not wait until the leases end
            with suppress(TimeoutError):
                async with asyncio.timeout(GIVE_BACK_S):
                    for request_id in claimed:
                        await self._postpone(request_id, 0)
            raise

    async def _renew_leases(self) -> None:
        """Hold what is being drawn for as long as Slack takes: a second drawer would post twice."""
        while True:
            await asyncio.sleep(LEASE_S / 3)
            try:
                for request_id in tuple(self._at_work):
                    await self._cards.postpone(request_id, LEASE_S)
            except Unavailable as error:
                logger.warning("leases can't be renewed: %s", error)

    async def _draw_safely(self, request_id: RequestId) -> None:
        """Draw one; whatever goes wrong is tried again later, and never stops the others."""
        try:
            self._at_work.add(request_id)
            await self.draw(request_id)
        except Limited as limited:
            await self._postpone(request_id, limited.after_s)
        except Unavailable as error:
            logger.warning(
                "not drawn: %s", error, extra={"request_id": request_id}
            )  # its lease ends by itself
        except (SlackApiError, aiohttp.ClientError, TimeoutError, LookupFailed) as error:
            logger.warning("not drawn", extra={"request_id": request_id, "error": word_of(error)})
            await self._postpone(request_id, AGAIN_S)
        except Exception:  # a card that can't be drawn must not stop all others
            logger.exception("not drawn", extra={"request_id": request_id})
            await self._postpone(request_id, LEASE_S)
        finally:
            self._at_work.discard(request_id)

    async def _postpone(self, request_id: RequestId, delay_s: float) -> None:
        try:
            await self._cards.postpone(request_id, delay_s)
        except Unavailable as error:
            logger.warning("not postponed: %s", error, extra={"request_id": request_id})  # its lease ends

    async def draw(self, id: RequestId) -> None:
        """Draw one and tick it off; where there is more to it by now, it comes again."""
        tick = await (self._digests.draw(DigestId(id)) if is_digest_id(id) else self._requests.draw(id))
        self._at_work.discard(id)  # from now on its time is not to be put off
        again_s = await tick()
        if again_s is not None:
            await self._cards.postpone(id, again_s)
