"""The clock: what is due is decided by the same rules as a click. Any number of workers may run it."""

from __future__ import annotations

import asyncio
import logging

from approvals.errors import Refusal, Unavailable
from approvals.machine import due_command, is_to_be_forgotten
from approvals.model import RequestId
from approvals.store import Store

logger = logging.getLogger(__name__)

TICK_S = 0.5
AT_ONCE = 100


class Deadlines:
    """Expires, lapses and forgets requests, each at most once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> None:
        while True:
            try:
                due = await self._store.due(AT_ONCE)
                for request_id in due:
                    await self._settle_safely(request_id)
                if len(due) < AT_ONCE:
                    await asyncio.sleep(TICK_S)
            except Unavailable as error:
                logger.warning("no deadline can be kept: %s", error)
                await asyncio.sleep(TICK_S)

    async def _settle_safely(self, request_id: RequestId) -> None:
        try:
            await self.settle(request_id)
        except Unavailable:
            raise
        except Exception:  # one broken record must not stop the clock of all others; its lease brings it back
            logger.exception("a deadline could not be kept", extra={"request_id": request_id})

    async def settle(self, request_id: RequestId) -> None:
        """Do what the clock wants of one request, if it still wants anything."""
        try:
            request, now = await self._store.get(request_id)
            command = due_command(request, now=now)
            if command is not None:
                await self._store.change(request_id, command)
            elif is_to_be_forgotten(request, now=now):
                await self._store.forget(request_id)
        except Refusal:
            return  # somebody was a moment faster
