"""An app in a process of its own, as it is deployed; it tells what it has used of the processor when asked.

`python -m tests.bench.child service|bolt|bolt-default`, with the service's environment: a line of input asks,
a line of output answers in seconds, the end of input ends it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.web.async_client import AsyncWebClient

from approvals.redis_door import open_redis
from bot import app, settings
from bot.sandbox.server import Sandbox
from tests.bench.bare import bolt_app

END_S = 10.0


class Child:
    """The parent's hand on it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def cpu_s(self) -> float:
        """What it has used of the processor so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"cpu\n")
        return float(await asyncio.wait_for(self._process.stdout.readline(), END_S))


@asynccontextmanager
async def a_child(kind: str, slack: Sandbox, env: dict[str, str]) -> AsyncIterator[Child]:
    """Start one, wait until it is connected to the sandbox, and end it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.child", kind),
        env={**os.environ, **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await slack.until(lambda: slack.connections > 0, timeout_s=30)
        yield Child(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()


async def _run(kind: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(_service() if kind == "service" else _bolt(kind == "bolt-default"))
        async for _ in await _input():
            used = resource.getrusage(resource.RUSAGE_SELF)
            print(used.ru_utime + used.ru_stime, flush=True)
        working.cancel()


async def _service() -> None:
    async with app.built(settings.read(os.environ, needs="workspace")) as service:
        await app.run(service, "all")


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
