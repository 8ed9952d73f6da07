"""Daily threads as Redis keeps them: what each channel was told on a day, and whose turn it is to tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import date, timedelta

from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from approvals import wire
from approvals.errors import Unavailable
from approvals.keys import key
from approvals.mornings import DailyThread
from approvals.redis_door import translated

TURN_S = 30.0  # after which a worker that was killed has lost its turn
KEPT_DAYS = 30
KEPT_S = 60 * 24 * 3600


class DailyBook:
    """The daily threads of one tenant."""

    def __init__(self, redis: Redis, tenant: str, *, turn_s: float = TURN_S) -> None:
        self._redis, self._tenant, self._turn_s = redis, tenant, turn_s
        self._turn: Lock | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Yield whether it is ours to tell; nobody else does then. It is short: each `put` makes it longer.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        lock = self._redis.lock(key(self._tenant, "daily:turn"), timeout=self._turn_s, thread_local=False)
        with translated(self._redis):
            is_ours = await lock.acquire(blocking=False)
        if not is_ours:
            yield False
            return
        self._turn = lock
        try:
            yield True
        finally:
            self._turn = None
            with translated(self._redis), suppress(LockError):  # it has ended by itself
                await lock.release()

    async def threads(self, channel: str) -> dict[date, DailyThread]:
        """What a channel was told of late, by day."""
        with translated(self._redis):
            found = await self._redis.hgetall(key(self._tenant, "daily", channel))
        return {
            date.fromisoformat(str(day)): wire.read(wire.DAILY_THREAD, text) for day, text in found.items()
        }

    async def put(self, thread: DailyThread) -> None:
        """Keep a thread as it is now, or is about to be; only on our turn. Raises as `hold_turn`."""
        await self.hold_turn()
        threads = key(self._tenant, "daily", thread.head.channel)
        with translated(self._redis):
            oldest = (thread.day - timedelta(days=KEPT_DAYS)).isoformat()
            days = map(str, await self._redis.hkeys(threads))
            async with self._redis.pipeline() as pipe:
                pipe.hset(threads, thread.day.isoformat(), wire.write(wire.DAILY_THREAD, thread))
                if past := [day for day in days if day < oldest]:
                    pipe.hdel(threads, *past)
                pipe.expire(threads, KEPT_S)
                await pipe.execute()

    async def hold_turn(self) -> None:
        """Make the turn as long as a new one.

        Raises:
            Unavailable: it was lost, as all took too long. Whoever has it now goes on.
        """
        if self._turn is None:
            raise Unavailable("it is another worker's turn to tell channels about the day")
        with translated(self._redis):
            try:
                await self._turn.reacquire()
            except LockError as error:
                raise Unavailable("the turn to tell channels about the day was lost") from error

    async def followed(self) -> int | None:
        """Up to which number of the log the threads show what became of their calls; None: never yet."""
        with translated(self._redis):
            seq = await self._redis.get(key(self._tenant, "daily:seq"))
        return None if seq is None else int(seq)

    async def follow(self, seq: int) -> None:
        """Say so."""
        with translated(self._redis):
            await self._redis.set(key(self._tenant, "daily:seq"), seq)
