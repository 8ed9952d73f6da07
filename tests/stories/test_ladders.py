"""When nobody answers: reminders, more people, another channel, more time; each ping once."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from approvals import Approvals
from approvals.calendars import Calendar
from approvals.model import PersonId, Principal, Remind, Request, Step, Vote
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.builders import a_request, terms
from tests.longer import one_of
from tests.running import a_connected_bot, environment, redrawn, the_card, the_dialog, until
from tests.stories.watching import REFUND, events, formatted, logged

ALL = tuple(Principal(person) for person in ("U0ANA", "U0KIM", "U0LEE"))
ADDING = """
version = 1
[[rule]]
name = "refunds"
tools = ["refund"]
approvers = ["U0KIM"]
ladder = [ { after = "1s", add = ["U0LEE"], remind = "thread", channel = "#general" } ]
"""
ASTRAY = """
version = 1
[owners]
operators_channel = "#approvals-ops"
[[rule]]
name = "refunds"
tools = ["refund"]
ladder = [
  { after = "1s", remind = "thread", channel = "#nowhere" },
  { after = "2s", remind = "thread", channel = "#random" },
]
"""
LATER = """
version = 1
[defaults]
deadline = "2d"
extend = "5h"
ladder = [ { after = "3h", remind = "channel" } ]
"""
SILENT_YES = 'version = 1\n[defaults]\ndeadline = "1s"\non_deadline = "approve"\n'


async def a_pending(bot: Service, *, hours_ago: float = 0, **changes: Any) -> Request:
    """A refund that was asked for so long ago, while no service ran."""
    votes = changes.pop("votes", ())
    asked_at = await bot.store.now() - timedelta(hours=hours_ago)
    agreed = terms(**({"deadline_s": 2 * 24 * 3600, "approvers": ALL, "quorum": 2} | changes))
    return await bot.store.create(
        a_request(tenant=bot.settings.tenant, created_at=asked_at, terms=agreed, votes=votes)
    )


def a_vote(person: str) -> Vote:
    return Vote(person=PersonId(person), name=person, at=datetime.now(UTC))


async def drawn(bot: Service, request: Request, climbed: int) -> None:
    """Wait until the ladder has been climbed so far, and everything that follows is in Slack."""

    async def is_done() -> bool:
        return (await bot.store.get(request.id))[0].climbed >= climbed and await bot.cards.backlog() == 0

    await until(is_done)


def pings(messages: list[Message]) -> list[Message]:
    return [each for each in messages if "still waits for a decision" in each.text]


async def test_a_reminder_in_the_thread_calls_who_must_act_and_nobody_who_has_voted(
    slack: Sandbox, bot: Service
) -> None:
    ladder = (Step(after_s=3600, remind=Remind.THREAD),)
    request = await a_pending(bot, hours_ago=2, ladder=ladder, votes=(a_vote("U0ANA"),))
    await drawn(bot, request, 1)
    (ping,) = pings(slack.thread("C0APPROVALS", (await the_card(slack)).ts))
    assert "<@U0KIM> <@U0LEE>" in formatted(ping)
    assert "U0ANA" not in formatted(ping)


async def test_a_reminder_by_dm_goes_to_each_who_must_act_and_opens_the_request(
    slack: Sandbox, bot: Service
) -> None:
    ladder = (Step(after_s=3600, remind=Remind.DM),)
    request = await a_pending(bot, hours_ago=2, ladder=ladder, quorum=1, votes=(a_vote("U0ANA"),))
    await drawn(bot, request, 1)
    lee = slack.person("U0LEE")
    (ping,) = pings(slack.messages(lee.dm().id))
    assert len(pings(slack.messages(slack.person("U0KIM").dm().id))) == 1
    assert not pings(slack.messages(slack.person("U0ANA").dm().id))
    assert (await lee.press("Open", ping)).ok
    assert (await lee.press("Approve", await the_dialog(slack, "U0LEE"))).ok
    await logged(bot, request.id, "approved")


async def test_a_reminder_in_the_channel_is_a_message_of_its_own(slack: Sandbox, bot: Service) -> None:
    ladder = (Step(after_s=3600, remind=Remind.CHANNEL),)
    request = await a_pending(bot, hours_ago=2, ladder=ladder)
    await drawn(bot, request, 1)
    (ping,) = pings(slack.messages("C0APPROVALS"))
    assert ping.thread_ts is None and "Refund" in ping.shown and "<@U0KIM>" in formatted(ping)


@pytest.mark.parametrize("policy", [ADDING])
async def test_a_step_brings_in_people_and_another_channel(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    elsewhere = await the_card(slack, "c_42", channel="C0GENERAL")
    assert "<@U0LEE>" in formatted(elsewhere)
    told = await redrawn(slack, card, "Brought in since")
    await slack.until(lambda: pings(slack.thread("C0APPROVALS", card.ts)))
    await until(lambda: _is_idle(bot))
    assert not pings(slack.thread("C0GENERAL", elsewhere.ts))  # the card that has come there calls them
    assert (await slack.person("U0LEE").press("Approve", elsewhere)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0LEE"
    for shown in (told, elsewhere):
        await redrawn(slack, shown, "Lee Park approved")
    assert "escalated" in await events(bot, ticket.id)


@pytest.mark.parametrize("policy", [ASTRAY])
async def test_a_step_into_a_channel_that_is_not_there_is_told_to_the_operators_once(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await slack.until(lambda: len(pings(slack.thread("C0APPROVALS", card.ts))) == 2)
    assert (await slack.person("U0LEE").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    await until(lambda: _is_idle(bot))
    told = [message.shown for message in slack.messages("C0OPS")]
    assert len(told) == 2
    assert "can't be shown in #nowhere" in told[0] and "create it, or invite the app to it" in told[0]
    assert "can't be shown in #random" in told[1] and "invite the app to it" in told[1]


async def test_after_an_outage_every_step_comes_once_though_two_workers_run(
    slack: Sandbox, bot: Service, redis_url: str, tenant: str
) -> None:
    ladder = tuple(Step(after_s=600 * number, remind=Remind.THREAD) for number in range(1, 6))
    async with a_connected_bot(slack, environment(slack, redis_url, tenant)):
        requests = [await a_pending(bot, hours_ago=2, ladder=ladder) for _ in range(3)]
        for request in requests:
            await drawn(bot, request, len(ladder))
    cards = slack.messages("C0APPROVALS")
    assert [len(pings(slack.thread("C0APPROVALS", card.ts))) for card in cards] == [5, 5, 5]
    for request in requests:
        assert (await events(bot, request.id)).count("reminded") == 5


@pytest.mark.parametrize("fault", one_of(["drop", "500", "429"]))
async def test_a_ping_is_posted_once_whatever_slack_answers(slack: Sandbox, bot: Service, fault: str) -> None:
    ladder = (Step(after_s=1, remind=Remind.CHANNEL), Step(after_s=2, remind=Remind.CHANNEL))
    request = await a_pending(bot, ladder=ladder)
    await the_card(slack)
    # The first hits the trail, which is posted before it, the second the ping.
    slack.faults.next_calls("chat.postMessage", fault, times=2, retry_after=1)  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        await drawn_in_time(bot, request)
    assert len(pings(slack.messages("C0APPROVALS"))) == 2


async def drawn_in_time(bot: Service, request: Request) -> None:
    while True:
        try:
            return await drawn(bot, request, 2)
        except TimeoutError:
            continue


async def test_in_direct_messages_a_reminder_comes_under_each_card_but_not_to_who_has_voted(
    slack: Sandbox, bot: Service
) -> None:
    ladder = (Step(after_s=3600, remind=Remind.THREAD),)
    request = await a_pending(bot, hours_ago=2, ladder=ladder, channel="dm", votes=(a_vote("U0ANA"),))
    await drawn(bot, request, 1)
    reminded = []
    for person in ("U0ANA", "U0KIM", "U0LEE"):
        dm = slack.person(person).dm().id
        reminded += [person for card in slack.messages(dm) if pings(slack.thread(dm, card.ts))]
    assert reminded == ["U0KIM", "U0LEE"]


async def test_what_has_been_decided_reminds_nobody(slack: Sandbox, bot: Service) -> None:
    request = await a_pending(bot, quorum=1, ladder=(Step(after_s=1, remind=Remind.CHANNEL),))
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack))).ok
    await logged(bot, request.id, "approved")
    await until(lambda: _is_idle(bot))
    settled, _ = await bot.store.get(request.id)
    assert len(pings(slack.messages("C0APPROVALS"))) == len(settled.pings) <= 1


async def _is_idle(bot: Service) -> bool:
    return await bot.cards.backlog() == 0


class TestQuietHours:
    def hours(self, *days: date) -> Calendar:
        """Open on these days of the week only."""
        return Calendar(tz="UTC", days=tuple(day.weekday() for day in days))

    async def test_a_card_posted_in_quiet_hours_calls_nobody(self, slack: Sandbox, bot: Service) -> None:
        today = (await bot.store.now()).date()
        await a_pending(bot, quiet=self.hours(today + timedelta(days=3)))
        card = await the_card(slack)
        assert "<@" not in formatted(card)

    async def test_it_calls_them_once_when_those_end(self, slack: Sandbox, bot: Service) -> None:
        today = (await bot.store.now()).date()
        quiet = self.hours(today, today + timedelta(days=1))
        request = await a_pending(bot, hours_ago=72, deadline_s=7 * 24 * 3600, quiet=quiet)
        await drawn(bot, request, 1)
        card = await the_card(slack)
        (ping,) = pings(slack.thread("C0APPROVALS", card.ts))
        assert "<@U0KIM>" in formatted(ping)


@pytest.mark.parametrize("policy", [LATER])
async def test_reminders_are_put_off_on_the_card(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    ana = slack.person("U0ANA")
    assert (await ana.press("Snooze…", card)).ok
    dialog = await the_dialog(slack, "U0ANA")
    assert "Until tomorrow, 9:00" in dialog.shown
    assert (await ana.press("Snooze", dialog)).ok
    await redrawn(slack, card, "Reminders wait until")
    (entry,) = await logged(bot, ticket.id, "snoozed")
    assert entry.actor == "slack:U0ANA"


@pytest.mark.parametrize("policy", [LATER])
async def test_more_time_is_given_as_far_as_the_rule_allows(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    before, _ = await bot.store.get(ticket.id)
    people = [slack.person(person) for person in ("U0KIM", "U0ANA")]
    for person in people:
        assert (await person.press("Details", card)).ok
        assert (await person.press("Extend…", await the_dialog(slack, person.id))).ok
    kim, ana = people
    dialog = await the_dialog(slack, kim.id)
    assert "5 h, all that its rule allows" in dialog.shown
    assert (await kim.submit(chosen("18000"))).ok
    after, _ = await bot.store.get(ticket.id)
    assert before.deadline is not None
    assert after.deadline == before.deadline + timedelta(hours=5)
    assert (await ana.press("Extend")).ok  # her dialog is older than that
    await slack.until(lambda: ana.view and "takes no more time" in ana.view.shown)
    assert (await events(bot, ticket.id)).count("extended") == 1


def chosen(value: str) -> dict[str, Any]:
    """The state of a dialog in which that option was chosen."""
    option = {"value": value, "text": {"type": "plain_text", "text": "5 h"}}
    return {"choice": {"choice": {"type": "radio_buttons", "selected_option": option}}}


@pytest.mark.parametrize("policy", [SILENT_YES])
async def test_silence_is_a_yes_only_to_what_was_shown(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    shown = await approvals.submit("refund", REFUND)
    await the_card(slack)
    assert (await approvals.wait(shown.id, timeout=20)).status == "approved"
    await until(lambda: _is_idle(bot))
    slack.faults.next_calls("chat.postMessage", "500", times=99)
    hidden = await approvals.submit("refund", REFUND | {"amount": 1})
    assert (await approvals.wait(hidden.id, timeout=20)).status == "expired"
