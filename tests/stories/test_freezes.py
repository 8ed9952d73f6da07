"""Somebody pulls the brake: what waits, what comes and what was approved stops at once, and goes on after."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from approvals import Approvals, NotClaimed
from approvals.freezes import Freezes
from approvals.model import Actor, Freeze, Reach, Via
from approvals.redis_door import open_redis
from bot.app import Service
from bot.redis_server import RedisServer
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import a_connected_bot, a_policy, environment, redrawn, the_card, the_dialog
from tests.stories.watching import AFTER_KEY, REFUND, events, logged, whispered

POLICY = """
version = 1

[defaults]
channel = "#approvals"
pause_after = 3
burst = 0

[[rule]]
name = "deploys"
tools = ["deploy"]
extend = "1h"

[[rule]]
name = "reads"
tools = ["read_*"]
action = "allow"

[owners]
freeze = ["@sre-oncall"]
operators_channel = "#approvals-ops"
"""


@pytest.fixture
async def bot(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> AsyncIterator[Service]:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
    async with a_connected_bot(slack, env) as service:
        yield service


@pytest.mark.attack("H101")
async def test_a_freeze_stops_what_waits_what_comes_and_what_was_approved(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    approved = await approvals.submit("refund", REFUND)
    card = await the_card(slack, "c_42")
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(approved.id, timeout=20)).status == "approved"
    waiting = await approvals.submit("refund", {"customer": "c_17", "amount": 35})
    other = await the_card(slack, "c_17")
    lee = slack.person("U0LEE")
    assert (await lee.slash("/approvals", "freeze agent billing it refunds twice")).ok
    await whispered(slack, "U0LEE", "1 approval was not used yet")
    with pytest.raises(NotClaimed, match="Lee Park froze agent billing"):
        await approvals.claim(approved.id)
    assert "Lee Park" in (await redrawn(slack, card, "can't run it")).shown
    for button in ("Approve", "Reject…"):
        assert (await slack.person("U0ANA").press(button, other)).ok
        await whispered(slack, "U0ANA", "Lee Park froze agent billing")
    reading = await approvals.submit("read_mail", {"box": "inbox"})
    await the_card(slack, "inbox")
    assert await events(bot, waiting.id) == ["submitted", "asked", "refused", "refused"]
    await slack.until(lambda: [m for m in slack.messages("C0OPS") if "it refunds twice" in m.shown])

    assert (await lee.slash("/approvals", "freeze")).ok
    await whispered(slack, "U0LEE", "it refunds twice")
    assert (await lee.slash("/approvals", "thaw agent billing")).ok
    await whispered(slack, "U0LEE", "1 approval was given back")
    assert (await approvals.claim(approved.id)).args == REFUND
    assert (await slack.person("U0ANA").press("Approve", other)).ok
    assert (await approvals.wait(waiting.id, timeout=20)).status == "approved"
    assert await events(bot, reading.id) == ["submitted", "asked"]
    told = [(entry.event, entry.actor) for entry in await bot.store.entries(AFTER_KEY) if entry.request == ""]
    assert told == [("frozen", "slack:U0LEE"), ("thawed", "slack:U0LEE")]


async def test_what_waits_says_that_it_is_frozen_until_it_is_thawed(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await approvals.submit("refund", REFUND)
    await approvals.submit("deploy", {"service": "api"})
    card, deploy = await the_card(slack, "c_42"), await the_card(slack, "api")
    lee = slack.person("U0LEE")
    assert (await lee.slash("/approvals", "freeze tool refund it refunds twice")).ok
    await whispered(slack, "U0LEE", "1 request waits; deadlines go on, and the first is")
    stopped = await redrawn(slack, card, "nothing can be decided until it is thawed")
    assert "Lee Park froze tool refund" in stopped.shown and "it refunds twice" in stopped.shown
    await approvals.submit("refund", REFUND | {"customer": "c_17"})
    later = await redrawn(slack, await the_card(slack, "c_17"), "Frozen")
    assert (await lee.slash("/approvals", "thaw tool refund")).ok
    await slack.until(lambda: not [m for m in slack.messages() if "Frozen" in m.shown])
    assert "c_17" in later.shown
    assert _message(slack, deploy.ts).edited is None


def _message(slack: Sandbox, ts: str) -> Message:
    return next(message for message in slack.messages() if message.ts == ts)


async def test_what_is_frozen_can_be_given_more_time(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("deploy", {"service": "api"})
    card = await the_card(slack, "api")
    kim = slack.person("U0KIM")
    assert (await slack.person("U0LEE").slash("/approvals", "freeze all")).ok
    await redrawn(slack, card, "Frozen")
    assert (await kim.press("Details", card)).ok
    details = await the_dialog(slack, "U0KIM")
    assert "Lee Park froze everything" in details.shown
    assert (await kim.press("Extend…", details)).ok
    assert (await kim.press("Extend")).ok
    await logged(bot, ticket.id, "extended")


async def test_what_is_frozen_expires_at_its_deadline(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    lee = Actor(id="slack:U0LEE", name="Lee Park")
    await bot.store.freezes.freeze(Freeze(reach=Reach.ALL, by=lee, at=datetime.now(UTC)), Via.SLACK)
    ticket = await approvals.submit("refund", REFUND, deadline="2s")
    card = await the_card(slack, "c_42")
    assert (await approvals.wait(ticket.id, timeout=15)).status == "expired"
    await redrawn(slack, card, "nobody answered")


@pytest.mark.parametrize("typed", ["freeze all", "thaw all", "freeze tool *"])
async def test_nobody_else_can_pull_the_brake(
    slack: Sandbox, approvals: Approvals, bot: Service, typed: str
) -> None:
    for person in ("U0KIM", "U0GUS"):
        assert (await slack.person(person).slash("/approvals", typed)).ok
        await whispered(slack, person, "here: that is for")
    assert (await bot.store.freezes.now()).freezes == ()
    refused = [entry for entry in await bot.store.entries() if entry.event == "refused"]
    assert [entry.actor for entry in refused] == ["slack:U0KIM", "slack:U0GUS"]


@pytest.mark.attack("H101")
async def test_a_freeze_outlives_a_restart_and_what_a_crash_left_undone_is_done(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
    async with a_connected_bot(slack, env):
        ticket = await approvals.submit("refund", REFUND)
        assert (await slack.person("U0ANA").press("Approve", await the_card(slack, "c_42"))).ok
        await approvals.wait(ticket.id, timeout=20)
    # The worker that was told to freeze dies before it has taken anything away.
    lee = Actor(id="slack:U0LEE", name="Lee Park")
    freeze = Freeze(reach=Reach.ALL, by=lee, at=datetime.now(UTC))
    async with open_redis(redis_url) as redis:
        await Freezes(redis, tenant).freeze(freeze, Via.SLACK)
    async with a_connected_bot(slack, env) as bot:
        await logged(bot, ticket.id, "held")
        with pytest.raises(NotClaimed, match="Lee Park froze everything"):
            await approvals.claim(ticket.id)
        await bot.store.freezes.thaw(freeze, lee, Via.SLACK)
        await logged(bot, ticket.id, "released")
        await approvals.claim(ticket.id)


@pytest.mark.attack("H101")
async def test_a_freeze_stops_claims_at_once_and_outlives_a_killed_redis_and_a_new_bot(
    slack: Sandbox, tenant: str, tmp_path: Path
) -> None:
    async with (
        RedisServer(tmp_path / "redis", appendfsync="always") as server,
        Approvals.connect(server.url, agent="billing", tenant=tenant) as approvals,
    ):
        env = environment(slack, server.url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
        lee = slack.person("U0LEE")
        async with a_connected_bot(slack, env):
            ticket = await approvals.submit("refund", REFUND)
            assert (await slack.person("U0ANA").press("Approve", await the_card(slack, "c_42"))).ok
            await approvals.wait(ticket.id, timeout=20)
            assert (await lee.slash("/approvals", "freeze agent billing it refunds twice")).ok
            with pytest.raises(NotClaimed):
                await approvals.claim(ticket.id)
            await server.kill()
            await server.restart()
            with pytest.raises(NotClaimed, match="Lee Park froze agent billing"):
                await approvals.claim(ticket.id)
        await server.restart()
        async with a_connected_bot(slack, env):
            with pytest.raises(NotClaimed, match="Lee Park froze agent billing"):
                await approvals.claim(ticket.id)
            assert (await lee.slash("/approvals", "thaw agent billing")).ok
            await whispered(slack, "U0LEE", "1 approval was given back")
            assert (await approvals.claim(ticket.id)).args == REFUND


async def test_an_agent_that_is_rejected_too_often_in_a_row_is_paused(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    kim = slack.person("U0KIM")

    async def decided(number: int, command: str) -> None:
        ticket = await approvals.submit("refund", {"customer": f"c_{number}", "amount": 1}, risk="low")
        await the_card(slack, f"c_{number}")
        assert (await kim.slash(command, f"{ticket.id} because")).ok
        await approvals.wait(ticket.id, timeout=20)

    for number, command in enumerate(["/reject", "/reject", "/approve", "/reject", "/reject"]):
        await decided(number, command)
    assert (await bot.store.streaks()) == {"billing": 2}
    await decided(5, "/reject")
    told = await slack.until(lambda: [m for m in slack.messages("C0OPS") if "is paused" in m.shown])
    assert "3 rejections in a row" in told[0].shown
    waiting = await approvals.submit("refund", REFUND)
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack, "c_42"))).ok
    await whispered(slack, "U0ANA", "the policy froze agent billing")
    assert (await slack.person("U0LEE").slash("/approvals", "thaw agent billing")).ok
    await whispered(slack, "U0LEE", "Thawed")
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack, "c_42"))).ok
    assert (await approvals.wait(waiting.id, timeout=20)).status == "approved"
    assert len(slack.messages("C0OPS")) == 2
