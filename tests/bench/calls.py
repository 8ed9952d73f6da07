"""The API beside the SDK: how many it takes a second, and how soon it wakes by long poll and by stream."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from approvals.commands import Approve
from approvals.inbox import Inboxes
from approvals.model import Request, RequestId
from tests.bench.ground import TENANT, Ground
from tests.bench.raw_http import Answered, Caller
from tests.bench.served import Served, a_served
from tests.bench.times import Times
from tests.builders import REFUND, a_person, a_request

BY_POLL = "Committed → awake, by HTTP long poll"
BY_STREAM = "Committed → told, by HTTP stream"
AT_ONCE = 32
WAIT_S = 30
BODY = json.dumps({"tool": "refund", "args": REFUND, "reason": "Charged twice for invoice 881."}).encode()
PAUSE_S = 0.02  # that a call takes at most to be under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What one process that serves the API does, AT_ONCE calls at a time."""

    per_s: float  # on this machine, the callers included
    cpu_s: float  # of that process, for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    times: dict[str, Times]
    creating: Throughput
    waiting: Throughput  # each is answered when it is decided


async def calls(ground: Ground, count: int, fast: int) -> Calls:
    """Wake `count` by each way, one by one; then create `fast` requests, and have as many waits answered."""
    async with a_served(ground) as served:
        polled = [await _polled(ground, served) for _ in range(count + 1)][1:]
        streamed = [await _streamed(ground, served) for _ in range(count + 1)][1:]
        creating = await _throughput(served, fast, _create)
        await _empty_inboxes(ground)
        asked = [await ground.store.create(a_request(tenant=TENANT)) for _ in range(fast)]
        await ground.draw_nothing()
        left = iter(asked)

        async def wait(caller: Caller) -> Answered:
            return (await _decided(ground, caller, next(left)))[0]

        waiting = await _throughput(served, fast, wait)
        await ground.draw_nothing()
    times = {BY_POLL: Times(tuple(polled)), BY_STREAM: Times(tuple(streamed))}
    return Calls(times=times, creating=creating, waiting=waiting)


async def _polled(ground: Ground, served: Served) -> float:
    caller = await served.caller()
    answered, committed = await _decided(ground, caller, await ground.one_more())
    caller.close()
    return max(answered.at - committed, 1e-6)


async def _decided(ground: Ground, caller: Caller, request: Request) -> tuple[Answered, float]:
    """Wait for it, decide it once the wait is under way, and return the answer and when it was committed."""
    waiting = caller.call("GET", f"/v1/requests/{request.id}?wait={WAIT_S}")
    await asyncio.sleep(PAUSE_S)
    await ground.store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
    committed = time.perf_counter()
    answered = await asyncio.wait_for(waiting, WAIT_S)
    assert answered.json()["outcome"]["status"] == "approved"
    return answered, committed


async def _streamed(ground: Ground, served: Served) -> float:
    request = await ground.one_more()
    async with _stream(served) as heard:
        await ground.store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
        committed = time.perf_counter()
        async with asyncio.timeout(WAIT_S):
            told = await heard(request.id)
    return max(told - committed, 1e-6)


@asynccontextmanager
async def _stream(served: Served) -> AsyncIterator[Callable[[RequestId], Awaitable[float]]]:
    """The open stream of events, and when it tells that a request is approved."""
    host, _, port = urlsplit(served.url).netloc.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET /v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {served.token}\r\n\r\n"
    writer.write(head.encode())

    async def heard(id: RequestId) -> float:
        while not ((line := await reader.readline()).startswith(b"data: ") and id.encode() in line):
            assert line, "the stream has ended"
        return time.perf_counter()

    try:
        async with asyncio.timeout(WAIT_S):
            while (await reader.readline()) != b"retry: 1000\n":
                pass
        await asyncio.sleep(PAUSE_S)
        yield heard
    finally:
        writer.transport.abort()


async def _create(caller: Caller) -> Answered:
    return await caller.post("/v1/requests", BODY)


async def _throughput(
    served: Served, count: int, call: Callable[[Caller], Awaitable[Answered]]
) -> Throughput:
    numbers = iter(range(count))

    async def some() -> None:
        caller = await served.caller()
        for _ in numbers:
            answered = await call(caller)
            assert answered.status in (200, 201), answered.body
        caller.close()

    used, began = (await served.child.used()).cpu_s, time.perf_counter()
    async with asyncio.TaskGroup() as callers:
        for _ in range(AT_ONCE):
            callers.create_task(some())
    took = time.perf_counter() - began
    return Throughput(per_s=count / took, cpu_s=((await served.child.used()).cpu_s - used) / count)


async def _empty_inboxes(ground: Ground) -> None:
    inboxes = Inboxes(ground.redis, TENANT, "bench")
    while letters := await inboxes.take(1000, block_ms=1):
        await inboxes.ack(*letters)
