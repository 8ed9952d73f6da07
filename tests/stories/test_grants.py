"""Approve similar…: one yes lets calls like it through, so often and so far as was said, until revoked."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from approvals import Approvals, StillPending
from approvals.model import Args
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import a_connected_bot, a_policy, environment, the_card, the_dialog, until
from tests.stories.watching import AFTER_KEY, events, whispered

POLICY = """
version = 1

[defaults]
channel = "#approvals"

[[rule]]
name = "never to c_13"
tools = ["refund"]
when = "args.customer == 'c_13'"
action = "deny"

[[rule]]
name = "refunds"
tools = ["refund"]
approvers = ["U0KIM", "U0ANA"]

[[rule]]
name = "wires"
tools = ["wire"]
risk = "critical"

[owners]
freeze = ["U0LEE"]
"""


@pytest.fixture
async def bot(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> AsyncIterator[Service]:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
    async with a_connected_bot(slack, env) as service:
        yield service


def refund(amount: float, customer: str = "c_42") -> Args:
    return {"customer": customer, "amount": amount}


async def granted(slack: Sandbox, approvals: Approvals, **fields: str) -> None:
    """Kim approves a refund of 100, and others of any customer up to that."""
    ticket = await approvals.submit("refund", refund(100))
    kim = slack.person("U0KIM")
    assert (await kim.press("Approve similar…", await the_card(slack, "c_42"))).ok
    await the_dialog(slack, "U0KIM")
    chosen = {"limit:0": "up_to", "limit:1": "any", **fields}
    assert (await kim.fill_and_submit(chosen)).ok
    assert kim.view is None
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"


async def is_asked(bot: Service, approvals: Approvals, args: Args) -> bool:
    """Whether people are asked for a refund, or it goes through."""
    ticket = await approvals.submit("refund", args)
    told = await until(partial(events, bot, ticket.id))
    return told == ["submitted", "asked"]


async def test_calls_like_it_go_through_until_they_are_used_up(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await granted(slack, approvals, uses="2")
    ticket = await approvals.submit("refund", refund(60, "c_1"))
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert outcome.status == "approved"
    assert outcome.decided_by.startswith("grant:G-")
    assert (await approvals.claim(ticket.id)).args == refund(60, "c_1")
    assert await is_asked(bot, approvals, refund(101))
    assert not await is_asked(bot, approvals, refund(100))
    assert await is_asked(bot, approvals, refund(1))


async def test_calls_like_it_go_through_up_to_their_sum(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await granted(slack, approvals, total_of="0", total="150")
    assert not await is_asked(bot, approvals, refund(90))
    assert await is_asked(bot, approvals, refund(61))
    assert not await is_asked(bot, approvals, refund(60))


async def test_forty_calls_at_once_use_a_grant_exactly_as_often_as_it_says(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await granted(slack, approvals, uses="7")
    tickets = [await approvals.submit("refund", refund(number)) for number in range(40)]
    told = [await until(partial(events, bot, ticket.id)) for ticket in tickets]
    assert sum("allowed" in words for words in told) == 7


async def test_a_deny_rule_still_denies_and_a_freeze_still_stops(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await granted(slack, approvals)
    denied = await approvals.submit("refund", refund(1, "c_13"))
    assert (await approvals.wait(denied.id, timeout=20)).status == "rejected"
    assert (await slack.person("U0LEE").slash("/approvals", "freeze all")).ok
    await whispered(slack, "U0LEE", "Frozen: everything")
    assert await is_asked(bot, approvals, refund(2))
    assert (await slack.person("U0LEE").slash("/approvals", "thaw all")).ok
    await whispered(slack, "U0LEE", "Thawed")
    assert not await is_asked(bot, approvals, refund(3))


async def test_a_grant_is_seen_counted_and_revoked(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await granted(slack, approvals)
    assert not await is_asked(bot, approvals, refund(5))
    ana, max_ = slack.person("U0ANA"), slack.person("U0MAX")
    assert (await max_.slash("/approvals", "grants")).ok
    await whispered(slack, "U0MAX", "No grants are in force.")
    assert (await ana.slash("/approvals", "grants")).ok
    listed = await whispered(slack, "U0ANA", "1 of 10 used")
    assert "amount up to 100" in listed.shown
    assert "Kim Osei" in listed.shown
    assert (await ana.press("Revoke", listed)).ok
    await whispered(slack, "U0ANA", "Revoked: G-")
    assert await is_asked(bot, approvals, refund(5))
    told = [(entry.event, entry.actor) for entry in await bot.store.entries(AFTER_KEY) if entry.request == ""]
    assert told == [("granted", "slack:U0KIM"), ("revoked", "slack:U0ANA")]


async def test_only_who_may_decide_can_grant_and_nothing_critical(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", refund(100))
    card = await the_card(slack, "c_42")
    assert (await slack.person("U0MAX").press("Approve similar…", card)).ok
    await whispered(slack, "U0MAX", "You can't decide")
    await approvals.submit("wire", {"amount": 1})
    wire = await the_card(slack, "Wire")
    assert not (await slack.person("U0KIM").press("Approve similar…", wire)).ok
    with pytest.raises(StillPending):
        await approvals.wait(ticket.id, timeout=0.05)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"uses": "0"}, "uses"), ({"total_of": "0"}, "sum up"), ({"total": "5"}, "sum up")],
)
async def test_what_can_not_be_granted_is_said_at_its_field(
    slack: Sandbox, approvals: Approvals, bot: Service, fields: dict[str, str], words: str
) -> None:
    ticket = await approvals.submit("refund", refund(100))
    kim = slack.person("U0KIM")
    assert (await kim.press("Approve similar…", await the_card(slack, "c_42"))).ok
    await the_dialog(slack, "U0KIM")
    assert not (await kim.fill_and_submit(fields)).ok
    assert await events(bot, ticket.id) == ["submitted", "asked"]
