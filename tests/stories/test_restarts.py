"""Killed at any boundary and started again: nothing is lost, and nothing happens twice."""

import asyncio
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from approvals import Approvals
from approvals.model import RequestId
from approvals.store import Store
from bot.redis_server import RedisServer
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.longer import one_of
from tests.running import a_connected_bot, a_policy, environment, redrawn, the_card, until
from tests.stories.processes import a_bot_process, a_process, ended, killed, let_leases_end
from tests.stories.watching import REFUND

DYING = "tests.stories.dying_bot"

BEFORE_THE_CARD = {
    "taken but not created": ("before", "approvals.store:Store.create"),
    "created but not claimed for drawing": ("after", "approvals.store:Store.create"),
    "created but not posted": ("after", "approvals.cards:Cards.intend"),
    "posted but not recorded": ("before", "approvals.cards:Cards.record"),
    "posted and recorded but not ticked off": ("after", "approvals.cards:Cards.record"),
}
AFTER_THE_CARD = {
    "clicked but not decided": ("before", "approvals.store:Store.change"),
    "decided but not acknowledged": ("after", "approvals.store:Store.change"),
    "decided but not drawn": ("before", "bot.drawing.sending:Sending._update"),
    "drawn but not recorded": ("after", "bot.drawing.sending:Sending._update"),
}


@pytest.mark.long
@pytest.mark.parametrize("boundary", BEFORE_THE_CARD)
async def test_a_bot_killed_before_people_see_the_card_shows_it_once_when_it_is_back(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, boundary: str
) -> None:
    env = environment(slack, redis_url, tenant)
    async with a_bot_process(slack, env, "-m", DYING, *BEFORE_THE_CARD[boundary]) as dying:
        ticket = await approvals.submit("refund", REFUND)
        await killed(dying)
    await let_leases_end(redis_url, tenant)
    async with a_bot_process(slack, env):
        await the_card(slack)
        await _is_drawn(redis_url, tenant)
        (card,) = slack.messages()
        assert (await slack.person("U0ANA").press("Approve", card)).ok
        assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0ANA"
        assert (await approvals.claim(ticket.id)).args == REFUND
        await _told_as_decided(slack, card)
    assert await _decisions(redis_url, tenant, ticket.id) == ["approved"]


@pytest.mark.parametrize("boundary", one_of(AFTER_THE_CARD))
async def test_a_bot_killed_at_a_click_decides_once_and_the_card_tells_it(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, boundary: str
) -> None:
    env = environment(slack, redis_url, tenant)
    ana = slack.person("U0ANA")
    async with a_bot_process(slack, env, "-m", DYING, *AFTER_THE_CARD[boundary]) as dying:
        ticket = await approvals.submit("refund", REFUND)
        card = await the_card(slack)
        async with asyncio.TaskGroup() as people:
            people.create_task(ana.press("Approve", card))
            people.create_task(killed(dying))
    await let_leases_end(redis_url, tenant)
    async with a_bot_process(slack, env):
        assert (await ana.press("Approve", card)).ok  # who saw it fail clicks again
        assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0ANA"
        await _told_as_decided(slack, card)
        await _is_drawn(redis_url, tenant)
        assert ana.ephemerals() == []
    assert len(slack.messages()) == 1
    assert await _decisions(redis_url, tenant, ticket.id) == ["approved"]


@pytest.mark.long
async def test_asked_to_stop_the_bot_leaves_without_a_word_and_its_work_is_finished_later(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    one_by_one = a_policy(tmp_path, "version = 1\n\n[defaults]\nburst = 0\n")
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=one_by_one)
    async with a_bot_process(slack, env) as stopped:
        tickets = [await approvals.submit("refund", REFUND | {"amount": number}) for number in range(20)]
        await the_card(slack)
        stopped.send_signal(signal.SIGTERM)
        code, said = await ended(stopped)
    assert code == 0, said
    assert "Traceback" not in said
    await let_leases_end(redis_url, tenant)
    async with a_bot_process(slack, env):
        await slack.until(lambda: len(slack.messages()) >= 20)
        await _is_drawn(redis_url, tenant)
    shown = sorted(_ids_in(slack.messages()))
    assert shown == sorted(ticket.id for ticket in tickets)


async def test_an_agent_killed_while_it_waits_finds_its_outcome_by_key(
    slack: Sandbox, redis_url: str, tenant: str
) -> None:
    agent = {"REDIS_URL": redis_url, "APPROVALS_AGENT": "billing", "APPROVALS_TENANT": tenant}
    async with a_connected_bot(slack, environment(slack, redis_url, tenant)) as bot:
        async with a_process(agent, "-m", "tests.stories.asking_agent", "inv-881") as waiting:
            card = await the_card(slack)
            waiting.kill()
            await ended(waiting)
        assert (await slack.person("U0ANA").press("Approve", card)).ok
        async with a_process(agent, "-m", "tests.stories.asking_agent", "inv-881") as again:
            async with asyncio.timeout(20):
                out, said = await again.communicate()
        assert out.decode().startswith("approved by slack:U0ANA"), said.decode()
        assert len(slack.messages()) == 1
        assert await bot.store.count_pending() == 0


@pytest.mark.attack("D63")
async def test_a_redis_killed_under_a_pending_request_keeps_it_and_its_buttons(
    slack: Sandbox, tenant: str, tmp_path: Path
) -> None:
    async with (
        RedisServer(tmp_path / "redis", appendfsync="always") as server,
        a_connected_bot(slack, environment(slack, server.url, tenant)),
        Approvals.connect(server.url, agent="billing", tenant=tenant) as approvals,
        asyncio.TaskGroup() as agent,
    ):
        asking = agent.create_task(approvals.request("refund", REFUND))
        card = await the_card(slack)
        await _is_drawn(server.url, tenant)
        await server.kill()
        await server.restart()
        assert (await slack.person("U0ANA").press("Approve", card)).ok
        outcome = await asking
        assert (outcome.status, outcome.args) == ("approved", REFUND)
        await redrawn(slack, card, "Ana Duarte")


async def _told_as_decided(slack: Sandbox, card: Message) -> None:
    told = await redrawn(slack, card, "Ana Duarte")
    assert "Reject…" not in told.shown


async def _is_drawn(redis_url: str, tenant: str) -> None:
    """Wait until nothing is to be drawn any more."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:

        async def nothing_left() -> bool:
            return not await redis.exists(f"cs:{{{tenant}}}:draw")

        await until(nothing_left, timeout_s=15)


async def _decisions(redis_url: str, tenant: str, request_id: RequestId) -> list[str]:
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        told = [entry.event for entry in await Store(redis, tenant).chain(request_id)]
    return [event for event in told if event not in ("submitted", "asked", "claimed")]


def _ids_in(messages: list[Message]) -> list[str]:
    return [str(message.metadata["event_payload"]["id"]) for message in messages if message.metadata]
