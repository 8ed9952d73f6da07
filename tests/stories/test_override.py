"""Break-glass is loud, and looked at afterwards; so is what ended without an answer."""

import pytest

from approvals import Approvals
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, the_dialog, until
from tests.stories.watching import REFUND, events, logged, whispered

POLICY = """
version = 1
[owners]
override = ["U0LEE"]
operators_channel = "#approvals-ops"
[[rule]]
name = "two directors"
tools = ["refund"]
approvers = ["S0DIRECTORS"]
quorum = 2
"""
SOON = 'version = 1\n[defaults]\ndeadline = "1s"\n'
WHY = "The site is down."


@pytest.fixture
def policy() -> str:
    return POLICY


@pytest.mark.attack("H102")
async def test_an_override_lets_it_through_aloud(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await until(lambda: _is_drawn(bot))
    lee = slack.person("U0LEE")
    assert (await lee.slash("/approvals", f"override {ticket.id} {WHY}")).ok
    await whispered(slack, "U0LEE", "past its normal path")
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.text, outcome.decided_by) == ("approved", WHY, "slack:U0LEE")
    told = await redrawn(slack, card, "Let through past its normal path")
    assert WHY in told.shown and told.shown.startswith("⚠")
    await slack.until(lambda: _loud(slack.thread("C0APPROVALS", card.ts)))
    await slack.until(lambda: _loud(slack.messages("C0OPS")))
    await until(lambda: _is_drawn(bot))
    assert len(_loud(slack.thread("C0APPROVALS", card.ts))) == len(_loud(slack.messages("C0OPS"))) == 1
    (entry,) = await logged(bot, ticket.id, "overridden")
    assert (entry.actor, (entry.detail or {})["text"]) == ("slack:U0LEE", WHY)


@pytest.mark.attack("H102")
async def test_somebody_else_looks_at_an_override_afterwards(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await until(lambda: _is_drawn(bot))
    lee, kim = slack.person("U0LEE"), slack.person("U0KIM")
    assert (await lee.slash("/approvals", f"override {ticket.id} {WHY}")).ok
    assert (await lee.slash("/approvals", "expired")).ok
    listed = await whispered(slack, "U0LEE", "Nobody has looked at these yet")
    assert (await lee.press("Seen", listed)).ok
    await whispered(slack, "U0LEE", "somebody else has to look at it")
    assert (await kim.slash("/approvals", "unseen")).ok
    assert (await kim.press("Seen", await whispered(slack, "U0KIM", "Nobody has looked at these"))).ok
    await whispered(slack, "U0KIM", "You have looked at")
    await redrawn(slack, card, "Kim Osei has looked at it")
    assert (await kim.slash("/approvals", "expired")).ok
    await whispered(slack, "U0KIM", "Somebody has looked at everything")


async def test_what_is_risky_is_read_before_it_is_let_through(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND, risk="high")
    await the_card(slack)
    lee = slack.person("U0LEE")
    assert (await lee.slash("/approvals", f"override {ticket.id} {WHY}")).ok
    dialog = await the_dialog(slack, "U0LEE")
    assert "c_42" in dialog.shown and "past its normal path" in dialog.shown
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    assert (await lee.press("Let it through", dialog)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).text == WHY


@pytest.mark.attack("H102")
async def test_nobody_else_may_and_the_attempt_is_logged(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND, risk="high")
    await the_card(slack)
    assert (await slack.person("U0KIM").slash("/approvals", f"override {ticket.id} {WHY}")).ok
    await whispered(slack, "U0KIM", "<@U0LEE>; the policy says so")
    assert slack.person("U0KIM").view is None
    (entry,) = await logged(bot, ticket.id, "refused")
    assert entry.actor == "slack:U0KIM"


async def test_an_override_without_a_reason_is_none(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    assert (await slack.person("U0LEE").slash("/approvals", f"override {ticket.id}")).ok
    await whispered(slack, "U0LEE", "override ID reason")
    assert await events(bot, ticket.id) == ["submitted", "asked"]


@pytest.mark.parametrize("policy", [SOON])
async def test_what_expired_stays_on_the_home_tab_until_somebody_has_looked_at_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    assert (await approvals.wait(ticket.id, timeout=20)).status == "expired"
    max_ = slack.person("U0MAX")
    max_.open_home()
    home = await slack.until(
        lambda: max_.home and "Nobody has looked at these" in max_.home.shown and max_.home
    )
    assert home
    assert (await max_.press("Seen", home)).ok
    await slack.until(lambda: max_.home and "Nobody has looked at these" not in max_.home.shown)
    (entry,) = await logged(bot, ticket.id, "looked_at")
    assert entry.actor == "slack:U0MAX"


def _loud(messages: list[Message]) -> list[Message]:
    return [each for each in messages if each.text.startswith("⚠ Lee Park let") and WHY in each.text]


async def _is_drawn(bot: Service) -> bool:
    return await bot.cards.backlog() == 0
