"""Many requests in one message: held, shown together, edited in place, and closed when nothing waits."""

from __future__ import annotations

import pytest

from approvals import Approvals
from approvals.messages import Ticket
from approvals.model import Args
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, until

POLICY = """
version = 1

[owners]
freeze = ["U0ANA"]

[defaults]
channel = "#approvals"
burst = 0

[[rule]]
name = "refunds over $500"
tools = ["refund"]
when = "args.amount > 500"
risk = "high"
digest = "refunds"

[[rule]]
name = "refunds"
tools = ["refund"]
digest = "refunds"

[digests.refunds]
when = 5
sum = "args.amount"
unit = "$"
"""


@pytest.fixture
def policy() -> str:
    return POLICY


def a_refund(n: int, amount: float = 10) -> Args:
    return {"customer": f"c_{n}", "amount": amount, "currency": "USD"}


async def test_what_a_rule_holds_comes_as_one_message_when_so_many_wait(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    for n in range(4):
        await approvals.submit("refund", a_refund(n))
    await until(lambda: is_drawn(bot))
    assert slack.messages() == []
    await approvals.submit("refund", a_refund(4, 700))
    digest = await the_card(slack, "5 refund")
    assert len(slack.messages()) == 1
    assert "$740" in digest.text
    assert "1 high risk" in digest.text
    for n in range(5):
        assert f"c_{n}" in digest.shown


async def is_drawn(bot: Service) -> bool:
    return await bot.cards.backlog() == 0 and await bot.store.count_pending() > 0


async def a_digest(slack: Sandbox, approvals: Approvals, count: int = 5) -> tuple[list[Ticket], Message]:
    """A digest of refunds, and what each of its rows asks for."""
    tickets = [await approvals.submit("refund", a_refund(n)) for n in range(count)]
    return tickets, await the_card(slack, f"{count} refund")


async def test_a_deleted_digest_is_posted_once_more(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    _, digest = await a_digest(slack, approvals)
    slack.workspace.delete("C0APPROVALS", digest.ts)
    again = await slack.until(lambda: next((m for m in slack.messages() if m.ts != digest.ts), None))
    assert again is not None
    assert again.shown.splitlines()[0] == digest.shown.splitlines()[0]
    assert len(slack.messages()) == 1


async def test_a_digest_is_edited_in_place_and_closes_itself(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals)
    for left, ticket in zip((4, 3, 2, 1), tickets, strict=False):
        assert (await slack.person("U0ANA").slash("/approve", ticket.id)).ok
        await redrawn(slack, digest, f"{left} of 5")
    await approvals.cancel(tickets[4].id)
    closed = await redrawn(slack, digest, "All 5 are decided: 4 approved, 1 cancelled")
    assert "Approve" not in closed.shown.split("\n")
    assert len(slack.messages()) == 1


async def test_a_digest_says_what_of_it_is_frozen_and_offers_no_button_for_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    _, digest = await a_digest(slack, approvals)
    ana = slack.person("U0ANA")
    assert (await ana.slash("/approvals", "freeze agent billing it repeats itself")).ok
    frozen = await redrawn(slack, digest, "Frozen:")
    assert "5 can't be decided" in frozen.shown
    assert not words_on(frozen, "Approve")
    assert (await ana.slash("/approvals", "thaw agent billing")).ok
    await slack.until(
        lambda: "Frozen:" not in now(slack, digest).shown and words_on(now(slack, digest), "Approve")
    )


async def test_what_waits_in_a_channel_that_is_archived_is_undeliverable_and_its_agent_learns_so(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, _ = await a_digest(slack, approvals)
    slack.workspace.archive("C0APPROVALS")
    for ticket in tickets:
        assert (await approvals.wait(ticket.id, timeout=10)).undeliverable


async def test_a_digest_may_refuse_to_be_updated_once_and_is_posted_once_more(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals)
    slack.faults.next_calls("chat.update", "error", code="message_not_found")
    await approvals.cancel(tickets[0].id)
    again = await slack.until(lambda: next((m for m in slack.messages() if m.ts != digest.ts), None))
    assert again is not None and "4 of 5 left" in again.shown
    await approvals.cancel(tickets[1].id)
    await redrawn(slack, again, "3 of 5 left")
    assert len([m for m in slack.messages() if m.ts != digest.ts]) == 1


def now(slack: Sandbox, message: Message) -> Message:
    return next(m for m in slack.messages() if m.ts == message.ts)


def words_on(message: Message, label: str) -> list[str]:
    """The lines that are exactly this: the words on a button."""
    return [line for line in message.shown.splitlines() if line == label]
