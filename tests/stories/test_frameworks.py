"""Whatever framework a call comes from, people see the same card, and their click lets it run."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("agents", reason="make test installs the OpenAI Agents SDK")
pytest.importorskip("pydantic_ai", reason="make test installs Pydantic AI")
pytest.importorskip("langchain", reason="make test installs LangChain")

from agents import Agent as OpenAIAgent
from agents import function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from approvals import Approvals
from approvals.adapters.langchain import ApprovalMiddleware, PausingMiddleware
from approvals.adapters.langgraph import Resolver
from approvals.adapters.openai_agents import gated, run
from approvals.adapters.pydantic_ai import AskPeople
from approvals.model import Args
from bot.sandbox.server import Sandbox
from tests.adapters.scripted import GO, THREAD, Script, calling
from tests.running import redrawn

pytestmark = pytest.mark.usefixtures("bot")
set_tracing_disabled(True)

CALL: Args = {"customer": "c_42", "amount": 940.5}
Refund = Callable[[str, float], Awaitable[str]]
Way = Callable[[Refund, Approvals], Awaitable[object]]


async def plain(refund: Refund, approvals: Approvals) -> object:
    return await approvals.required(refund)("c_42", 940.5)


async def openai(refund: Refund, approvals: Approvals) -> object:
    model = ScriptedModel([[function_call("refund", CALL, call_id="call_1")], [assistant_message("done")]])
    agent = OpenAIAgent(name="billing", model=model, tools=[gated(function_tool(refund), approvals)])
    return await run(agent, "Refund c_42.", approvals)


async def pydantic(refund: Refund, approvals: Approvals) -> object:
    def model(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        part = TextPart("done") if len(messages) > 1 else ToolCallPart("refund", CALL)
        return ModelResponse(parts=[part])

    agent = Agent(FunctionModel(model), capabilities=[AskPeople(approvals)])
    agent.tool_plain(requires_approval=True)(refund)
    return await agent.run("Refund c_42.")


async def langchain(refund: Refund, approvals: Approvals) -> object:
    model = Script(lines=[calling(CALL), AIMessage("done")])
    agent: Any = create_agent(model, [refund], middleware=[ApprovalMiddleware(approvals)])
    return await agent.ainvoke(GO)


async def langgraph(refund: Refund, approvals: Approvals) -> object:
    model = Script(lines=[calling(CALL), AIMessage("done")])
    pausing = PausingMiddleware(approvals, {"refund": True})
    agent = create_agent(model, [refund], middleware=[pausing], checkpointer=InMemorySaver())
    return await Resolver(agent, approvals).ainvoke(GO, THREAD)


async def test_the_same_call_looks_the_same_from_every_framework(
    slack: Sandbox, approvals: Approvals
) -> None:
    looks: dict[str, tuple[str, str]] = {}
    for way in (plain, openai, pydantic, langchain, langgraph):  # a sixth would be a flood
        asked, done = await _approved(way, slack, approvals)
        looks[way.__name__] = asked, done
    assert looks == dict.fromkeys(looks, looks["plain"])


async def _approved(way: Way, slack: Sandbox, approvals: Approvals) -> tuple[str, str]:
    """The card as it asks, and as it tells that the call has run."""
    ran: list[tuple[str, float]] = []
    result = f"re_{way.__name__}"

    async def refund(customer: str, amount: float) -> str:
        """Give money back."""
        ran.append((customer, amount))
        return result

    async with asyncio.TaskGroup() as group:
        group.create_task(_run(way, refund, approvals))
        card = await slack.until(
            lambda: next(
                (m for m in slack.messages("C0APPROVALS") if m.blocks and "Approve" in m.shown.split("\n")),
                None,
            )
        )
        assert card is not None
        assert ran == []
        assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert ran == [("c_42", 940.5)]
    told = await redrawn(slack, card, result)
    return _anonymous(card.shown), _anonymous(told.shown.replace(result, "re_…"))


async def _run(way: Way, refund: Refund, approvals: Approvals) -> None:
    await way(refund, approvals)


def _anonymous(shown: str) -> str:
    """Without what differs from request to request: its id, times, spans."""
    return re.sub(r"R-[0-9A-Z]+|date\^\d+|\d+:\d\d|[\d.]+ (ms|s|seconds?)\b", "…", shown)
