"""What has happened how often, for whoever watches over the service: each process counts, Redis adds up.

So a worker, which nobody can ask, is counted too, and whoever is asked says the same. A process that is
killed takes with it what it has counted in the last seconds: what can be relied on is the log.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from approvals.errors import Unavailable
from approvals.keys import key
from approvals.redis_door import translated

FLUSH_S = 5.0


class Counts:
    """The counts of one tenant. Each has a name, and labels."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._key = redis, key(tenant, "counts")
        self._fresh: Counter[str] = Counter()

    def add(self, name: str, *labels: str) -> None:
        """Count one."""
        self._fresh[" ".join((name, *(label.replace(" ", "_") for label in labels)))] += 1

    async def run(self) -> None:
        """Bring to Redis what is counted, for ever. While Redis is away it is kept."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Bring it there now, if Redis takes it. Where only its reply is lost, it counts twice."""
        fresh, self._fresh = self._fresh, Counter()
        if not fresh:
            return
        try:
            with translated(self._redis):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for field, count in fresh.items():
                        pipe.hincrby(self._key, field, count)
                    await pipe.execute()
        except (Unavailable, ResponseError):  # what only counts must not stop what it counts
            self._fresh.update(fresh)

    async def read(self) -> dict[str, dict[tuple[str, ...], int]]:
        """By name, by labels.

        Raises:
            Unavailable: Redis was away.
        """
        found: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
        with translated(self._redis):
            for field, count in (await self._redis.hgetall(self._key)).items():
                name, *labels = str(field).split(" ")
                found[name][tuple(labels)] = int(count)
        return found
