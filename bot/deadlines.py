"""The clock: what is due is decided by the same rules as a click. Any number of workers may run it."""

from __future__ import annotations

import asyncio
import logging

from approvals.clock import due_command, is_to_be_forgotten
from approvals.commands import Command, Expire
from approvals.errors import Refusal, Unavailable
from approvals.model import OnDeadline, Request, RequestId
from approvals.store import Store
from bot.shown import Shown

logger = logging.getLogger(__name__)

TICK_S = 0.5
AT_ONCE = 64  # settled side by side by one worker, well within the lease under which they are taken


class Deadlines:
    """Climbs ladders, expires, lapses and forgets requests, each at most once."""

    def __init__(self, store: Store, shown: Shown) -> None:
        self._store, self._shown = store, shown

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
        return await self._shown.is_shown(request)
