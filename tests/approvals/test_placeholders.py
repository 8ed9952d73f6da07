"""Gated calls of a batch: a placeholder at once, one card for people, and each runs once it is approved."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from approvals import Approvals, InvalidCall, Unavailable
from approvals import sync as threads
from approvals.commands import Command, Reject
from approvals.errors import ChangesRequested
from approvals.model import Request, Status
from approvals.testing import Script, scripted
from tests.clerk import ADA, serving, yes

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    with scripted() as script:
        yield script


class Shop:
    """What an agent can do, and what it has done."""

    def __init__(self, approvals: Approvals) -> None:
        self.paid: list[str] = []
        self.refund = approvals.required(self._refund)

    async def _refund(self, customer: str, amount: float) -> str:
        if customer == "c_0":
            raise LookupError("no such customer")
        self.paid.append(customer)
        return f"{amount:.0f} to {customer}"


@pytest.fixture
def agent(script: Script) -> Approvals:
    return Approvals.connect(NOWHERE, agent="billing")


@pytest.fixture
def shop(agent: Approvals) -> Shop:
    return Shop(agent)


async def test_calls_of_a_batch_return_placeholders_and_run_when_they_are_approved(
    redis_url: str, tenant: str
) -> None:
    def all_but_large(request: Request) -> Command:
        amount = request.args["amount"]
        assert isinstance(amount, float)
        return Reject(by=ADA, feedback="too much") if amount > 500 else yes(request)

    async with (
        serving(redis_url, tenant, habit=all_but_large) as clerk,
        Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals,
    ):
        shop = Shop(approvals)
        async with approvals.batch(reason="month end") as batch:
            assert await shop.refund("c_1", 35) == "PENDING_APPROVAL_1"
            assert await shop.refund("c_2", 940) == "PENDING_APPROVAL_2"
            assert await shop.refund("c_0", 20) == "PENDING_APPROVAL_3"
            assert clerk.requests == {}
        results = await batch.wait_for_approvals()
        assert results == {
            1: "35 to c_1",
            2: "REJECTED: too much",
            3: "FAILED: LookupError: no such customer",
        }
        assert shop.paid == ["c_1"]
        first, second, third = await clerk.arrived(3)
        await clerk.until_status(first.id, Status.EXECUTED)
        await clerk.until_status(third.id, Status.FAILED)
        assert {request.batch for request in (first, second, third)} == {batch.id}
        assert first.reason == "month end"
        assert await batch.wait_for_approvals() == results
        assert shop.paid == ["c_1"]


async def test_what_was_edited_runs_as_it_was_approved(script: Script, agent: Approvals, shop: Shop) -> None:
    script.edits("_refund", amount=900)
    async with agent.batch() as batch:
        await shop.refund("c_42", 940)
    assert await batch.wait_for_approvals() == {1: "900 to c_42"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("rejects", "REJECTED: without a reason"),
        ("expires", "EXPIRED: without a reason"),
        ("lapses", "NOT RUN: without a reason"),
        ("takes_back", "CANCELLED: the approval was taken back before it was used"),
        ("reaches_nobody", "UNDELIVERABLE: nobody who may decide can be reached"),
        ("denies", "REJECTED: a rule denies it"),
    ],
)
async def test_a_call_without_approval_does_not_run(
    line: str, told: str, script: Script, agent: Approvals, shop: Shop
) -> None:
    getattr(script, line)()
    async with agent.batch() as batch:
        await shop.refund("c_42", 940)
    assert await batch.wait_for_approvals() == {1: told}
    assert shop.paid == []


async def test_what_people_want_otherwise_does_not_run(script: Script, agent: Approvals, shop: Shop) -> None:
    script.sends_back("_refund", "less").answers("a credit note", to="payout")
    async with agent.batch() as batch:
        await shop.refund("c_42", 940)
    assert await batch.wait_for_approvals() == {1: "CHANGES REQUESTED: less"}
    with pytest.raises(ChangesRequested):
        await agent.wait(batch.tickets[0].id)


async def test_what_nobody_has_decided_yet_keeps_its_placeholder(
    script: Script, agent: Approvals, shop: Shop
) -> None:
    script.once.leaves().approves()
    async with agent.batch() as batch:
        await shop.refund("c_1", 1)
        await shop.refund("c_2", 2)
    assert await batch.wait_for_approvals(timeout=0) == {1: "PENDING_APPROVAL_1", 2: "2 to c_2"}
    assert shop.paid == ["c_2"]


async def test_an_outage_is_no_result_and_what_has_run_does_not_run_again(
    script: Script, agent: Approvals, shop: Shop
) -> None:
    script.approves()
    async with agent.batch() as batch:
        await shop.refund("c_1", 1)
    with script.outage(), pytest.raises(Unavailable):
        await batch.wait_for_approvals()
    assert shop.paid == []
    assert await batch.wait_for_approvals() == {1: "1 to c_1"}
    assert await batch.wait_for_approvals() == {1: "1 to c_1"}
    assert shop.paid == ["c_1"]


async def test_a_block_that_raises_asks_for_nothing(script: Script, agent: Approvals, shop: Shop) -> None:
    with pytest.raises(RuntimeError):
        async with agent.batch():
            await shop.refund("c_1", 1)
            raise RuntimeError
    assert script.requests == []


async def test_tasks_of_the_block_are_of_the_batch_and_calls_after_it_wait_as_ever(
    script: Script, agent: Approvals, shop: Shop
) -> None:
    script.approves()
    async with agent.batch() as batch, asyncio.TaskGroup() as group:
        held = [group.create_task(shop.refund(f"c_{n}", n)) for n in (1, 2)]
    assert sorted(task.result() for task in held) == ["PENDING_APPROVAL_1", "PENDING_APPROVAL_2"]
    assert await shop.refund("c_3", 3) == "3 to c_3"
    assert sorted((await batch.wait_for_approvals()).values(), key=str) == ["1 to c_1", "2 to c_2"]


async def test_what_an_approved_call_calls_itself_is_asked_for_on_its_own(
    script: Script, agent: Approvals, shop: Shop
) -> None:
    script.approves("close").rejects("_refund", "no")

    @agent.required
    async def close(customer: str) -> str:
        return await shop.refund(customer, 1)

    async with agent.batch() as batch:
        await close("c_1")
        results = await batch.wait_for_approvals()
    assert results[1] == f"FAILED: Rejected: {script.request('_refund').id} was rejected by the script: no"


async def test_a_batch_takes_no_calls_of_other_clients_and_none_with_a_key(
    script: Script, agent: Approvals, shop: Shop
) -> None:
    script.approves()
    other = Approvals.connect(NOWHERE, agent="shipping")

    @agent.required(key="k")
    def keyed(n: int) -> int:
        return n

    async with other.batch() as batch:
        assert await shop.refund("c_1", 1) == "1 to c_1"
    assert await batch.wait_for_approvals() == {}
    async with agent.batch() as batch:
        with pytest.raises(InvalidCall, match="takes no key"):
            keyed(1)
        await batch.send()
        with pytest.raises(InvalidCall, match="has been sent"):
            await shop.refund("c_2", 2)


async def test_calls_that_one_holds_oneself_are_reviewed_together(
    script: Script, agent: Approvals, shop: Shop
) -> None:
    script.once.rejects("_refund", "no").approves()

    @agent.required(when=lambda n: n > 1)
    async def read(n: int) -> str:
        return f"read {n}"

    calls = [partial(shop.refund, "c_1", 1), partial(read, 1), partial(shop.refund, "c_2", 2)]
    assert await agent.review_and_execute(calls) == ["REJECTED: no", "read 1", "2 to c_2"]


def test_threads_have_batches_of_calls_too() -> None:
    with scripted() as script, threads.Approvals.connect(NOWHERE, agent="billing") as approvals:
        script.once.approves("refund").rejects("refund", "no")

        @approvals.required
        def refund(n: int) -> object:
            return n

        with approvals.batch() as batch:
            assert [refund(1), refund(2)] == ["PENDING_APPROVAL_1", "PENDING_APPROVAL_2"]
        assert batch.wait_for_approvals() == {1: 1, 2: "REJECTED: no"}
        assert approvals.review_and_execute([partial(refund, 4)]) == ["REJECTED: no"]
