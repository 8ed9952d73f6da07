"""How much is to be done, for whoever watches over the service."""

from __future__ import annotations

from redis.asyncio import Redis

from approvals.keys import key
from approvals.redis_door import translated

QUEUES = ("pending", "approved", "reviews", "unseen", "draw", "due", "bulks")


async def backlog(redis: Redis, tenant: str) -> tuple[dict[str, int], int]:
    """How long each queue is; and how many entries the log has, which every commit makes longer.

    Raises:
        Unavailable: Redis was away.
    """
    with translated(redis):
        async with redis.pipeline(transaction=False) as pipe:
            for queue in QUEUES:
                pipe.zcard(key(tenant, queue))
            pipe.get(key(tenant, "audit:seq"))
            *lengths, seq = await pipe.execute()
    return dict(zip(QUEUES, map(int, lengths), strict=True)), int(seq or 0)
