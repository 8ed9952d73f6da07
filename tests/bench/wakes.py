"""From a decision to the agent that waits for it, in one process, beside a bare stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from approvals import Approvals
from approvals.commands import Approve
from approvals.ids import new_id
from approvals.redis_door import open_redis
from tests.bench.ground import TENANT, Ground
from tests.bench.times import Times
from tests.builders import a_person
from tests.running import until

AFTER_COMMIT = "Committed → agent awake"
WHOLE = "Decide → agent awake"
BARE = "  bare XADD → XREAD"
OTHER_WAITS = 100  # of the same agent, for what was never submitted: they share its one connection


@dataclass(frozen=True, slots=True)
class _Wake:
    began: float
    committed: float
    awake: float


async def wakes(ground: Ground, count: int) -> dict[str, Times]:
    """Decide `count` requests that are waited for, one by one."""
    async with (
        Approvals.connect(ground.url, agent="billing", tenant=TENANT) as approvals,
        _others_wait(ground, approvals),
    ):
        found = [await _wake(ground, approvals) for _ in range(count + 1)][1:]
    return {
        AFTER_COMMIT: Times(tuple(wake.awake - wake.committed for wake in found)),
        WHOLE: Times(tuple(wake.awake - wake.began for wake in found)),
        BARE: await _bare(ground, count),
    }


async def _wake(ground: Ground, approvals: Approvals) -> _Wake:
    request = await ground.one_more()
    asked = await _calls(ground.redis, "mget")

    async def waited() -> float:
        await approvals.wait(request.id, timeout=10)
        return time.perf_counter()

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(waited())
        await until(lambda: _has_looked(ground.redis, asked))
        began = time.perf_counter()
        await ground.store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
        committed = time.perf_counter()
    await ground.draw_nothing()
    return _Wake(began=began, committed=committed, awake=waiting.result())


@asynccontextmanager
async def _others_wait(ground: Ground, approvals: Approvals) -> AsyncIterator[None]:
    asked = await _calls(ground.redis, "mget")
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(approvals.wait(new_id())) for _ in range(OTHER_WAITS)]
        await until(lambda: _has_looked(ground.redis, asked))
        try:
            yield
        finally:
            for wait in waits:
                wait.cancel()


async def _has_looked(redis: Redis, asked: int) -> bool:
    """Whether a new wait has seen that there is nothing yet, and its reader stands at the stream."""
    return await _calls(redis, "mget") > asked and (await redis.info("clients"))["blocked_clients"] > 0


async def _calls(redis: Redis, command: str) -> int:
    return int((await redis.info("commandstats")).get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def _bare(ground: Ground, count: int) -> Times:
    """The least a wake-up can be: one stream, one entry, one blocked reader."""
    seconds, last = [], await ground.redis.xadd("bare:wake", {"id": "x"})
    async with open_redis(ground.url) as reader:

        async def read(after: bytes | str) -> float:
            await reader.xread({"bare:wake": after}, count=1, block=3000)
            return time.perf_counter()

        for _ in range(count):
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(read(last))
                await until(lambda: _is_blocked(ground.redis))
                began = time.perf_counter()
                last = await ground.redis.xadd("bare:wake", {"id": "x"}, maxlen=1000)
            seconds.append(reading.result() - began)
    return Times(tuple(seconds))


async def _is_blocked(redis: Redis) -> bool:
    return bool((await redis.info("clients"))["blocked_clients"])
