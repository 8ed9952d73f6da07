"""More than a handful at once for one channel are a digest, instead of being posted one a second."""

from __future__ import annotations

import asyncio

import pytest

from approvals import Approvals
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import until

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
