"""Pauses an agent that people reject too often in a row: frozen by the policy, until somebody thaws it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from approvals.errors import Unavailable
from approvals.model import Actor, Freeze, Reach, Via
from approvals.policy import Policy
from approvals.store import Store
from bot.levers.freezing import Freezing
from bot.operators import Operators

logger = logging.getLogger(__name__)

TICK_S = 0.5
POLICY = Actor(id="policy", name="the policy")


class Pausing:
    """Looks at the counts that commits keep. Any number of workers may: a pause is made and told once."""

    def __init__(
        self, policy: Callable[[], Policy], store: Store, freezing: Freezing, operators: Operators
    ) -> None:
        self._policy, self._store = policy, store
        self._freezing, self._operators = freezing, operators

    async def run(self) -> None:
        """Do so for ever, while the policy wants it."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                logger.warning("no agent can be paused: %s", error)
            except Exception:  # what can't be paused now is tried again, and stops nothing else
                logger.exception("no agent can be paused")
            await asyncio.sleep(TICK_S)

    async def look(self) -> None:
        """Pause whoever has come to the policy's number; harmless to do twice."""
        most = self._policy().pause_after
        if most is None:
            return
        for agent, count in (await self._store.streaks()).items():
            if count >= most:
                await self._pause(agent, count)

    async def _pause(self, agent: str, count: int) -> None:
        freeze = Freeze(
            reach=Reach.AGENT,
            name=agent,
            by=POLICY,
            at=await self._store.now(),
            why=f"{count} rejections in a row",
        )
        is_new = await self._store.freezes.freeze(freeze, Via.SERVICE, only_new=True)
        await self._freezing.sweep(await self._store.freezes.now())
        await self._store.end_streak(agent)  # after it is paused: a crash in between pauses it again
        if is_new:
            thaw = f"thaw agent {agent}"
            await self._operators.tell(f"Agent {agent} is paused after {freeze.why}; {thaw} lets it go on.")
