"""LangChain × every failure: a tool runs with a claimed approval for exactly its arguments, or not at all."""

import asyncio
import sys
from importlib import util
from types import ModuleType

import pytest

pytest.importorskip("langchain", reason="LangChain isn't installed: make test installs it")

import approvals.adapters.langchain as adapter
from approvals import Approvals, NotApproved, StillPending, Unavailable
from approvals.commands import Approve, Reject
from approvals.model import Status
from tests.adapters.scripted import REFUND, SURFACES, THREAD, Agent, Shop, Surface
from tests.clerk import ADA, serving, yes

every_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@every_surface
async def test_service_away_the_run_stops_and_goes_on_when_it_is_back(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    agent = surface.agent(approvals, shop, timeout=0.05)
    with pytest.raises(StillPending):
        await agent.run()
    assert shop.ran == []
    async with serving(redis_url, tenant, habit=yes) as clerk:
        await clerk.until(lambda: any(one.status is Status.APPROVED for one in clerk.requests.values()))
        await agent.run(None)
        assert len(clerk.requests) == 1
    assert shop.ran == [REFUND]


@every_surface
async def test_redis_away_stops_the_run(surface: Surface, shop: Shop) -> None:
    async with Approvals.connect("redis://127.0.0.1:1/0", agent="billing", patience=0) as away:
        with pytest.raises(Unavailable):
            await surface.agent(away, shop).run()
    assert shop.ran == []


@every_surface
async def test_timeout_stops_the_run_and_leaves_the_request_open(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk:
        with pytest.raises(StillPending):
            await surface.agent(approvals, shop, timeout=0.05).run()
        (request,) = await clerk.arrived()
        assert request.is_pending
    assert shop.ran == []


@pytest.mark.parametrize("surface", [one for one in SURFACES if one.is_async], ids=lambda one: one.name)
async def test_a_cancelled_run_runs_nothing_although_it_is_approved_later(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        run = group.create_task(surface.agent(approvals, shop).run())
        (request,) = await clerk.arrived()
        run.cancel()
        await asyncio.wait([run])
        await clerk.approve(request.id)
    assert run.cancelled()
    assert shop.ran == []


@every_surface
async def test_rejected_the_model_reads_why(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    def no(_: object) -> Reject:
        return Reject(by=ADA, feedback="it has open invoices")

    async with serving(redis_url, tenant, habit=no):
        (said,) = await surface.agent(approvals, shop).run()
    assert shop.ran == []
    assert said.status == "error"
    assert "rejected" in said.text
    assert "it has open invoices" in said.text


@every_surface
async def test_expired_the_model_reads_that_nobody_answered_and_not_that_it_was_rejected(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, deadline_s=0) as clerk, asyncio.TaskGroup() as group:
        run = group.create_task(surface.agent(approvals, shop).run())
        (request,) = await clerk.arrived()
        await clerk.expire(request.id)
    (said,) = run.result()
    assert shop.ran == []
    assert "nobody answered in time" in said.text
    assert "reject" not in said.text


@every_surface
async def test_edited_to_another_type_does_not_run(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(
        redis_url,
        tenant,
        habit=lambda one: Approve(
            by=ADA, seen=one.fingerprint, edited={"customer": "c_42", "amount": "lots"}
        ),
    ) as clerk:
        (said,) = await surface.agent(approvals, shop).run()
        (request,) = await clerk.arrived()
        await clerk.until_status(request.id, Status.FAILED)
    assert shop.ran == []
    assert "valid number" in said.text


@every_surface
async def test_a_tool_that_raises_is_reported_and_not_run_again(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    shop.trouble = ValueError("the bank said no")
    agent = surface.agent(approvals, shop)
    async with serving(redis_url, tenant, habit=yes) as clerk:
        with pytest.raises(ValueError, match="the bank said no"):
            await agent.run()
        (request,) = await clerk.arrived()
        failed = await clerk.until_status(request.id, Status.FAILED)
        assert failed.receipt
        assert failed.receipt.result == "ValueError: the bank said no"
        (said,) = await agent.run(None)
    assert shop.ran == [REFUND]
    assert "its approval was used before" in said.text


@every_surface
async def test_the_same_call_twice_runs_once(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    """A thread that is taken back to before the call, as LangGraph's time travel does."""
    agent = surface.agent(approvals, shop)
    async with serving(redis_url, tenant, habit=yes) as clerk:
        await agent.run()
        (said,) = await agent.run(None, await _before_the_tool(agent))
        assert len(clerk.requests) == 1
    assert shop.ran == [REFUND]
    assert "its approval was used before" in said.text


async def _before_the_tool(agent: Agent) -> object:
    history = [one async for one in agent.graph.aget_state_history(THREAD)]
    return [one for one in history if one.next and one.next[0] not in ("__start__", "model")][-1].config


@every_surface
async def test_two_runs_at_once_run_it_once(
    surface: Surface, approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    agent = surface.agent(approvals, shop, timeout=0.05)
    with pytest.raises(StillPending):
        await agent.run()
    agent = surface.agent(approvals, shop, saver=agent.graph.checkpointer)
    async with serving(redis_url, tenant) as clerk, asyncio.TaskGroup() as group:
        runs = [group.create_task(_ended(agent)) for _ in range(2)]
        (request,) = await clerk.arrived()
        await clerk.approve(request.id)
    assert len(clerk.requests) == 1
    assert shop.ran == [REFUND]
    assert all(run.done() for run in runs)


async def _ended(agent: Agent) -> None:
    try:
        await agent.run(None)
    except NotApproved:  # StaleInterrupt: the other one has gone on with the thread
        return


def test_an_unknown_version_that_would_ask_nobody_is_refused_when_it_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = ModuleType("langchain.agents.middleware")
    unknown.AgentMiddleware = unknown.HumanInTheLoopMiddleware = type("Other", (), {})  # type: ignore[attr-defined]  # made up
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware", unknown)
    spec = util.spec_from_file_location("another", adapter.__file__)
    assert spec
    assert spec.loader
    with pytest.raises(ImportError, match=r"nothing would ask.*countersign\[langchain\]"):
        spec.loader.exec_module(util.module_from_spec(spec))


def test_a_missing_framework_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware", None)
    spec = util.spec_from_file_location("another", adapter.__file__)
    assert spec
    assert spec.loader
    with pytest.raises(ImportError, match=r'pip install "countersign\[langchain\]"'):
        spec.loader.exec_module(util.module_from_spec(spec))
