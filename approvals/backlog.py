"""How much is to be done and for how long already, for whoever watches over the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from approvals import wire
from approvals.keys import key
from approvals.model import Risk
from approvals.redis_door import moment, ms, translated

QUEUES = ("pending", "approved", "reviews", "unseen", "draw", "due", "bulks", "callbacks", "callbacks:dead")
LOOKED_THROUGH, AT_ONCE = 1000, 100  # of what waits, the oldest: more would keep others from Redis
UNREAD = "unread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    lengths: dict[str, int]  # of each queue
    oldest_s: dict[str, float]  # how long its first has been overdue, or has waited; 0 where nothing has
    entries: int  # of the log, which every commit makes longer
    pulse_s: float | None  # since somebody looked after Redis; None: nobody ever did
    checkpoint_s: float | None  # since the log was last signed; None: it never was


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    risk: Risk = Risk.MEDIUM  # as in model.Terms: a body leaves out what is as it is by default


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rated:
    """What is read of a request."""

    terms: _Terms


_RATED: wire.Shape[_Rated] = wire.Shape(_Rated)


async def backlog(redis: Redis, tenant: str) -> Backlog:
    """All of it, as it is now.

    Raises:
        Unavailable: Redis was away.
    """
    with translated(redis):
        async with redis.pipeline(transaction=False) as pipe:
            for queue in QUEUES:
                pipe.zcard(key(tenant, queue))
            for queue in QUEUES:
                pipe.zrange(key(tenant, queue), 0, 0, withscores=True)
            pipe.get(key(tenant, "audit:seq"))
            pipe.get(key(tenant, "pulse"))
            pipe.zrevrange(key(tenant, "audit:checkpoints"), 0, 0)
            pipe.time()
            *found, seq, pulse, checkpoint, time = await pipe.execute()
    now = moment(time)
    lengths, firsts = found[: len(QUEUES)], found[len(QUEUES) :]
    return Backlog(
        lengths=dict(zip(QUEUES, map(int, lengths), strict=True)),
        oldest_s={queue: _since(first, ms(now)) for queue, first in zip(QUEUES, firsts, strict=True)},
        entries=int(seq or 0),
        pulse_s=(ms(now) - int(pulse)) / 1000 if pulse and str(pulse).isdecimal() else None,
        checkpoint_s=_checkpoint_s(checkpoint, ms(now)),
    )


async def risks(redis: Redis, tenant: str) -> dict[str, int]:
    """How many requests wait for people, by risk; beyond the LOOKED_THROUGH oldest as `unread`.

    Raises:
        Unavailable: Redis was away.
    """
    found: Counter[str] = Counter(dict.fromkeys((*Risk, UNREAD), 0))
    pending = key(tenant, "pending")
    with translated(redis):
        waiting, ids = await redis.zcard(pending), await redis.zrange(pending, 0, LOOKED_THROUGH - 1)
        for start in range(0, len(ids), AT_ONCE):
            async with redis.pipeline(transaction=False) as pipe:
                for id in ids[start : start + AT_ONCE]:
                    pipe.hget(key(tenant, "request", str(id)), "body")
                found.update(_risk(body) for body in await pipe.execute() if body is not None)
    found[UNREAD] += max(0, waiting - LOOKED_THROUGH)
    return dict(found)


def _risk(body: str) -> str:
    try:
        return wire.read(_RATED, body).terms.risk
    except wire.Unreadable:
        return UNREAD


def _since(first: Sequence[tuple[str, float]], now_ms: int) -> float:
    return max(0.0, (now_ms - first[0][1]) / 1000) if first else 0.0


def _checkpoint_s(newest: Sequence[str], now_ms: int) -> float | None:
    try:
        return (now_ms - ms(wire.read(wire.KEPT_CHECKPOINT, newest[0]).at)) / 1000 if newest else None
    except wire.Unreadable:
        return None
