"""LangChain's middleware: what people see of a call, and what the model reads."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain", reason="LangChain isn't installed: make test installs it")

from typing import Annotated

from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, tool
from langgraph.types import Command

from approvals import Approvals, InvalidCall
from approvals.adapters.langchain import ApprovalMiddleware
from approvals.commands import Approve
from approvals.messages import Submission
from approvals.model import Risk, Status
from tests.adapters.pages import a_page
from tests.adapters.scripted import GO, INLINE, REFUND, THREAD, Script, Shop, calling
from tests.clerk import ADA, Clerk, serving, yes


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_a_tool_runs_once_it_is_approved_and_people_see_how_it_went(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    agent = INLINE.agent(approvals, shop, calling(REFUND, words="Charged twice for invoice 881."))
    async with asyncio.TaskGroup() as group:
        run = group.create_task(agent.run())
        (request,) = await clerk.arrived()
        assert (request.tool, request.args) == ("refund", REFUND)
        assert request.reason == "Charged twice for invoice 881."
        assert request.schema
        assert request.schema["required"] == ["customer", "amount"]
        assert shop.ran == []
        await clerk.approve(request.id)
    done = await clerk.until_status(request.id, Status.EXECUTED)
    assert done.receipt
    assert done.receipt.result == run.result()[0].text == "refunded 940.00 to c_42"
    assert shop.ran == [REFUND]


async def test_an_edited_call_runs_as_it_was_approved_and_the_model_reads_so(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    async with asyncio.TaskGroup() as group:
        run = group.create_task(INLINE.agent(approvals, shop).run())
        (request,) = await clerk.arrived()
        await clerk.approve(request.id, edited=REFUND | {"amount": 900.0})
    (said,) = run.result()
    assert shop.ran == [REFUND | {"amount": 900.0}]
    assert said.text.startswith("A person changed the call")
    assert said.text.endswith("refunded 900.00 to c_42")


async def test_an_answer_goes_to_the_model_instead_of_the_tools(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    async with asyncio.TaskGroup() as group:
        run = group.create_task(INLINE.agent(approvals, shop).run())
        (request,) = await clerk.arrived()
        await clerk.answer(request.id, "I have sent a voucher.")
    (said,) = run.result()
    assert shop.ran == []
    assert said.status == "success"
    assert "I have sent a voucher." in said.text


async def test_who_wants_it_otherwise_is_asked_anew_about_the_changed_call(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    less = REFUND | {"amount": 900.0}
    agent = INLINE.agent(approvals, shop, calling(REFUND), calling(less))
    async with asyncio.TaskGroup() as group:
        run = group.create_task(agent.run())
        (first,) = await clerk.arrived()
        await clerk.send_back(first.id, "without shipping")
        _, second = await clerk.arrived(2)
        await clerk.until_status(first.id, Status.CANCELLED)
        await clerk.approve(second.id)
    assert "without shipping" in run.result()[0].text
    assert shop.ran == [less]


async def test_free_tools_run_without_asking(shop: Shop) -> None:
    async with Approvals.connect("redis://127.0.0.1:1/0", agent="billing", patience=0) as away:
        agent = INLINE.agent(away, shop, calling({"customer": "c_42"}, tool="look_up"), free=["look_up"])
        (said,) = await agent.run()
    assert said.text == "c_42 is fine"


def test_one_text_is_no_list_of_free_tools(approvals: Approvals) -> None:
    with pytest.raises(InvalidCall, match="free is a list"):
        ApprovalMiddleware(approvals, free="look_up")


async def test_about_says_more_of_each_call(
    approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    def about(request: Any) -> Any:
        return {"risk": "high", "reason": f"for {request.tool_call['args']['customer']}"}

    async with serving(redis_url, tenant, habit=yes) as clerk:
        await INLINE.agent(approvals, shop, about=about).run()
        (request,) = await clerk.arrived()
    assert request.reason == "for c_42"
    letter = clerk.letters[0]
    assert isinstance(letter, Submission)
    assert letter.risk is Risk.HIGH


async def test_all_calls_of_one_message_are_asked_about_at_once(
    approvals: Approvals, clerk: Clerk, shop: Shop
) -> None:
    other = {"customer": "c_17", "amount": 35.0}
    async with asyncio.TaskGroup() as group:
        run = group.create_task(INLINE.agent(approvals, shop, calling(REFUND, other)).run())
        first, second = await clerk.arrived(2)
        await clerk.approve(second.id)
        await clerk.reject(first.id)
    assert len(run.result()) == 2
    assert shop.ran == [second.args]


async def test_a_model_that_numbers_its_calls_anew_in_each_message_is_asked_about_each(
    approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    async with serving(redis_url, tenant, habit=yes) as clerk:
        await INLINE.agent(approvals, shop, calling(REFUND), calling(REFUND)).run()
    assert len(clerk.requests) == 2
    assert shop.ran == [REFUND, REFUND]


async def test_a_retry_is_no_second_leave(
    approvals: Approvals, shop: Shop, redis_url: str, tenant: str
) -> None:
    shop.trouble = ValueError("the bank said no")
    model = Script(lines=[calling(REFUND), AIMessage("Done.")])
    retrying = ToolRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
    agent = create_agent(model, shop.tools, middleware=[retrying, ApprovalMiddleware(approvals)])
    async with serving(redis_url, tenant, habit=yes):
        await agent.ainvoke(GO, THREAD)  # type: ignore[call-overload]  # messages in LangChain's short form
    assert shop.ran == [REFUND]


async def test_the_notice_of_an_edit_reaches_the_model_through_a_command_too(
    approvals: Approvals, redis_url: str, tenant: str
) -> None:
    @tool
    def refund(customer: str, amount: float, tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Pay a customer back."""
        return Command(update={"messages": [ToolMessage(f"{amount:.2f}", tool_call_id=tool_call_id)]})

    def edit(one: Any) -> Approve:
        return Approve(by=ADA, seen=one.fingerprint, edited=REFUND | {"amount": 900.0})

    (said,) = await _tools_said(approvals, refund, edit, redis_url, tenant)
    assert said.text.startswith("A person changed the call")
    assert said.text.endswith("900.00")


async def _tools_said(
    approvals: Approvals, one: BaseTool, habit: Any, redis_url: str, tenant: str
) -> list[ToolMessage]:
    model = Script(lines=[calling(REFUND), AIMessage("Done.")])
    agent: Any = create_agent(model, [one], middleware=[ApprovalMiddleware(approvals)])
    async with serving(redis_url, tenant, habit=habit):
        result = await agent.ainvoke(GO)
    return [message for message in result["messages"] if isinstance(message, ToolMessage)]


@pytest.mark.parametrize("name", ["langchain", "langgraph"])
async def test_the_program_of_the_page_prints_what_the_page_says(
    name: str,
    redis_url: str,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = a_page(name)
    example = page.program(redis_url, tenant, monkeypatch)
    model = Script(lines=[calling(REFUND), AIMessage("Done: refunded 940.00 to c_42")])
    async with serving(redis_url, tenant, habit=yes) as clerk:
        await example.main(model)
        (request,) = await clerk.arrived()
        await clerk.until_status(request.id, Status.EXECUTED)
    assert capsys.readouterr().out == page.printed
