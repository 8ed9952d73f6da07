"""A misclick is recoverable until the agent has begun; and whoever clicks is told whether it was in time."""

import asyncio

import pytest

from approvals import Approvals, NotClaimed
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card
from tests.stories.watching import REFUND, events, logged, whispered


async def test_an_approval_is_taken_back_before_it_is_used(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    ana = slack.person("U0ANA")
    assert (await ana.press("Approve", await the_card(slack))).ok
    approved = await redrawn(slack, await the_card(slack), "Take back")
    assert (await ana.press("Take back", approved)).ok
    with pytest.raises(NotClaimed):
        await approvals.claim(ticket.id)
    assert (await approvals.wait(ticket.id, timeout=20)).status == "cancelled"
    told = await redrawn(slack, approved, "took it back")
    assert "in time: billing had not begun" in told.shown
    assert (await ana.press("Take back", approved)).ok  # the card was not redrawn yet: it is no error
    assert (await events(bot, ticket.id))[-1] == "withdrawn"


async def test_it_is_too_late_once_the_agent_has_begun(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    ana = slack.person("U0ANA")
    assert (await ana.press("Approve", await the_card(slack))).ok
    approved = await redrawn(slack, await the_card(slack), "Take back")
    await approvals.wait(ticket.id, timeout=20)
    await approvals.claim(ticket.id)
    assert (await ana.press("Take back", approved)).ok
    await whispered(slack, "U0ANA", "It is too late to take")
    running = await redrawn(slack, approved, "is running it")
    assert "Take back" not in running.shown
    await logged(bot, ticket.id, "refused")


async def test_only_who_approved_can_take_it_back(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    ticket = await approvals.submit("refund", REFUND)
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack))).ok
    approved = await redrawn(slack, await the_card(slack), "Take back")
    assert (await slack.person("U0LEE").press("Take back", approved)).ok
    await whispered(slack, "U0LEE", "Only who approved")
    await approvals.wait(ticket.id, timeout=20)
    await approvals.claim(ticket.id)


async def test_of_a_claim_and_a_take_back_at_once_one_wins(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    for number in range(5):
        ticket = await approvals.submit("refund", REFUND | {"amount": number})
        ana = slack.person("U0ANA")
        card = await the_card(slack, f"amount     {number}")
        assert (await ana.press("Approve", card)).ok
        approved = await redrawn(slack, card, "Take back")
        await approvals.wait(ticket.id, timeout=20)
        async with asyncio.TaskGroup() as race:
            race.create_task(ana.press("Take back", approved))
            claiming = race.create_task(_claimed(approvals, ticket.id))
        last = await logged(bot, ticket.id, "claimed" if claiming.result() else "withdrawn")
        assert len(last) == 1
        assert not {"claimed", "withdrawn"} <= set(await events(bot, ticket.id))


async def _claimed(approvals: Approvals, request_id: str) -> bool:
    try:
        await approvals.claim(request_id)
    except NotClaimed:
        return False
    return True
