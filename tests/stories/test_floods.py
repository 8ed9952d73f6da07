"""More than a handful at once for one channel are a digest, instead of being posted one a second."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from approvals import Approvals
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import a_connected_bot, a_policy, environment, until

POLICY = """
version = 1

[defaults]
channel = "#approvals"
burst = 3

[[rule]]
name = "pages"
tools = ["page"]
burst = 0
"""


@pytest.fixture
def policy() -> str:
    return POLICY


async def flooded(approvals: Approvals, tool: str, count: int) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(count):
            group.create_task(approvals.submit(tool, {"issue": f"i_{n}"}))


async def settled(bot: Service, count: int) -> None:
    async def is_all_shown() -> bool:
        return await bot.store.count_pending() == count and await bot.cards.backlog() == 0

    await until(is_all_shown)


def telling(slack: Sandbox, issue: str) -> list[Message]:
    return [m for m in slack.messages() if issue in m.shown.split() or f"{issue}”" in m.shown]


async def test_a_flood_becomes_one_message_after_the_first_few(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await flooded(approvals, "label", 12)
    digest = await slack.until(lambda: next((m for m in slack.messages() if "wait" in m.text), None))
    assert digest is not None
    await settled(bot, 12)
    assert len(slack.messages()) == 3 + 1
    assert "9 label requests wait" in digest.shown


async def test_a_rule_may_say_never(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    await flooded(approvals, "page", 8)
    await slack.until(lambda: len(slack.messages()) == 8)


async def test_few_at_a_time_have_cards_of_their_own(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await flooded(approvals, "label", 3)
    await slack.until(lambda: len(slack.messages()) == 3)
    assert not [m for m in slack.messages() if "wait" in m.text]


async def test_while_slack_takes_one_message_a_second_a_flood_is_reached_in_a_few(
    redis_url: str, tenant: str, tmp_path: Path
) -> None:
    async with Sandbox() as slack:  # it answers 429 as Slack does
        env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
        async with (
            a_connected_bot(slack, env) as bot,
            Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals,
        ):
            await flooded(approvals, "label", 150)
            digest = await slack.until(
                lambda: next((m for m in slack.messages() if "wait" in m.text), None), 20
            )
            assert digest is not None
            await settled(bot, 150)
            shown = [await bot.digests.shown_by(m.channel, m.ts) for m in slack.messages()]
            digests = [await bot.digests.get(id) for id in shown if id is not None]
            in_digests = sum(len(each.rows) for each in digests)
            assert in_digests == 150 - 3
            assert slack.calls["chat.postMessage"].count <= 10
