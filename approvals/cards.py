"""What is drawn where: the queue of requests to be drawn, and the messages that show each, for posting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from redis.asyncio import Redis

from approvals import wire
from approvals.errors import RequestNotFound
from approvals.ids import is_id
from approvals.keys import key
from approvals.model import Request, RequestId
from approvals.places import Place, Posted, is_said_once
from approvals.redis_door import moment, ms_from_now, script, translated
from approvals.replicas import confirm
from approvals.store import message_key, stored

__all__ = ["Cards", "Place", "Posted"]

KEPT_S = 400 * 24 * 3600  # a net under `Store.forget`, which deletes them in their time


class Cards:
    """Where the requests of one tenant are shown, and which of them are to be drawn."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._tenant = redis, tenant
        self._draw, self._frozen = key(tenant, "draw"), key(tenant, "frozen")
        self._claim = script(redis, "claim")
        self._done = script(redis, "done")

    async def claim(self, limit: int, lease_s: float) -> list[RequestId]:
        """Take what is to be drawn, the longest due first; under a lease, after which others may.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        with translated(self._redis):
            ids = await self._claim(keys=[self._draw], args=[limit, round(lease_s * 1000)])
        return [RequestId(id) for id in ids]

    async def of(self, request_id: RequestId) -> tuple[Request, datetime, dict[Place, Posted]]:
        """The request, Redis's clock, and where it is, or is to be, shown.

        Raises:
            RequestNotFound: there is no such request, or it has been forgotten.
        """
        if not is_id(request_id):
            raise RequestNotFound(request_id)
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hmget(key(self._tenant, "request", request_id), "body", "short")
                pipe.hgetall(self._cards(request_id))
                pipe.time()
                (body, short), texts, time = await pipe.execute()
        if body is None:
            raise RequestNotFound(request_id)
        await self.confirm()
        return stored(body, short), moment(time), _places(texts)

    async def confirm(self) -> None:
        """Return once no failover can take back what was read before: else it must not be shown to people."""
        with translated(self._redis):
            await confirm(self._redis)

    async def posted(self, request_id: RequestId) -> dict[Place, Posted]:
        """Where it is, or is to be, shown."""
        with translated(self._redis):
            return _places(await self._redis.hgetall(self._cards(request_id)))

    async def add_place(
        self, request_id: RequestId, place: Place, channel: str, thread_ts: str | None = None
    ) -> dict[Place, Posted]:
        """Wish for it to be shown there too, now; harmless when it is. Returns the place as it is kept."""
        wish = wire.write(wire.POSTED, Posted(place=place, channel=channel, thread_ts=thread_ts))
        cards = self._cards(request_id)
        with translated(self._redis):
            now = await ms_from_now(self._redis, 0)
            async with self._redis.pipeline() as pipe:
                pipe.hsetnx(cards, place, wish)
                pipe.expire(cards, KEPT_S)
                pipe.zadd(self._draw, {request_id: now}, nx=True)
                pipe.hget(cards, place)
                kept = (await pipe.execute())[-1]
        return _places({place: kept})

    async def intend(self, request_id: RequestId, posted: Posted) -> None:
        """Say that it is about to be posted, before it is: whoever comes after a crash can look for it."""
        await self._write(request_id, posted)

    async def record(self, request_id: RequestId, posted: Posted) -> None:
        """Say how it was posted or drawn, so that its message leads back to the request."""
        await self._write(request_id, posted)

    async def drawn(self, request_id: RequestId, version: int) -> bool:
        """Tick it off, as drawn in `version`; False: it changed, or has places without `ts`, so it is due."""
        keys = [key(self._tenant, "request", request_id), self._cards(request_id), self._draw]
        with translated(self._redis):
            return bool(await self._done(keys=keys, args=[request_id, version]))

    async def draw_again(self, ids: Iterable[RequestId]) -> None:
        """Mark them as to be drawn, although nothing of theirs has changed."""
        if wanted := [str(id) for id in ids]:
            with translated(self._redis):
                now = await ms_from_now(self._redis, 0)
                await self._redis.zadd(self._draw, dict.fromkeys(wanted, now), nx=True)

    async def shown_frozen(self, request_id: RequestId) -> None:
        """Its cards are about to say that it is frozen."""
        with translated(self._redis):
            await self._redis.sadd(self._frozen, request_id)

    async def draw_frozen(self, reached: Iterable[RequestId]) -> None:
        """Mark as to be drawn what is frozen by now (`reached`), and what was when it was drawn last."""
        now = set(reached)
        with translated(self._redis):
            before = {RequestId(str(id)) for id in await self._redis.smembers(self._frozen)}
            await self.draw_again(sorted(now | before))
            if thawed := sorted(before - now):
                await self._redis.srem(self._frozen, *thawed)

    async def postpone(self, request_id: RequestId, delay_s: float) -> None:
        """Leave it until `delay_s` from now, for everybody."""
        with translated(self._redis):
            not_before = await ms_from_now(self._redis, delay_s)
            await self._redis.zadd(self._draw, {request_id: not_before}, xx=True)

    async def drop(self, request_id: RequestId) -> None:
        """Draw it no more, as it is gone."""
        with translated(self._redis):
            await self._redis.zrem(self._draw, request_id)

    async def forget_place(self, request_id: RequestId, place: Place) -> None:
        """It is no longer shown there: the message, or the channel, is gone."""
        cards = self._cards(request_id)
        with translated(self._redis):
            text = await self._redis.hget(cards, place)
            if text is None:
                return
            posted = wire.read(wire.POSTED, text)
            async with self._redis.pipeline() as pipe:
                pipe.hdel(cards, place)
                if (message := message_key(self._tenant, posted)) is not None:
                    pipe.delete(message)
                await pipe.execute()

    async def lose(self, channel: str, ts: str) -> None:
        """A message was deleted: what it showed is to be shown there anew. Harmless for others' messages."""
        request_id = await self.shown_by(channel, ts)
        for posted in (await self.posted(request_id)).values() if request_id else ():
            if request_id and (posted.channel, posted.ts) == (channel, ts) and not is_said_once(posted.place):
                await self.forget_place(request_id, posted.place)
                await self.add_place(request_id, posted.place, channel, posted.thread_ts)

    async def leave(self, request_id: RequestId, channel: str) -> None:
        """The channel is gone: forget every place there, and find out again where to show it."""
        left = [each for each in (await self.posted(request_id)).values() if each.channel == channel]
        for posted in left:
            await self.forget_place(request_id, posted.place)
        if left:
            await self.draw_again([request_id])

    async def shown_by(self, channel: str, ts: str) -> RequestId | None:
        """The request that a message shows."""
        with translated(self._redis):
            found = str(await self._redis.get(key(self._tenant, "message", channel, ts)))
        return RequestId(found) if is_id(found) else None  # a digest's message shows no one request

    async def backlog(self) -> int:
        """How many are to be drawn, those at which somebody is included."""
        with translated(self._redis):
            return await self._redis.zcard(self._draw)

    async def idle_s(self, at_most: float) -> float:
        """For how long nothing is due to be drawn, up to `at_most`."""
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zrange(self._draw, 0, 0, withscores=True)
                pipe.time()
                first, time = await pipe.execute()
        if not first:
            return at_most
        return min(max(float(first[0][1]) / 1000 - moment(time).timestamp(), 0.0), at_most)

    def _cards(self, request_id: RequestId) -> str:
        return key(self._tenant, "cards", request_id)

    async def _write(self, request_id: RequestId, posted: Posted) -> None:
        cards = self._cards(request_id)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.hset(cards, posted.place, wire.write(wire.POSTED, posted))
                pipe.expire(cards, KEPT_S)
                if (message := message_key(self._tenant, posted)) is not None:
                    pipe.set(message, request_id, ex=KEPT_S)
                await pipe.execute()


def _places(texts: Mapping[bytes | str, bytes | str]) -> dict[Place, Posted]:
    return {Place(str(place)): wire.read(wire.POSTED, text) for place, text in texts.items()}
