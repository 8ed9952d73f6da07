"""What tests of the CrewAI adapter ask for. They run in an environment of their own: `make test-crewai`."""

import os
from collections.abc import AsyncIterator
from importlib.util import find_spec

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from approvals import Approvals
from bot.redis_server import RedisServer
from tests.clerk import Clerk, serving

# Before CrewAI is imported, where it is: it would tell its makers about every run.
if find_spec("crewai"):
    os.environ |= {
        "CREWAI_DISABLE_TELEMETRY": "true",
        "OTEL_SDK_DISABLED": "true",
        "CREWAI_TRACING_ENABLED": "false",
    }


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path_factory.mktemp("redis"), appendfsync="no") as server:
        yield server


@pytest.fixture
async def redis_url(redis_server: RedisServer) -> str:
    async with Redis.from_url(redis_server.url) as redis:
        await redis.flushall()
    return redis_server.url


@pytest.fixture
def tenant() -> str:
    return "crews"


@pytest.fixture
async def clerk(redis_url: str, tenant: str) -> AsyncIterator[Clerk]:
    """Takes what agents ask for, and decides what the test tells it to."""
    async with serving(redis_url, tenant) as clerk:
        yield clerk


@pytest.fixture
async def approvals(redis_url: str, tenant: str) -> AsyncIterator[Approvals]:
    """What an agent holds. The agent is called billing."""
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant, patience=1) as connected:
        yield connected
