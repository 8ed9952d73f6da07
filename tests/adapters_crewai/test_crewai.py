"""The gate in CrewAI: whatever fails, the tool does not run without its approval."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("crewai", reason="CrewAI has an environment of its own: make test-crewai")

from crewai.hooks.dispatch import clear_all

from approvals import Approvals
from approvals.adapters.crewai import approval_hooks
from approvals.commands import RequestChanges
from approvals.model import Status
from tests.adapters.pages import a_page
from tests.adapters_crewai.scripted import REFUND, Shop
from tests.clerk import ADA, Clerk, serving, yes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # CrewAI warns of what it does itself


@pytest.fixture(autouse=True)
def no_hooks_of_others() -> Iterator[None]:
    yield
    clear_all()


@pytest.fixture(params=["native calls", "calls in words"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(is_native=request.param == "native calls")


@asynccontextmanager
async def running(shop: Shop, approvals: Approvals, **options: Any) -> AsyncIterator["asyncio.Task[str]"]:
    """The crew works while the block decides, and ends."""

    async def work() -> str:
        with approval_hooks(approvals, **options):
            return await asyncio.to_thread(shop.kickoff)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        yield group.create_task(work())


async def test_an_approved_call_runs_once_and_is_reported(
    shop: Shop, approvals: Approvals, clerk: Clerk
) -> None:
    async with running(shop, approvals) as done:
        (request,) = await clerk.arrived()
        assert (request.tool, request.args, shop.ran) == ("refund", REFUND, [])
        await clerk.approve(request.id)
    assert done.result() == "Done."
    assert shop.ran == [REFUND]
    assert "refunded 940.00 to c_42" in shop.heard[0]
    reported = await clerk.until_status(request.id, Status.EXECUTED)
    assert reported.receipt is not None and reported.receipt.result == "refunded 940.00 to c_42"


async def test_what_people_changed_is_what_runs_and_the_model_is_told(
    shop: Shop, approvals: Approvals, clerk: Clerk
) -> None:
    async with running(shop, approvals):
        (request,) = await clerk.arrived()
        await clerk.approve(request.id, {"customer": "c_42", "amount": 90})
    assert shop.ran == [{"customer": "c_42", "amount": 90}]
    assert shop.heard[0].startswith("A person changed the call, and it ran with")
    await clerk.until_status(request.id, Status.EXECUTED)


async def reject(clerk: Clerk, id: str) -> None:
    await clerk.reject(id, "it has open invoices")


async def expire(clerk: Clerk, id: str) -> None:
    await clerk.expire(id)


async def answer(clerk: Clerk, id: str) -> None:
    await clerk.answer(id, "use a voucher")


async def send_back(clerk: Clerk, id: str) -> None:
    await clerk.do(id, RequestChanges(by=ADA, feedback="half of it"))


async def give_up(clerk: Clerk, id: str) -> None:
    await clerk.give_up(id, "nobody is there")


async def edit_to_another_type(clerk: Clerk, id: str) -> None:
    await clerk.approve(id, REFUND | {"amount": ["much"]})


NO = {
    reject: "The call was rejected and did not run.",
    expire: "The call did not run: nobody answered in time.",
    answer: "The call did not run: a person answered instead. Their words: use a voucher",
    send_back: "The call did not run: a person wants it otherwise.",
    give_up: "The call did not run: nobody who may decide could be reached.",
    edit_to_another_type: "The call did not run: a person gave amount values of another type.",
}


@pytest.mark.parametrize(("say_no", "words"), NO.items(), ids=lambda one: getattr(one, "__name__", ""))
async def test_without_a_yes_the_model_reads_why_and_nothing_runs(
    say_no: Callable[[Clerk, str], Awaitable[None]],
    words: str,
    shop: Shop,
    approvals: Approvals,
    redis_url: str,
    tenant: str,
) -> None:
    async with serving(redis_url, tenant, deadline_s=0 if say_no is expire else 3600) as clerk:
        async with running(shop, approvals):
            (request,) = await clerk.arrived()
            await say_no(clerk, request.id)
        assert clerk.requests[request.id].status is not Status.EXECUTING
    assert shop.ran == []
    assert shop.heard[0].startswith(words)


async def test_a_tool_that_raises_is_reported_as_failed(approvals: Approvals, clerk: Clerk) -> None:
    clerk.habit = yes
    shop = Shop({"customer": "c_0", "amount": 1.0})
    async with running(shop, approvals):
        (request,) = await clerk.arrived()
    assert "no such customer" in shop.heard[0]
    await clerk.until_status(request.id, Status.FAILED)


async def test_without_redis_nothing_runs(shop: Shop) -> None:
    async with (
        Approvals.connect("redis://127.0.0.1:1", agent="billing", patience=0) as nowhere,
        running(shop, nowhere),
    ):
        pass
    assert shop.ran == []
    assert "approvals can't be asked for now" in shop.heard[0]


async def test_while_nobody_decides_nothing_runs_and_a_run_with_a_name_goes_on_waiting(
    shop: Shop, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    async with running(shop, approvals, timeout=0.05, run_id="inv-881"):
        pass  # the service is away
    assert shop.ran == []
    assert "nobody has decided yet" in shop.heard[0]
    again = Shop(is_native=shop.model.is_native)
    async with serving(redis_url, tenant, habit=yes) as clerk:
        async with running(again, approvals, run_id="inv-881"):
            pass
        assert len(clerk.requests) == 1
    assert again.ran == [REFUND]


async def test_the_same_call_twice_has_two_approvals(approvals: Approvals, clerk: Clerk) -> None:
    clerk.habit = yes
    shop = Shop(REFUND, REFUND)
    async with running(shop, approvals):
        pass
    assert len(clerk.requests) == 2
    assert len(shop.ran) in (1, 2)  # CrewAI may answer the second from its cache


async def test_two_crews_at_once_each_have_their_own(approvals: Approvals, clerk: Clerk) -> None:
    clerk.habit = yes
    shops = [Shop(), Shop()]
    async with asyncio.TaskGroup() as group:
        with approval_hooks(approvals):
            tasks = [group.create_task(asyncio.to_thread(one.kickoff)) for one in shops]
            await asyncio.wait(tasks)
    assert [one.ran for one in shops] == [[REFUND], [REFUND]]
    assert len(clerk.requests) == 2


async def test_a_program_that_ends_while_it_waits_runs_nothing(
    shop: Shop, approvals: Approvals, clerk: Clerk
) -> None:
    async with running(shop, approvals):
        (request,) = await clerk.arrived()
        await asyncio.to_thread(approvals.close)
    await clerk.approve(request.id)
    assert shop.ran == []
    assert clerk.requests[request.id].status is Status.APPROVED


async def test_tools_that_are_free_run_unasked(shop: Shop, approvals: Approvals, clerk: Clerk) -> None:
    async with running(shop, approvals, free=["refund"]):
        pass
    assert shop.ran == [REFUND]
    assert clerk.requests == {}


async def test_a_fault_of_ours_lets_nothing_run(shop: Shop, approvals: Approvals) -> None:
    half: Any = SimpleNamespace(background=approvals.background)  # asking with it fails as only a bug does
    async with running(shop, half):
        pass
    assert shop.ran == []
    assert "blocked" in shop.heard[0]


async def test_the_example_refunds_what_people_approved(
    monkeypatch: pytest.MonkeyPatch,
    redis_url: str,
    tenant: str,
    clerk: Clerk,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clerk.habit = yes
    monkeypatch.setenv("OPENAI_API_KEY", "scripted")
    page = a_page("crewai")
    example = page.program(redis_url, tenant, monkeypatch)
    example.agent.llm = Shop().model
    await asyncio.to_thread(example.main)
    assert capsys.readouterr().out.endswith(page.printed)
    (request,) = await clerk.arrived()
    assert (await clerk.until_status(request.id, Status.EXECUTED)).args == REFUND
