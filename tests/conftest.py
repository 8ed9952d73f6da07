"""What every test may ask for. Real Redis, one server for each test process; nothing of ours is mocked."""

import secrets
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import settings
from redis.asyncio import Redis

from bot.redis_server import RedisServer

# A slow machine is not a bug, so no example has a time limit; the test as a whole has one.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
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


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the machine's browser, for tests of the sandbox's page."""
    for browser in BROWSERS:
        if path := shutil.which(browser):
            return path
    pytest.skip("page tests skipped: no chromium found; install it to run them")
