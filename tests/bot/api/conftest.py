"""The API as it is served, with a clerk behind it instead of the whole service."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from approvals.agent_tokens import AgentTokens, Role
from approvals.model import Actor
from tests.clerk import Clerk, serving
from tests.running import SECRET, a_bot, until
from tests.stories.signing import free_port, is_serving

OPERATOR = Actor(id="operator:ops", name="ops")


@pytest.fixture
def tokens(redis: Redis, tenant: str) -> AgentTokens:
    return AgentTokens(redis, tenant)


@pytest.fixture
async def token(tokens: AgentTokens) -> str:
    """That of the agent billing."""
    return await tokens.add("billing", Role.AGENT, OPERATOR)


@pytest.fixture
async def clerk(redis_url: str, tenant: str) -> AsyncIterator[Clerk]:
    """Takes what is asked; each test decides."""
    async with serving(redis_url, tenant) as clerk:
        yield clerk


@pytest.fixture
async def url(redis_url: str, tenant: str) -> AsyncIterator[str]:
    """Where `python -m bot web` serves the API, without Slack."""
    url = f"http://127.0.0.1:{free_port()}"
    env = {"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant, "PORT": url.rpartition(":")[2], **SECRET}
    async with a_bot(env, role="web"):
        await until(lambda: is_serving(url))
        yield url


@pytest.fixture
async def api(url: str, token: str) -> AsyncIterator[ClientSession]:
    """What the agent billing calls it with."""
    async with ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session:
        yield session
