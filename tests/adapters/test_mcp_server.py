"""The MCP server by which agents ask: it tells what people say, and never says it in their place."""

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("mcp", reason="make setup installs the MCP SDK")

from mcp.client import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import TextContent

from approvals import Approvals
from approvals.adapters.mcp_server import server
from approvals.errors import Refusal
from approvals.model import I_TAKE_OVER, Args, Status
from tests.clerk import Clerk

REFUND: Args = {"tool": "refund", "args": {"customer": "c_42", "amount": 940}, "reason": "charged twice"}
PUSH: Args = {"tool_name": "Bash", "input": {"command": "git push"}, "tool_use_id": "toolu_1"}


@pytest.fixture
def desk(approvals: Approvals) -> MCPServer[None]:
    return server(approvals, timeout_s=5)


@pytest.fixture
def hasty(approvals: Approvals) -> MCPServer[None]:
    """One whose calls hardly wait."""
    return server(approvals, timeout_s=0.5)


async def told(asked: MCPServer[None], tool: str, /, **args: object) -> dict[str, Any]:
    async with Client(asked) as client:
        result = await client.call_tool(tool, args)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def allowed(asked: MCPServer[None] | Client, **args: object) -> dict[str, Any]:
    """What Claude Code reads as its permission."""
    if isinstance(asked, MCPServer):
        async with Client(asked) as client:
            return await allowed(client, **args)
    (block,) = (await asked.call_tool("ask_permission", args)).content
    assert isinstance(block, TextContent)
    verdict: dict[str, Any] = json.loads(block.text)
    return verdict


async def test_its_tools_only_ask(desk: MCPServer[None]) -> None:
    async with Client(desk) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
    assert tools == {"request", "wait", "status", "cancel", "ask", "reply", "report", "ask_permission"}


async def test_an_approval_is_told_once_with_the_args_that_people_approved(
    desk: MCPServer[None], clerk: Clerk
) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(told(desk, "request", **REFUND))
        (request,) = await clerk.arrived()
        assert request.reason == "charged twice"
        await clerk.approve(request.id, {"customer": "c_42", "amount": 90})
    answer = asking.result()
    assert (answer["status"], answer["args"]) == ("approved", {"customer": "c_42", "amount": 90})
    assert (await told(desk, "wait", id=request.id))["status"] == "no"
    await told(desk, "report", id=request.id, ok=True, result="re_81f")
    done = await clerk.until_status(request.id, Status.EXECUTED)
    assert done.receipt is not None
    assert done.receipt.result == "re_81f"


async def test_a_no_is_told_with_its_words(desk: MCPServer[None], clerk: Clerk) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(told(desk, "request", **REFUND))
        (request,) = await clerk.arrived()
        await clerk.reject(request.id, "too much")
    answer = asking.result()
    assert (answer["status"], answer["args"]) == ("no", None)
    assert "Their words: too much" in answer["words"]
    assert (await told(desk, "status", id=request.id))["words"] == "rejected: too much"


async def test_what_is_pending_can_be_waited_for_and_looked_at(
    hasty: MCPServer[None], desk: MCPServer[None], clerk: Clerk
) -> None:
    pending = await told(hasty, "request", **REFUND)
    assert pending["status"] == "pending"
    assert (await told(hasty, "status", id=pending["id"]))["status"] == "pending"
    await clerk.arrived()
    await clerk.approve(pending["id"])
    assert (await told(desk, "status", id=pending["id"]))["words"].startswith("It was approved.")
    assert (await told(desk, "wait", id=pending["id"]))["status"] == "approved"


async def test_a_request_can_be_taken_back(hasty: MCPServer[None], clerk: Clerk) -> None:
    pending = await told(hasty, "request", **REFUND)
    await clerk.arrived()
    await told(hasty, "cancel", id=pending["id"], reason="it is settled")
    await clerk.until_status(pending["id"], Status.CANCELLED)


async def test_a_call_given_up_while_it_waits_is_taken_back(desk: MCPServer[None], clerk: Clerk) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(told(desk, "request", **REFUND))
        (request,) = await clerk.arrived()
        asking.cancel()
        await clerk.until_status(request.id, Status.CANCELLED)


