"""Many requests in one message: held, shown together, edited in place, and closed when nothing waits."""

from __future__ import annotations

import asyncio

import pytest

from approvals import Approvals
from approvals.model import Args
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import the_card, until

POLICY = """
version = 1

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


async def test_a_flood_becomes_a_digest_by_itself(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(30):
            group.create_task(approvals.submit("label", {"issue": n}))


async def is_drawn(bot: Service) -> bool:
    return await bot.cards.backlog() == 0 and await bot.store.count_pending() > 0
