"""Makes the message of a digest equal to Redis: one message, edited in place as its rows are decided."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from approvals.brakes import freeze_on
from approvals.cards import Cards
from approvals.commands import GiveUp
from approvals.digest import Digest, DigestId, refreshed, waiting
from approvals.digests import Digests, Kept
from approvals.errors import DigestNotFound, Refusal
from approvals.ladder import may_call
from approvals.model import CHANNEL, Freeze, Principal, Request, RequestId
from approvals.places import Posted, is_somewhere
from approvals.store import Store
from blocks.digest import digest_card
from blocks.people import MENTIONS
from blocks.rows import row_words
from bot.digesting import Amounts
from bot.drawing.attention import Attention
from bot.drawing.sending import Sending, Tick, Undrawable
from bot.operators import Operators

logger = logging.getLogger(__name__)

NAMED = 5  # requests that operators are told of by name
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
        operators: Operators,
    ) -> None:
        self._store, self._cards, self._digests = store, cards, digests
        self._sending, self._attention, self._amounts = sending, attention, amounts
        self._operators = operators

    async def draw(self, digest_id: DigestId) -> Tick:
        """Make its message equal to Redis; what is returned ticks it off.

        Raises: as `Sending.send`.
        """
        try:
            kept = await self._digests.of(digest_id)
        except DigestNotFound:
            return partial(self._forget, digest_id)
        requests = await self._store.get_many([row.request_id for row in kept.digest.rows])
        await self._cards.confirm()
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

        wanted = digest_card(digest, requests, kept.now, ping=called, frozen=await self._frozen(requests))
        await self._sending.send(digest.id, kept.posted, wanted, write)

    async def _frozen(self, requests: Mapping[RequestId, Request]) -> dict[RequestId, Freeze]:
        """What of it waits and can't be decided for now, each with the freeze that reaches it."""
        freezes = (await self._store.freezes.now()).freezes
        waits = [request for request in requests.values() if request.is_pending] if freezes else []
        found = {request.id: freeze_on(freezes, request.agent, request.tool) for request in waits}
        return {id: freeze for id, freeze in found.items() if freeze is not None}

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
        """Its channel is closed: what is shown nowhere else has reached nobody, and its agent learns so."""
        logger.error("a digest can't be shown: %s", why, extra={"digest": digest.name})
        unseen: list[RequestId] = []
        for request_id in [digest.rows[index].request_id for index in waiting(digest, requests)]:
            if await self._is_elsewhere(request_id, digest.channel):
                await self._cards.leave(request_id, digest.channel)
                continue
            with suppress(Refusal):  # it was decided, or ended, a moment ago
                await self._store.change(request_id, GiveUp(reason=why))
                unseen.append(request_id)
        if unseen:
            shorts = ", ".join(requests[id].short for id in unseen[:NAMED])
            more = f" and {len(unseen) - NAMED:,} more" if len(unseen) > NAMED else ""
            told = f"{shorts}{more}, of the digest {digest.name}, could not be shown to anyone: {why}."
            await self._operators.tell(told)

    async def _is_elsewhere(self, request_id: RequestId, channel: str) -> bool:
        posted = await self._cards.posted(request_id)
        return any(is_somewhere(place) and each.channel != channel for place, each in posted.items())
