"""What an agent asks for together is one card with a decision for each row, and each runs on its own."""

from __future__ import annotations

import asyncio

import pytest

from approvals import Approvals
from approvals.model import Status
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, the_dialog, until

POLICY = """
version = 1

[defaults]
channel = "#approvals"

[[rule]]
name = "small"
tools = ["refund"]
when = "args.amount < 50"
action = "allow"
"""


@pytest.fixture
def policy() -> str:
    return POLICY


async def test_a_batch_is_one_card_with_a_decision_for_each_row(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    paid = []

    @approvals.required
    async def refund(customer: str, amount: float) -> str:
        paid.append(customer)
        return f"{amount:.0f} to {customer}"

    async with approvals.batch(reason="month end") as batch:
        for customer, amount in [("c_1", 35), ("c_2", 940), ("c_3", 120), ("c_4", 200)]:
            await refund(customer, amount)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(batch.wait_for_approvals())
        card = await the_card(slack, "billing asks for 3 things together")
        assert len(slack.messages()) == 1
        tickets = dict(zip(("c_1", "c_2", "c_3", "c_4"), batch.tickets, strict=True))
        await press(slack, card, f"Approve {tickets['c_2'].id[:6]}")
        card = await redrawn(slack, card, "2 of 3 left")
        await press(slack, card, f"Reject {tickets['c_3'].id[:6]}")
        await the_dialog(slack, "U0ANA")
        assert (await slack.person("U0ANA").fill_and_submit({"words": "paid before"})).ok
        card = await redrawn(slack, card, "1 of 3 left")
        await press(slack, card, f"Approve {tickets['c_4'].id[:6]}")
        await redrawn(slack, card, "All 3 are decided")
    assert waiting.result() == {1: "35 to c_1", 2: "940 to c_2", 3: "REJECTED: paid before", 4: "200 to c_4"}
    assert sorted(paid) == ["c_1", "c_2", "c_4"]
    await until(lambda: _is_executed(bot, batch.tickets[1].id))


async def press(slack: Sandbox, card: Message, described: str) -> None:
    """Press, as Ana, the button of a row that is described like this to those who hear it."""
    for block in card.blocks or []:
        for element in block.get("elements", []):
            if str(element.get("accessibility_label")).startswith(described):
                ana = slack.person("U0ANA")
                assert (await ana.click(card, element["action_id"], block_id=block["block_id"])).ok
                return
    raise AssertionError(f"nothing is described as {described}")


async def _is_executed(bot: Service, request_id: str) -> bool:
    request, _ = await bot.store.get(await bot.store.find(request_id))
    return request.status is Status.EXECUTED


async def test_batches_of_two_agents_are_two_cards(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str, tenant: str
) -> None:
    async with Approvals.connect(redis_url, agent="shipping", tenant=tenant) as other:
        async with approvals.batch() as ours, other.batch() as theirs:
            for n in (1, 2):
                ours.submit("refund", {"n": n})
                theirs.submit("ship", {"n": n})
        await the_card(slack, "billing asks for 2 things together")
        await the_card(slack, "shipping asks for 2 things together")


async def test_a_batch_of_one_is_a_card_like_any_other(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    async with approvals.batch() as batch:
        batch.submit("refund", {"customer": "c_2", "amount": 940})
    card = await the_card(slack, "c_2")
    assert "Edit" in card.shown
