"""Makes the message of a digest equal to Redis: one message, edited in place as its rows are decided."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

from approvals.cards import Cards
from approvals.digest import Digest, DigestId, refreshed, waiting
from approvals.digests import Digests, Kept
from approvals.errors import DigestNotFound
from approvals.ladder import may_call
from approvals.model import CHANNEL, Principal, Request, RequestId
from approvals.places import Posted
from approvals.store import Store
from blocks.digest import digest_card
from blocks.people import MENTIONS
from blocks.rows import row_words
from bot.attention import Attention
from bot.digesting import Amounts
from bot.sending import Sending, Tick, Undrawable

logger = logging.getLogger(__name__)

APART_S = 1.0  # between two updates of one message: Slack allows fifty a minute, and people read no faster


class DigestPosting:
    """Draws digests, as often as something in them changes."""

    def __init__(
        self,
        store: Store,
        cards: Cards,
        digests: Digests,
        sending: Sending,
        attention: Attention,
        amounts: Amounts,
    ) -> None:
        self._store, self._cards, self._digests = store, cards, digests
        self._sending, self._attention, self._amounts = sending, attention, amounts

    async def draw(self, digest_id: DigestId) -> Tick:
        """Make its message equal to Redis; what is returned ticks it off.

        Raises: as `Sending.send`.
        """
        try:
            kept = await self._digests.of(digest_id)
        except DigestNotFound:
            return partial(self._forget, digest_id)
        requests = await self._store.get_many([row.request_id for row in kept.digest.rows])
        digest = refreshed(
            kept.digest,
            requests,
            is_whole=lambda request: row_words(request).is_whole,
            amount=self._amounts.of(kept.digest.name, kept.now),
        )
        if digest == kept.digest or await self._digests.save(kept.digest, digest, draw=False):
            try:
                await self._send(digest, requests, kept)
            except Undrawable as undrawable:
                await self._leave(digest, requests, undrawable.why)
                return partial(self._forget, digest_id)
        # else somebody has just turned its page, so it is to be drawn again
        return partial(self._tick, digest_id, kept.version)

    async def _tick(self, digest_id: DigestId, version: int) -> float | None:
        return None if await self._digests.drawn(digest_id, version) else APART_S

    async def _forget(self, digest_id: DigestId) -> None:
        await self._digests.forget(digest_id)

    async def _send(self, digest: Digest, requests: Mapping[RequestId, Request], kept: Kept) -> None:
        called = [] if kept.posted.ts else await self._to_call(digest, requests)

        async def write(posted: Posted) -> None:
            await self._digests.record(digest.id, posted)

        wanted = digest_card(digest, requests, kept.now, ping=called)
        await self._sending.send(digest.id, kept.posted, wanted, write)

    async def _to_call(self, digest: Digest, requests: Mapping[RequestId, Request]) -> list[Principal]:
        """Whom its first post mentions: whoever is to act on one of its rows, each once."""
        rows = [requests[digest.rows[index].request_id] for index in waiting(digest, requests)]
        called: dict[Principal, None] = {}
        asked = set()
        for request in filter(may_call, rows):
            key = (request.terms.approvers, request.terms.ping, request.added)
            if key not in asked and len(called) < MENTIONS:
                asked.add(key)
                called |= dict.fromkeys(await self._attention.first(request, digest.channel))
        return [each for each in called if each != CHANNEL][:MENTIONS]

    async def _leave(self, digest: Digest, requests: Mapping[RequestId, Request], why: str) -> None:
        """Its channel is closed: what waits in it finds out anew where it can be shown, or that it can't."""
        logger.error("a digest can't be shown: %s", why, extra={"digest": digest.name})
        for index in waiting(digest, requests):
            await self._cards.leave(digest.rows[index].request_id, digest.channel)
