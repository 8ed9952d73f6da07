"""Each way in which a program can make a call that people decide: real frameworks, scripted models."""

import asyncio
import functools
import inspect
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from agents import Agent as OpenAIAgent
from agents import ModelResponse as OpenAIResponse
from agents import Runner, function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call
from aiohttp import ClientSession
from claude_agent_sdk import ClaudeAgentOptions, query
from langchain_core.messages import ToolMessage
from mcp.client import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import TextContent
from pydantic_ai import (
    Agent,
    AgentRunResultEvent,
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from approvals.adapters.claude_agent import approval_hooks, can_use_tool
from approvals.adapters.hook_command import HARNESSES
from approvals.adapters.humanlayer import AsyncHumanLayer, HumanLayer
from approvals.adapters.mcp_server import server
from approvals.adapters.openai_agents import gated, run
from approvals.adapters.pydantic_ai import AskPeople
from approvals.adapters.tool_hooks import ToolHooks
from approvals.agent_tokens import AgentTokens, Role
from approvals.model import Actor, Args
from tests.adapters import mcp_shop, scripted
from tests.adapters.hooking import Said
from tests.adapters.scenes import REFUND, Case, Make, Open, Way
from tests.adapters.scripted_code import ScriptedCode
from tests.bot.api.calling import get, post
from tests.running import SECRET, a_bot, a_machine, until
from tests.stories.signing import free_port, is_serving

set_tracing_disabled(True)
RUN = "inv-881"


def program(make: Callable[[Case], Awaitable[str]]) -> Open:
    """One that has nothing to open."""

    @asynccontextmanager
    async def opened(case: Case) -> AsyncIterator[Make]:
        async def once_more() -> str:
            return await make(case)

        yield once_more

    return opened


async def by_hand(case: Case, args: Args, report: Callable[[bool, str], Awaitable[object]]) -> str:
    """What a program does that runs the tool itself: look whether the arguments fit, run it, report."""
    customer, amount = args["customer"], args["amount"]
    if not isinstance(customer, str) or not isinstance(amount, int | float):
        await report(False, "amount is no number")
        return "amount is no number"
    try:
        result = case.shop.refund(customer, amount)
    except ValueError as error:
        await report(False, str(error))
        return f"error: {error}"
    await report(True, result)
    return result


async def decorated(case: Case) -> str:
    async def refund(customer: str, amount: float) -> str:
        return case.shop.refund(customer, amount)

    gate = case.approvals.required(timeout=case.timeout_s, reason=case.reason, key=RUN)
    return await gate(refund)("c_42", 940.5)


# -- HTTP ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def http(case: Case) -> AsyncIterator[Make]:
    url = f"http://127.0.0.1:{free_port()}"
    env = {
        "REDIS_URL": case.redis_url,
        "APPROVALS_TENANT": case.tenant,
        "PORT": url.rpartition(":")[2],
        **a_machine(),
        **SECRET,
    }
    async with a_bot(env, role="web") as service, ClientSession(url) as api:
        await until(lambda: is_serving(url))
        tokens = AgentTokens(service.redis, case.tenant)
        token = await tokens.add(case.approvals.agent, Role.AGENT, Actor(id="operator:ops", name="ops"))
        api.headers["Authorization"] = f"Bearer {token}"

        async def make() -> str:
            body = {"tool": "refund", "args": REFUND, "reason": case.reason}
            asked = await post(api, "/v1/requests", body, **{"Idempotency-Key": RUN})
            if asked.status >= 400:
                return f"{asked.status} {asked.body['type']}"
            mine = f"/v1/requests/{asked.body['id']}"
            outcome = (await get(api, f"{mine}?wait={case.timeout_s}")).body["outcome"]
            if outcome is None or outcome["status"] != "approved":
                return f"outcome: {outcome and (outcome['status'], outcome['text'])}"
            permit = await post(api, f"{mine}/claim")
            if permit.status != 200:
                return f"{permit.status} {permit.body['type']}"
            return await by_hand(
                case,
                permit.body["args"],
                lambda ok, result: post(api, f"{mine}/receipt", {"ok": ok, "result": result}),
            )

        yield make


# -- OpenAI -------------------------------------------------------------------------------------------


class Refunding(ScriptedModel):
    """Makes its call, and says what it has read."""

    async def get_response(self, *positional: Any, **named: Any) -> OpenAIResponse:
        items = named["input"]
        read = [one["output"] for one in items if "output" in one] if isinstance(items, list) else []
        self.enqueue(
            [assistant_message(read[-1]) if read else function_call("refund", REFUND, call_id="call_1")]
        )
        return await super().get_response(*positional, **named)


def _openai_agent(case: Case) -> OpenAIAgent[Any]:
    tool = gated(function_tool(case.shop.refund), case.approvals, timeout=case.timeout_s, reason=case.reason)
    return OpenAIAgent(name="billing", model=Refunding(), tools=[tool])


async def openai_driven(case: Case) -> str:
    agent = _openai_agent(case)
    result = await run(agent, "Refund c_42.", case.approvals, run_id=RUN, timeout=case.timeout_s)
    return str(result.final_output)


async def openai_bare(case: Case) -> str:
    return str((await Runner.run(_openai_agent(case), "Refund c_42.")).final_output)


# -- Pydantic AI --------------------------------------------------------------------------------------


def _pydantic_agent(case: Case) -> tuple[AskPeople, Agent[None, str]]:
    def read(messages: list[ModelMessage]) -> list[str]:
        parts = [part for message in messages for part in message.parts]
        return [
            one.model_response_str(wrap_if_error=False) for one in parts if isinstance(one, ToolReturnPart)
        ]

    def say(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        heard = read(messages)
        part = TextPart(heard[-1]) if heard else ToolCallPart("refund", REFUND, "call_1")
        return ModelResponse(parts=[part])

    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        if heard := read(messages):
            yield heard[-1]
        else:
            yield {0: DeltaToolCall("refund", json.dumps(REFUND), tool_call_id="call_1")}

    people = AskPeople(case.approvals, timeout=case.timeout_s, reason=case.reason)
    agent = Agent(FunctionModel(say, stream_function=stream), capabilities=[people])
    agent.tool_plain(requires_approval=True)(case.shop.refund)
    return people, agent


async def pydantic_driven(case: Case) -> str:
    people, agent = _pydantic_agent(case)
    return str((await people.run(agent, "Refund c_42.", run_id=RUN)).output)


async def pydantic_inline(case: Case) -> str:
    _, agent = _pydantic_agent(case)
    return str((await agent.run("Refund c_42.")).output)


async def pydantic_streamed(case: Case) -> str:
    _, agent = _pydantic_agent(case)
    async with agent.run_stream_events("Refund c_42.") as events:
        results = [event.result async for event in events if isinstance(event, AgentRunResultEvent)]
    return str(results[-1].output)


# -- LangChain and LangGraph --------------------------------------------------------------------------


def threaded(surface: scripted.Surface) -> Open:
    """A thread that stands before its call; made again, the call is repeated from there."""

    @asynccontextmanager
    async def opened(case: Case) -> AsyncIterator[Make]:
        shop = scripted.Shop(ran=case.shop.ran, trouble=case.shop.trouble, result=case.shop.result)
        line = scripted.calling(REFUND, words=case.reason or "")
        agent = surface.agent(case.approvals, shop, line, timeout=case.timeout_s, risk=None)
        await asyncio.to_thread(agent.graph.invoke, scripted.GO, scripted.THREAD, interrupt_before=["tools"])
        before = agent.graph.get_state(scripted.THREAD).config

        async def make() -> str:
            over = not agent.graph.get_state(scripted.THREAD).next
            said: list[ToolMessage] = await agent.run(None, before if over else scripted.THREAD)
            return said[-1].text

        yield make

    return opened


# -- HumanLayer ---------------------------------------------------------------------------------------


def humanlayer(layer: type[HumanLayer], *, is_tool_async: bool) -> Open:
    async def make(case: Case) -> str:
        async def refund(customer: str, amount: float) -> str:
            return case.shop.refund(customer, amount)

        hl = layer(approvals=case.approvals, timeout=case.timeout_s)
        tool = hl.require_approval().wrap(refund if is_tool_async else case.shop.refund)
        if inspect.iscoroutinefunction(tool):
            return str(await tool(**REFUND))
        return str(await asyncio.to_thread(tool, **REFUND))

    return program(make)


# -- MCP ----------------------------------------------------------------------------------------------


def gateway(mode: str) -> Open:
    @asynccontextmanager
    async def opened(case: Case) -> AsyncIterator[Make]:
        shop = MCPServer("shop")
        shop.tool()(case.shop.refund)
        async with mcp_shop.gated(case.approvals, shop, timeout_s=case.timeout_s, mode=mode) as client:
            await client.list_tools()
            yield lambda: _text_of(client, "refund", REFUND)

    return opened


async def _text_of(client: Client, tool: str, args: Args) -> str:
    result = await client.call_tool(tool, args)
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


@asynccontextmanager
async def mcp_server(case: Case) -> AsyncIterator[Make]:
    async with Client(server(case.approvals, timeout_s=case.timeout_s)) as client:

        async def make() -> str:
            asked = {"tool": "refund", "args": REFUND, "reason": case.reason, "key": RUN}
            result = await client.call_tool("request", asked)
            said = result.structured_content
            if result.is_error or said is None:
                return str(result.content)
            if said["status"] != "approved":
                return f"{said['status']}: {said['words']}"
            return await by_hand(
                case,
                said["args"],
                lambda ok, text: client.call_tool("report", {"id": said["id"], "ok": ok, "result": text}),
            )

        yield make


@asynccontextmanager
async def mcp_permission(case: Case) -> AsyncIterator[Make]:
    ids = itertools.count()
    async with Client(server(case.approvals, timeout_s=case.timeout_s)) as client:

        async def make() -> str:
            asked: Args = {"tool_name": "refund", "input": REFUND, "tool_use_id": f"toolu_{next(ids)}"}
            verdict = json.loads(await _text_of(client, "ask_permission", asked))
            if verdict["behavior"] != "allow":
                return str(verdict["message"])
            return (await ran_by_agent(case, verdict["updatedInput"]))[1]

        yield make


# -- hooks --------------------------------------------------------------------------------------------


async def ran_by_agent(case: Case, args: Args) -> tuple[bool, str]:
    """What a coding agent makes of a call that it was let make: whether that went well, and the result."""
    try:
        return True, case.shop.refund(**args)  # type: ignore[arg-type]  # whatever it was given
    except ValueError as error:
        return False, f"error: {error}"


def hook(harness: str, before: str, after: tuple[str, str]) -> Open:
    """A coding agent that runs our hook around its calls, each of which has an id of its own."""

    @asynccontextmanager
    async def opened(case: Case) -> AsyncIterator[Make]:
        ours, ids = HARNESSES[harness], itertools.count()
        hooks = ToolHooks(case.approvals, case.timeout_s, merges=ours.merges, reason=case.reason)

        async def make() -> str:
            event: dict[str, Any] = {"session_id": "s", "tool_name": "refund", "tool_input": REFUND}
            if before == "PreToolUse":
                event["tool_use_id"] = f"toolu_{next(ids)}"
            said = Said(0, await ours.answer(hooks, event | {"hook_event_name": before}), "")
            if not said.is_allowed:
                return said.words
            ok, result = await ran_by_agent(case, said.args)
            response = result if ok else {"error": result}
            told = {"hook_event_name": after[not ok], "tool_input": said.args, "tool_response": response}
            await ours.answer(hooks, event | told | {"error": result})
            return result

        yield make

    return opened


@asynccontextmanager
async def claude_hooks(case: Case) -> AsyncIterator[Make]:
    hooks = approval_hooks(case.approvals, timeout=case.timeout_s, reason=case.reason)
    yield scripted_claude(case, ClaudeAgentOptions(hooks=hooks))


@asynccontextmanager
async def claude_permissions(case: Case) -> AsyncIterator[Make]:
    asks = can_use_tool(case.approvals, timeout=case.timeout_s, reason=case.reason)
    yield scripted_claude(case, ClaudeAgentOptions(can_use_tool=asks))


def scripted_claude(case: Case, options: ClaudeAgentOptions) -> Make:
    ids = itertools.count()

    async def prompt() -> AsyncIterator[dict[str, Any]]:
        yield {"type": "user", "message": {"role": "user", "content": "Refund c_42."}}

    async def make() -> str:
        runs = functools.partial(ran_by_agent, case)
        code = ScriptedCode("refund", REFUND, id=str(next(ids)), runs=runs)
        async for _ in query(prompt=prompt(), options=options, transport=code):
            pass
        return code.read

    return make


# -- all of them --------------------------------------------------------------------------------------

_CLAUDE_AFTER, _GEMINI_AFTER = ("PostToolUse", "PostToolUseFailure"), ("AfterTool", "AfterTool")

WAYS = [
    Way(row="Plain functions", name="decorator", open=program(decorated)),
    Way(row="HTTP", name="http", open=http),
    Way(row="OpenAI Agents SDK, `run`", name="openai driven", open=program(openai_driven)),
    Way(row="OpenAI Agents SDK, `Runner.run`", name="openai", open=program(openai_bare)),
    Way(row="Pydantic AI, `AskPeople.run`", name="pydantic driven", open=program(pydantic_driven)),
    Way(row="Pydantic AI, `Agent.run`", name="pydantic inline", open=program(pydantic_inline)),
    Way(row="Pydantic AI, `Agent.run`", name="pydantic streamed", open=program(pydantic_streamed)),
    *(
        Way(
            row="LangGraph" if surface.pauses else "LangChain",
            name=f"langchain {surface.name}",
            open=threaded(surface),
            is_async=surface.is_async,
        )
        for surface in scripted.SURFACES
    ),
    *(
        Way(
            row="HumanLayer's names",
            name=f"{layer.__name__} around {'an async' if is_tool_async else 'a'} tool",
            open=humanlayer(layer, is_tool_async=is_tool_async),
            is_async=is_tool_async or layer is AsyncHumanLayer,
            can_say_why=False,
        )
        for layer in (HumanLayer, AsyncHumanLayer)
        for is_tool_async in (False, True)
    ),
    *(
        Way(row="MCP gateway", name=f"gateway {mode}", open=gateway(mode), takes_back=True, can_say_why=False)
        for mode in ("legacy", "2026-07-28")
    ),
    Way(row="MCP server", name="mcp server", open=mcp_server, takes_back=True),
    Way(
        row="MCP server, `ask_permission`",
        name="mcp permission",
        open=mcp_permission,
        takes_back=True,
        reports=False,
        can_say_why=False,
    ),
    Way(row="Claude Code", name="claude code", open=hook("claude", "PreToolUse", _CLAUDE_AFTER)),
    Way(row="Claude Code", name="claude permission", open=hook("claude", "PermissionRequest", _CLAUDE_AFTER)),
    Way(row="Claude Agent SDK", name="claude agent", open=claude_hooks),
    Way(row="Claude Agent SDK, `can_use_tool`", name="can_use_tool", open=claude_permissions, reports=False),
    Way(row="Gemini CLI", name="gemini", open=hook("gemini", "BeforeTool", _GEMINI_AFTER)),
]
