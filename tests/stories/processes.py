"""Real processes for stories: started, killed, waited for; never left behind."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from approvals.inbox import GROUP
from approvals.keys import key
from bot.sandbox.server import Sandbox
from tests.running import a_machine

ROOT = Path(__file__).parents[2]
EXIT_S = 20.0


@asynccontextmanager
async def a_process(env: Mapping[str, str], *arguments: str, code: Path = ROOT) -> AsyncIterator[Process]:
    """`python ARGUMENTS` with this environment and nothing else of ours; of the release in `code`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=code,
        env={**kept, **a_machine(), **env},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def a_bot_process(slack: Sandbox, env: Mapping[str, str], *arguments: str) -> AsyncIterator[Process]:
    """`python -m bot`, or what `arguments` say, once it is connected to `slack`."""
    await slack.until(lambda: slack.connections == 0)
    async with a_process(env, *(arguments or ("-m", "bot"))) as process:
        await slack.until(lambda: slack.connections, timeout_s=EXIT_S)
        yield process


async def ended(process: Process) -> tuple[int, str]:
    """How it ended, and what it said to the operator."""
    async with asyncio.timeout(EXIT_S):
        _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def killed(process: Process) -> None:
    """It was killed by itself, as it was armed to be."""
    code, said = await ended(process)
    assert code == -signal.SIGKILL, said


async def let_leases_end(redis_url: str, tenant: str, *, agent: str = "billing") -> None:
    """Turn the clock forward to when the leases and letters of the dead are free for others."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        for queue in (key(tenant, name) for name in ("draw", "due", "queues", "bulks", "callbacks")):
            for member in await redis.zrange(queue, 0, -1):
                await redis.zincrby(queue, -10_000, str(member))
        inbox = key(tenant, "inbox", agent)
        for held in await redis.xpending_range(inbox, GROUP, "-", "+", 1000):
            await redis.xclaim(inbox, GROUP, "dead", 0, [held["message_id"]], idle=60_000, justid=True)
