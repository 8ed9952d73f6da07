"""Slack on a bad day: too many calls, no answers, deliveries twice or never, cards and channels that go."""

import asyncio
from pathlib import Path

import pytest

from approvals import Approvals, Undeliverable
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.lossy_line import LossyLine
from tests.running import a_connected_bot, a_policy, environment, redrawn, the_card, until
from tests.stories.processes import let_leases_end
from tests.stories.watching import REFUND, events, whispered


@pytest.mark.attack("A24")
@pytest.mark.parametrize("fault", ["429", "500", "503"])
async def test_a_card_is_posted_once_slack_takes_it(
    slack: Sandbox, approvals: Approvals, bot: Service, fault: str
) -> None:
    slack.faults.next_calls("chat.postMessage", fault, times=1, retry_after=1)  # type: ignore[arg-type]
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await _is_drawn(bot)
    assert slack.messages() == [card]
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"


@pytest.mark.parametrize("fault", ["429", "500"])
async def test_a_decision_is_drawn_once_slack_takes_it_and_reaches_the_agent_before(
    slack: Sandbox, approvals: Approvals, bot: Service, fault: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    slack.faults.next_calls("chat.update", fault, times=1, retry_after=1)  # type: ignore[arg-type]
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    await redrawn(slack, card, "Ana Duarte")
    assert slack.messages()[0].ts == card.ts


@pytest.mark.attack("A24")
async def test_slack_is_left_alone_for_as_long_as_it_asks(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    slack.faults.next_calls("chat.postMessage", "429", times=1, retry_after=1)
    for number in range(3):
        await approvals.submit("refund", REFUND | {"amount": number})
    await slack.until(lambda: len(slack.messages()) == 3)
    await _is_drawn(bot)
    assert slack.calls["chat.postMessage"].failed <= 3  # one each, and none again before its time
    assert len(slack.messages()) == 3


@pytest.mark.attack("A25")
async def test_a_card_whose_reply_was_lost_is_found_again_and_not_posted_twice(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    slack.faults.next_calls("chat.postMessage", "drop")
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await _is_drawn(bot)
    assert len(slack.messages()) == 1
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    await redrawn(slack, card, "Ana Duarte")


@pytest.mark.attack("A26")
async def test_a_card_that_an_admin_deleted_comes_back_while_its_request_waits(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await _is_drawn(bot)
    slack.person("U0ANA").delete(card)
    again = await slack.until(lambda: _another_card(slack, card))
    assert again is not None
    assert (await slack.person("U0ANA").press("Approve", again)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    await redrawn(slack, again, "Ana Duarte")


async def test_a_card_with_a_thread_comes_back_too(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await _is_drawn(bot)
    slack.person("U0LEE").say("Hm.", thread_ts=card.ts)
    slack.person("U0ANA").delete(card)
    assert await slack.until(lambda: _another_card(slack, card))


async def test_a_card_deleted_after_the_decision_stays_away(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await slack.person("U0ANA").press("Approve", card)
    await approvals.wait(ticket.id, timeout=20)
    await redrawn(slack, card, "Ana Duarte")
    await _is_drawn(bot)
    slack.person("U0ANA").delete(card)
    await slack.settled()
    await _is_drawn(bot)
    assert _another_card(slack, card) is None


@pytest.mark.attack("A26")
async def test_a_channel_archived_while_a_request_waits_is_an_error_to_the_agent(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    policy = a_policy(tmp_path, 'version = 1\n[owners]\noperators_channel = "#approvals-ops"\n')
    async with (
        a_connected_bot(slack, environment(slack, redis_url, tenant, APPROVALS_POLICY=policy)) as bot,
        asyncio.TaskGroup() as agent,
    ):
        asking = agent.create_task(_undeliverable(approvals))
        await the_card(slack)
        await _is_drawn(bot)
        slack.workspace.archive("C0APPROVALS")
        assert "is_archived" in await asking
        await slack.until(lambda: slack.messages("C0OPS"))


async def _undeliverable(approvals: Approvals) -> str:
    with pytest.raises(Undeliverable) as undeliverable:
        await approvals.request("refund", REFUND, timeout=20)
    return undeliverable.value.feedback or ""


async def test_a_socket_that_slack_wants_renewed_is_renewed(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await slack.disconnect("refresh_requested")
    await slack.until(lambda: slack.connections, timeout_s=15)
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"


async def test_a_socket_that_broke_without_a_word_is_made_anew(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    slack.faults.next_calls("apps.connections.open", "500")
    slack.abort_connections()
    await slack.until(lambda: slack.connections, timeout_s=30)
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"


async def test_a_click_that_slack_brings_late_counts_once_and_a_lost_one_not_at_all(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    late = slack.faults.next_envelope("late")
    async with asyncio.TaskGroup() as people:
        people.create_task(slack.person("U0KIM").press("Approve", card))
        await asyncio.sleep(0)
        assert (await slack.person("U0ANA").press("Approve", card)).ok
        late.release()
    await whispered(slack, "U0KIM", "Ana Duarte approved")
    assert (await events(bot, ticket.id))[:3] == ["submitted", "asked", "approved"]


async def test_a_dialog_that_can_not_be_opened_is_no_decision(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    slack.faults.next_calls("views.open", "error", code="expired_trigger_id")
    ana = slack.person("U0ANA")
    assert (await ana.press("Reject…", card)).ok
    await whispered(slack, "U0ANA", "could not be opened")
    assert ana.view is None
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    assert (await ana.press("Reject…", card)).ok
    assert (await ana.fill_and_submit({"words": "No."})).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "rejected"


async def test_with_slack_and_redis_away_at_once_the_service_lives_on(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    async with (
        LossyLine(redis_url) as line,
        a_connected_bot(slack, environment(slack, line.url, tenant)) as bot,
    ):
        slack.faults.next_calls("chat.postMessage", "500")
        line.lose_reply_to(b"\r\nXX\r\n")  # of the wish to try that again later
        ticket = await approvals.submit("refund", REFUND)
        await slack.until(lambda: slack.calls["chat.postMessage"].failed)
        await until(lambda: _has_lost(line))
        await let_leases_end(redis_url, tenant)
        card = await the_card(slack)
        assert (await slack.person("U0ANA").press("Approve", card)).ok
        assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
        await _is_drawn(bot)


async def _has_lost(line: LossyLine) -> bool:
    return line.has_lost


def _another_card(slack: Sandbox, card: Message) -> Message | None:
    return next((each for each in slack.messages() if each.blocks and each.ts != card.ts), None)


async def _is_drawn(bot: Service) -> None:
    """Wait until nothing is to be drawn any more."""

    async def nothing_left() -> bool:
        return await bot.cards.backlog() == 0

    await until(nothing_left, timeout_s=15)
