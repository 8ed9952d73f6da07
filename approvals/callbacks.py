"""Callbacks as Redis keeps them: each until its agent has got it, or it is given up and somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from redis.asyncio import Redis

from approvals import wire
from approvals.errors import Refusal
from approvals.keys import is_written_as, key
from approvals.messages import Callback
from approvals.redis_door import moment, ms, script, translated

LEASE_S = 10.0
KEPT_S = 40 * 24 * 3600  # a net: what is tried for three days and then dead for DEAD_KEPT_S is deleted sooner
DEAD_KEPT_S = 30 * 24 * 3600
TOLD_EVERY_S = 3600

CallbackId = NewType("CallbackId", str)  # of the request, and the version of it that there is to tell


class NoSuchCallback(Refusal):
    """There is none: its agent has got it, or it was given up long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A callback, and how it has gone so far."""

    id: CallbackId
    callback: Callback
    failures: int = 0
    failure: str | None = None  # the last one
    dead_since: datetime | None = None


class Callbacks:
    """The callbacks of one tenant. The store's commits write them, with what they tell."""

    def __init__(self, redis: Redis, tenant: str, *, lease_s: float = LEASE_S) -> None:
        self._redis, self._tenant, self.lease_s = redis, tenant, lease_s
        self._queue, self._dead = key(tenant, "callbacks"), key(tenant, "callbacks:dead")
        self._claim = script(redis, "claim")

    async def claim(self, limit: int) -> list[CallbackId]:
        """Take what is to be called, under a lease.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        with translated(self._redis):
            ids = await self._claim(keys=[self._queue], args=[limit, round(self.lease_s * 1000)])
        return [CallbackId(id) for id in ids]

    async def renew(self, id: CallbackId) -> None:
        """Hold it for another lease."""
        due = await self._in(self.lease_s)
        with translated(self._redis):
            await self._redis.zadd(self._queue, {id: due}, xx=True)

    async def of(self, id: CallbackId) -> Kept | None:
        """The callback; None: it was forgotten with its request."""
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hmget(self._key(id), "body", "failures", "failure")
                pipe.zscore(self._dead, id)
                (body, failures, failure), dead = await pipe.execute()
        if body is None:
            return None
        return Kept(
            id=id,
            callback=wire.read(wire.CALLBACK, body),
            failures=int(failures or 0),
            failure=failure,
            dead_since=None if dead is None else moment((int(dead) // 1000, 0)),
        )

    async def done(self, id: CallbackId) -> None:
        """Tick it off."""
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.zrem(self._queue, id)
                pipe.delete(self._key(id))
                await pipe.execute()

    async def put_off(self, id: CallbackId, delay_s: float, failure: str) -> None:
        """It has failed once more: to be tried again after `delay_s`."""
        due = await self._in(delay_s)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.zadd(self._queue, {id: due}, xx=True)
                pipe.hincrby(self._key(id), "failures", 1)
                pipe.hset(self._key(id), "failure", failure)
                pipe.expire(self._key(id), KEPT_S)
                await pipe.execute()

    async def bury(self, id: CallbackId, failure: str) -> int | None:
        """Give it up. Returns how many are dead now if operators are to be told: once in an hour."""
        now = await self._in(0)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.zrem(self._queue, id)
                pipe.zadd(self._dead, {id: now}, nx=True)
                pipe.hincrby(self._key(id), "failures", 1)
                pipe.hset(self._key(id), "failure", failure)
                pipe.expire(self._key(id), DEAD_KEPT_S)
                pipe.set(key(self._tenant, "callbacks:told"), "1", nx=True, ex=TOLD_EVERY_S)
                pipe.zremrangebyscore(self._dead, "-inf", now - DEAD_KEPT_S * 1000)
                pipe.zcard(self._dead)
                *_, is_to_tell, _, count = await pipe.execute()
        return int(count) if is_to_tell else None

    async def dead(self) -> list[Kept]:
        """What was given up within the last thirty days, the oldest first."""
        with translated(self._redis):
            ids = await self._redis.zrange(self._dead, 0, -1)
        found = [await self.of(CallbackId(str(id))) for id in ids]
        return [kept for kept in found if kept is not None]

    async def redeliver(self, typed: str) -> Kept:
        """Try it again, now and from the beginning, whether it is dead or only put off.

        Raises:
            NoSuchCallback: there is none.
        """
        kept = await self.of(CallbackId(typed)) if is_written_as("callback id", typed) else None
        if kept is None:
            raise NoSuchCallback(f"there is no callback {typed!r:.60}; `countersign webhook dead` lists them")
        now = await self._in(0)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.zrem(self._dead, kept.id)
                pipe.zadd(self._queue, {kept.id: now})
                pipe.hset(self._key(kept.id), "failures", 0)
                pipe.expire(self._key(kept.id), KEPT_S)
                await pipe.execute()
        return kept

    def _key(self, id: CallbackId) -> str:
        return key(self._tenant, "callback", id)

    async def _in(self, delay_s: float) -> int:
        """So many seconds from now, by Redis's clock, in ms."""
        with translated(self._redis):
            now = moment(await self._redis.time())
        return ms(now + timedelta(seconds=delay_s))
