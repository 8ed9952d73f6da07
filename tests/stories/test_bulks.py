"""One click on many rows: exactly those that were shown, each decided once, what is left out is named."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from approvals import Approvals
from approvals.audit import Entry
from approvals.digest import DigestId
from approvals.messages import Ticket
from approvals.model import Args
from approvals.redis_door import open_redis
from approvals.store import Store
from blocks import ids
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.longer import one_of
from tests.running import a_policy, environment, redrawn, the_dialog, until
from tests.stories.digests import a_digest, a_policy_of, a_refund, decisions, the_button, whispered
from tests.stories.processes import a_bot_process, killed, let_leases_end
from tests.stories.test_restarts import DYING

Json: TypeAlias = dict[str, Any]


@pytest.fixture
def policy() -> str:
    return a_policy_of(when=6)


SIX = [a_refund(n, amount=10 + n) for n in range(5)] + [a_refund(5, amount=700)]


def digest_of(message: Message) -> DigestId:
    """Which digest a message's buttons are of."""
    values = [
        element.get("value", "") for block in message.blocks or [] for element in block.get("elements", [])
    ]
    packed = next(value for value in values if "|D-" in str(value))
    return ids.unpack_shown(packed).digest_id


async def approve_shown(slack: Sandbox, person: str, digest: Message) -> None:
    assert (await slack.person(person).press(the_button(digest, "Approve the"), digest)).ok


