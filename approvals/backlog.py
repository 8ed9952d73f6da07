"""How much is to be done and for how long already, for whoever watches over the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from approvals import wire
from approvals.keys import key
from approvals.redis_door import moment, ms, translated

QUEUES = ("pending", "approved", "reviews", "unseen", "draw", "due", "bulks", "callbacks", "callbacks:dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    lengths: dict[str, int]  # of each queue
    oldest_s: dict[str, float]  # how long its first has been overdue, or has waited; 0 where nothing has
    entries: int  # of the log, which every commit makes longer
    pulse_s: float | None  # since somebody looked after Redis; None: nobody ever did
    checkpoint_s: float | None  # since the log was last signed; None: it never was


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


def _since(first: Sequence[tuple[str, float]], now_ms: int) -> float:
    return max(0.0, (now_ms - first[0][1]) / 1000) if first else 0.0


def _checkpoint_s(newest: Sequence[str], now_ms: int) -> float | None:
    try:
        return (now_ms - ms(wire.read(wire.KEPT_CHECKPOINT, newest[0]).at)) / 1000 if newest else None
    except wire.Unreadable:
        return None
