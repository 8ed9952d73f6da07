"""The daily thread: every morning each channel is told about the day before, once, whoever is up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from approvals import Approvals
from approvals.daily_book import DailyBook
from approvals.keys import key
from approvals.trust import Proposal
from bot.app import Service
from bot.daily.posting import DailyPosting
from bot.daily.threads import DailyThreads
from bot.drawing.sending import Sending
from bot.loops import daily_threads
from bot.sandbox.misbehaviour import MethodFault
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.blocks.test_proposals import a_proposal
from tests.longer import one_of
from tests.running import a_connected_bot, a_policy, environment, the_card, the_dialog, until
from tests.stories.processes import a_process, killed

CHANNEL, OPS = "C0APPROVALS", "C0OPS"
POLICY = """
version = 1

[defaults]
channel = "#approvals"

[[rule]]
name = "restarts"
tools = ["restart"]
action = "review"

[[rule]]
name = "wires"
tools = ["wire"]
channel = "#approvals-ops"

[[daily]]
days = "mon-sun"
at = "09:00"
tz = "Europe/Berlin"

[[daily]]
channels = ["#approvals-ops"]
days = "mon-fri"
at = "09:00"
tz = "America/New_York"
"""


@pytest.fixture
async def bot(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> AsyncIterator[Service]:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
    async with a_connected_bot(slack, env) as service:
        yield service


def a_worker(bot: Service) -> DailyThreads:
    """One more that tells channels about the day; the service's own one goes by the real clock."""
    assert bot.slack is not None
    return daily_threads(bot, bot.slack)


async def next_morning(bot: Service, nth: int = 0) -> datetime:
    """A moment after the next morning of the table number `nth`."""
    morning = bot.policy.dailies[nth].after(await bot.store.now())
    assert morning is not None
    return morning + timedelta(minutes=1)


async def told(bot: Service, slack: Sandbox, at: datetime, channel: str = CHANNEL) -> Message:
    """What the channel is told by somebody who looks at that time."""
    worker = a_worker(bot)

    async def look() -> Message | None:
        await worker.look(at)
        return next(iter(daily(slack, channel)), None)

    found = await until(look)
    assert found is not None
    return found


def daily(slack: Sandbox, channel: str = CHANNEL) -> list[Message]:
    """The channel's messages about days."""
    return [message for message in slack.messages(channel) if _owner(message).startswith("daily ")]


def _owner(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("id", ""))


async def a_days_work(slack: Sandbox, approvals: Approvals) -> None:
    """Ana approves a refund; another still waits."""
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 40})
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack, "c_42"))).ok
    await approvals.wait(ticket.id, timeout=20)
    await approvals.submit("refund", {"customer": "c_17", "amount": 35})
    await the_card(slack, "c_17")


async def ran(approvals: Approvals, service: str = "api") -> None:
    """A call that runs without asking, and is up for a look."""
    ticket = await approvals.submit("restart", {"service": service})
    await approvals.wait(ticket.id, timeout=20)
    permit = await approvals.claim(ticket.id)
    await approvals.receipt(permit.id, ok=True, result="running again")


async def reviews_open(bot: Service, count: int) -> None:
    async def are_open() -> bool:
        return len(await bot.store.reviews()) == count

    assert await until(are_open)


