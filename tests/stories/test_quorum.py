"""How many must agree, and who: groups, rejections, and the person it is asked for."""

import asyncio

import pytest

from approvals import Approvals, StillPending, Undeliverable
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, the_dialog
from tests.stories.watching import REFUND, events, logged, whispered

GROUPS = """
version = 1
[people]
directors = ["S0DIRECTORS"]
security = ["@sre-oncall", "U0ANA"]
[[rule]]
name = "big refunds"
tools = ["refund"]
approvers = ["directors", "security"]
quorum = { directors = 1, security = 1 }
"""
TWO_NOES = "version = 1\n[defaults]\nrejections = 2\n"
OWN = "version = 1\n[defaults]\nself_approval = true\n"


@pytest.fixture
def policy() -> str:
    return GROUPS


async def test_each_group_must_agree_and_the_card_counts(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    assert "0 of 1 directors · 0 of 1 security" in card.shown
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    card = await redrawn(slack, card, "1 of 1 directors · 0 of 1 security")
    assert "Kim Osei" in card.shown
    assert (await slack.person("U0LEE").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    assert await events(bot, ticket.id) == ["submitted", "asked", "voted", "approved"]


async def test_one_person_in_two_groups_counts_for_one(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    ana = slack.person("U0ANA")
    assert (await ana.press("Approve", card)).ok
    await logged(bot, ticket.id, "voted")
    assert (await ana.press("Approve", card)).ok
    await whispered(slack, "U0ANA", "You have approved")
    with pytest.raises(StillPending):
        await approvals.wait(ticket.id, timeout=0.1)
    assert (await slack.person("U0KIM").press("Approve", card)).ok  # Ana counts for the other group then
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"


async def test_an_edit_voids_the_votes_before_it(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    card = await redrawn(slack, card, "1 of 1 directors")
    lee = slack.person("U0LEE")
    assert (await lee.press("Edit…", card)).ok
    await the_dialog(slack, "U0LEE")
    assert (await lee.fill_and_submit({"amount": "900"})).ok
    card = await redrawn(slack, card, "0 of 1 directors · 1 of 1 security")
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert outcome.args == {"customer": "c_42", "amount": 900}


async def test_who_leaves_a_group_while_it_waits_no_longer_counts(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    slack.workspace.set_usergroup("S0ONCALL", [])
    await slack.settled()
    assert (await slack.person("U0LEE").press("Approve", card)).ok
    await whispered(slack, "U0LEE", "You can't decide")
    await logged(bot, ticket.id, "refused")


@pytest.mark.attack("A31")
async def test_a_yes_counts_no_more_when_its_giver_is_deactivated_before_the_next(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    card = await redrawn(slack, card, "1 of 1 directors")
    slack.workspace.deactivate("U0KIM")
    await slack.settled()
    assert (await slack.person("U0LEE").press("Approve", card)).ok
    card = await redrawn(slack, card, "0 of 1 directors · 1 of 1 security")
    with pytest.raises(StillPending):
        await approvals.wait(ticket.id, timeout=0.1)
    assert (await bot.store.chain(ticket.id))[-1].detail["gone"] == ["U0KIM"]  # type: ignore[index]


@pytest.mark.attack("E74")
async def test_a_quorum_that_nobody_could_fill_is_an_error_to_the_agent(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    slack.workspace.set_usergroup("S0DIRECTORS", [])
    await slack.settled()
    with pytest.raises(Undeliverable):
        await approvals.request("refund", REFUND, timeout=20)


@pytest.mark.parametrize("policy", [TWO_NOES])
async def test_one_no_of_two_leaves_it_open(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    for person, words in (("U0KIM", "Too much."), ("U0LEE", "Too late.")):
        someone = slack.person(person)
        assert (await someone.press("Reject…", card)).ok
        await the_dialog(slack, person)
        assert (await someone.fill_and_submit({"words": words})).ok
        card = await redrawn(slack, card, words)
        if person == "U0KIM":
            assert "1 of 2 rejections" in card.shown
            with pytest.raises(StillPending):
                await approvals.wait(ticket.id, timeout=0.1)
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.text) == ("rejected", "Too late.")


@pytest.mark.parametrize("policy", [OWN])
async def test_who_approves_their_own_request_must_say_why_and_the_card_says_so(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND, on_behalf_of="U0ANA")
    card = await the_card(slack)
    ana = slack.person("U0ANA")
    assert (await ana.press("Approve", card)).ok
    await the_dialog(slack, "U0ANA")
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    assert not (await ana.submit()).ok  # no reason yet
    assert (await ana.fill_and_submit({"words": "Nobody else is awake."})).ok
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert outcome.text == "Nobody else is awake."
    await redrawn(slack, card, "approved their own request")


@pytest.mark.parametrize("policy", [OWN])
async def test_typing_or_editing_needs_the_same_reason(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND, on_behalf_of="U0ANA")
    card = await the_card(slack)
    ana = slack.person("U0ANA")
    assert (await ana.press("Edit…", card)).ok
    assert not (await ana.fill_and_submit({"amount": "900"})).ok
    assert (await ana.close()).ok
    assert (await ana.slash("/approve", ticket.id)).ok
    await the_dialog(slack, "U0ANA")
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    async with asyncio.timeout(5):
        assert (await ana.slash("/approve", f"{ticket.id} It is my own account.")).ok
    assert (await approvals.wait(ticket.id, timeout=20)).text == "It is my own account."
