"""`python -m bot`: all in one process. `web` and `worker` split it; `demo` and `sandbox` need nothing."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, cast

from approvals.errors import ApprovalsError
from bot import app, demo, logs, running, settings, tomorrow, traces
from bot.redis_server import RedisNotStarted
from bot.sandbox import server as sandbox
from bot.web import LEAVE_S
from bot.workspaces import supervisor

EPILOG = """\
roles:
  all      Slack, delivery, deadlines, the agents' API and health in one process (the default)
  web      HTTP only: agents' API, Slack's requests at /slack/events, /healthz, /readyz, /metrics
  worker   Slack over Socket Mode, the inbox, delivery, deadlines
  demo     all of it on this computer: a private Redis, a sandbox Slack in a browser tab, a sample agent
  sandbox  the sandbox alone, to point any Slack app at (SLACK_API_URL=http://127.0.0.1:PORT/api/)

.env.example describes the environment. Exit codes: 0 stopped, 1 could not start, 2 usage.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="The Countersign service: agents ask, people decide in Slack.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", nargs="?", default="all", choices=["all", "web", "worker", "demo", "sandbox"])
    parser.add_argument("--port", type=int, help="of the demo's or the sandbox's page (8401 unless taken)")
    parser.add_argument(
        "--data", type=Path, default=Path(".demo"), help="where demo and sandbox keep their data"
    )
    parser.add_argument("--tomorrow", action="store_true", help="give the sandbox's page the demo's button")
    arguments = parser.parse_args()
    try:
        _run_until_stopped(_role(arguments))
    except (ApprovalsError, RedisNotStarted) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _role(arguments: argparse.Namespace) -> Coroutine[Any, Any, None]:
    match arguments.role:
        case "demo":
            return demo.run(arguments.data, port=arguments.port)
        case "sandbox":
            return _sandbox(arguments)
        case role:
            return _service(cast(app.Role, role))


async def _service(role: app.Role) -> None:
    logs.set_up()
    read = settings.read(os.environ, needs="redis" if role == "web" else "workspace")
    with traces.exported():
        if read.slack_app is not None:
            leaving = asyncio.Event()
            _leave_when_asked(leaving, role)
            await supervisor.run(read, read.slack_app, role, leaving)
            return
        async with app.built(read) as service:
            _leave_when_asked(service.leaving, role)
            await running.run(service, role)


def _leave_when_asked(leaving: asyncio.Event, role: app.Role) -> None:
    """On SIGTERM /readyz turns red first, and whoever still comes is served a little longer."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def leave() -> None:
        if not leaving.is_set():
            leaving.set()
            loop.call_later(0 if role == "worker" else LEAVE_S, task.cancel if task else loop.stop)

    loop.add_signal_handler(signal.SIGTERM, leave)


async def _sandbox(arguments: argparse.Namespace) -> None:
    arguments.data.mkdir(parents=True, exist_ok=True)
    buttons = {tomorrow.NAME: partial(tomorrow.make, os.environ)} if arguments.tomorrow else None
    port, state = arguments.port or demo.PAGE_PORT, arguments.data / "sandbox.json"
    await sandbox.serve("127.0.0.1", port, state_file=state, buttons=buttons)


def _run_until_stopped(main_coroutine: Coroutine[Any, Any, None]) -> None:
    """Run until it ends or a signal asks it to; cancelled, it has the chance to close what it opened."""

    async def stoppable() -> None:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel if task else loop.stop)
        with contextlib.suppress(asyncio.CancelledError):
            await main_coroutine

    asyncio.run(stoppable())


if __name__ == "__main__":
    sys.exit(main())
