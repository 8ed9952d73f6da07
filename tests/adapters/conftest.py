"""What tests of adapters ask for: an agent's connection, and a service whose people the test plays."""

from collections.abc import AsyncIterator

import pytest

from approvals import Approvals
from tests.clerk import Clerk, serving


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
