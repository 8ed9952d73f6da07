"""LangChain where the table of docs/agents is not enough: repeated steps, and versions that would not ask."""

import sys
from importlib import util
from types import ModuleType

import pytest

pytest.importorskip("langchain", reason="LangChain isn't installed: make test installs it")

import approvals.adapters.langchain as adapter
from approvals import Approvals
from approvals.model import Status
from tests.adapters.scripted import REFUND, SURFACES, Shop, Surface
from tests.clerk import serving, yes

every_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)


@pytest.fixture
def shop() -> Shop:
    return Shop()


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
