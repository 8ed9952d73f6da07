"""From a decision to the agent that waits for it, in one process, beside a bare stream; none is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis

from approvals import Approvals, wire
from approvals.commands import Approve
from approvals.errors import StillPending
from approvals.ids import new_id
from approvals.inbox import OUTCOMES_AT_ONCE
from approvals.keys import key
from approvals.messages import Outcome, OutcomeStatus
from approvals.model import RequestId
from approvals.redis_door import open_redis
from tests.bench.ground import TENANT, Ground
from tests.bench.report import Cost
from tests.bench.times import Times
from tests.builders import a_person
from tests.running import until

AFTER_COMMIT = "Committed → agent awake"
WHOLE = "Decide → agent awake"
BARE = "  bare XADD → XREAD"
OTHER_WAITS = 100  # of the same agent, for what was never submitted: they share its one connection
BURST, BURST_S = 10_000, 60.0  # who wait at once; the longest that any of them waits
AT_ONCE = 1000  # told by one script

# What commit.lua writes for an agent that waits, and nothing else.
_TELL = """\
for index = 2, #ARGV do
  redis.call("SET", KEYS[1] .. ARGV[index], (ARGV[1]:gsub("ID", ARGV[index])), "PX", 600000)
  redis.call("XADD", KEYS[2], "MAXLEN", "~", 1000, "*", "id", ARGV[index])
end
"""


@dataclass(frozen=True, slots=True)
class _Wake:
    began: float
    committed: float
    awake: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many were woken of how many that waited."""

    waited: int
    woken: int
    per_s: float
    cpu_s: float  # of one: to begin to wait, to be woken, and to read what became of it


async def wakes(ground: Ground, count: int) -> dict[str, Times]:
    """Decide `count` requests that are waited for, one by one."""
    found = await _woken(ground, count, OTHER_WAITS)
    return {
        AFTER_COMMIT: Times(tuple(wake.awake - wake.committed for wake in found)),
        WHOLE: Times(tuple(wake.awake - wake.began for wake in found)),
        BARE: await _bare(ground, count),
    }


async def among(ground: Ground, count: int, waits: int) -> Times:
    """The same, from the commit on, where so many wait in the process."""
    found = await _woken(ground, count, waits - 1)
    return Times(tuple(wake.awake - wake.committed for wake in found))


async def counted(ground: Ground, count: int) -> Counted:
    """Wake `count`, BURST at a time: told AT_ONCE at a time or, in each other burst, all in one script, which
    is more than the stream of hints keeps.
    """
    woken, began, used = 0, time.perf_counter(), time.process_time()
    async with Approvals.connect(ground.url, agent="billing", tenant=TENANT) as approvals:
        for start in range(0, count, BURST):
            ids = [new_id() for _ in range(min(BURST, count - start))]
            woken += await _burst(ground, approvals, ids, is_one=start // BURST % 2 == 1)
    took, cpu = time.perf_counter() - began, time.process_time() - used
    return Counted(waited=count, woken=woken, per_s=count / took, cpu_s=cpu / count)


def cost(counted: Counted) -> Cost:
    return Cost(
        what=f"Woken of {counted.waited:,} that waited, {BURST:,} at a time",
        value=counted.woken,
        note=f"aim: all; {counted.per_s:.0f} a second, {counted.cpu_s * 1e6:.0f} µs of the agent's CPU each",
    )


async def _burst(ground: Ground, approvals: Approvals, ids: list[RequestId], *, is_one: bool) -> int:
    told = Outcome(
        id=RequestId("ID"),
        status=OutcomeStatus.REJECTED,
        decided_at=datetime.now(UTC),
        decided_by="slack:U0ANA",
        decided_by_name="Ana Silva",
    )
    tell, at_once = ground.redis.register_script(_TELL), len(ids) if is_one else AT_ONCE

    async def is_woken(id: RequestId) -> bool:
        with suppress(StillPending):
            return (await approvals.wait(id, timeout=BURST_S)).id == id
        return False

    looks = await _calls(ground.redis, "mget") + (len(ids) - 1) // OUTCOMES_AT_ONCE
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(is_woken(id)) for id in ids]
        await until(lambda: _has_looked(ground.redis, looks), timeout_s=BURST_S)
        outcomes = key(TENANT, "outcome", "billing", ids[0]).removesuffix(ids[0])
        keys = [outcomes, key(TENANT, "wake", "billing")]
        for first in range(0, len(ids), at_once):
            await tell(keys=keys, args=[wire.write(wire.OUTCOME, told), *ids[first : first + at_once]])
    return sum(wait.result() for wait in waits)


async def _woken(ground: Ground, count: int, others: int) -> list[_Wake]:
    async with (
        Approvals.connect(ground.url, agent="billing", tenant=TENANT) as approvals,
        _others_wait(ground, approvals, others),
    ):
        return [await _wake(ground, approvals) for _ in range(count + 1)][1:]


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
async def _others_wait(ground: Ground, approvals: Approvals, others: int) -> AsyncIterator[None]:
    asked = await _calls(ground.redis, "mget")
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(approvals.wait(new_id())) for _ in range(others)]
        if waits:
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
