"""A changed call goes through the policy again: it may be denied, or be for others than it was before."""

import asyncio

import pytest

from approvals import Approvals
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Result
from tests.running import redrawn, the_card, the_dialog
from tests.stories.watching import REFUND, events, logged

POLICY = """
version = 1
[people]
directors = ["@directors"]
[[rule]]
name = "never so much"
tools = ["refund"]
when = "args.amount > 10000"
action = "deny"
[[rule]]
name = "large refunds"
tools = ["refund"]
when = "args.amount > 5000"
reason = "Refunds over $5,000 need two directors."
approvers = ["directors"]
quorum = 2
channel = "#general"
[[rule]]
name = "risky refunds"
tools = ["refund"]
when = "args.amount > 3000"
risk = "high"
[[rule]]
name = "small refunds"
tools = ["refund"]
when = "args.amount < 10"
action = "allow"
"""


@pytest.fixture
def policy() -> str:
    return POLICY


async def edited(slack: Sandbox, who: str, card: Message, amount: str) -> Result:
    """Somebody changes the amount, and submits."""
    person = slack.person(who)
    assert (await person.press("Edit…", card)).ok
    await the_dialog(slack, who)
    return await person.fill_and_submit({"amount": amount})


@pytest.mark.attack("A22")
async def test_an_edit_that_a_rule_denies_is_refused_in_the_dialog(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    refusal = await edited(slack, "U0MAX", await the_card(slack), "20000")
    assert "Rule “never so much” denies this" in str(refusal.errors)
    max_ = slack.person("U0MAX")
    (refused,) = await logged(bot, ticket.id, "refused")
    assert "never so much" in str(refused.detail)
    assert (await max_.fill_and_submit({"amount": "900"})).ok  # the dialog is still there
    assert (await approvals.wait(ticket.id, timeout=20)).args == {"customer": "c_42", "amount": 900}


@pytest.mark.attack("A22")
async def test_an_edit_that_needs_others_is_sent_to_them_once_agreed(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    first = await the_card(slack)
    await edited(slack, "U0MAX", first, "6000")
    max_ = slack.person("U0MAX")
    assert max_.view is not None
    assert "Refunds over $5,000 need two directors." in max_.view.shown
    assert "You are not one of them" in max_.view.shown
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    assert (await max_.press("Send to them")).ok
    card = await the_card(slack, "6000", channel="C0GENERAL")
    assert "0 of 2" in card.shown
    left = await redrawn(slack, first, "Changed, and now with @directors in <#C0GENERAL>")
    assert "Refunds over $5,000 need two directors." in left.shown
    assert "actions" not in {block["type"] for block in left.blocks or []}
    (entry,) = await logged(bot, ticket.id, "redirected")
    assert (entry.actor, entry.rule, entry.args) == (
        "slack:U0MAX", "large refunds", {"customer": "c_42", "amount": 6000},
    )  # fmt: skip
    assert not (await approvals_of(bot, ticket.id))

    def called() -> bool:
        texts = [message.text for message in slack.thread("C0GENERAL", card.ts)]
        said = [text for text in texts if "waits for a decision anew" in text]
        return len(said) == 1 and "<@U0KIM>" in said[0] and "<@U0ANA>" in said[0]

    assert await slack.until(called)
    assert (await max_.press("Approve", first)).ok  # by a card that his Slack has not drawn again yet
    await logged(bot, ticket.id, "refused")
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    await logged(bot, ticket.id, "voted")
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.args) == ("approved", {"customer": "c_42", "amount": 6000})


async def approvals_of(bot: Service, request_id: str) -> list[str]:
    request, _ = await bot.store.get(await bot.store.find(request_id))
    return [vote.person for vote in request.votes]


async def test_the_yes_of_one_whom_the_new_rule_names_counts(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await edited(slack, "U0KIM", await the_card(slack), "6000")
    kim = slack.person("U0KIM")
    assert kim.view is not None
    assert "Your yes counts" in kim.view.shown
    assert (await kim.press("Send to them")).ok
    await logged(bot, ticket.id, "redirected")
    assert await approvals_of(bot, ticket.id) == ["U0KIM"]
    card = await the_card(slack, "1 of 2", channel="C0GENERAL")
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"


async def test_an_edit_that_is_only_riskier_is_approved_by_who_agrees_to_that(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await edited(slack, "U0MAX", await the_card(slack), "4000")
    max_ = slack.person("U0MAX")
    assert max_.view is not None
    assert "high risk" in max_.view.shown
    assert (await max_.press("Approve")).ok
    assert (await approvals.wait(ticket.id, timeout=20)).args == {"customer": "c_42", "amount": 4000}
    assert (await logged(bot, ticket.id, "edited"))[0].rule == "risky refunds"


async def test_what_is_changed_on_the_second_screen_is_judged_too(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await edited(slack, "U0MAX", await the_card(slack), "4000")
    max_ = slack.person("U0MAX")
    await max_.fill_and_submit({"amount": "6000"})
    assert max_.view is not None
    assert "two directors" in max_.view.shown
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    assert (await max_.fill_and_submit({"amount": "5"})).ok  # a rule would allow it: a yes is enough
    assert (await approvals.wait(ticket.id, timeout=20)).args == {"customer": "c_42", "amount": 5}


async def test_of_two_who_change_it_at_once_one_is_told_that_it_changed(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await edited(slack, "U0MAX", card, "6000")
    await edited(slack, "U0LEE", card, "7000")
    async with asyncio.TaskGroup() as both:
        for who in ("U0MAX", "U0LEE"):
            both.create_task(slack.person(who).press("Send to them"))
    await logged(bot, ticket.id, "refused")
    assert (await events(bot, ticket.id)).count("redirected") == 1


async def test_a_revision_that_a_rule_denies_ends_the_request(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await approvals.revise(ticket.id, {"customer": "c_42", "amount": 20000})
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.decided_by) == ("rejected", "policy:never so much")
    await redrawn(slack, card, "Denied by rule “never so much”")


async def test_a_revision_that_needs_others_is_for_them(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    await approvals.revise(ticket.id, {"customer": "c_42", "amount": 6000})
    card = await the_card(slack, "6000", channel="C0GENERAL")
    assert "0 of 2" in card.shown
    (entry,) = await logged(bot, ticket.id, "revised")
    assert entry.rule == "large refunds"


@pytest.mark.parametrize("policy", [POLICY.replace('channel = "#general"', 'channel = "#nowhere"')])
async def test_an_edit_that_leads_nowhere_tells_the_agent_so(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await edited(slack, "U0MAX", await the_card(slack), "6000")
    assert (await slack.person("U0MAX").press("Send to them")).ok
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.undeliverable) == ("cancelled", True)
