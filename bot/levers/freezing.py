"""What a freeze takes away, and gives back when it ends: approvals that are not used yet.

New permits are stopped by the commit itself (docs/decisions/freezes.md); this is for those that were written
before, and for the cards of what waits, which say that it is frozen. Any number of workers may run it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from approvals.brakes import freeze_on
from approvals.cards import Cards
from approvals.commands import Hold, Release
from approvals.errors import AlreadyUsed, Refusal, Unavailable
from approvals.freezes import Frozen
from approvals.model import Freeze, Request
from approvals.store import Store

logger = logging.getLogger(__name__)

TICK_S = 1.0
PAGE = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """How many approvals were taken away, how many given back, and how many had been used a moment before."""

    held: int = 0
    released: int = 0
    begun: int = 0
    waiting: tuple[Request, ...] = ()  # what can't be decided now


class Freezing:
    """Makes every unused approval, and every card, agree with what is frozen."""

    def __init__(self, store: Store, cards: Cards) -> None:
        self._store, self._cards = store, cards
        self._done = ""  # the version of what was frozen when this process last did so

    async def run(self) -> None:
        """Do so for ever, when something was frozen or thawed: what a crash left undone is done here."""
        while True:
            try:
                if (frozen := await self._store.freezes.now()).version != self._done:
                    await self.sweep(frozen)
                    self._done = frozen.version
            except Unavailable as error:
                logger.warning("freezes can't be carried out: %s", error)
            except Exception:  # one broken record must not stop the loop, nor the service
                logger.exception("freezes can't be carried out")
            await asyncio.sleep(TICK_S)

    async def sweep(self, frozen: Frozen) -> Swept:
        """Take away what `frozen` reaches, give back what it doesn't. Harmless to do twice."""
        held = released = begun = 0
        waiting = [each for each in await _all(self._store.pending) if _reaching(frozen, each)]
        await self._cards.draw_frozen(request.id for request in waiting)
        for request in await _all(self._store.approved):
            freeze = _reaching(frozen, request)
            if (freeze is None) == (request.hold is None):
                continue
            try:
                await self._store.change(request.id, Hold(freeze=freeze) if freeze else Release())
            except AlreadyUsed:
                begun += 1
            except Refusal:
                continue  # it was claimed, taken back or lapsed a moment ago
            else:
                held, released = (held + 1, released) if freeze else (held, released + 1)
        return Swept(held=held, released=released, begun=begun, waiting=tuple(waiting))


def _reaching(frozen: Frozen, request: Request) -> Freeze | None:
    return freeze_on(frozen.freezes, request.agent, request.tool)


async def _all(pages: Callable[..., Awaitable[list[Request]]]) -> list[Request]:
    """All of them, read before any is changed: what changes leaves the pages."""
    found: list[Request] = []
    while page := await pages(limit=PAGE, offset=len(found)):
        found += page
        if len(page) < PAGE:
            break
    return found
