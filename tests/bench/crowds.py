"""Very many who wait at once: what each costs, how soon one is woken, and that none is lost."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from approvals.commands import Approve
from approvals.model import RequestId
from tests.bench.child import Child, Used, a_process
from tests.bench.ground import AT_ONCE, TENANT, Ground
from tests.bench.raw_http import Caller
from tests.bench.served import a_served
from tests.bench.times import Times
from tests.builders import a_person
from tests.running import until

WAIT_S = 60  # the longest that the API lets anybody wait; then they ask again
RETRY_S = 1.0  # as Retry-After says
END_S = 180.0
SPARE_FILES = 512
LOOKS, LOOK_S, LOOK_CPU_S = 100, 0.1, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many wait, and how many of them are decided when."""

    waits: int
    wakes: int  # one by one
    flood: int  # at once
    restarted: int  # at once, when Redis has just been restarted


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What became of so many waits in one process."""

    waits: int
    wait_bytes: float  # what its memory has grown by, for each
    begin_cpu_s: float  # what it takes of its processor to begin to wait
    wakes: Times  # from the commit, while all the others wait
    flood_per_s: float  # woken, decisions included
    refused: int  # that were told to come again


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiters:
    """Who waits: in which process, and who was woken so far and when."""

    child: Child
    begin: Callable[[], Awaitable[None]]
    woken: Callable[[], Awaitable[dict[str, float]]]


async def by_sdk(ground: Ground, size: Size) -> Crowd:
    """All in one process that holds the SDK."""
    ids = await ground.waiting(size.waits)
    async with a_process("waits", {"REDIS_URL": ground.url, "APPROVALS_TENANT": TENANT}) as child:
        waiters = _Waiters(child=child, begin=child.begin, woken=child.woken)
        return await _measured(ground, waiters, ids, size, refused=Counter())


async def by_http(ground: Ground, size: Size) -> Crowd:
    """Each on a connection of its own to one process that serves the API."""
    _allow_files(size.waits + SPARE_FILES)  # the child inherits it
    ids = await ground.waiting(size.waits)
    woken: dict[str, float] = {}
    refused: Counter[int] = Counter()

    async def told() -> dict[str, float]:
        return woken

    async with a_served(ground) as served, asyncio.TaskGroup() as tasks:
        waits: list[asyncio.Task[None]] = []

        async def begin() -> None:
            callers = [await served.caller() for _ in ids]
            pairs = zip(callers, ids, strict=True)
            waits.extend(tasks.create_task(_wait(caller, id, woken, refused)) for caller, id in pairs)
            await until(lambda: served.are_open(len(ids)), timeout_s=END_S)

        waiters = _Waiters(child=served.child, begin=begin, woken=told)
        crowd = await _measured(ground, waiters, ids, size, refused)
        for wait in waits:
            wait.cancel()
    return crowd


async def _wait(caller: Caller, id: RequestId, woken: dict[str, float], refused: Counter[int]) -> None:
    try:
        while True:
            answered = await caller.get(f"/v1/requests/{id}?wait={WAIT_S}")
            if answered.status != 200:
                refused[answered.status] += 1
                await asyncio.sleep(RETRY_S)
            elif answered.json()["outcome"] is not None:
                woken[id] = answered.at
                return
    finally:
        caller.close()


async def _measured(
    ground: Ground, waiters: _Waiters, ids: list[RequestId], size: Size, refused: Counter[int]
) -> Crowd:
    before = await _settled(waiters.child)
    await waiters.begin()
    begun = await _settled(waiters.child)
    rest = iter(ids)
    wakes = [await _wake(ground, waiters, next(rest)) for _ in range(size.wakes)]
    flooded = [next(rest) for _ in range(size.flood)]
    began = time.perf_counter()
    await _decide(ground, flooded)
    ended = max((await _all_woken(waiters, flooded)).values())
    await ground.server.restart()
    restarted = [next(rest) for _ in range(size.restarted)]
    await _decide(ground, restarted)
    await _all_woken(waiters, restarted)
    return Crowd(
        waits=len(ids),
        wait_bytes=(begun.memory_bytes - before.memory_bytes) / len(ids),
        begin_cpu_s=(begun.cpu_s - before.cpu_s) / len(ids),
        wakes=Times(tuple(wakes)),
        flood_per_s=size.flood / (ended - began),
        refused=refused.total(),
    )


async def _wake(ground: Ground, waiters: _Waiters, id: RequestId) -> float:
    """From the commit until it is awake; in two processes it may be so before its committer knows."""
    await _decide(ground, [id])
    committed = time.perf_counter()
    return max((await _all_woken(waiters, [id]))[id] - committed, 1e-6)


async def _decide(ground: Ground, ids: Iterable[RequestId]) -> None:
    left = iter(ids)

    async def some() -> None:
        for id in left:
            request, _ = await ground.store.get(id)
            await ground.store.change(id, Approve(by=a_person(), seen=request.fingerprint))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(some())


async def _all_woken(waiters: _Waiters, ids: list[RequestId]) -> dict[RequestId, float]:
    """When each of them was; none is lost, or this raises TimeoutError."""

    async def awake() -> dict[RequestId, float]:
        woken = await waiters.woken()
        return {id: woken[id] for id in ids} if woken.keys() >= set(ids) else {}

    return await until(awake, timeout_s=END_S)


async def _settled(child: Child) -> Used:
    """What it has used once it has nothing more to do; or nearly so, since waits that end come again."""
    before = await child.used()
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_S)
        after = await child.used()
        if after.cpu_s - before.cpu_s < LOOK_CPU_S:
            return after
        before = after
    return before


def _allow_files(wanted: int) -> None:
    """Let this process, and those that it starts, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RuntimeError(f"{wanted:,} open files are needed, and only {hard:,} allowed: see ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
