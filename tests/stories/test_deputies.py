"""While a person is away somebody decides in their place: with what they may, once, never for themselves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from approvals import Approvals, StillPending
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import a_connected_bot, a_policy, environment, the_card, the_dialog
from tests.stories.watching import AFTER_KEY, REFUND, logged, whispered

POLICY = """
version = 1

[defaults]
channel = "#approvals"

[[rule]]
name = "refunds"
tools = ["refund"]
approvers = ["U0ANA"]

[[rule]]
name = "deploys"
tools = ["deploy"]
approvers = ["U0ANA", "U0KIM", "U0LEE"]
quorum = 2
"""


@pytest.fixture
async def bot(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> AsyncIterator[Service]:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
    async with a_connected_bot(slack, env) as service:
        yield service


async def away(slack: Sandbox, person: str, typed: str) -> None:
    assert (await slack.person(person).slash("/approvals", f"away {typed}")).ok
    await whispered(slack, person, "stands in for you")


async def test_a_deputy_decides_until_the_person_is_back(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await away(slack, "U0ANA", "until friday @kim")
    first = await approvals.submit("refund", REFUND)
    card = await the_card(slack, "c_42")
    assert "U0KIM" in card.text, "the deputy is called too"
    kim = slack.person("U0KIM")
    assert (await kim.press("Details", card)).ok
    assert "stands in for" in (await the_dialog(slack, "U0KIM")).shown
    assert (await kim.close(clear=True)).ok
    assert (await kim.press("Approve", card)).ok
    assert (await approvals.wait(first.id, timeout=20)).decided_by == "slack:U0KIM"
    assert slack.person("U0ANA").open_home().ok
    home = await slack.until(lambda: slack.person("U0ANA").home)
    assert home is not None
    assert "stands in for you" in home.shown

    assert (await slack.person("U0ANA").slash("/approvals", "back")).ok
    await whispered(slack, "U0ANA", "Welcome back")
    second = await approvals.submit("refund", {"customer": "c_17", "amount": 1})
    assert (await kim.press("Approve", await the_card(slack, "c_17"))).ok
    await whispered(slack, "U0KIM", "You can't decide")
    with pytest.raises(StillPending):
        await approvals.wait(second.id, timeout=0.05)
    told = [(entry.event, entry.actor) for entry in await bot.store.entries(AFTER_KEY) if entry.request == ""]
    assert told == [("away", "slack:U0ANA"), ("back", "slack:U0ANA")]


async def test_a_chain_ends_with_who_is_there_and_a_circle_with_nobody(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await away(slack, "U0ANA", "2 weeks @kim")
    await away(slack, "U0KIM", "until tomorrow @max")
    ticket = await approvals.submit("refund", REFUND)
    assert (await slack.person("U0MAX").press("Approve", await the_card(slack, "c_42"))).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0MAX"
    await away(slack, "U0MAX", "3d @kim")
    other = await approvals.submit("refund", {"customer": "c_17", "amount": 1})
    card = await the_card(slack, "c_17")
    for person in ("U0MAX", "U0KIM"):
        assert (await slack.person(person).press("Approve", card)).ok
        await whispered(slack, person, "You can't decide")
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(other.id, timeout=20)).decided_by == "slack:U0ANA"


async def test_a_deputy_never_counts_twice(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    await away(slack, "U0ANA", "until friday @kim")
    ticket = await approvals.submit("deploy", {"service": "checkout"})
    card = await the_card(slack, "checkout")
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    await logged(bot, ticket.id, "voted")
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    await whispered(slack, "U0KIM", "You have approved")
    with pytest.raises(StillPending):
        await approvals.wait(ticket.id, timeout=0.05)


async def test_one_seat_gives_one_vote_to_the_person_or_to_their_deputy(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await away(slack, "U0ANA", "until friday @max")
    by_deputy = await approvals.submit("deploy", {"service": "checkout"})
    card = await the_card(slack, "checkout")
    assert (await slack.person("U0MAX").press("Approve", card)).ok
    await logged(bot, by_deputy.id, "voted")
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    await whispered(slack, "U0ANA", "approved")
    by_ana = await approvals.submit("deploy", {"service": "search"})
    card = await the_card(slack, "search")
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    await logged(bot, by_ana.id, "voted")
    assert (await slack.person("U0MAX").press("Approve", card)).ok
    await whispered(slack, "U0MAX", "You can't decide")
    for ticket in (by_deputy, by_ana):
        with pytest.raises(StillPending):
            await approvals.wait(ticket.id, timeout=0.05)


@pytest.mark.attack("A10")
@pytest.mark.parametrize("on_behalf_of", ["U0ANA", "U0KIM"])
async def test_neither_person_nor_deputy_decides_their_own_request(
    slack: Sandbox, approvals: Approvals, bot: Service, on_behalf_of: str
) -> None:
    await away(slack, "U0ANA", "until friday @kim")
    await approvals.submit("deploy", {"service": "checkout"}, on_behalf_of=on_behalf_of)
    card = await the_card(slack, "checkout")
    assert (await slack.person(on_behalf_of).press("Approve", card)).ok
    await whispered(slack, on_behalf_of, "asks on your behalf")


@pytest.mark.attack("A10")
async def test_what_a_person_may_not_decide_themselves_they_can_not_lend(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await away(slack, "U0ANA", "until friday @max")
    await approvals.submit("deploy", {"service": "checkout"}, on_behalf_of="U0ANA")
    assert (await slack.person("U0MAX").press("Approve", await the_card(slack, "checkout"))).ok
    await whispered(slack, "U0MAX", "You can't decide")


async def test_a_status_counts_for_those_who_have_named_a_deputy(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    kim, ana = slack.person("U0KIM"), slack.person("U0ANA")
    ana.set_status("Vacationing", ":palm_tree:")
    await slack.settled()
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack, "c_42")
    assert (await kim.press("Approve", card)).ok
    await whispered(slack, "U0KIM", "You can't decide")
    await away(slack, "U0ANA", "@kim")
    ana.set_status("")
    await slack.settled()
    assert (await kim.press("Approve", card)).ok
    await logged(bot, ticket.id, "refused", times=2)
    ana.set_status("Out of office until May")
    await slack.settled()
    assert (await kim.press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "away until friday"),
        ("until friday", "away until friday"),
        ("until yesterday @kim", "away until friday"),
        ("until friday @ana", "can't stand in"),
        ("until friday @gus", "can't stand in"),
        ("until friday @bob", "can't stand in"),
    ],
)
async def test_who_or_what_can_not_be_is_said(slack: Sandbox, bot: Service, typed: str, words: str) -> None:
    assert (await slack.person("U0ANA").slash("/approvals", f"away {typed}")).ok
    await whispered(slack, "U0ANA", words)
    assert (await slack.person("U0ANA").slash("/approvals", "back")).ok
    await whispered(slack, "U0ANA", "Nobody was standing in")
