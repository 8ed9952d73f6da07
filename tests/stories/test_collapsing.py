"""An agent in a loop: identical calls that wait are one card, and one decision for all that it showed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from approvals import Approvals
from approvals.commands import Approve
from approvals.messages import Ticket
from approvals.model import CHANNEL, Status
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.builders import a_person
from tests.running import a_connected_bot, a_policy, environment, redrawn, the_card, the_dialog, until
from tests.stories.watching import REFUND, logged

POLICY = """
version = 1

[defaults]
channel = "#approvals"
collapse = true

[[rule]]
name = "large refunds"
tools = ["refund"]
when = "args.amount > 5000"
approvers = ["@directors"]
channel = "#general"

[[rule]]
name = "risky refunds"
tools = ["refund"]
when = "args.amount > 3000"
risk = "high"
use_within = "5m"
"""


@pytest.fixture
async def bot(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> AsyncIterator[Service]:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
    async with a_connected_bot(slack, env) as service:
        yield service


async def asked_thrice(slack: Sandbox, approvals: Approvals) -> tuple[list[Ticket], Message]:
    """Three identical calls, and the one card that stands for them."""
    tickets = [await approvals.submit("refund", REFUND) for _ in range(3)]
    card = await redrawn(slack, await the_card(slack, "c_42"), "3 identical calls")
    assert len(slack.messages()) == 1
    return tickets, card


async def test_one_approval_is_for_all_that_the_card_showed(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, card = await asked_thrice(slack, approvals)
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    for ticket in tickets:
        outcome = await approvals.wait(ticket.id, timeout=20)
        assert (outcome.status, outcome.decided_by) == ("approved", "slack:U0KIM")
        assert (await approvals.claim(ticket.id)).args == REFUND
        (entry,) = await logged(bot, ticket.id, "approved")
        assert entry.actor == "slack:U0KIM"
    assert len(slack.messages()) == 1


async def test_one_rejection_and_its_words_are_for_all(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, card = await asked_thrice(slack, approvals)
    kim = slack.person("U0KIM")
    assert (await kim.press("Reject…", card)).ok
    await the_dialog(slack, "U0KIM")
    assert (await kim.fill_and_submit({"words": "Stop asking."})).ok
    for ticket in tickets:
        outcome = await approvals.wait(ticket.id, timeout=20)
        assert (outcome.status, outcome.text) == ("rejected", "Stop asking.")


async def test_an_edit_is_what_each_of_them_runs(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    tickets, card = await asked_thrice(slack, approvals)
    kim = slack.person("U0KIM")
    assert (await kim.press("Edit…", card)).ok
    await the_dialog(slack, "U0KIM")
    assert (await kim.fill_and_submit({"amount": "900"})).ok
    for ticket in tickets:
        assert (await approvals.wait(ticket.id, timeout=20)).args == REFUND | {"amount": 900}


async def edited(slack: Sandbox, card: Message, amount: str, agreed: str) -> None:
    """Max, who is no director, changes the amount, and agrees to what the policy says to that."""
    max_ = slack.person("U0MAX")
    assert (await max_.press("Edit…", card)).ok
    await the_dialog(slack, "U0MAX")
    assert (await max_.fill_and_submit({"amount": amount})).ok
    assert (await max_.press(agreed)).ok


async def test_when_an_edit_sends_one_to_others_the_rest_wait_on_cards_of_their_own(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, card = await asked_thrice(slack, approvals)
    await edited(slack, card, "6000", "Send to them")
    moved = await the_card(slack, "6000", channel="C0GENERAL")
    assert "identical calls" not in moved.shown
    for ticket in tickets[1:]:
        await logged(bot, ticket.id, "parted")
    await slack.until(lambda: len(slack.messages()) == 3)
    assert (await slack.person("U0KIM").press("Approve", moved)).ok
    assert (await approvals.wait(tickets[0].id, timeout=20)).args == REFUND | {"amount": 6000}
    for ticket in tickets[1:]:
        request, _ = await bot.store.get(ticket.id)
        assert (request.status, request.args) == (Status.PENDING, REFUND)


async def test_an_edit_that_ends_it_at_once_ends_them_all_under_the_rule_of_the_edited_call(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, card = await asked_thrice(slack, approvals)
    await edited(slack, card, "4000", "Approve")
    for ticket in tickets:
        assert (await approvals.wait(ticket.id, timeout=20)).args == REFUND | {"amount": 4000}
        (entry,) = await logged(bot, ticket.id, "edited")
        assert entry.rule == "risky refunds"
        assert (await bot.store.get(ticket.id))[0].terms.use_within_s == 300


async def test_when_its_agent_revises_one_the_rest_wait_on_cards_of_their_own(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, card = await asked_thrice(slack, approvals)
    await approvals.revise(tickets[0].id, REFUND | {"amount": 900})
    assert "identical calls" not in (await redrawn(slack, card, "900")).shown
    await slack.until(lambda: len(slack.messages()) == 3)
    assert (await slack.person("U0KIM").press("Approve", await redrawn(slack, card, "900"))).ok
    assert (await approvals.wait(tickets[0].id, timeout=20)).status == "approved"
    assert all([(await bot.store.get(ticket.id))[0].is_pending for ticket in tickets[1:]])


async def test_what_came_after_the_card_was_drawn_gets_its_own(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    first = await approvals.submit("refund", REFUND)
    card = await the_card(slack, "c_42")
    other = await approvals.submit("refund", REFUND)
    await redrawn(slack, card, "2 identical calls")
    kim = a_person(id="U0KIM", principals=frozenset({CHANNEL}))
    request, _ = await bot.store.get(first.id)
    await bot.store.change(first.id, Approve(by=kim, seen=request.fingerprint, alike=0))
    assert (await approvals.wait(first.id, timeout=20)).status == "approved"
    await logged(bot, other.id, "parted")
    second = await slack.until(lambda: next((m for m in slack.messages() if m.ts != card.ts), None))
    assert second is not None
    assert (await bot.store.get(other.id))[0].is_pending
    assert (await slack.person("U0KIM").press("Approve", second)).ok
    assert (await approvals.wait(other.id, timeout=20)).status == "approved"


async def test_when_the_first_is_cancelled_the_others_still_wait(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, _ = await asked_thrice(slack, approvals)
    await approvals.cancel(tickets[0].id)
    assert (await approvals.wait(tickets[0].id, timeout=20)).status == "cancelled"
    await slack.until(lambda: len(slack.messages()) == 3)
    for ticket in tickets[1:]:
        assert (await bot.store.get(ticket.id))[0].status is Status.PENDING


async def test_another_call_another_person_or_another_agent_is_another_card(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str, tenant: str
) -> None:
    await approvals.submit("refund", REFUND)
    await approvals.submit("refund", REFUND | {"amount": 941})
    await approvals.submit("refund", REFUND, on_behalf_of="U0KIM")
    async with Approvals.connect(redis_url, agent="support", tenant=tenant) as support:
        await support.submit("refund", REFUND)
        await slack.until(lambda: len(slack.messages()) == 4)
    assert await until(lambda: _no_twins(bot))


async def _no_twins(bot: Service) -> bool:
    return await bot.store.twins() == []
