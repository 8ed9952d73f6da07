"""Checkpoints of the log as Redis keeps them, and what was exported, trimmed and erased on their strength."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import date

from redis.asyncio import Redis
from redis.exceptions import LockError

from approvals import wire
from approvals.audit import Entry, erased
from approvals.keys import key
from approvals.model import Actor, Json, Via
from approvals.redis_door import script, translated
from approvals.registers import Note, Register
from approvals.witness import Day, Exported, Kept

TURN_S = 30.0  # after which a worker that was killed has lost its turn
NEWEST = 2000  # checkpoints that are kept beside those of the days
REACH = 256  # Redis keeps a stream in blocks of 100 entries; with all in this reach the whole block goes
_EXPORTED, _TRIMMED, _ERASED, _ALARM = "exported", "trimmed", "erased", "alarm"


class CheckpointBook:
    """The checkpoints of one tenant's log."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._tenant = redis, tenant
        self._checkpoints, self._days = key(tenant, "audit:checkpoints"), key(tenant, "audit:days")
        self._kept = key(tenant, "audit:kept")
        self._register = Register(redis, tenant, "audit:kept")
        self._erase = script(redis, "erase", is_told=True)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Yield whether it is ours to sign and to post; nobody else does then.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        lock = self._redis.lock(key(self._tenant, "audit:turn"), timeout=TURN_S, thread_local=False)
        with translated(self._redis):
            is_ours = await lock.acquire(blocking=False)
        try:
            yield is_ours
        finally:
            with translated(self._redis), suppress(LockError):  # it has ended by itself
                if is_ours:
                    await lock.release()

    async def put(self, kept: Kept) -> None:
        """Keep a checkpoint; the oldest but those of the days go."""
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.zadd(self._checkpoints, {wire.write(wire.KEPT_CHECKPOINT, kept): kept.size})
                pipe.zremrangebyrank(self._checkpoints, 0, -NEWEST - 1)
                await pipe.execute()

    async def newest(self) -> Kept | None:
        """The one that covers most."""
        found = await self.checkpoints(limit=1)
        return found[0] if found else None

    async def checkpoints(self, *, limit: int = NEWEST) -> list[Kept]:
        """What is kept, the newest first."""
        with translated(self._redis):
            texts = await self._redis.zrevrange(self._checkpoints, 0, limit - 1)
        return [wire.read(wire.KEPT_CHECKPOINT, str(text)) for text in texts]

    async def put_day(self, day: Day) -> None:
        """Keep a day's checkpoint as it is now, or is about to be told."""
        with translated(self._redis):
            await self._redis.hset(self._days, day.day.isoformat(), wire.write(wire.DAY, day))

    async def days(self) -> dict[date, Day]:
        """The checkpoints that ended days."""
        with translated(self._redis):
            found = await self._redis.hgetall(self._days)
        return {date.fromisoformat(str(day)): wire.read(wire.DAY, text) for day, text in found.items()}

    async def exported(self) -> Exported | None:
        """Up to where the log has been exported and read back."""
        with translated(self._redis):
            text = await self._redis.hget(self._kept, _EXPORTED)
        return None if text is None else wire.read(wire.EXPORTED, str(text))

    async def put_exported(self, exported: Exported) -> None:
        with translated(self._redis):
            await self._redis.hset(self._kept, _EXPORTED, wire.write(wire.EXPORTED, exported))

    async def alarm(self, what: str | None) -> bool:
        """Keep what is wrong with the log, or that nothing is; whether something is, and was not known."""
        with translated(self._redis):
            if what is None:
                await self._redis.hdel(self._kept, _ALARM)
                return False
            if await self._redis.hget(self._kept, _ALARM) == what:
                return False
            await self._redis.hset(self._kept, _ALARM, what)
            return True

    async def trimmed(self) -> int:
        """The number of the last entry that was trimmed away; 0: none was."""
        with translated(self._redis):
            return int(await self._redis.hget(self._kept, _TRIMMED) or 0)

    async def trim(self, through: int, by: Actor, detail: Mapping[str, Json]) -> None:
        """Log that entries up to this one are taken out of the log, and do so.

        That they are kept elsewhere is the caller's care. To do it again after a crash is harmless.
        """
        note = Note(event="trimmed", by=by, via=Via.CLI, detail={"through": through, **detail})
        await self._register.put(_TRIMMED, str(through), note)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.xtrim(key(self._tenant, "audit"), minid=f"{through + 1}-0", approximate=False)
                pipe.zremrangebyscore(key(self._tenant, "audit:beside"), "-inf", through)
                await pipe.execute()

    async def erase(self, request: str, entries: Iterable[Entry], by: Actor, because: str) -> None:
        """Log that a request's args, names and words are erased, and do so: nothing stays in Redis's memory.

        To do it again after a crash is harmless.
        """
        erasing = {entry.seq: erased(entry) for entry in entries}
        detail: dict[str, Json] = {"request": request, "entries": len(erasing), "because": because}
        note = Note(event="erased", by=by, via=Via.CLI, detail=detail)
        await self._register.put(f"{_ERASED} {request}", str(len(erasing)), note)
        await self._replace(erasing)

    async def erasures(self) -> int:
        """How many entries were erased, as far as it is recorded."""
        texts = (await self._register.read()).texts
        return sum(int(text) for name, text in texts.items() if name.startswith(f"{_ERASED} "))

    async def _replace(self, entries: Mapping[int, Entry]) -> None:
        args: list[str | int] = [REACH]
        for seq, entry in entries.items():
            args += [seq, wire.write(wire.ENTRY, entry)]
        with translated(self._redis):
            await self._erase(keys=[key(self._tenant, "audit"), key(self._tenant, "audit:beside")], args=args)
