"""An app in a process of its own, as it is deployed; it tells what it has used so far when asked.

`python -m tests.bench.child service|web|bolt|bolt-default|waits`, with the service's environment: a line of
input asks, a line of output answers in JSON, the end of input ends it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.web.async_client import AsyncWebClient

from approvals import Approvals
from approvals.keys import key
from approvals.redis_door import open_redis
from bot import app, running, settings
from bot.sandbox.server import Sandbox
from tests.bench.bare import bolt_app

END_S = 30.0  # also where others keep the machine busy
LINE_BYTES = 8 * 1024 * 1024  # ten thousand wakes are told in one
PAGE_BYTES = resource.getpagesize()


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a process has used, or holds, of the machine."""

    cpu_s: float
    memory_bytes: int


class Child:
    """The parent's hand on it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def used(self) -> Used:
        """What it has used so far."""
        return Used(**json.loads(await self._asked(b"used")))

    async def begin(self) -> None:
        """Have those wait in it that are to."""
        await self._asked(b"begin")

    async def woken(self) -> dict[str, float]:
        """Of those that wait in it: who was woken, and when."""
        return dict(json.loads(await self._asked(b"woken")))

    async def _asked(self, word: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + b"\n")
        return await asyncio.wait_for(self._process.stdout.readline(), END_S)


@asynccontextmanager
async def a_process(kind: str, env: dict[str, str]) -> AsyncIterator[Child]:
    """Start one, and end it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.child", kind),
        env={**os.environ, **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    try:
        yield Child(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()


@asynccontextmanager
async def a_child(kind: str, slack: Sandbox, env: dict[str, str]) -> AsyncIterator[Child]:
    """Start one, wait until it is connected to the sandbox, and end it."""
    async with a_process(kind, env) as child:
        await slack.until(lambda: slack.connections > 0, timeout_s=30)
        yield child


async def _run(kind: str) -> None:
    woken: dict[str, float] = {}
    begin = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(_work(kind, begin, woken))
        async for word in await _input():
            if word == b"begin\n":
                begin.set()
            print(json.dumps(woken if word == b"woken\n" else asdict(_used())), flush=True)
        working.cancel()


def _used() -> Used:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Used(cpu_s=used.ru_utime + used.ru_stime, memory_bytes=_memory_bytes(used.ru_maxrss))


def _memory_bytes(most: int) -> int:
    """What it holds of the memory; where that isn't told, the most that it ever has."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:  # not Linux; macOS counts in bytes
        return most


async def _work(kind: str, begin: asyncio.Event, woken: dict[str, float]) -> None:
    match kind:
        case "service":
            await _service("all")
        case "web":
            await _service("web")
        case "waits":
            await _waits(begin, woken)
        case _:
            await _bolt(kind == "bolt-default")


async def _service(role: app.Role) -> None:
    read = settings.read(os.environ, needs="redis" if role == "web" else "workspace")
    async with app.built(read) as service:
        await running.run(service, role)


async def _waits(begin: asyncio.Event, woken: dict[str, float]) -> None:
    """Wait for all that is pending at once, as one agent."""
    url, tenant = os.environ["REDIS_URL"], os.environ["APPROVALS_TENANT"]
    async with open_redis(url) as redis:
        pending = await redis.zrange(key(tenant, "pending"), 0, -1)
    async with Approvals.connect(url, agent="billing", tenant=tenant) as approvals:

        async def wait(id: str) -> None:
            await approvals.wait(id)
            woken[id] = time.perf_counter()

        await begin.wait()
        async with asyncio.TaskGroup() as waits:
            for id in pending:
                waits.create_task(wait(str(id)))


async def _bolt(is_ack_first: bool) -> None:
    logging.disable(logging.WARNING)  # it has much advice to give
    client = AsyncWebClient(token=os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    async with open_redis(os.environ["REDIS_URL"]) as redis:
        bolt = bolt_app(redis, client, None, is_ack_first=is_ack_first)
        handler = AsyncSocketModeHandler(bolt, os.environ["SLACK_APP_TOKEN"], web_client=client)
        try:
            await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
            await asyncio.Event().wait()
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]  # as above


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
