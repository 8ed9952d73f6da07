"""What a gate costs in each framework: a call that a rule allows, beside the same call without a gate."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from approvals import Approvals
from approvals.adapters.hook_command import HARNESSES
from approvals.adapters.tool_hooks import ToolHooks
from approvals.ids import new_id
from approvals.model import Args
from bot.sandbox.server import Sandbox
from tests.bench.child import a_child
from tests.bench.ground import TENANT, Ground
from tests.bench.times import Times
from tests.running import environment

ARGS: Args = {"customer": "c_42", "amount": 940.0}
POLICY = str(Path(__file__).parent / "allow.toml")
RESULT = "refunded 940.00 to c_42"

Call: TypeAlias = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same call of one tool, twice. What both give says that the tool has run."""

    bare: Call
    gated: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    what: str
    bare: Times
    gated: Times


async def overheads(ground: Ground, count: int) -> list[Overhead]:
    """`count` calls by each adapter whose framework is installed; two more before, unmeasured."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Sandbox(rate_limits=False))
        env = environment(slack, ground.url, TENANT, APPROVALS_POLICY=POLICY)
        await stack.enter_async_context(a_child("service", slack, env))
        approvals = await stack.enter_async_context(
            Approvals.connect(ground.url, agent="billing", tenant=TENANT)
        )
        return [
            await _overhead(what, opened(approvals), count)
            for what, framework, opened in ADAPTERS
            if find_spec(framework)
        ]


async def _overhead(what: str, opened: AbstractAsyncContextManager[Pair], count: int) -> Overhead:
    bare, gated = [], []
    async with opened as pair:
        for _ in range(count + 2):
            bare.append(await _timed(pair.bare))
            gated.append(await _timed(pair.gated))
    return Overhead(what=what, bare=Times(tuple(bare[2:])), gated=Times(tuple(gated[2:])))


async def _timed(call: Call) -> float:
    began = time.perf_counter()
    result = await call()
    took = time.perf_counter() - began
    assert RESULT in str(result), result
    return took


async def refund(customer: str, amount: float) -> str:
    """Give a customer money back."""
    return f"refunded {amount:.2f} to {customer}"


@asynccontextmanager
async def _decorator(approvals: Approvals) -> AsyncIterator[Pair]:
    gate = approvals.required()(refund)
    yield Pair(bare=lambda: refund("c_42", 940.0), gated=lambda: gate("c_42", 940.0))


@asynccontextmanager
async def _openai(approvals: Approvals) -> AsyncIterator[Pair]:
    from agents import Agent, Runner, function_tool, set_tracing_disabled
    from agents.testing import ScriptedModel, assistant_message, function_call

    from approvals.adapters.openai_agents import gated, run

    set_tracing_disabled(True)
    tool = function_tool(refund)
    guarded = gated(tool, approvals)

    def agent(tool: Any) -> Agent[Any]:
        turns = [[function_call("refund", ARGS, call_id="call_1")], [assistant_message("Done.")]]
        return Agent(name="billing", model=ScriptedModel(turns), tools=[tool])

    async def bare() -> object:
        return (await Runner.run(agent(tool), "Refund c_42.")).new_items

    async def driven() -> object:
        return (await run(agent(guarded), "Refund c_42.", approvals, run_id=new_id())).to_input_list()

    yield Pair(bare=bare, gated=driven)


@asynccontextmanager
async def _pydantic_ai(approvals: Approvals) -> AsyncIterator[Pair]:
    from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    from approvals.adapters.pydantic_ai import AskPeople

    def say(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            return ModelResponse(parts=[TextPart("Done.")])
        return ModelResponse(parts=[ToolCallPart("refund", ARGS, "call_1")])

    def runs(agent: Agent[None, str]) -> Call:
        async def run() -> object:
            return (await agent.run("Refund c_42.")).all_messages()

        return run

    bare = Agent(FunctionModel(say))
    bare.tool_plain(refund)
    guarded = Agent(FunctionModel(say), capabilities=[AskPeople(approvals)])
    guarded.tool_plain(requires_approval=True)(refund)
    yield Pair(bare=runs(bare), gated=runs(guarded))


def _lang_agent(*middleware: Any) -> Any:
    from langchain.agents import create_agent
    from langchain_core.messages import AIMessage
    from langgraph.checkpoint.memory import InMemorySaver

    from tests.adapters.scripted import Script, calling

    model = Script(lines=[calling(ARGS), AIMessage("Done.")])
    return create_agent(model, [refund], middleware=middleware, checkpointer=InMemorySaver())


def _runs(runner: Any) -> Call:
    """In a thread of its own each time."""

    async def run() -> object:
        asked = {"messages": [("user", "Refund c_42.")]}
        return await runner.ainvoke(asked, {"configurable": {"thread_id": new_id()}})

    return run


@asynccontextmanager
async def _langchain(approvals: Approvals) -> AsyncIterator[Pair]:
    from approvals.adapters.langchain import ApprovalMiddleware

    yield Pair(bare=_runs(_lang_agent()), gated=_runs(_lang_agent(ApprovalMiddleware(approvals))))


@asynccontextmanager
async def _langgraph(approvals: Approvals) -> AsyncIterator[Pair]:
    from approvals.adapters.langchain import PausingMiddleware
    from approvals.adapters.langgraph import Resolver

    pausing = PausingMiddleware(approvals, {"refund": True}, interrupt_mode="per_call")
    yield Pair(bare=_runs(_lang_agent()), gated=_runs(Resolver(_lang_agent(pausing), approvals)))


def _hooked(answer: Callable[[dict[str, Any]], Awaitable[Any]], before: str, after: str) -> Pair:
    """A coding agent's hook, called as that would: before the tool runs, and after."""

    async def bare() -> object:
        return await refund("c_42", 940.0)

    async def gated() -> object:
        event = {"session_id": "s", "tool_use_id": new_id(), "tool_name": "refund", "tool_input": ARGS}
        said = await answer(event | {"hook_event_name": before})
        assert '"allow"' in json.dumps(said), said
        result = await bare()
        await answer(event | {"hook_event_name": after, "tool_response": {"llmContent": result}})
        return result

    return Pair(bare=bare, gated=gated)


