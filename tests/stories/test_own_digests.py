"""A digest of one's own: what waits for a person, by direct message, at the times that they chose."""

from __future__ import annotations

import asyncio
from datetime import datetime, time, timedelta

import pytest

from approvals import Approvals
from approvals.model import PersonId
from approvals.preference_book import PreferenceBook
from approvals.preferences import Preferences, Where
from bot.app import Service
from bot.own_digests import OwnDigests
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import redrawn, until

POLICY = """
version = 1

[[rule]]
name = "for ana"
tools = ["refund"]
approvers = ["U0ANA"]

[[rule]]
name = "for kim"
tools = ["deploy"]
approvers = ["U0KIM"]
channel = "#general"
"""


@pytest.fixture
def policy() -> str:
    return POLICY


@pytest.fixture
def book(bot: Service) -> PreferenceBook:
    return PreferenceBook(bot.redis, bot.settings.tenant)


@pytest.fixture
def own(bot: Service, book: PreferenceBook) -> OwnDigests:
    assert bot.slack is not None
    return OwnDigests(bot.slack.desk, bot.digests, book, bot.slack.people, bot.slack.channels)


async def wishes(bot: Service, book: PreferenceBook, where: Where) -> datetime:
    """Ana wants her digest at the hour that it is where she is; returns when she said so."""
    assert bot.slack is not None
    ana, now = PersonId("U0ANA"), await book.now()
    hour = time(now.astimezone(await bot.slack.people.zone_of(ana)).hour)
    await book.set(Preferences(person=ana, name="Ana Duarte", where=where, at=(hour,)))
    return now


async def asked(approvals: Approvals, bot: Service) -> None:
    for n in range(3):
        await approvals.submit("refund", {"customer": f"c_{n}", "amount": n}, deadline="40h")
    await approvals.submit("deploy", {"service": "api"}, deadline="40h")

    async def is_all_shown() -> bool:
        return await bot.store.count_pending() == 4 and await bot.cards.backlog() == 0

    await until(is_all_shown)


def in_dm(slack: Sandbox) -> list[Message]:
    return [m for m in slack.messages(slack.person("U0ANA").dm().id) if "wait" in m.text]


async def test_it_holds_what_one_may_decide_once_and_turns_as_rows_are_decided(
    slack: Sandbox, approvals: Approvals, bot: Service, book: PreferenceBook, own: OwnDigests
) -> None:
    begun = await wishes(bot, book, Where.DM)
    await own.look(begun)
    await asked(approvals, bot)
    async with asyncio.TaskGroup() as workers:  # as many workers do at once
        for _ in range(4):
            workers.create_task(own.look(begun + timedelta(days=1)))
    digest = await slack.until(lambda: next(iter(in_dm(slack)), None))
    assert digest is not None
    assert "3 refund requests wait" in digest.text
    assert "deploy" not in digest.shown
    assert (await slack.person("U0ANA").press("Approve", digest)).ok
    await redrawn(slack, digest, "2 of 3 left")
    assert len(in_dm(slack)) == 1


@pytest.mark.parametrize("where", [Where.CHANNEL, Where.DM])
async def test_it_comes_to_nobody_who_has_not_asked_for_it_or_only_just(
    slack: Sandbox,
    approvals: Approvals,
    bot: Service,
    book: PreferenceBook,
    own: OwnDigests,
    where: Where,
) -> None:
    begun = await wishes(bot, book, where)
    await asked(approvals, bot)
    await own.look(begun)
    if where is Where.CHANNEL:
        await own.look(begun + timedelta(days=1))
    assert in_dm(slack) == []