async def test_all_shown_is_approved_but_for_what_must_be_opened(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    await approve_shown(slack, "U0ANA", digest)
    said = await whispered(slack, "U0ANA", "Approved 5 of 6")
    high = (await bot.store.get(tickets[5].id))[0]
    assert f"{high.short}: to be opened first" in said.shown
    assert high.is_pending
    logged = await decisions(bot, tickets[:5])
    bulks = {str((entry.detail or {}).get("bulk")) for (entry,) in logged.values()}
    assert len(bulks) == 1
    assert bulks.pop().startswith("B-")
    for ticket in tickets[:5]:
        assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0ANA"
    assert "1 of 6 left" in (await redrawn(slack, digest, "1 of 6")).shown


async def approve_row(slack: Sandbox, person: str, digest: Message, short: str) -> None:
    """Press Approve in a row, as it stood in that message."""
    for block in digest.blocks or []:
        for element in block.get("elements", []):
            if str(element.get("accessibility_label")).startswith(f"Approve {short}"):
                clicker = slack.person(person)
                assert (await clicker.click(digest, element["action_id"], block_id=block["block_id"])).ok
                return
    raise AssertionError(f"no row of {short}")


async def test_a_row_decided_by_its_own_button_turns_and_says_nothing_more(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    short = (await bot.store.get(tickets[0].id))[0].short
    await approve_row(slack, "U0ANA", digest, short)
    await redrawn(slack, digest, "Ana Duarte approved")
    assert slack.person("U0ANA").ephemerals() == []
    await approve_row(slack, "U0KIM", digest, short)
    await whispered(slack, "U0KIM", "Ana Duarte approved")


async def test_a_row_that_changed_since_it_was_seen_is_not_approved_by_its_button(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    short = (await bot.store.get(tickets[0].id))[0].short
    await approvals.revise(tickets[0].id, a_refund(0, amount=400))
    await redrawn(slack, digest, "400")
    await approve_row(slack, "U0ANA", digest, short)
    await whispered(slack, "U0ANA", "nothing was decided")
    assert (await bot.store.get(tickets[0].id))[0].is_pending


async def test_it_asks_first_and_says_how_many_how_much_and_the_largest(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    _, digest = await a_digest(slack, approvals, SIX)
    buttons = [element for block in digest.blocks or [] for element in block.get("elements", [])]
    (asked,) = [button["confirm"] for button in buttons if button.get("action_id") == ids.BULK_APPROVE]
    words = f"{asked['title']['text']} {asked['text']['text']}"
    assert all(told in words for told in ("5", "$60", "$14"))


@pytest.mark.attack("A32")
async def test_rows_that_changed_or_were_decided_since_it_was_seen_are_left_out(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    await approvals.revise(tickets[0].id, a_refund(0, amount=400))
    await redrawn(slack, digest, "400")
    assert (await slack.person("U0KIM").slash("/approve", tickets[1].id)).ok
    await approve_shown(slack, "U0ANA", digest)
    said = (await whispered(slack, "U0ANA", "Approved 3 of 6")).shown
    changed, decided = [(await bot.store.get(ticket.id))[0] for ticket in tickets[:2]]
    assert f"{changed.short}: changed since you saw it" in said
    assert f"{decided.short}: decided already" in said
    assert changed.is_pending
    assert set(await deciders(bot, tickets[1:5])) == {"slack:U0ANA", "slack:U0KIM"}


async def deciders(bot: Service, tickets: list[Ticket]) -> list[str]:
    return [entry.actor for (entry,) in (await decisions(bot, tickets)).values()]


async def test_what_the_policy_gives_to_others_is_refused_row_by_row(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    calls = [a_refund(n) for n in range(4)] + [a_refund(4, currency="GBP"), a_refund(5, currency="CHF")]
    tickets, digest = await a_digest(slack, approvals, calls)
    await approve_shown(slack, "U0ANA", digest)
    said = (await whispered(slack, "U0ANA", "Approved 5 of 6")).shown
    kims, voted = [(await bot.store.get(ticket.id))[0] for ticket in tickets[4:]]
    assert f"Left out: You can't decide {kims.short}: it is for <@U0KIM>." in said
    assert kims.is_pending and not kims.votes
    assert [vote.person for vote in voted.votes] == ["U0ANA"]
    ((entry,),) = [(await decisions(bot, tickets[5:]))[tickets[5].id]]
    assert (entry.event, str((entry.detail or {})["bulk"])[:2]) == ("voted", "B-")


async def test_eight_who_click_at_once_decide_each_row_once(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    people = ["U0ANA", "U0KIM", "U0MAX", "U0LEE"]
    async with asyncio.TaskGroup() as clicking:
        for person in people * 2:
            clicking.create_task(approve_shown(slack, person, digest))
    for ticket in tickets[:5]:
        assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    assert len(await deciders(bot, tickets[:5])) == 5
    for person in people:
        await whispered(slack, person, "of 6")
    assert (await bot.store.get(tickets[5].id))[0].is_pending


async def test_a_click_that_slack_delivers_twice_is_one(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    await approve_shown(slack, "U0ANA", digest)
    first = await whispered(slack, "U0ANA", "Approved 5 of 6")
    await approve_shown(slack, "U0ANA", digest)
    said = await slack.until(lambda: (told := slack.person("U0ANA").ephemerals())[1:] and told)
    assert said is not None
    assert [message.shown for message in said] == [first.shown] * 2
    assert len(await deciders(bot, tickets[:5])) == 5


async def test_rejecting_all_takes_a_reason_which_each_agent_gets(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    kim = slack.person("U0KIM")
    assert (await kim.press(the_button(digest, "Reject the"), digest)).ok
    asked = await the_dialog(slack, "U0KIM")
    assert "Reject 5" in asked.shown
    assert (await kim.fill_and_submit({"words": "Refunds are closed."})).ok
    for ticket in tickets[:5]:
        outcome = await approvals.wait(ticket.id, timeout=20)
        assert (outcome.status, outcome.text) == ("rejected", "Refunds are closed.")
    assert kim.view is None
    await whispered(slack, "U0KIM", "Rejected all 5")


async def test_an_edit_that_comes_after_the_bulk_is_told_so(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    kim = slack.person("U0KIM")
    assert (await kim.press("Review one by one", digest)).ok
    await the_dialog(slack, "U0KIM")
    assert (await kim.press("Skip")).ok  # what is of high risk comes first
    assert (await kim.press("Edit…")).ok
    await slack.until(lambda: len(kim.views) == 2)
    await approve_shown(slack, "U0ANA", digest)
    for ticket in tickets[:5]:
        assert (await approvals.wait(ticket.id, timeout=20)).args in SIX
    assert (await kim.fill_and_submit({"amount": "9"})).ok
    assert "Ana Duarte approved" in (await the_dialog(slack, "U0KIM")).shown
    assert await deciders(bot, tickets[:5]) == ["slack:U0ANA"] * 5


async def test_a_bulk_that_comes_after_an_edit_leaves_that_row_out(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    kim = slack.person("U0KIM")
    assert (await kim.press("Review one by one", digest)).ok
    await the_dialog(slack, "U0KIM")
    assert (await kim.press("Skip")).ok  # what is of high risk comes first
    assert (await kim.press("Edit…")).ok
    await slack.until(lambda: len(kim.views) == 2)
    assert (await kim.fill_and_submit({"amount": "9"})).ok
    await approve_shown(slack, "U0ANA", digest)
    said = await whispered(slack, "U0ANA", "Approved 4 of 6")
    assert "decided already" in said.shown
    assert sorted(await deciders(bot, tickets[:5])) == ["slack:U0ANA"] * 4 + ["slack:U0KIM"]


FORGED = ("another digest", "rows that it has not", "a version to come", "from outside the channel")


@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_click_decides_nothing_and_is_in_the_log(
    slack: Sandbox, approvals: Approvals, bot: Service, forged: str
) -> None:
    tickets, digest = await a_digest(slack, approvals, SIX)
    own = digest_of(digest)
    value = {
        "another digest": ids.pack_shown(DigestId("D-" + "0" * 26), 1, range(5)),
        "rows that it has not": ids.pack_shown(own, 1, [0, 399]),
        "a version to come": ids.pack_shown(own, 99, range(5)),
    }.get(forged, ids.pack_shown(own, 1, range(5)))
    if forged == "from outside the channel":
        slack.workspace.leave("C0APPROVALS", "U0ANA")
        await slack.settled()
    await until(lambda: is_settled(bot))
    last = await bot.store.last_seq()
    assert (await slack.person("U0ANA").click(with_value(digest, value), ids.BULK_APPROVE)).ok
    (entry,) = await bot.store.entries(last + 1)
    detail = entry.detail or {}
    assert (entry.event, entry.actor) == ("refused", "slack:U0ANA")
    assert (detail["attempted"], str(detail["typed"])[:2]) == ("approve all in a digest", "D-")
    assert all([(await bot.store.get(ticket.id))[0].is_pending for ticket in tickets])
    assert "nothing was decided" in str(detail["reason"]) or "no longer kept" in str(detail["reason"])


async def is_settled(bot: Service) -> bool:
    return await bot.cards.backlog() == 0


def with_value(message: Message, value: str) -> Message:
    """The same message with another value on its first button for many rows."""
    blocks = [
        {**block, "elements": [_forged(element, value) for element in block["elements"]]}
        if block["type"] == "actions"
        else block
        for block in message.blocks or []
    ]
    return replace(message, blocks=blocks)


def _forged(element: Json, value: str) -> Json:
    return {**element, "value": value} if element["action_id"] == ids.BULK_APPROVE else element


@pytest.mark.parametrize(
    "boundary",
    one_of(
        [
            ("after", "approvals.bulks:Bulks.make"),
            ("after", "approvals.store:Store.change"),
            ("before", "approvals.bulks:Bulks.settle"),
            ("before", "approvals.bulks:Bulks.finish"),
        ]
    ),
)
async def test_what_a_killed_worker_leaves_goes_on_elsewhere_and_nothing_twice(
    slack: Sandbox,
    approvals: Approvals,
    redis_url: str,
    tenant: str,
    tmp_path: Path,
    policy: str,
    boundary: tuple[str, str],
) -> None:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, policy))
    tickets, digest = await broken_off(slack, approvals, env, boundary, SIX)
    await let_leases_end(redis_url, tenant)
    async with a_bot_process(slack, env):
        for ticket in tickets[:5]:
            assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0ANA"
        await redrawn(slack, digest, "1 of 6")
        await whispered(slack, "U0ANA", "Approved 5 of 6")
    logged = await everything_logged(redis_url, tenant)
    approved = [entry for entry in logged if entry.event == "approved"]
    assert len(approved) == 5
    assert len({str((entry.detail or {})["bulk"]) for entry in approved}) == 1
    assert [entry for entry in logged if entry.event == "refused"] == []


@pytest.mark.long
async def test_votes_that_a_killed_worker_has_cast_are_not_cast_again(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, tmp_path: Path, policy: str
) -> None:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, policy))
    calls = [a_refund(n, currency="CHF") for n in range(6)]
    tickets, _ = await broken_off(slack, approvals, env, ("before", "approvals.bulks:Bulks.settle"), calls)
    await let_leases_end(redis_url, tenant)
    async with a_bot_process(slack, env):
        await whispered(slack, "U0ANA", "Approved all 6")
    logged = await everything_logged(redis_url, tenant)
    assert sorted(entry.request for entry in logged if entry.event == "voted") == sorted(
        ticket.id for ticket in tickets
    )
    assert [entry for entry in logged if entry.event == "refused"] == []


async def broken_off(
    slack: Sandbox,
    approvals: Approvals,
    env: dict[str, str],
    boundary: tuple[str, str],
    calls: Sequence[Args],
) -> tuple[list[Ticket], Message]:
    """A digest of `calls` whose bulk killed its worker at `boundary`."""
    async with a_bot_process(slack, env, "-m", DYING, *boundary) as dying:
        tickets, digest = await a_digest(slack, approvals, calls)
        async with asyncio.TaskGroup() as people:
            people.create_task(slack.person("U0ANA").press(the_button(digest, "Approve the"), digest))
            people.create_task(killed(dying))
    return tickets, digest


async def everything_logged(redis_url: str, tenant: str) -> list[Entry]:
    async with open_redis(redis_url) as redis:
        return [entry async for entry in Store(redis, tenant).log()]
