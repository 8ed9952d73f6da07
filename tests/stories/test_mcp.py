"""An agent that speaks MCP, in processes: the gateway before a server, the policy, and people in Slack."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("mcp", reason="make setup installs the MCP SDK")

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import TextContent

from approvals.model import Args
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, the_dialog
from tests.stories.processes import ROOT, a_process

pytestmark = pytest.mark.usefixtures("bot")

PAGE = (ROOT / "docs" / "agents" / "mcp.md").read_text()
SERVER = ROOT / "docs" / "examples" / "with_mcp.py"
COUNTERSIGN = str(Path(sys.executable).parent / "countersign")
MAIN = ("-c", "from approvals.cli import main; raise SystemExit(main())")
CALL: Args = {"customer": "c_42", "amount": 940}


@pytest.fixture
def policy() -> str:
    """With the page's own rules, the second of which is for another definition than the tool's."""
    allowed, by_definition = re.findall(r"^ *```toml\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    pinned = dedent(by_definition).replace('"allow"', '"deny"')
    return f"""version = 1
[defaults]
action = "ask"
channel = "#approvals"
approvers = ["channel"]
{pinned}
{allowed}
[[rule]]
name = "no large ones"
tools = ["shop.refund"]
when = "args.amount > 5000"
action = "deny"
"""


@pytest.fixture
def settings(redis_url: str, tenant: str) -> StdioServerParameters:
    """What the page has one write into the agent's settings."""
    shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])["mcpServers"]["shop"]
    assert shown["command"] == "countersign"
    args = [sys.executable if word == "python" else word for word in shown["args"]]
    env = shown["env"] | {"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant}
    return StdioServerParameters(command=COUNTERSIGN, args=args, env=env, cwd=ROOT)


@asynccontextmanager
async def agent(settings: StdioServerParameters) -> AsyncIterator[Client]:
    async with Client(stdio_client(settings)) as client:
        yield client


async def read(client: Client, tool: str, args: Mapping[str, object]) -> str:
    result = await client.call_tool(tool, dict(args))
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def test_the_page_shows_the_server_that_is_run() -> None:
    assert re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) == [SERVER.read_text()]


async def test_the_policy_lets_through_denies_or_asks_and_an_edit_is_what_runs(
    slack: Sandbox, settings: StdioServerParameters
) -> None:
    async with agent(settings) as client, asyncio.TaskGroup() as group:
        assert await read(client, "look_up", {"customer": "c_42"}) == "c_42 has bought for 940.00"
        assert "did not run" in await read(client, "refund", CALL | {"amount": 9000})
        assert not [message for message in slack.messages("C0APPROVALS") if message.blocks]
        await client.list_tools()
        reading = group.create_task(read(client, "refund", CALL))
        ana, card = slack.person("U0ANA"), await the_card(slack, "c_42")
        assert "helpdesk" in card.shown
        await ana.press("Edit…", card)
        await the_dialog(slack, "U0ANA")
        assert (await ana.fill_and_submit({"amount": "90"})).ok
        said = await reading
        await redrawn(slack, card, "refunded 90.00 to c_42")
    assert "A person changed the call" in said
    assert "refunded 90.00 to c_42" in said


async def test_a_server_that_dies_is_told_to_the_model(settings: StdioServerParameters) -> None:
    # Only one that can't speak as the agent, as it should be, dies.
    dying = "import os, sys; sys.stdin.readline(); 'REDIS_URL' in os.environ or os._exit(1); sys.stdin.read()"
    args = ["mcp-gateway", "--name", "shop", "--", sys.executable, "-c", dying]
    async with Client(stdio_client(settings.model_copy(update={"args": args})), mode="2026-07-28") as client:
        assert (await read(client, "look_up", {"customer": "c_42"})).startswith("The call may have run")
        assert (await read(client, "look_up", {"customer": "c_42"})).startswith("The call did not run")


@pytest.mark.long
async def test_a_gateway_that_is_stopped_takes_back_what_waits(
    slack: Sandbox, settings: StdioServerParameters
) -> None:
    assert settings.env is not None
    ping = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
    async with a_process(settings.env, *MAIN, *settings.args) as gateway:
        assert gateway.stdin is not None
        assert gateway.stdout is not None
        gateway.stdin.write(f"{json.dumps(ping)}\n".encode())
        await asyncio.wait_for(gateway.stdout.readline(), 20)
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "refund", "arguments": CALL},
        }
        gateway.stdin.write(f"{json.dumps(call)}\n".encode())
        card = await the_card(slack, "c_42")
        gateway.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            told = json.loads(await gateway.stdout.readline())
            assert await gateway.wait() == 143
        assert told["id"] == 1
        assert told["result"]["isError"]
        assert told["result"]["content"][0]["text"] == "The call did not run: the gateway was stopped."
        await redrawn(slack, card, "cancelled it")


async def test_a_server_that_is_stopped_takes_back_what_waits(
    slack: Sandbox, settings: StdioServerParameters
) -> None:
    assert settings.env is not None
    async with a_process(settings.env, *MAIN, "mcp") as server:
        assert server.stdin is not None
        assert server.stdout is not None
        asked = {"name": "ask", "arguments": {"question": "Which region?"}}
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "x", "version": "1"},
        }
        for message in (
            {"id": 0, "method": "initialize", "params": hello},
            {"method": "notifications/initialized"},
            {"id": 1, "method": "tools/call", "params": asked},
        ):
            server.stdin.write(f"{json.dumps({'jsonrpc': '2.0', **message})}\n".encode())
        assert json.loads(await asyncio.wait_for(server.stdout.readline(), 20))["id"] == 0
        card = await the_card(slack, "Which region?")
        server.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            told = json.loads(await server.stdout.readline())
            assert await server.wait() == 143
        assert told["id"] == 1
        assert "error" in told
        await redrawn(slack, card, "cancelled it")
