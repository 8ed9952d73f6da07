"""Whose Home tab is kept fresh, as Redis keeps it: who used theirs lately, and when it is drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from approvals.homes import Look, Published
from approvals.keys import key
from approvals.model import PersonId
from approvals.redis_door import script, translated

KEPT_S = 24 * 3600.0  # since a person last used it
FULL = 1_000_000  # of the counter: nothing may be published while it says so


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHome:
    """One that is to be kept fresh."""

    person: PersonId
    look: Look
    published: Published | None


class OpenHomes:
    """Those of one tenant. Any number of workers may take from it: each is drawn by one at a time."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis = redis
        self._due, self._views = key(tenant, "homes"), key(tenant, "homes:views")
        self._rate = key(tenant, "homes:rate")
        self._claim = script(redis, "claim")

    async def look(self, person: PersonId) -> Look:
        """What they looked at last.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        with translated(self._redis):
            kept = str(await self._redis.hget(self._views, person) or "")
        return Look.unpacked(kept.partition(" ")[2])

    async def use(self, person: PersonId, look: Look, wait_s: float) -> None:
        """They look at that now, and it is drawn for them; then again after `wait_s` at the earliest."""
        with translated(self._redis):
            seconds, _ = await self._redis.time()
            async with self._redis.pipeline() as pipe:
                pipe.hset(self._views, person, f"{seconds} {look.packed}")
                pipe.zadd(self._due, {person: (seconds + wait_s) * 1000})
                await pipe.execute()

    async def claim(self, limit: int, lease_s: float) -> list[OpenHome]:
        """Take some that may be drawn again, under a lease; who has been away for a day is forgotten."""
        with translated(self._redis):
            people = await self._claim(keys=[self._due], args=[limit, round(lease_s * 1000)])
            if not people:
                return []
            seconds, _ = await self._redis.time()
            names = [name for person in people for name in (person, _drawn(person))]
            kept = iter(await self._redis.hmget(self._views, names))
        found = []
        for person in people:
            used_at, _, look = str(next(kept) or "0 ").partition(" ")
            published = Published.unpacked(str(next(kept) or ""))
            if seconds - int(used_at) > KEPT_S:
                await self.forget(PersonId(person))
            else:
                found.append(OpenHome(person=PersonId(person), look=Look.unpacked(look), published=published))
        return found

    async def wait(self, people: Sequence[PersonId], wait_s: float) -> None:
        """Leave these alone for so long."""
        if not people:
            return
        with translated(self._redis):
            seconds, microseconds = await self._redis.time()
            at = (seconds + wait_s) * 1000 + microseconds / 1000
            await self._redis.zadd(self._due, dict.fromkeys(people, at), xx=True)

    async def record(self, person: PersonId, published: Published) -> None:
        """Say what was published."""
        with translated(self._redis):
            await self._redis.hset(self._views, _drawn(person), published.packed)

    async def forget(self, person: PersonId) -> None:
        """Keep it fresh no longer, until they open it again."""
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.zrem(self._due, person)
                pipe.hdel(self._views, person, _drawn(person))
                await pipe.execute()

    async def count(self, window_s: int) -> int:
        """Count one that is about to be published; returns how many that makes in a window."""
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.set(self._rate, 0, nx=True, ex=window_s)
                pipe.incr(self._rate)
                return int((await pipe.execute())[1])

    async def pause(self, seconds: float) -> None:
        """Slack wants to be left alone by all workers for so long."""
        with translated(self._redis):
            await self._redis.set(self._rate, FULL, px=max(1, round(seconds * 1000)))


def _drawn(person: str) -> str:
    return f"{person} drawn"
