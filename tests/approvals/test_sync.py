"""The same calls without async: from threads, from scripts, and from within a running event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import approvals
from approvals import Rejected, StillPending, Unavailable
from approvals.background import Background
from approvals.ids import new_id
from approvals.model import Status
from approvals.sync import Approvals
from tests.clerk import serving, yes

REFUND: dict[str, object] = {"customer": "c_42", "amount": 940}


@pytest.fixture
async def agent(redis_url: str, tenant: str) -> AsyncIterator[Approvals]:
    with Approvals.connect(redis_url, agent="billing", tenant=tenant) as agent:
        yield agent


async def test_every_call_works_from_a_plain_thread(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk:

        def work() -> str:
            outcome = agent.request("refund", REFUND, timeout=20)
            permit = agent.claim(outcome.id)
            agent.receipt(permit.id, True, "done", 3)
            return permit.id

        id = await asyncio.to_thread(work)
        await clerk.until_status(id, Status.EXECUTED)
        outcome = await asyncio.to_thread(agent.get, id)
    assert outcome is not None and outcome.args == REFUND


async def test_the_rest_of_the_calls_too(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        asking = group.create_task(asyncio.to_thread(agent.ask, "Which?", ["eu", "us"]))
        [question] = await clerk.arrived()
        await clerk.answer(question.id, "us")
        assert await asking == "us"
        ticket = await asyncio.to_thread(agent.submit, "refund", REFUND)
        await clerk.arrived(2)
        await asyncio.to_thread(agent.revise, ticket.id, {"amount": 9})
        await asyncio.to_thread(agent.cancel, ticket.id, "no longer")
        request = await clerk.until_status(ticket.id, Status.CANCELLED)
    assert request.args == {"amount": 9}


async def test_a_batch_is_all_or_nothing(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk:

        def work() -> int:
            with pytest.raises(ZeroDivisionError), agent.batch() as lost:
                lost.submit("refund", {"n": 0})
                _ = 1 / 0
            with agent.batch() as batch:
                for n in range(1, 4):
                    batch.submit("refund", {"n": n})
            return len(batch.wait(5))

        assert await asyncio.to_thread(work) == 3
        assert [request.args for request in clerk.requests.values()] == [{"n": 1}, {"n": 2}, {"n": 3}]


async def test_a_function_runs_in_the_thread_that_called_it(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    @agent.required
    def refund(amount: float, currency: str = "USD") -> tuple[int, float]:
        return threading.get_ident(), amount

    def work() -> bool:
        return refund(9) == (threading.get_ident(), 9.0)

    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert await asyncio.to_thread(work)
        [request] = await clerk.arrived()
        assert request.args == {"amount": 9.0, "currency": "USD"}
        await clerk.until_status(request.id, Status.EXECUTED)


async def test_a_failure_is_raised_as_it_is_and_reported(
    agent: Approvals, redis_url: str, tenant: str
) -> None:
    @agent.required
    def refund(amount: float) -> None:
        raise LookupError("no such customer")

    async with serving(redis_url, tenant, habit=yes) as clerk:
        with pytest.raises(LookupError):
            await asyncio.to_thread(refund, 9)
        [request] = await clerk.arrived()
        await clerk.until_status(request.id, Status.FAILED)


async def test_a_rejection_is_raised_in_the_thread(agent: Approvals, redis_url: str, tenant: str) -> None:
    @agent.required
    def refund(amount: float) -> None:
        raise AssertionError("it ran")

    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:

        async def reject() -> None:
            [request] = await clerk.arrived()
            await clerk.reject(request.id, "too much")

        group.create_task(reject())
        with pytest.raises(Rejected) as rejected:
            await asyncio.to_thread(refund, 9)
    assert rejected.value.feedback == "too much"


async def test_many_threads_wait_at_once(agent: Approvals, redis_url: str, tenant: str) -> None:
    async with serving(redis_url, tenant, habit=yes):

        def work() -> list[object]:
            with ThreadPoolExecutor(20) as pool:
                asked = pool.map(lambda n: agent.request("refund", {"n": n}, timeout=20), range(60))
                return [outcome.args and outcome.args["n"] for outcome in asked]

        assert await asyncio.to_thread(work) == list(range(60))


async def test_both_faces_gate_both_sorts_of_function(redis_url: str, tenant: str) -> None:
    async with (
        approvals.Approvals.connect(redis_url, agent="billing", tenant=tenant) as awaited,
        serving(redis_url, tenant, habit=yes) as clerk,
    ):
        with Approvals.connect(redis_url, agent="billing", tenant=tenant) as blocking:

            @awaited.required
            def plain(n: int) -> int:
                return n

            @blocking.required
            async def coroutine(n: int) -> int:
                return n

            assert await asyncio.to_thread(plain, 1) == 1
            assert await coroutine(2) == 2
            assert len(clerk.requests) == 2


def test_a_sync_function_works_within_a_running_event_loop(redis_url: str, tenant: str) -> None:
    """It blocks that loop, as any sync function does; so the service is in another thread here."""
    with Approvals.connect(redis_url, agent="billing", tenant=tenant) as agent, elsewhere(redis_url, tenant):

        @agent.required
        def refund(amount: float) -> float:
            return amount

        async def main() -> float:
            return refund(9)

        assert asyncio.run(main()) == 9


def elsewhere(url: str, tenant: str) -> "Elsewhere":
    return Elsewhere(url, tenant)


class Elsewhere:
    """A clerk in a thread of his own."""

    def __init__(self, url: str, tenant: str) -> None:
        self._serving = serving(url, tenant, habit=yes)
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work()))
        self._loop: asyncio.AbstractEventLoop | None = None

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._serving:
            await self._stop.wait()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)


def test_a_wait_that_ends_raises_still_pending(redis_url: str, tenant: str) -> None:
    agent = Approvals.connect(redis_url, agent="billing", tenant=tenant)
    with agent, pytest.raises(StillPending):
        agent.wait(new_id(), timeout=0.01)


def test_without_redis_nothing_runs() -> None:
    with Approvals.connect("redis://127.0.0.1:1/0", agent="billing") as agent:

        @agent.required
        def refund(amount: float) -> None:
            raise AssertionError("it ran")

        with pytest.raises(Unavailable):
            refund(9)


def test_closing_ends_the_thread_and_the_next_call_starts_another(redis_url: str, tenant: str) -> None:
    agent = Approvals.connect(redis_url, agent="billing", tenant=tenant)
    for _ in range(2):
        agent.get(new_id())
        assert [one for one in threading.enumerate() if one.name == "approvals of billing"]
        agent.close()
        assert not [one for one in threading.enumerate() if one.name == "approvals of billing"]
    agent.close()


def test_who_waits_in_another_thread_hears_that_it_was_closed(redis_url: str, tenant: str) -> None:
    agent = Approvals.connect(redis_url, agent="billing", tenant=tenant)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.wait, new_id())
        agent.get(new_id())
        agent.close()
        assert waiting.exception(5) is not None


@pytest.fixture
def background() -> Iterator[Background]:
    background = Background("test")
    yield background
    background.close()


def test_an_error_in_the_background_is_the_callers(background: Background) -> None:
    async def fails() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError):
        background.run(fails())
