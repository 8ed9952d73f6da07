"""Budgets as they are kept in Redis: taken from by any number of processes, never past what there is."""

from __future__ import annotations

from redis.asyncio import Redis

from approvals.keys import key
from approvals.model import RequestId
from approvals.policy import Spend
from approvals.redis_door import script, translated

MOST_COUNTED = 100_000  # where a budget sets no number of its own


class Budgets:
    """The budgets and rates of one tenant. Windows slide: what was taken so long ago comes back."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._tenant = redis, tenant
        self._spend = script(redis, "spend", is_told=True)

    async def take(self, spend: Spend, request_id: RequestId) -> bool:
        """Take all of `spend`, or nothing: False. It is taken once for each request, however often it comes.

        Raises:
            Unavailable: Redis was away; to take it again is harmless.
        """
        limit = "" if spend.sum_limit is None else spend.sum_limit
        count = MOST_COUNTED if spend.count_limit is None else spend.count_limit
        with translated(self._redis):
            granted: int = await self._spend(
                keys=[key(self._tenant, name, spend.key) for name in ("spent", "spent:sums")],
                args=[request_id, spend.amount, count, limit, spend.window_s * 1000],
            )
        return granted == 1
