"""`python -m bot demo`, all on a laptop: a private Redis, the sandbox, the unmodified bot, an agent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from approvals.errors import ApprovalsError
from bot.redis_server import RedisServer
from bot.sandbox.installation import Installation

PAGE_PORT = 8401
START_S = 30.0
STOP_S = 8.0
POLICY = Path(__file__).parent.parent / "docs" / "examples" / "policy.toml"


class DemoStopped(ApprovalsError):
    """One of the demo's parts did not start, or ended by itself."""


async def run(data: Path, *, port: int | None) -> None:
    """Start everything, print the address, and stop everything when cancelled.

    Raises:
        DemoStopped: a part did not start or ended; the message names its log.
        RedisNotStarted: there is no Redis to start, or another demo is running in `data`.
    """
    data.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - before anything runs beside it
    page_port = port or _free_port(PAGE_PORT)
    page = f"http://127.0.0.1:{page_port}"
    _say("Starting a private Redis, the sandbox, the bot and a sample agent …")
    async with RedisServer(data / "redis") as redis, contextlib.AsyncExitStack() as parts:
        env, how = _service_env(page, redis.url, data), ("--port", str(page_port), "--tomorrow")
        sandbox = await parts.enter_async_context(_part("sandbox", data, env, "sandbox", *how))
        await _until_answers(page, sandbox, data)
        service = await parts.enter_async_context(_part("bot", data, env, "all"))
        agent_env = {"REDIS_URL": redis.url, "APPROVALS_AGENT": "billing"}
        agent = await parts.enter_async_context(_part("agent", data, agent_env, module="bot.sample_agent"))
        _say(f"\n  Open  {page}/#U0ANA/C0APPROVALS\n")
        _say(f"You are Ana there. Ctrl-C stops everything; what is pending waits in {data}/.")
        await _first_to_end({"sandbox": sandbox, "bot": service, "agent": agent}, data)


def _service_env(page: str, redis_url: str, data: Path) -> dict[str, str]:
    return {
        "SLACK_API_URL": f"{page}/api/",
        "SLACK_BOT_TOKEN": Installation().bot_token,
        "SLACK_APP_TOKEN": Installation().app_token,
        "SLACK_CHANNEL": "#approvals",
        "REDIS_URL": redis_url,
        "APPROVALS_POLICY": str(POLICY),
        "APPROVALS_DURABILITY": "always",
        "APPROVALS_HOST": "127.0.0.1",
        "PORT": "0",  # any: nobody is told of it
        "XDG_STATE_HOME": str((data / "state").resolve()),  # a secret of its own
    }


@contextlib.asynccontextmanager
async def _part(
    name: str, data: Path, env: dict[str, str], *arguments: str, module: str = "bot"
) -> AsyncIterator[Process]:
    """One child process with a log of its own. It is asked to stop, and made to if it doesn't."""
    with (data / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, "--data", str(data),
            env=_clean_environment() | env, stdout=log, stderr=log, process_group=0,
        )  # fmt: skip
    try:
        yield process
    finally:
        await _stop(process)


def _clean_environment() -> dict[str, str]:
    """The environment without the variables of a real workspace: the demo must not reach into one."""
    ours = ("SLACK_", "APPROVALS_", "REDIS_URL", "PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _until_answers(page: str, process: Process, data: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_S):
        while True:
            if process.returncode is not None:
                raise DemoStopped(f"the sandbox did not start; see {data}/sandbox.log")
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(page):
                    return
            await asyncio.sleep(0.05)


async def _first_to_end(parts: dict[str, Process], data: Path) -> None:
    """Watch the parts: none of them should end before we are told to."""

    async def watched(name: str, process: Process) -> None:
        code = await process.wait()
        raise DemoStopped(f"the {name} ended by itself (exit code {code}); see {data}/{name}.log")

    try:
        async with asyncio.TaskGroup() as watching:
            for name, process in parts.items():
                watching.create_task(watched(name, process))
    except* DemoStopped as ended:
        raise ended.exceptions[0] from None


def _free_port(wanted: int) -> int:
    """The wanted port, or any free one if something is there."""
    for candidate in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As the server itself will: so a port that a demo has just left is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", candidate))
            return int(probe.getsockname()[1])
    raise DemoStopped("no port of 127.0.0.1 is free")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
