"""The doors of agents that come by HTTP: the same as an agent's own process has, one for each agent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from approvals.errors import Unavailable
from approvals.inbox import AgentInbox
from approvals.model import AgentName
from approvals.signed import Trusted
from approvals.waiting import Waiting

PATIENCE_S = 5.0  # how long a wait bears that Redis is away


@dataclass(frozen=True, slots=True)
class Door:
    """What one agent has: its letter-box, and one reader for all of its waits."""

    redis: Redis
    inbox: AgentInbox
    waiting: Waiting


class Doors:
    """They are opened when they are first used; there are as many as there are agents with a token."""

    def __init__(self, open_redis: Callable[[], Redis], tenant: str, trusted: Trusted) -> None:
        self._open_redis, self._tenant, self._trusted = open_redis, tenant, trusted
        self._doors: dict[AgentName, Door] = {}
        self._is_closed = False

    def of(self, agent: AgentName) -> Door:
        """That agent's own.

        Raises:
            Unavailable: they are closed.
        """
        if self._is_closed:
            raise Unavailable("this process is about to end")
        if agent not in self._doors:
            redis = self._open_redis()
            inbox = AgentInbox(redis, self._tenant, agent, self._trusted)
            self._doors[agent] = Door(redis, inbox, Waiting(inbox, PATIENCE_S))
        return self._doors[agent]

    async def close(self) -> None:
        """Let nobody wait any longer: the process is about to end."""
        self._is_closed = True
        while self._doors:
            _, door = self._doors.popitem()
            door.waiting.close()
            await door.redis.aclose()
