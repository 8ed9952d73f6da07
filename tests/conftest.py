"""What every test may ask for. Real Redis, one server for each test process; nothing of ours is mocked."""

import re
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings
from playwright.async_api import Browser, async_playwright
from redis.asyncio import Redis

from approvals.inbox import AgentInbox
from approvals.redis_door import open_redis
from approvals.store import Store
from bot.redis_server import RedisServer
from tests.builders import SIGNER, TRUSTED

# A slow machine is not a bug, so no example has a time limit; the test as a whole has one.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

CHROMIUM = (
    "--headless",
    "--remote-debugging-port=0",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    """The Redis of this test process. Tests that kill or restart one start their own."""
    async with RedisServer(tmp_path_factory.mktemp("redis"), appendfsync="no") as server:
        yield server


@pytest.fixture
async def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty Redis."""
    async with Redis.from_url(redis_server.url) as redis:
        await redis.flushall()
    return redis_server.url


@pytest.fixture
def tenant() -> str:
    """A tenant that nobody else has, for tests that share a Redis."""
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """That Redis, as the service opens it."""
    async with open_redis(redis_url) as redis:
        yield redis


@pytest.fixture
def store(redis: Redis, tenant: str) -> Store:
    """The service's door to the requests."""
    return Store(redis, tenant, SIGNER)


@pytest.fixture
def billing(redis: Redis, tenant: str) -> AgentInbox:
    """The door of an agent that is called billing."""
    return AgentInbox(redis, tenant, "billing", TRUSTED)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the machine's browser, for tests of the sandbox's page."""
    for browser in BROWSERS:
        if path := shutil.which(browser):
            return path
    pytest.skip("page tests skipped: no chromium found; install it to run them")


@pytest.fixture(scope="session")
def running_chromium(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address by which a browser is steered that runs for all page tests: starting one takes seconds."""
    said = tmp_path_factory.mktemp("chromium") / "said.txt"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [chromium, *CHROMIUM, f"--user-data-dir={said.parent / 'profile'}"], stdout=log, stderr=log
        )
    try:
        yield _address(process, said)
    finally:
        process.terminate()
        process.wait(10)


def _address(process: "subprocess.Popen[bytes]", said: Path) -> str:
    for _ in range(1500):  # at most 30 s
        if found := re.search(r"DevTools listening on (ws://\S+)", said.read_text(errors="replace")):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"chromium did not start; it said: {said.read_text(errors='replace')[-400:]}")


@pytest.fixture
async def browser(running_chromium: str) -> AsyncIterator[Browser]:
    """The running browser, for one test; what the test opened in it is closed afterwards."""
    async with async_playwright() as tools:
        browser = await tools.chromium.connect_over_cdp(running_chromium)
        yield browser
        for context in browser.contexts[1:]:  # the first is the browser's own
            await context.close()
        await browser.close()