@asynccontextmanager
async def _claude_agent(approvals: Approvals) -> AsyncIterator[Pair]:
    from approvals.adapters.claude_agent import approval_hooks

    hook: Any = approval_hooks(approvals)["PreToolUse"][0].hooks[0]
    yield _hooked(lambda event: hook(event, event["tool_use_id"], {}), "PreToolUse", "PostToolUse")


@asynccontextmanager
async def _hook(approvals: Approvals) -> AsyncIterator[Pair]:
    gemini = HARNESSES["gemini"]
    hooks = ToolHooks(approvals, 60, merges=gemini.merges)
    yield _hooked(lambda event: gemini.answer(hooks, event), "BeforeTool", "AfterTool")


@asynccontextmanager
async def _mcp_gateway(approvals: Approvals) -> AsyncIterator[Pair]:
    from mcp.client import Client
    from mcp.server.mcpserver import MCPServer

    from tests.adapters.mcp_shop import gated

    server = MCPServer("shop")
    server.tool()(refund)
    async with Client(server) as near, gated(approvals, server) as through:
        yield Pair(
            bare=lambda: near.call_tool("refund", ARGS), gated=lambda: through.call_tool("refund", ARGS)
        )


# What it is called, what must be installed for it, and how it is opened.
ADAPTERS: tuple[tuple[str, str, Callable[[Approvals], AbstractAsyncContextManager[Pair]]], ...] = (
    ("Function with the decorator", "approvals", _decorator),
    ("OpenAI Agents SDK, driven by `run`", "agents", _openai),
    ("Pydantic AI, inline", "pydantic_ai", _pydantic_ai),
    ("LangChain, inline", "langchain", _langchain),
    ("LangGraph, interrupt and resolver", "langchain", _langgraph),
    ("Claude Agent SDK, hook", "claude_agent_sdk", _claude_agent),
    ("Gemini CLI's hook, without its process", "approvals", _hook),
    ("MCP gateway, in process", "mcp", _mcp_gateway),
)
