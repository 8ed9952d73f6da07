"""Many workspaces on one service: each comes, is served, and goes, and none touches another."""

from collections.abc import AsyncIterator

import pytest

from approvals import Approvals
from tests.running import redrawn, the_card
from tests.stories.many import Town, a_town, served
from tests.stories.watching import REFUND

FIRST, SECOND = "T0SANDBOX", "T0SECOND"


@pytest.fixture
async def town(redis_url: str) -> AsyncIterator[Town]:
    async with a_town(redis_url) as found, served(found):
        yield found


def agent_of(tenant: str, redis_url: str) -> Approvals:
    return Approvals.connect(redis_url, agent="billing", tenant=tenant)


async def test_two_workspaces_ask_and_decide_apart(town: Town, redis_url: str) -> None:
    for slack, tenant in ((town.first, FIRST), (town.second, SECOND)):
        assert "can use it now" in await town.install(slack)
        await town.serves(tenant)
    async with agent_of(FIRST, redis_url) as ours, agent_of(SECOND, redis_url) as theirs:
        asked, other = await ours.submit("refund", REFUND), await theirs.submit("refund", REFUND)
        card, their_card = await the_card(town.first), await the_card(town.second)
        assert (await town.first.person("U0ANA").press("Approve", card)).ok
        assert (await ours.wait(asked.id, timeout=20)).status == "approved"
        await redrawn(town.first, card, "Ana Duarte")
        assert await theirs.get(other.id) is None
        assert (await town.second.person("U0KIM").press("Approve", their_card)).ok
        assert (await theirs.wait(other.id, timeout=20)).decided_by == "slack:U0KIM"
    assert len(town.first.messages()) == len(town.second.messages()) == 1
