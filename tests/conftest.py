"""What every test may ask for. Real Redis, one server for each test process; nothing of ours is mocked."""

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import settings
from redis.asyncio import Redis

from bot.redis_server import RedisServer

# A slow machine is not a bug, so no example has a time limit; the test as a whole has one.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


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