async def test_a_question_is_answered_by_people(
    hasty: MCPServer[None], desk: MCPServer[None], clerk: Clerk
) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(told(desk, "ask", question="Which region?", options=["eu", "us"]))
        (request,) = await clerk.arrived()
        await clerk.answer(request.id, "eu")
    assert (asking.result()["status"], asking.result()["words"]) == ("answered", "eu")
    pending = await told(hasty, "ask", question="Which colour?")
    await clerk.arrived(2)
    await clerk.answer(pending["id"], "blue")
    assert (await told(desk, "wait", id=pending["id"]))["words"] == "blue"


async def test_a_list_and_a_form_are_answered_in_json(desk: MCPServer[None], clerk: Clerk) -> None:
    form = {"type": "object", "properties": {"copies": {"type": "integer"}}, "required": ["copies"]}
    for about, answer in (
        ({"options": ["eu", "us"], "many": True}, '["us"]'),
        ({"schema": form}, '{"copies": 3}'),
    ):
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(told(desk, "ask", question="Which?", **about))
            request = (await clerk.arrived(len(clerk.requests) + 1))[-1]
            with pytest.raises(Refusal):
                await clerk.answer(request.id, "mars")
            await clerk.answer(request.id, answer)
        assert (asking.result()["status"], asking.result()["words"]) == ("answered", answer)


@pytest.mark.parametrize(("tool", "args"), [("request", REFUND), ("ask", {"question": "Which?"})])
async def test_what_people_ask_back_is_replied_to(
    tool: str, args: Args, desk: MCPServer[None], clerk: Clerk
) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(told(desk, tool, **args))
        (request,) = await clerk.arrived()
        await clerk.send_back(request.id, "For whom?")
    back = asking.result()
    assert (back["status"], back["id"]) == ("asked_back", request.id)
    assert "For whom?" in back["words"]
    assert (await told(desk, "status", id=request.id))["status"] == "asked_back"
    async with asyncio.TaskGroup() as group:
        replying = group.create_task(told(desk, "reply", id=request.id, text="For the shop."))
        await clerk.until(lambda: clerk.requests[request.id].sent_back is None)
        await clerk.answer(request.id, "fine")
    assert (replying.result()["status"], replying.result()["words"]) == ("answered", "fine")


async def test_who_takes_over_stops_the_agent(desk: MCPServer[None], clerk: Clerk) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(told(desk, "ask", question="Which?"))
        (request,) = await clerk.arrived()
        await clerk.answer(request.id, I_TAKE_OVER)
    assert asking.result()["status"] == "taken_over"
    assert (await told(desk, "status", id=request.id))["status"] == "taken_over"


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("request", REFUND),
        ("ask", {"question": "Which?"}),
        ("status", {"id": "R-0"}),
        ("wait", {"id": "R-0"}),
    ],
)
async def test_what_goes_wrong_is_an_error_and_never_a_leave(tool: str, args: Args) -> None:
    async with (
        Approvals.connect("redis://127.0.0.1:1", agent="mcp", patience=0) as approvals,
        Client(server(approvals, timeout_s=5)) as client,
    ):
        result = await client.call_tool(tool, args)
    assert result.is_error
    assert "did not run" in str(result.content)


async def test_claude_code_runs_what_people_approved(desk: MCPServer[None], clerk: Clerk) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(allowed(desk, **PUSH))
        (request,) = await clerk.arrived()
        assert (request.tool, request.args) == ("Bash", {"command": "git push"})
        await clerk.approve(request.id, {"command": "git push --dry-run"})
    assert asking.result() == {"behavior": "allow", "updatedInput": {"command": "git push --dry-run"}}


async def test_claude_code_is_denied_what_nobody_approves(
    hasty: MCPServer[None], desk: MCPServer[None], clerk: Clerk
) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(allowed(desk, **PUSH))
        (request,) = await clerk.arrived()
        await clerk.reject(request.id, "not on a Friday")
    assert asking.result()["behavior"] == "deny"
    assert "not on a Friday" in asking.result()["message"]
    assert (await allowed(hasty, **PUSH))["behavior"] == "deny", "nobody has decided"
    assert (await allowed(hasty, tool_name="", input={}))["behavior"] == "deny", "it can't be asked for"


async def test_a_permission_that_took_too_long_is_gone_on_with(hasty: MCPServer[None], clerk: Clerk) -> None:
    async with Client(hasty) as client:
        assert (await allowed(client, **PUSH))["behavior"] == "deny"
        (request,) = await clerk.arrived()
        await clerk.approve(request.id)
        again = await allowed(client, **(PUSH | {"tool_use_id": "toolu_2"}))
    assert again == {"behavior": "allow", "updatedInput": {"command": "git push"}}
    assert len(clerk.requests) == 1
