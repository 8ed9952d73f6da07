"""A small MCP server, and clients on both sides of the gateway: the real package, without processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Annotated, Any

from mcp.client import Client
from mcp.client._memory import InMemoryTransport
from mcp.server.mcpserver import Elicit, MCPServer, Resolve
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp.types import ToolAnnotations
from mcp.types.jsonrpc import jsonrpc_message_adapter
from pydantic import BaseModel

from approvals import Approvals
from approvals.adapters.mcp_gateway import relay
from approvals.model import Args


class Sure(BaseModel):
    sure: bool


async def _ask_whether_sure() -> Elicit[Sure]:
    return Elicit("Sure?", Sure)


class Shop:
    """What the server's tools did."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, float]] = []
        self.running, self.go_on = asyncio.Event(), asyncio.Event()
        self.server = MCPServer("shop")
        self.server.tool(annotations=ToolAnnotations(destructive_hint=True))(self.refund)
        self.server.tool()(self.ship)
        self.server.tool()(self.close_account)
        self.server.resource("shop://prices")(self.prices)
        self.server.prompt()(self.greet)

    async def refund(self, customer: str, amount: float) -> str:
        """Give money back."""
        self.ran.append((customer, amount))
        if customer == "c_0":
            raise ValueError("no such customer")
        return f"refunded {amount:.2f}"

    async def ship(self, customer: str) -> str:
        """Takes its time."""
        self.running.set()
        await self.go_on.wait()
        return f"shipped to {customer}"

    async def close_account(self, customer: str, sure: Annotated[Sure, Resolve(_ask_whether_sure)]) -> str:
        """Asks its user back."""
        self.ran.append((customer, 0))
        return f"closed {customer}" if sure.sure else "left it"

    def prices(self) -> str:
        return "all free"

    def greet(self, name: str) -> str:
        return f"Greet {name}."


class _Line:
    """Streams as the transport that a client is given."""

    def __init__(self, streams: Any) -> None:
        self._streams = streams

    async def __aenter__(self) -> Any:
        return self._streams

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for stream in self._streams:
            await stream.aclose()


@asynccontextmanager
async def gated(
    approvals: Approvals,
    shop: MCPServer,
    *,
    name: str | None = None,
    timeout_s: float = 5.0,
    **of_client: Any,
) -> AsyncIterator[Client]:
    """A client whose server is the shop behind the gateway."""
    async with (
        InMemoryTransport(shop) as inner,
        create_client_server_memory_streams() as (near, far),
        asyncio.TaskGroup() as group,
    ):
        group.create_task(relay(approvals, far, inner, name=name, timeout_s=timeout_s))
        async with Client(_Line(near), **of_client) as client:
            yield client


class Wire:
    """The far side of one of the gateway's lines, message by message."""

    def __init__(self, streams: Any) -> None:
        self._read, self._write = streams

    async def says(self, **message: object) -> None:
        parsed = jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", **message})
        await self._write.send(SessionMessage(parsed))

    async def babbles(self) -> None:
        await self._write.send(ValueError("not JSON"))

    async def hears(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            got = await self._read.receive()
        message: dict[str, Any] = got.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return message

    async def calls(self, id: int | str, args: Args | None = None, **params: object) -> None:
        """Call `refund`."""
        given = {"name": "refund", "arguments": args or {"customer": "c_42", "amount": 940}, **params}
        await self.says(id=id, method="tools/call", params=given)

    async def hangs_up(self) -> None:
        await self._write.aclose()


@asynccontextmanager
async def wired(approvals: Approvals, **options: Any) -> AsyncIterator[tuple[Wire, Wire]]:
    """A client and a server that say exactly what the test has them say."""
    async with (
        create_client_server_memory_streams() as (client, outer),
        create_client_server_memory_streams() as (inner, server),
        asyncio.TaskGroup() as group,
    ):
        group.create_task(relay(approvals, outer, inner, **options))
        near = Wire(client)
        yield near, Wire(server)
        await near.hangs_up()


def text_of(reply: dict[str, Any]) -> str:
    """What a model reads of a reply to a call."""
    return "\n".join(block["text"] for block in reply["result"]["content"])
