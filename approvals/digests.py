"""Digests as Redis keeps them: what is held for one, which there are, and which are to be drawn again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from approvals import wire
from approvals.digest import BURST, BURST_WINDOW, Digest, DigestId, is_digest_id
from approvals.errors import DigestNotFound
from approvals.keys import key
from approvals.model import PersonId, Request, RequestId
from approvals.places import HELD, IN_DIGEST, Place, Posted, digest_place, held_place
from approvals.redis_door import due_ms, moment, ms_from_now, script, translated
from approvals.store import message_key

KEPT_S = 100 * 24 * 3600
SETTLE_S = 0.3  # for what else changes in a digest before it is drawn again
LEASE_S = 10.0
EBB_S, FLOOD_S = 0.25, 3.0  # a flood is over after so long without more, or after so long in any case
_APART = "|"  # between the digest's name and the channel: neither holds it


@dataclass(frozen=True, slots=True)
class Queue:
    """What is held for one digest in one channel."""

    name: str
    channel: str

    @property
    def member(self) -> str:
        return f"{self.name}{_APART}{self.channel}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A digest as it is kept, and where its message is, or is to be."""

    digest: Digest
    posted: Posted
    version: int  # counts whatever is a reason to draw it
    now: datetime


class Digests:
    """The digests of one tenant."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._tenant = redis, tenant
        self._queues, self._draw = key(tenant, "queues"), key(tenant, "draw")
        self._hold, self._gather = script(redis, "hold"), script(redis, "gather")
        self._amend, self._done = script(redis, "amend"), script(redis, "done")
        self._claim = script(redis, "claim")

    # -- what is held -----------------------------------------------------------------------------------

    async def hold(self, request: Request, queue: Queue, due: datetime, *, when: int | None = None) -> bool:
        """Keep a request back until `due`, or until `when` are held; False: it is to have its own card.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        marker = held_place(queue.channel)
        posted = Posted(place=marker, channel=queue.channel, ts=HELD)
        keys = [
            self._held(queue),
            self._queues,
            key(self._tenant, "arrivals", queue.channel),
            key(self._tenant, "cards", request.id),
        ]
        args: list[str | int] = [
            *(request.id, queue.member, due_ms(due), "" if when is None else when),
            request.terms.burst if queue.name == BURST else "",
            round(BURST_WINDOW.total_seconds() * 1000),
            *(marker, wire.write(wire.POSTED, posted), KEPT_S),
        ]
        with translated(self._redis):
            return bool(await self._hold(keys=keys, args=args))

    async def due(self, limit: int) -> list[Queue]:
        """Claim what is due; who fails at it leaves it to others after LEASE_S."""
        with translated(self._redis):
            members = await self._claim(keys=[self._queues], args=[limit, round(LEASE_S * 1000)])
        return [Queue(*str(member).split(_APART)) for member in members]

    async def due_now(self) -> None:
        """Have all that is held shown at once."""
        with translated(self._redis):
            for member in await self._redis.zrange(self._queues, 0, -1):
                await self._redis.zadd(self._queues, {str(member): 0}, xx=True)

    async def held(self, queue: Queue, limit: int) -> list[RequestId]:
        """What is held, the oldest first."""
        with translated(self._redis):
            return [RequestId(str(id)) for id in await self._redis.zrange(self._held(queue), 0, limit - 1)]

    async def still_coming(self, queue: Queue) -> bool:
        """Whether more of a flood came a moment ago: then it is better to wait for the rest, a little."""
        now_s = (await self._now()).timestamp()
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zrange(self._held(queue), 0, 0, withscores=True)
                pipe.zrange(self._held(queue), -1, -1, withscores=True)
                first, last = await pipe.execute()
            if not first or now_s - last[0][1] / 1000 > EBB_S or now_s - first[0][1] / 1000 > FLOOD_S:
                return False
            due = round((now_s + EBB_S) * 1000)
            await self._redis.zadd(self._queues, {queue.member: due}, xx=True)
        return True

    async def _now(self) -> datetime:
        with translated(self._redis):
            return moment(await self._redis.time())

    # -- digests ------------------------------------------------------------------------------------------

    async def make(
        self, digest: Digest, queue: Queue | None = None, *, let_go: Iterable[RequestId] = ()
    ) -> bool:
        """Store a new digest and have it drawn; False: some of its rows are held for it no longer.

        `let_go`: what was held with them and needs no row any more.
        """
        rows = [str(row.request_id) for row in digest.rows]
        place = Place(digest.channel)
        name = digest_place(digest.channel, digest.id)
        shown = Posted(place=name, channel=digest.channel, ts=IN_DIGEST)
        keys = [
            key(self._tenant, "digest", digest.id),
            key(self._tenant, "digest:cards", digest.id),
            *(self._draw, self._held(queue or Queue(digest.name, digest.channel)), self._queues),
            *(key(self._tenant, "cards", id) for id in rows),
        ]
        args: list[str | int] = [
            digest.id,
            wire.write(wire.DIGEST, digest) if rows else "",
            *(place, wire.write(wire.POSTED, Posted(place=place, channel=digest.channel))),
            *(queue.member if queue else "", held_place(digest.channel), KEPT_S),
            *(wire.write(wire.POSTED, shown), name, len(rows)),
            *rows,
            *let_go,
        ]
        with translated(self._redis):
            return bool(await self._gather(keys=keys, args=args))

    async def get(self, digest_id: DigestId) -> Digest:
        """The digest as it is.

        Raises:
            DigestNotFound: there is none, or it has been forgotten.
        """
        return (await self.of(digest_id)).digest

    async def of(self, digest_id: DigestId) -> Kept:
        """The digest with its message and Redis's clock, read together. Raises as `get`."""
        if not is_digest_id(digest_id):
            raise DigestNotFound(digest_id)
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hmget(key(self._tenant, "digest", digest_id), "body", "version")
                pipe.hvals(key(self._tenant, "digest:cards", digest_id))
                pipe.time()
                (body, version), texts, time = await pipe.execute()
        if body is None or not texts:
            raise DigestNotFound(digest_id)
        return Kept(
            digest=wire.read(wire.DIGEST, body),
            posted=wire.read(wire.POSTED, texts[0]),
            version=int(version),
            now=moment(time),
        )

    async def save(self, before: Digest, after: Digest, *, draw: bool = True) -> bool:
        """Store the digest that `before` has become; False: somebody else has changed it meanwhile."""
        keys = [key(self._tenant, "digest", after.id), self._draw]
        body = wire.write(wire.DIGEST, after)
        args: list[str | int] = [after.id, before.version, after.version, body, "1" if draw else ""]
        with translated(self._redis):
            return bool(await self._amend(keys=keys, args=args))

    async def stir(self, digest_ids: Sequence[DigestId], *, after_s: float = SETTLE_S) -> None:
        """Have them drawn again, `after_s` from now."""
        if not digest_ids:
            return
        with translated(self._redis):
            not_before = await ms_from_now(self._redis, after_s)
            async with self._redis.pipeline(transaction=False) as pipe:
                for id in digest_ids:
                    pipe.hincrby(key(self._tenant, "digest", id), "version", 1)
                    pipe.zadd(self._draw, {id: not_before}, nx=True)
                await pipe.execute()

    async def record(self, digest_id: DigestId, posted: Posted) -> None:
        """Say where its message is, or is about to be."""
        cards = key(self._tenant, "digest:cards", digest_id)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.hset(cards, posted.place, wire.write(wire.POSTED, posted))
                if (message := message_key(self._tenant, posted)) is not None:
                    pipe.set(message, digest_id, ex=KEPT_S)
                await pipe.execute()

    async def drawn(self, digest_id: DigestId, version: int) -> bool:
        """Tick it off, as drawn when it had that `version`; False: there is more of it to be drawn."""
        names = ("digest", "digest:cards")
        keys = [*(key(self._tenant, name, digest_id) for name in names), self._draw]
        with translated(self._redis):
            return bool(await self._done(keys=keys, args=[digest_id, version]))

    async def forget(self, digest_id: DigestId) -> None:
        """Draw it no more: it is gone."""
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.delete(*(key(self._tenant, name, digest_id) for name in ("digest", "digest:cards")))
                pipe.zrem(self._draw, digest_id)
                await pipe.execute()

    async def shown_by(self, channel: str, ts: str) -> DigestId | None:
        """The digest that a message shows."""
        with translated(self._redis):
            found = await self._redis.get(key(self._tenant, "message", channel, ts))
        return DigestId(str(found)) if found is not None and is_digest_id(str(found)) else None

    async def lose(self, channel: str, ts: str) -> None:
        """Its message was deleted: it is to be posted anew. Harmless for others' messages."""
        digest_id = await self.shown_by(channel, ts)
        if digest_id is None:
            return
        kept = await self.of(digest_id)
        if kept.posted.ts == ts:
            await self.record(digest_id, Posted(place=kept.posted.place, channel=channel))
            with translated(self._redis):
                await self._redis.delete(key(self._tenant, "message", channel, ts))
            await self.stir([digest_id], after_s=0)

    async def last_own(self, person: PersonId) -> datetime | None:
        """Up to when a person has been shown what waits for them; None: never."""
        with translated(self._redis):
            found = await self._redis.hget(key(self._tenant, "yours"), person)
        return None if found is None else datetime.fromisoformat(str(found))

    async def made_own(self, person: PersonId, at: datetime) -> None:
        """They have been shown what waited at that time."""
        with translated(self._redis):
            await self._redis.hset(key(self._tenant, "yours"), person, at.isoformat())

    def _held(self, queue: Queue) -> str:
        return key(self._tenant, "held", queue.name, queue.channel)