async def test_a_morning_tells_the_day_in_a_sentence_a_picture_and_what_waits(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    await a_days_work(slack, approvals)
    message = await told(bot, slack, await next_morning(bot))
    assert "people were asked 2 times" in message.shown and "1 approved as asked" in message.shown
    assert "1 request waits here now" in message.shown
    assert "refund: asked 2 times" in message.shown and "Ana Duarte: 1 approved" in message.shown
    (picture,) = [block for block in message.blocks or [] if block["type"] == "image"]
    file = slack.workspace.files[picture["slack_file"]["id"]]
    assert file.content.startswith(b"\x89PNG") and "refund" in file.alt_text
    assert picture["alt_text"] == file.alt_text
    assert "<@" not in message.text and "<!" not in message.text.replace("<!date", "")


async def test_it_is_told_once_however_many_look_and_however_often(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    await a_days_work(slack, approvals)
    at = await next_morning(bot)
    workers = [a_worker(bot) for _ in range(4)]
    async with asyncio.TaskGroup() as looking:
        for worker in workers:
            looking.create_task(worker.look(at))
    await told(bot, slack, at)
    for worker in workers:
        await worker.look(at)
        await worker.look(at + timedelta(hours=3))
    assert len(daily(slack)) == 1


@pytest.mark.parametrize("fault", one_of(["drop", "500"]))
async def test_a_post_whose_reply_was_lost_is_looked_for_before_another(
    slack: Sandbox, bot: Service, approvals: Approvals, fault: MethodFault
) -> None:
    await a_days_work(slack, approvals)
    slack.faults.next_calls("chat.postMessage", fault)
    at = await next_morning(bot)
    await told(bot, slack, at)
    await a_worker(bot).look(at)
    assert len(daily(slack)) == 1


@pytest.mark.parametrize("moment", one_of(["before", "after"]))
async def test_whoever_comes_after_a_worker_that_was_killed_goes_on_where_it_ended(
    slack: Sandbox,
    bot: Service,
    approvals: Approvals,
    redis_url: str,
    tenant: str,
    tmp_path: Path,
    moment: str,
) -> None:
    await ran(approvals)
    await reviews_open(bot, 1)
    at = await next_morning(bot)
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
    del env["SLACK_APP_TOKEN"]
    async with a_process(env, "-m", "tests.stories.dying_daily", moment, at.isoformat()) as dying:
        await killed(dying)
    assert len(daily(slack)) == (moment == "after")
    await bot.redis.delete(key(tenant, "daily:turn"))  # the clock is turned forward, to the end of its turn
    message = await told(bot, slack, at)
    assert [each.ts for each in daily(slack)] == [message.ts]
    assert len(slack.thread(CHANNEL, message.ts)) == 2
    assert slack.calls["files.completeUploadExternal"].count == 1


async def test_each_channel_has_its_own_numbers_at_its_own_morning(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    await a_days_work(slack, approvals)
    await approvals.submit("wire", {"to": "acme", "amount": 9})
    await the_card(slack, "acme", channel=OPS)
    berlin = await next_morning(bot)
    assert "people were asked 2 times" in (await told(bot, slack, berlin)).shown
    assert daily(slack, OPS) == []
    new_york = await next_morning(bot, nth=1)
    message = await told(bot, slack, new_york, OPS)
    assert "people were asked once" in message.shown and "refund" not in message.shown
    assert len(daily(slack, OPS)) == 1


async def test_a_day_off_is_skipped_and_told_with_the_next(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    await approvals.submit("wire", {"to": "acme", "amount": 9})
    await the_card(slack, "acme", channel=OPS)
    now = await bot.store.now()
    saturday = now + timedelta(days=(5 - now.weekday()) % 7 or 7)
    await a_worker(bot).look(saturday.replace(hour=20))
    assert daily(slack, OPS) == []
    monday = (saturday + timedelta(days=2)).replace(hour=20)
    assert "Since Friday 09:00" in (await told(bot, slack, monday, OPS)).shown


async def test_where_nothing_happened_nothing_is_told(slack: Sandbox, bot: Service) -> None:
    await a_worker(bot).look(await next_morning(bot))
    assert slack.messages() == []


async def test_what_came_after_the_morning_is_told_the_next_one(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    await a_days_work(slack, approvals)
    earlier = bot.policy.dailies[0].before(await bot.store.now())
    assert earlier is not None
    await a_worker(bot).look(earlier + timedelta(minutes=1))
    assert daily(slack) == []
    await told(bot, slack, await next_morning(bot))


@pytest.mark.parametrize("fault", one_of(["429", "500", "drop"]))
async def test_without_a_picture_there_are_still_the_words(
    slack: Sandbox, bot: Service, approvals: Approvals, fault: MethodFault
) -> None:
    await a_days_work(slack, approvals)
    slack.faults.next_calls("files.getUploadURLExternal", fault, retry_after=30)
    message = await told(bot, slack, await next_morning(bot))
    assert "people were asked 2 times" in message.shown
    assert all(block["type"] != "image" for block in message.blocks or [])


async def test_a_picture_that_slack_shows_in_no_block_goes_into_the_thread(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    await a_days_work(slack, approvals)
    slack.faults.next_calls("chat.postMessage", "error", code="invalid_blocks", times=3)
    message = await told(bot, slack, await next_morning(bot))
    assert await slack.until(lambda: [each for each in slack.thread(CHANNEL, message.ts) if each.files])
    assert len(daily(slack)) == 1


async def test_what_ran_without_asking_is_looked_at_in_the_thread(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    for service in ("api", "web"):
        await ran(approvals, service)
    await reviews_open(bot, 2)
    message = await told(bot, slack, await next_morning(bot))
    assert "2 calls ran without asking and are up for a look" in message.shown
    _, below = slack.thread(CHANNEL, message.ts)
    assert "api" in below.shown and "web" in below.shown
    lee = slack.person("U0LEE")
    assert (await lee.press("Flag…", below)).ok
    await the_dialog(slack, "U0LEE")
    assert (await lee.fill_and_submit({"words": "It was healthy."})).ok
    turned = await redrawn_below(slack, message, "Lee Park flagged it")
    assert turned.ts == below.ts and "It was healthy." in turned.shown
    assert (await slack.person("U0KIM").press("Looks right", turned)).ok
    await redrawn_below(slack, message, "Kim Osei looked at it")
    assert await bot.store.reviews() == []


async def redrawn_below(slack: Sandbox, message: Message, words: str) -> Message:
    """The reply that says `words`, as soon as one does."""
    found = await slack.until(lambda: [m for m in slack.thread(CHANNEL, message.ts) if words in m.shown])
    return found[0]


async def test_many_are_split_over_messages_and_the_rest_is_named(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    for number in range(43):
        await ran(approvals, f"s{number}")
    await reviews_open(bot, 43)
    message = await told(bot, slack, await next_morning(bot))
    _, *below = slack.thread(CHANNEL, message.ts)
    assert len(below) >= 4
    assert sum(len([b for b in each.blocks or [] if b["type"] == "actions"]) for each in below) == 40
    assert "… and 3 more: /approvals reviews lists them." in below[-1].shown


async def test_what_was_left_open_comes_again_under_its_own_heading(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    await ran(approvals)
    await reviews_open(bot, 1)
    at = await next_morning(bot)
    await told(bot, slack, at)
    worker = a_worker(bot)

    async def again() -> bool:
        await worker.look(at + timedelta(days=1))
        return len(daily(slack)) == 2

    assert await until(again)
    _, below = slack.thread(CHANNEL, daily(slack)[1].ts)
    assert "Still to be looked at, from before" in below.shown


async def test_rules_that_could_spare_time_are_suggested_last_in_the_channel_of_their_calls(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    async def proposals() -> list[Proposal]:
        return [a_proposal(), replace(a_proposal(), channel="#approvals-ops")]

    await ran(approvals)
    await reviews_open(bot, 1)
    assert bot.slack is not None
    book = DailyBook(bot.redis, bot.settings.tenant)
    posting = DailyPosting(book, Sending(bot.slack.client), bot.settings.commands)
    worker = DailyThreads(lambda: bot.policy, bot.store, book, bot.slack.channels, posting, proposals)
    assert await worker.make_it_tomorrow() == 1
    _, reviews, suggested = slack.thread(CHANNEL, daily(slack)[0].ts)
    assert "Ran without asking" in reviews.shown
    assert suggested.shown.count("See the rule") == 1 and "41 calls of label" in suggested.shown


async def test_tomorrow_can_be_made_as_often_as_there_is_something_to_tell(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    worker = a_worker(bot)
    assert await worker.make_it_tomorrow() == 0
    await ran(approvals)
    await reviews_open(bot, 1)
    slack.faults.next_calls("chat.postMessage", "429", retry_after=1)  # as in a demo that has just begun
    assert await worker.make_it_tomorrow() == 1
    assert await worker.make_it_tomorrow() == 1
    assert [_owner(message) for message in daily(slack)] == sorted({_owner(m) for m in daily(slack)})
    # the next morning, which may be that of a day that has just begun
    assert datetime.now(UTC).date().isoformat() <= _owner(daily(slack)[0]).split()[1]
