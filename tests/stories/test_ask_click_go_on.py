"""The main job: an agent asks, a person decides in Slack, the agent goes on."""

import asyncio

import pytest

from approvals import Approvals, ChangesRequested, NotClaimed, Rejected, StillPending
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, the_dialog, until

pytestmark = pytest.mark.usefixtures("bot")


async def test_a_click_lets_the_call_run_and_the_card_tells_the_receipt(
    slack: Sandbox, approvals: Approvals
) -> None:
    ran: list[tuple[str, float]] = []

    @approvals.required(reason="Charged twice.")
    async def refund(customer: str, amount: float) -> str:
        ran.append((customer, amount))
        return "re_81f"

    async with asyncio.TaskGroup() as agent:
        call = agent.create_task(refund("c_42", 940))
        card = await the_card(slack, "c_42")
        assert "Charged twice." in card.shown
        assert ran == []
        result = await slack.person("U0ANA").press("Approve", card)
        assert result.ok
    assert call.result() == "re_81f"
    assert ran == [("c_42", 940)]
    told = await redrawn(slack, card, "re_81f")
    assert "Ana Duarte" in told.shown
    assert "Approve" not in told.shown.split("\n")


async def test_feedback_of_a_rejection_reaches_the_agent(slack: Sandbox, approvals: Approvals) -> None:
    async with asyncio.TaskGroup() as agent:
        asking = agent.create_task(_refused(approvals))
        card = await the_card(slack)
        kim = slack.person("U0KIM")
        assert (await kim.press("Reject…", card)).ok
        await the_dialog(slack, "U0KIM")
        assert (await kim.fill_and_submit({"words": "Shipping is not refundable."})).ok
        assert kim.view is None
    assert asking.result() == "Shipping is not refundable."
    await redrawn(slack, card, "Shipping is not refundable.")


async def _refused(approvals: Approvals) -> str | None:
    with pytest.raises(Rejected) as rejected:
        await approvals.request("refund", {"customer": "c_42", "amount": 940})
    return rejected.value.feedback


async def test_an_edit_is_what_runs_and_the_card_shows_before_and_after(
    slack: Sandbox, approvals: Approvals
) -> None:
    ran: list[float] = []

    @approvals.required()
    async def refund(customer: str, amount: float) -> str:
        ran.append(amount)
        return "done"

    async with asyncio.TaskGroup() as agent:
        agent.create_task(refund("c_42", 940))
        card = await the_card(slack)
        ana = slack.person("U0ANA")
        assert (await ana.press("Edit…", card)).ok
        await the_dialog(slack, "U0ANA")
        wrong = await ana.fill_and_submit({"amount": "a lot"})
        assert not wrong.ok
        assert (await ana.fill_and_submit({"amount": "900"})).ok
    assert ran == [900]
    told = await redrawn(slack, card, "900")
    assert "940" in told.shown


async def test_a_sent_back_request_stays_open_until_it_is_revised(
    slack: Sandbox, approvals: Approvals
) -> None:
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940})
    card = await the_card(slack)
    ana = slack.person("U0ANA")
    assert (await ana.press("Request changes…", card)).ok
    assert (await ana.fill_and_submit({"words": "Without the shipping, please."})).ok
    with pytest.raises(ChangesRequested) as sent_back:
        await approvals.wait(ticket.id, timeout=20)
    assert sent_back.value.feedback == "Without the shipping, please."
    await redrawn(slack, card, "Without the shipping")
    await approvals.revise(ticket.id, {"customer": "c_42", "amount": 900})
    revised = await redrawn(slack, card, "900")
    assert (await ana.press("Approve", revised)).ok
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert outcome.args == {"customer": "c_42", "amount": 900}


async def test_a_person_answers_instead_of_the_tool(slack: Sandbox, approvals: Approvals) -> None:
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940})
    card = await the_card(slack)
    ana = slack.person("U0ANA")
    assert (await ana.press("Respond…", card)).ok
    assert (await ana.fill_and_submit({"words": "I have refunded it by hand."})).ok
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.text) == ("answered", "I have refunded it by hand.")


async def test_a_question_is_answered_by_a_button(slack: Sandbox, approvals: Approvals) -> None:
    async with asyncio.TaskGroup() as agent:
        asked = agent.create_task(approvals.ask("Which region?", options=["eu", "us"]))
        card = await the_card(slack, "Which region?")
        assert (await slack.person("U0LEE").press("us", card)).ok
    assert asked.result() == "us"
    await redrawn(slack, card, "Lee Park")


async def test_a_free_question_is_answered_in_its_thread(slack: Sandbox, approvals: Approvals) -> None:
    async with asyncio.TaskGroup() as agent:
        asked = agent.create_task(approvals.ask("Which name?"))
        card = await the_card(slack, "Which name?")
        slack.person("U0GUS").say("mallory", thread_ts=card.ts)
        slack.person("U0LEE").say("Call it orion & co", thread_ts=card.ts)
    assert asked.result() == "Call it orion & co"


async def test_a_written_message_decides_nothing_else(slack: Sandbox, approvals: Approvals) -> None:
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940})
    card = await the_card(slack)
    slack.person("U0ANA").say("approve", thread_ts=card.ts)
    slack.person("U0ANA").say(f"approve {ticket.id}", thread_ts=card.ts)
    await slack.settled()
    with pytest.raises(StillPending):
        await approvals.wait(ticket.id, timeout=0.1)


async def test_an_agent_takes_its_request_back(slack: Sandbox, approvals: Approvals) -> None:
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940})
    card = await the_card(slack)
    await approvals.cancel(ticket.id, reason="paid another way")
    assert (await approvals.wait(ticket.id, timeout=20)).status == "cancelled"
    await redrawn(slack, card, "paid another way")


@pytest.mark.attack("C59")
async def test_an_approval_is_used_once(slack: Sandbox, approvals: Approvals) -> None:
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940})
    await slack.person("U0ANA").press("Approve", await the_card(slack))
    await approvals.wait(ticket.id, timeout=20)
    permit = await approvals.claim(ticket.id)
    assert permit.args == {"customer": "c_42", "amount": 940}
    with pytest.raises(NotClaimed):
        await approvals.claim(ticket.id)


async def test_nobody_in_time_is_told_as_such(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940}, deadline=1)
    card = await the_card(slack)
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert outcome.status == "expired"
    await redrawn(slack, card, "nobody")
    late = await slack.person("U0ANA").press("Approve", card)
    assert late.ok
    told = await slack.until(lambda: slack.person("U0ANA").ephemerals("C0APPROVALS"))
    assert "expired" in told[-1].shown
    entries = await until(lambda: bot.store.chain(ticket.id))
    assert entries[-1].event == "refused"
