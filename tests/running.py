"""The house as it runs, for stories: the unmodified service against the sandbox and a real Redis."""

import asyncio
import atexit
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from bot import app, running, settings
from bot.sandbox.model import Message, View
from bot.sandbox.server import Sandbox

T = TypeVar("T")
WAIT_S = 20.0  # a busy machine is not a bug
_STATES = tempfile.mkdtemp(prefix="countersign-")
atexit.register(shutil.rmtree, _STATES, ignore_errors=True)
SECRET = {"APPROVALS_SECRET": "for tests alone: nobody must use this one"}


def a_machine() -> dict[str, str]:
    """Where a service keeps what it has seen, if it is on a machine of its own."""
    return {"XDG_STATE_HOME": f"{_STATES}/{secrets.token_hex(4)}"}


def environment(slack: Sandbox, redis_url: str, tenant: str, **more: str) -> dict[str, str]:
    """What an operator would set, pointed at the sandbox."""
    return {
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": "xoxb-sandbox",
        "SLACK_APP_TOKEN": "xapp-sandbox",
        "REDIS_URL": redis_url,
        "APPROVALS_TENANT": tenant,
        "APPROVALS_HOST": "127.0.0.1",
        "PORT": "0",  # any that is free
        **a_machine(),
        **SECRET,
        **more,
    }


@contextlib.asynccontextmanager
async def a_bot(env: dict[str, str], *, role: app.Role = "all") -> AsyncIterator[app.Service]:
    """The service, in this process, until the block ends."""
    started: asyncio.Queue[app.Service | BaseException] = asyncio.Queue()

    async def live() -> None:
        try:
            async with app.built(
                settings.read({**a_machine(), **env}, needs="redis" if role == "web" else "workspace")
            ) as service:
                await started.put(service)
                await running.run(service, role)
        except BaseException as error:
            await started.put(error)
            raise

    task = asyncio.get_running_loop().create_task(live())
    service = await asyncio.wait_for(started.get(), 2 * WAIT_S)
    if isinstance(service, BaseException):
        raise service
    try:
        yield service
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def a_connected_bot(slack: Sandbox, env: dict[str, str]) -> AsyncIterator[app.Service]:
    """The service, once it hears what people do in `slack`."""
    before = slack.connections
    async with a_bot(env) as service:
        await slack.until(lambda: slack.connections > before)
        yield service


def a_policy(directory: Path, text: str) -> str:
    """The path of a policy file with this text."""
    path = directory / "policy.toml"
    path.write_text(text)
    return str(path)


async def until(found: Callable[[], Awaitable[T]], timeout_s: float = WAIT_S) -> T:
    """The first true value of a look into Redis, which has no way to call us; bounded."""
    async with asyncio.timeout(timeout_s):
        while not (value := await found()):  # noqa: ASYNC110 - Redis has no way to call us
            await asyncio.sleep(0.01)
        return value


async def the_card(slack: Sandbox, words: str = "", *, channel: str = "C0APPROVALS") -> Message:
    """The newest card in the channel that says `words`, as soon as there is one."""

    def newest() -> Message | None:
        return next((m for m in reversed(slack.messages(channel)) if m.blocks and words in m.shown), None)

    found = await slack.until(newest)
    assert found is not None
    return found


async def redrawn(slack: Sandbox, card: Message, words: str) -> Message:
    """The same message, as soon as it says `words`."""

    def now() -> Message | None:
        return next((m for m in slack.messages(card.channel) if m.ts == card.ts and words in m.shown), None)

    found = await slack.until(now)
    assert found is not None
    return found


async def the_dialog(slack: Sandbox, person: str) -> View:
    """The dialog that a person has on top, as soon as there is one."""
    found = await slack.until(lambda: slack.person(person).view)
    assert found is not None
    return found
