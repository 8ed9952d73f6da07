"""Questions in full: several options, forms, people who ask back, and people who take over."""

from __future__ import annotations

import asyncio

import pytest

from approvals import Approvals, ChangesRequested, TakenOver
from bot.app import Service
from bot.sandbox.model import View
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, the_dialog

FORM: dict[str, object] = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "enum": ["eu", "us"]},
        "copies": {"type": "integer", "minimum": 1},
        "note": {"type": "string"},
    },
    "required": ["region", "copies"],
}


def values_of(dialog: View, block_id: str) -> list[str]:
    """What a field's options stand for."""
    [block] = [block for block in dialog.blocks if block["block_id"] == block_id]
    return [option["value"] for option in block["element"]["options"]]


async def test_several_options_are_chosen_with_checkboxes(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    options = [f"host {n}" for n in range(12)]
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(approvals.ask("Which hosts?", options, many=True))
        card = await the_card(slack, "Which hosts?")
        ana = slack.person("U0ANA")
        assert (await ana.press("Answer…", card)).ok
        await the_dialog(slack, "U0ANA")
        assert "Choose at least one." in (await ana.fill_and_submit({})).errors.values()
        dialog = await the_dialog(slack, "U0ANA")
        first, second = values_of(dialog, "choice:0"), values_of(dialog, "choice:1")
        assert (await ana.fill_and_submit({"choice:0": [first[1]], "choice:1": [second[1]]}, dialog)).ok
    assert asking.result() == ["host 1", "host 11"]


async def test_a_form_is_filled_in(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(approvals.ask("Where to?", schema=FORM))
        card = await the_card(slack, "Where to?")
        ana = slack.person("U0ANA")
        assert ana.say("eu, three of them", thread_ts=card.ts).ok  # which is no form, and answers nothing
        assert (await ana.press("Answer…", card)).ok
        dialog = await the_dialog(slack, "U0ANA")
        assert (await ana.fill_and_submit({"region": "0"}, dialog)).errors  # copies is needed
        assert (await ana.fill_and_submit({"region": "0", "copies": "3"}, dialog)).ok
    assert asking.result() == {"region": "eu", "copies": 3}


async def test_a_person_asks_back_and_the_agent_replies_on_the_card(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(_asked_with_a_reply(approvals))
        card = await the_card(slack, "Which region?")
        ana = slack.person("U0ANA")
        assert (await ana.press("Ask back…", card)).ok
        await the_dialog(slack, "U0ANA")
        assert (await ana.fill_and_submit({"words": "How much does eu cost?"})).ok
        card = await redrawn(slack, card, "billing: The same as us.")
        assert "Ana Duarte: How much does eu cost?" in card.shown
        assert (await ana.press("eu", card)).ok
    assert asking.result() == "eu"


async def _asked_with_a_reply(approvals: Approvals) -> str:
    try:
        return await approvals.ask("Which region?", ["eu", "us"])
    except ChangesRequested as back:
        assert back.feedback == "How much does eu cost?"
        assert back.outcome is not None
        await approvals.reply(back.outcome.id, "The same as us.")
        return await approvals.answer(back.outcome.id)


async def test_a_person_may_take_over_instead_of_answering(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(_taken_over(approvals))
        card = await the_card(slack, "Which region?")
        assert (await slack.person("U0ANA").press("I take over", card)).ok
    assert "Ana Duarte has taken over" in asking.result()


async def _taken_over(approvals: Approvals) -> str:
    with pytest.raises(TakenOver) as taken:
        await approvals.ask("Which region?", ["eu", "us"])
    return str(taken.value)
