"""Attention is spent on who must act: whoever the policy calls, unless they want to be left alone now."""

from datetime import time, timedelta
from typing import Any

from approvals import Approvals
from approvals.model import PersonId, Principal, Remind, Request, Step
from approvals.preference_book import PreferenceBook
from approvals.preferences import Preferences
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.builders import a_request, terms
from tests.running import a_connected_bot, a_policy, environment, redrawn, the_card, until
from tests.stories.watching import REFUND, formatted

ALL = tuple(Principal(person) for person in ("U0ANA", "U0KIM", "U0LEE"))
ON_CALL = Principal("@sre-oncall")
ALWAYS = (time(0), time(23, 59, 59, 999999))


async def leave_alone(bot: Service, *people: str, **wishes: Any) -> None:
    """These people have quiet hours now."""
    for person in people:
        quiet = {"quiet": ALWAYS} | wishes
        wanted = Preferences(person=PersonId(person), name=person, **quiet)
        await PreferenceBook(bot.redis, bot.settings.tenant).set(wanted)


async def reminded(bot: Service, remind: Remind, **changes: Any) -> Request:
    """A refund whose first reminder is due and was dealt with."""
    asked_at = await bot.store.now() - timedelta(hours=2)
    ladder = (Step(after_s=3600, remind=remind),)
    agreed = terms(**({"deadline_s": 2 * 24 * 3600, "approvers": ALL, "ladder": ladder} | changes))
    request = await bot.store.create(a_request(tenant=bot.settings.tenant, created_at=asked_at, terms=agreed))

    async def is_done() -> bool:
        return (await bot.store.get(request.id))[0].climbed == 1 and await bot.cards.backlog() == 0

    await until(is_done)
    return request


async def first_post(slack: Sandbox, bot: Service, *approvers: Principal, **changes: Any) -> Message:
    """The card of a deployment that is asked for now, as it was posted."""
    agreed = terms(approvers=approvers, **changes)
    await bot.store.create(a_request(tenant=bot.settings.tenant, terms=agreed, tool="deploy"))
    return await the_card(slack, "Deploy")


def pings(messages: list[Message]) -> list[Message]:
    return [each for each in messages if "still waits for a decision" in each.text]


async def test_only_whoever_is_on_duty_is_called_and_all_approvers_may_act(
    slack: Sandbox, bot: Service
) -> None:
    card = await first_post(slack, bot, *ALL, ON_CALL, ping=(ON_CALL,))
    assert "<!subteam^S0ONCALL>" in card.text
    assert not any(person in card.text for person in ALL)
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    await redrawn(slack, card, "Kim Osei approved")
    await reminded(bot, Remind.THREAD, approvers=(*ALL, ON_CALL), ping=(ON_CALL,))
    card = await the_card(slack)
    (ping,) = pings(slack.thread(card.channel, card.ts))
    assert [person for person in ALL if person in formatted(ping)] == ["U0LEE"]


async def test_where_the_policy_calls_nobody_nobody_is(slack: Sandbox, bot: Service) -> None:
    await reminded(bot, Remind.DM, ping=())
    assert "<@" not in (await first_post(slack, bot, *ALL, ping=())).text
    assert not any(pings(slack.messages(slack.person(person).dm().id)) for person in ALL)


async def test_a_quiet_hour_suppresses_reminders_by_dm_for_that_person_only(
    slack: Sandbox, bot: Service
) -> None:
    await leave_alone(bot, "U0ANA")
    await leave_alone(bot, "U0KIM", quiet=None, pings=False)
    await reminded(bot, Remind.DM)
    called = [person for person in ALL if pings(slack.messages(slack.person(person).dm().id))]
    assert called == ["U0LEE"]
    card = await first_post(slack, bot, *ALL)
    assert [person for person in ALL if person in card.text] == ["U0LEE"]


async def test_a_group_is_not_mentioned_while_somebody_in_it_has_quiet_hours(
    slack: Sandbox, bot: Service
) -> None:
    await leave_alone(bot, "U0ANA")
    card = await first_post(slack, bot, Principal("S0DIRECTORS"))
    assert "<@U0KIM>" in card.text
    assert "S0DIRECTORS" not in card.text and "U0ANA" not in card.text


async def test_where_everybody_has_quiet_hours_the_reminder_is_left_out_and_the_deadline_holds(
    slack: Sandbox, bot: Service
) -> None:
    await leave_alone(bot, *ALL)
    request = await reminded(bot, Remind.THREAD)
    card = await the_card(slack)
    assert not pings(slack.thread(card.channel, card.ts))
    kept, _ = await bot.store.get(request.id)
    assert kept.deadline == request.deadline


async def test_nobody_is_called_for_what_a_rule_decided(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, tmp_path: Any
) -> None:
    rules = """
version = 1
[defaults]
approvers = ["U0ANA"]
ping = ["U0ANA"]
[[rule]]
name = "small"
tools = ["refund"]
action = "allow"
[[rule]]
name = "never"
tools = ["drop"]
action = "deny"
"""
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, rules))
    async with a_connected_bot(slack, env) as bot:
        for tool in ("refund", "drop"):
            ticket = await approvals.submit(tool, REFUND)
            await approvals.wait(ticket.id, timeout=20) if tool == "refund" else None
        asked = await approvals.submit("deploy", REFUND)
        assert "<@U0ANA>" in (await the_card(slack, "Deploy")).text
        assert (await bot.store.get(asked.id))[0].is_pending
        assert len(slack.messages("C0APPROVALS")) == 1
        assert not slack.messages(slack.person("U0ANA").dm().id)
