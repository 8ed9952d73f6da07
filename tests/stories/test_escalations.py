"""A run that is stuck asks people: they guide it, or take it over."""

import asyncio

import pytest

from approvals import Approvals, Expired, InvalidCall, TakenOver
from approvals.sync import Approvals as Blocking
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, the_dialog
from tests.stories.watching import formatted

STUCK = "The invoice has two customers, and I can't tell which to pay."
URL = "https://runs.example/42"


async def test_guidance_comes_back_to_the_run(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    async with asyncio.TaskGroup() as run:
        escalated = run.create_task(approvals.escalate(STUCK, "Invoice 881.", URL))
        card = await the_card(slack, "two customers")
        assert "Invoice 881." in card.shown
        assert URL in card.shown
        assert f"<{URL}" not in formatted(card), "an agent's words can't be a link"
        kim = slack.person("U0KIM")
        assert (await kim.press("Guidance…", card)).ok
        await the_dialog(slack, "U0KIM")
        assert (await kim.fill_and_submit({"words": "The first one: it is the payer."})).ok
    assert escalated.result() == "The first one: it is the payer."
    await redrawn(slack, card, "Kim Osei")


async def test_guidance_may_be_written_in_the_thread(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    async with asyncio.TaskGroup() as run:
        escalated = run.create_task(approvals.escalate(STUCK))
        card = await the_card(slack, "two customers")
        slack.person("U0LEE").say("Ask the first one", thread_ts=card.ts)
    assert escalated.result() == "Ask the first one"


async def test_a_person_takes_over_and_the_run_must_stop(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    async with asyncio.TaskGroup() as run:
        escalated = run.create_task(_taken_over(approvals))
        card = await the_card(slack, "two customers")
        assert (await slack.person("U0LEE").press("I take over", card)).ok
    assert "Lee Park has taken over" in escalated.result()


async def _taken_over(approvals: Approvals) -> str:
    with pytest.raises(TakenOver) as taken:
        await approvals.escalate(STUCK)
    return str(taken.value)


async def test_without_async_it_is_the_same(
    slack: Sandbox, bot: Service, redis_url: str, tenant: str
) -> None:
    def stuck() -> str:
        with Blocking.connect(redis_url, agent="billing", tenant=tenant) as approvals:
            return approvals.escalate(STUCK, timeout=10)

    async with asyncio.TaskGroup() as run:
        escalated = run.create_task(asyncio.to_thread(stuck))
        card = await the_card(slack, "two customers")
        slack.person("U0LEE").say("Ask the first one", thread_ts=card.ts)
    assert escalated.result() == "Ask the first one"


async def test_silence_is_neither(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    with pytest.raises(Expired):
        await approvals.escalate(STUCK, deadline=1)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "runs.example/42", "https://" + "x" * 3000])
async def test_what_is_no_address_is_refused(approvals: Approvals, url: str) -> None:
    with pytest.raises(InvalidCall, match="transcript_url"):
        await approvals.escalate(STUCK, transcript_url=url)
