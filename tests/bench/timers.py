"""How late the clock is with two workers, and how fast they work off what is due all at once.

`python -m tests.bench.timers REDIS_URL` is one worker.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from approvals.cards import Cards
from approvals.digests import Digests
from approvals.model import Request, RequestId
from approvals.redis_door import open_redis
from approvals.signing_keys import SigningKeys
from approvals.store import Store
from bot.deadlines import Deadlines
from bot.shown import Shown
from tests.bench.ground import AT_ONCE, TENANT, Ground
from tests.bench.times import Times
from tests.builders import VAULT, a_request
from tests.running import until

LATE = "Timer due → kept, two workers"
WORKERS = 2
A_SECOND = 100  # timers that come due each second, as a busy company's might
LEAD_S = 2.0
END_S = 30.0  # also where others keep the machine busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    late: Times
    per_s: float  # of those that were due all at once


async def timers(ground: Ground, count: int) -> Kept:
    """Let `count` deadlines pass one after another, and as many all at once."""
    async with _workers(ground):
        spread = await _passed(ground, count, every=timedelta(seconds=1 / A_SECOND))
        burst = await _passed(ground, count, every=timedelta(0))
    return Kept(late=Times(tuple(spread)), per_s=count / max(burst))


async def _passed(ground: Ground, count: int, every: timedelta) -> list[float]:
    """By how many seconds each deadline was kept late."""
    first = await ground.store.now() + timedelta(seconds=LEAD_S + count / 200)
    made = await _asked(ground, count, first, every)
    last = first + (count - 1) * every
    timeout_s = (last - await ground.store.now()).total_seconds() + 60
    kept = await until(lambda: _all_kept(ground, made), timeout_s)
    return [
        max((request.decision.at - request.deadline).total_seconds(), 1e-6)
        for request in kept
        if request.decision is not None and request.deadline is not None
    ]


async def _asked(ground: Ground, count: int, first: datetime, every: timedelta) -> list[RequestId]:
    made: list[RequestId] = []
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            request = a_request(tenant=TENANT, deadline=first + number * every)
            made.append((await ground.store.create(request)).id)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(some())
    await ground.draw_nothing()
    return made


async def _all_kept(ground: Ground, made: list[RequestId]) -> list[Request]:
    """All of them, once none waits any more. Asked a few times a second, to leave Redis to the workers."""
    await asyncio.sleep(0.2)
    kept = []
    for request_id in reversed(made):
        request, _ = await ground.store.get(request_id)
        if request.is_pending:
            return []
        kept.append(request)
    return kept


@asynccontextmanager
async def _workers(ground: Ground) -> AsyncIterator[None]:
    """Two processes that run the clock and nothing else."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.timers", ground.url), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(WORKERS)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            await asyncio.wait_for(process.stdout.readline(), END_S)  # it is at work
        yield
    finally:
        for process in processes:
            process.terminate()
            await asyncio.wait_for(process.wait(), END_S)


async def _work(url: str) -> None:
    async with open_redis(url) as redis:
        print("ready", flush=True)
        signing = SigningKeys(redis, TENANT, VAULT)
        await signing.start()
        shown = Shown(Cards(redis, TENANT), Digests(redis, TENANT))
        await Deadlines(Store(redis, TENANT, signing), shown).run()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1]))
