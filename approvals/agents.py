"""The agents that have ever asked, and when each was last heard of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis

from approvals.keys import is_written_as, key
from approvals.model import AgentName
from approvals.redis_door import translated

MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An agent, and when it wrote its newest letter; None: it has written none."""

    name: AgentName
    at: datetime | None


class Agents:
    """Those of one tenant."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._tenant = redis, tenant

    async def all(self) -> list[Heard]:
        """All of them, by name.

        Raises:
            Unavailable: Redis was away.
        """
        with translated(self._redis):
            known = map(str, await self._redis.smembers(key(self._tenant, "agents")))
            names = sorted(name for name in known if is_written_as("agent name", name))[:MOST]
            async with self._redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.xinfo_stream(key(self._tenant, "inbox", name))
                inboxes = await pipe.execute(raise_on_error=False)
        heard = zip(names, map(_written, inboxes), strict=True)
        return [Heard(name=AgentName(name), at=at) for name, at in heard]


def _written(inbox: object) -> datetime | None:
    """When the newest entry of a stream was written, also if it has been taken out since."""
    if not isinstance(inbox, dict):  # an error: there is no such stream
        return None
    ms = int(str(inbox.get("last-generated-id", "0-0")).partition("-")[0])
    return datetime.fromtimestamp(ms // 1000, UTC) if ms else None
