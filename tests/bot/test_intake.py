"""Many letters at once: what is about one request stays in order, whoever deals with it."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from approvals.budgets import Budgets
from approvals.canonical import fingerprint
from approvals.commands import Approve
from approvals.grant_book import GrantBook
from approvals.inbox import AgentInbox, Inboxes, Taken
from approvals.messages import Cancellation, ReceiptNotice, Submission
from approvals.model import Status
from approvals.policy import DEFAULT
from approvals.stages import Stages
from approvals.store import Store
from bot.intake import Intake
from bot.judging import Judge
from tests.builders import REFUND, SIGNER, a_person, a_submission
from tests.running import until


class Worker:
    """One worker's intake, led by hand."""

    def __init__(self, redis: Redis, tenant: str, name: str, abandoned_ms: int = 60_000) -> None:
        self.store = Store(redis, tenant, SIGNER)
        self.inboxes = Inboxes(redis, tenant, name, abandoned_ms=abandoned_ms)
        judge = Judge(lambda: DEFAULT, Budgets(redis, tenant), channel="#approvals")
        books = GrantBook(redis, tenant), Stages(redis, tenant)
        self.intake = Intake(self.store, self.inboxes, judge, *books, environment="default")

    async def take(self) -> Taken:
        (taken,) = await self.inboxes.take(block_ms=1000)
        return taken

    async def deal(self, taken: Taken) -> None:
        await self.intake.deal(taken)


@pytest.fixture
def slow(redis: Redis, tenant: str) -> Worker:
    return Worker(redis, tenant, "slow")


@pytest.fixture
def fast(redis: Redis, tenant: str) -> Worker:
    return Worker(redis, tenant, "fast")


async def claimed(worker: Worker, billing: AgentInbox) -> Submission:
    """A call that was asked for, approved, and claimed; the notice of the claim lies in the inbox."""
    wanted = a_submission()
    await billing.send(wanted)
    await worker.deal(await worker.take())
    yes = Approve(by=a_person(), seen=fingerprint("refund", REFUND))
    await worker.store.change(wanted.id, yes)
    await billing.claim(wanted.id)
    return wanted


async def test_a_receipt_waits_for_the_claim_that_another_worker_is_at(
    slow: Worker, fast: Worker, billing: AgentInbox
) -> None:
    wanted = await claimed(slow, billing)
    claim = await slow.take()
    await billing.send(ReceiptNotice(id=wanted.id, ok=True))
    receipt = await fast.take()
    async with asyncio.TaskGroup() as both:
        both.create_task(fast.deal(receipt))
        both.create_task(slow.deal(claim))
    assert (await fast.store.get(wanted.id))[0].status is Status.EXECUTED


async def test_a_receipt_survives_the_worker_that_died_over_the_claim(
    slow: Worker, fast: Worker, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    wanted = await claimed(slow, billing)
    await slow.take()  # and dies
    await billing.send(ReceiptNotice(id=wanted.id, ok=True))
    await fast.deal(await fast.take())
    assert (await fast.store.get(wanted.id))[0].status is Status.APPROVED
    heir = Worker(redis, tenant, "heir", abandoned_ms=0)
    for taken in await heir.inboxes.take():
        await heir.deal(taken)
    assert (await fast.store.get(wanted.id))[0].status is Status.EXECUTED
    assert [entry.event for entry in await fast.store.chain(wanted.id)][-2:] == ["claimed", "executed"]


async def test_what_is_cancelled_at_once_is_cancelled_though_its_submission_is_still_being_stored(
    slow: Worker, fast: Worker, billing: AgentInbox
) -> None:
    wanted = a_submission()
    await billing.send(wanted)
    submission = await slow.take()
    await billing.send(Cancellation(id=wanted.id))
    cancellation = await fast.take()
    async with asyncio.TaskGroup() as both:
        both.create_task(fast.deal(cancellation))
        both.create_task(slow.deal(submission))
    assert (await fast.store.get(wanted.id))[0].status is Status.CANCELLED


async def test_a_letter_about_nothing_is_refused_once_nothing_came_before_it(
    fast: Worker, billing: AgentInbox
) -> None:
    wanted = a_submission()
    await billing.send(Cancellation(id=wanted.id))
    await fast.deal(await fast.take())
    outcome = await billing.outcome(wanted.id)
    assert outcome is not None and outcome.status == "rejected"


async def test_letters_about_many_requests_are_dealt_with_together_and_those_about_one_in_order(
    fast: Worker, billing: AgentInbox
) -> None:
    wanted = [a_submission() for _ in range(3)]
    await billing.put_all(wanted)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(fast.intake.run())
        await until(lambda: _are(fast, wanted, Status.PENDING))
        running.cancel()
    for each in wanted:
        await fast.store.change(each.id, Approve(by=a_person(), seen=fingerprint("refund", REFUND)))
        await billing.claim(each.id)
        await billing.send(ReceiptNotice(id=each.id, ok=True))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(fast.intake.run())
        await until(lambda: _are(fast, wanted, Status.EXECUTED))
        running.cancel()
    log = [entry.event async for entry in fast.store.log()]
    assert log.count("claimed") == log.count("executed") == 3 and "refused" not in log


async def test_a_worker_that_is_stopped_leaves_its_letters_to_others_at_once(
    slow: Worker, fast: Worker, billing: AgentInbox
) -> None:
    is_at_it = asyncio.Event()

    async def for_ever(_agent: str, _url: str) -> None:
        is_at_it.set()
        await asyncio.Event().wait()

    slow.intake._check_callback = for_ever
    wanted = [a_submission(callback_url="https://shop.example/told"), a_submission()]
    await billing.put_all(wanted)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(slow.intake.run())
        await is_at_it.wait()
        running.cancel()
    left = await fast.inboxes.take()  # which takes over from the dead what is a minute old
    assert [taken.request_id for taken in left] == [each.id for each in wanted]


async def _are(worker: Worker, wanted: list[Submission], status: Status) -> bool:
    found = await worker.store.get_many(each.id for each in wanted)
    return [request.status for request in found.values()] == [status] * len(wanted)
