"""The clock: what is due is decided by the same rules as a click. Any number of workers may run it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from approvals.cards import Cards
from approvals.clock import due_command, is_to_be_forgotten
from approvals.commands import Command, Expire
from approvals.digest import DigestId, shows_whole
from approvals.digests import Digests
from approvals.errors import DigestNotFound, Refusal, Unavailable
from approvals.model import OnDeadline, Request, RequestId
from approvals.places import digests_in, is_card
from approvals.store import Store

logger = logging.getLogger(__name__)

TICK_S = 0.5
AT_ONCE = 64  # settled side by side by one worker, well within the lease under which they are taken


class Deadlines:
    """Climbs ladders, expires, lapses and forgets requests, each at most once."""

    def __init__(self, store: Store, cards: Cards, digests: Digests) -> None:
        self._store, self._cards, self._digests = store, cards, digests

    async def run(self) -> None:
        while True:
            try:
                due = await self._store.due(AT_ONCE)
                async with asyncio.TaskGroup() as settling:
                    for request_id in due:
                        settling.create_task(self._settle_safely(request_id))
                if not due:  # else a ladder may have its next step due already
                    await asyncio.sleep(TICK_S)
            except Unavailable as error:
                logger.warning("no deadline can be kept: %s", error)
                await asyncio.sleep(TICK_S)

    async def _settle_safely(self, request_id: RequestId) -> None:
        """Settle one. What goes wrong must not stop the clock of all others; its lease brings it back."""
        try:
            await self.settle(request_id)
        except Unavailable as error:
            logger.warning("a deadline was not kept: %s", error, extra={"request_id": request_id})
        except Exception:
            logger.exception("a deadline could not be kept", extra={"request_id": request_id})

    async def settle(self, request_id: RequestId) -> None:
        """Do what the clock wants of one request, if it still wants anything."""
        try:
            request, now = await self._store.get(request_id)
            command: Command | None = due_command(request, now=now)
            if isinstance(command, Expire):
                command = Expire(was_shown=await self._was_shown(request))
            if command is not None:
                await self._store.change(request_id, command)
            elif is_to_be_forgotten(request, now=now):
                await self._store.forget(request_id)
        except Refusal:
            return  # somebody was a moment faster

    async def _was_shown(self, request: Request) -> bool:
        """Whether people could see the call. Asked only where it matters: most deadlines just expire."""
        if request.terms.on_deadline is not OnDeadline.APPROVE:
            return False
        posted = await self._cards.posted(request.id)
        on_card = any(
            is_card(each.place) and each.ts is not None and each.fingerprint == request.fingerprint
            for each in posted.values()
        )
        return on_card or await self._was_in_a_digest(request, digests_in(posted))

    async def _was_in_a_digest(self, request: Request, digest_ids: Iterable[str]) -> bool:
        """Whether the row of a digest showed the whole call."""
        for digest_id in digest_ids:
            with suppress(DigestNotFound):
                kept = await self._digests.of(DigestId(digest_id))
                if kept.posted.ts is not None and shows_whole(kept.digest, request):
                    return True
        return False
