"""Bulks as Redis keeps them: each until it is carried out, by whichever worker holds its lease."""

from __future__ import annotations

from datetime import timedelta

from redis.asyncio import Redis

from approvals import wire
from approvals.bulk import Bulk, BulkId, Progress, RowResult
from approvals.keys import key
from approvals.redis_door import moment, ms, script, translated

KEPT_S = 7 * 24 * 3600
LEASE_S = 10.0  # renewed by every row that is settled
_BODY = "body"  # the field beside those that are named by the places of rows


class Bulks:
    """The bulks of one tenant."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._tenant = redis, tenant
        self._queue = key(tenant, "bulks")
        self._claim = script(redis, "claim")

    async def make(self, bulk: Bulk) -> None:
        """Write it down, under a lease of who does so.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        kept, leased_until = self._key(bulk.id), await self._lease_end()
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.hset(kept, _BODY, wire.write(wire.BULK, bulk))
                pipe.expire(kept, KEPT_S)
                pipe.zadd(self._queue, {bulk.id: leased_until})
                await pipe.execute()

    async def claim(self, limit: int) -> list[BulkId]:
        """Take what nobody is carrying out any more, under a lease."""
        with translated(self._redis):
            ids = await self._claim(keys=[self._queue], args=[limit, round(LEASE_S * 1000)])
        return [BulkId(id) for id in ids]

    async def of(self, bulk_id: BulkId) -> Progress | None:
        """How far it has come; None: it has been forgotten."""
        with translated(self._redis):
            fields = await self._redis.hgetall(self._key(bulk_id))
        texts = {str(name): text for name, text in fields.items()}
        body = texts.pop(_BODY, None)
        if body is None:
            return None
        results = {int(place): wire.read(wire.ROW_RESULT, text) for place, text in texts.items()}
        return Progress(bulk=wire.read(wire.BULK, body), results=results)

    async def settle(self, bulk_id: BulkId, place: int, result: RowResult) -> None:
        """Say what became of the row at that place, and renew the lease. What was said first stays."""
        leased_until = await self._lease_end()
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.hsetnx(self._key(bulk_id), str(place), wire.write(wire.ROW_RESULT, result))
                pipe.zadd(self._queue, {bulk_id: leased_until}, xx=True)
                await pipe.execute()

    async def finish(self, bulk_id: BulkId) -> None:
        """Tick it off."""
        with translated(self._redis):
            await self._redis.zrem(self._queue, bulk_id)

    def _key(self, bulk_id: BulkId) -> str:
        return key(self._tenant, "bulk", bulk_id)

    async def _lease_end(self) -> int:
        with translated(self._redis):
            now = moment(await self._redis.time())
        return ms(now + timedelta(seconds=LEASE_S))
