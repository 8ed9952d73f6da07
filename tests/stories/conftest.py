"""The whole house for each story: a sandbox, the unmodified service, an agent."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from approvals import Approvals
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import a_bot, a_connected_bot, a_policy, environment, until
from tests.stories.signing import House, free_port, is_serving, over_http


@pytest.fixture
async def slack() -> AsyncIterator[Sandbox]:
    """A small Slack of its own for each test. It limits no rates unless a test makes it, and is patient: that
    clicks are answered in time is measured, and a busy machine is not a bug."""
    async with Sandbox(rate_limits=False, ack_timeout_s=10.0) as sandbox:
        yield sandbox


@pytest.fixture
def policy() -> str | None:
    """The text of the policy file; stories that need one name their own."""
    return None


@pytest.fixture
async def bot(
    slack: Sandbox, redis_url: str, tenant: str, policy: str | None, tmp_path: Path
) -> AsyncIterator[Service]:
    """The whole service, joined to the sandbox and to Redis."""
    file = {} if policy is None else {"APPROVALS_POLICY": a_policy(tmp_path, policy)}
    async with a_connected_bot(slack, environment(slack, redis_url, tenant, **file)) as service:
        yield service


@pytest.fixture
async def approvals(redis_url: str, tenant: str) -> AsyncIterator[Approvals]:
    """What an agent holds. The agent is called billing."""
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as connected:
        yield connected


@pytest.fixture
async def house(redis_url: str, tenant: str) -> AsyncIterator[House]:
    """Slack over signed HTTP, instead of `slack` and `bot`."""
    url = f"http://127.0.0.1:{free_port()}"
    async with Sandbox(rate_limits=False, request_url=f"{url}/slack/events", ack_timeout_s=2.0) as slack:
        env = over_http(slack, redis_url, tenant, url)
        async with a_bot(env, role="worker"), a_bot(env, role="web") as service:
            await until(lambda: is_serving(url))
            yield House(slack=slack, web=service, url=url)
