"""A gate in front of any MCP server: everything passes unchanged, but calls of tools are asked about."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from approvals.adapters import needs
from approvals.adapters.mcp_asking import TIMEOUT_S, Asking
from approvals.adapters.mcp_calls import Calls, Reply, ServerGone, refusal
from approvals.adapters.mcp_stdio import STOPPED, Streams, client_on_stdio
from approvals.client import Approvals
from approvals.errors import InvalidCall
from approvals.model import Args

with needs("mcp"):
    from anyio import BrokenResourceError, ClosedResourceError
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.shared.message import SessionMessage
    from mcp.types import PROTOCOL_VERSION_META_KEY
    from mcp.types.jsonrpc import (
        CONNECTION_CLOSED,
        METHOD_NOT_FOUND,
        UNSUPPORTED_PROTOCOL_VERSION,
        ErrorData,
        JSONRPCError,
        JSONRPCMessage,
        JSONRPCNotification,
        JSONRPCRequest,
        JSONRPCResponse,
        RequestId,
    )
    from mcp.types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
    from mcp.types.version import KNOWN_PROTOCOL_VERSIONS

_log = logging.getLogger(__name__)

GONE = "the MCP server behind the gateway has ended"
STOPPING = "the gateway was stopped"
OURS = ("REDIS_URL", "APPROVALS_")  # in the environment: the server gets no leave to speak as the agent


async def serve(approvals: Approvals, command: Sequence[str], *, name: str | None, timeout_s: float) -> int:
    """Start the server, and stand between it and the client on stdin and stdout.

    Until that one closes, or SIGTERM comes; returns the exit code.

    Raises:
        InvalidCall: the command can't be started.
    """
    program, *arguments = command
    child = StdioServerParameters(command=program, args=arguments, env=_environment())
    async with AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(stdio_client(child))
        except OSError as error:
            raise InvalidCall(f"{program} can't be started: {error}") from error
        client, stdin = await stack.enter_async_context(client_on_stdio())
        async with client[1]:  # so that the SDK has written all of it when it is left
            await relay(
                approvals,
                client,
                server,
                name=name,
                timeout_s=timeout_s,
                was_stopped=lambda: stdin.was_stopped,
            )
    return STOPPED if stdin.was_stopped else 0


async def relay(
    approvals: Approvals,
    client: Streams,
    server: Streams,
    *,
    name: str | None = None,
    timeout_s: float = TIMEOUT_S,
    was_stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Stand between a client and a server until the client closes, or seems to since we `was_stopped`.

    `name` goes before the names of its tools, for the policy, as in `github.create_issue`. When `timeout_s`
    ends, a call is answered, and its request stays open for the same call to come again.
    """
    from_client, to_client = client
    from_server, to_server = server
    asking = Asking(approvals, timeout_s)
    try:
        async with asyncio.TaskGroup() as group:
            gateway = _Gateway(Calls(asking, name), group, to_client, to_server)
            listening = group.create_task(gateway.hear_server(from_server))
            await gateway.hear_client(from_client)
            listening.cancel()
            if was_stopped():
                await gateway.tell_of_the_end()
            gateway.leave()
    finally:
        await asking.take_back_parked()


@dataclass(slots=True)
class _Open:
    """A call on its way."""

    request: JSONRPCRequest
    task: asyncio.Task[None] | None = None
    reply: asyncio.Future[Reply] | None = None  # once it has been passed on


class _Gateway:
    """Two ears and two mouths. What it doesn't know doesn't pass from the client to the server."""

    def __init__(self, calls: Calls, group: asyncio.TaskGroup, to_client: Any, to_server: Any) -> None:
        self._calls, self._group = calls, group
        self._to_client, self._to_server = to_client, to_server
        self._open: dict[RequestId, _Open] = {}
        self._passed: dict[RequestId, JSONRPCRequest] = {}  # other requests, not answered yet
        self._is_gone = False

    # -- from the client ------------------------------------------------------------------------------

    async def hear_client(self, messages: Any) -> None:
        async for message in messages:
            if isinstance(message, Exception):
                _log.warning("the client sent what is no message")
            elif isinstance(message.message, JSONRPCRequest):
                await self._hear_request(message.message)
            elif isinstance(message.message, JSONRPCNotification):
                await self._hear_notification(message.message)
            else:
                await self._send_server(message.message)

    async def _hear_request(self, request: JSONRPCRequest) -> None:
        version = _meta(request).get(PROTOCOL_VERSION_META_KEY)
        if request.id in self._open or request.id in self._passed:
            _log.warning("the client used an id twice; the second request is left out")
        elif version is not None and version not in KNOWN_PROTOCOL_VERSIONS:
            await self._refuse(request, UNSUPPORTED_PROTOCOL_VERSION, f"unknown version: {version!r:.40}")
        elif self._is_gone:
            await self._refuse_gone(request)
        elif request.method == "tools/call":
            call = self._open[request.id] = _Open(request)
            call.task = self._group.create_task(self._answer(call))
        elif request.method not in SPEC_CLIENT_METHODS:
            await self._refuse(request, METHOD_NOT_FOUND, f"not passed on: {request.method!r:.80}")
        else:
            self._passed[request.id] = request
            await self._send_server(request)

    async def _hear_notification(self, notification: JSONRPCNotification) -> None:
        if notification.method not in SPEC_CLIENT_NOTIFICATION_METHODS:
            _log.warning("a notification is not passed on: %r", notification.method[:80])
            return
        if notification.method == "notifications/cancelled":
            id = (notification.params or {}).get("requestId")
            call = self._open.pop(id, None) if isinstance(id, int | str) else None
            if call is not None and call.task is not None:
                call.task.cancel("the client gave it up")
                if call.reply is None:  # the server knows nothing of it yet
                    return
        await self._send_server(notification)

    # -- calls ----------------------------------------------------------------------------------------

    async def _answer(self, call: _Open) -> None:
        async def forward(args: Args) -> Reply:
            return await self._forward(call, args)

        async def tell(text: str) -> None:
            await self._tell(call.request, text)

        reply = await self._calls.answer(call.request, forward, tell)
        if self._open.get(call.request.id) is call:
            del self._open[call.request.id]
            await self._send_client(reply)

    async def _forward(self, call: _Open, args: Args) -> Reply:
        if self._is_gone:
            raise ServerGone(f"The call did not run: {GONE}.")
        call.reply = asyncio.get_running_loop().create_future()
        params = {**(call.request.params or {}), "arguments": args}
        await self._send_server(call.request.model_copy(update={"params": params}))
        return await call.reply

    async def _tell(self, request: JSONRPCRequest, text: str) -> None:
        """Say that people are asked. Progress may only grow, and the server tells its own afterwards."""
        token = _meta(request).get("progressToken")
        if token is None:
            return
        at = asyncio.get_running_loop().time() * 1e-9
        params = {"progressToken": token, "progress": at, "message": text}
        await self._send_client(
            JSONRPCNotification(jsonrpc="2.0", method="notifications/progress", params=params)
        )

    # -- from the server ------------------------------------------------------------------------------

    async def hear_server(self, messages: Any) -> None:
        with suppress(BrokenResourceError, ClosedResourceError):
            async for message in messages:
                if isinstance(message, Exception):
                    _log.warning("the server sent what is no message")
                elif isinstance(message.message, JSONRPCResponse | JSONRPCError):
                    await self._hear_reply(message.message)
                else:
                    await self._send_client(message.message)
        await self._end()

    async def _hear_reply(self, reply: Reply) -> None:
        call = None if reply.id is None else self._open.get(reply.id)
        if call is not None and call.reply is not None and not call.reply.done():
            call.reply.set_result(reply)
            return
        request = None if reply.id is None else self._passed.pop(reply.id, None)
        if request is None:
            _log.warning("the server answered what nobody had asked it")
            return
        if isinstance(reply, JSONRPCResponse):
            if request.method == "tools/list":
                self._calls.note_tools(reply.result.get("tools"))
            version = reply.result.get("protocolVersion")
            if request.method == "initialize" and version not in KNOWN_PROTOCOL_VERSIONS:
                await self._refuse(request, UNSUPPORTED_PROTOCOL_VERSION, f"unknown version: {version!r:.40}")
                await self._end()
                return
        await self._send_client(reply)

    async def _end(self) -> None:
        """The server is gone, or must not be spoken to: nothing runs any more, and whoever waits is told."""
        self._is_gone = True
        for call in list(self._open.values()):
            if call.reply is None:
                del self._open[call.request.id]
                if call.task is not None:
                    call.task.cancel(GONE)
                await self._refuse_gone(call.request)
            elif not call.reply.done():
                call.reply.set_exception(ServerGone(f"The call may have run: meanwhile {GONE}."))
        while self._passed:
            _, request = self._passed.popitem()
            await self._refuse_gone(request)

    async def tell_of_the_end(self) -> None:
        """The gateway was told to stop, and the client hears what that means for each of its calls."""
        while self._open:
            _, call = self._open.popitem()
            text = f"The call {'did not run' if call.reply is None else 'may have run'}: {STOPPING}."
            if call.task is not None:
                call.task.cancel(STOPPING)
            await self._send_client(refusal(call.request, text))
        while self._passed:
            _, request = self._passed.popitem()
            await self._refuse(request, CONNECTION_CLOSED, STOPPING)

    def leave(self) -> None:
        """The client is gone: take back what waits, and report what ran as broken off."""
        for call in self._open.values():
            if call.task is not None:
                call.task.cancel("the client is gone")

    # -- speaking -------------------------------------------------------------------------------------

    async def _refuse_gone(self, request: JSONRPCRequest) -> None:
        if request.method == "tools/call":
            await self._send_client(refusal(request, f"The call did not run: {GONE}."))
        else:
            await self._refuse(request, CONNECTION_CLOSED, GONE)

    async def _refuse(self, request: JSONRPCRequest, code: int, message: str) -> None:
        error = ErrorData(code=code, message=message)
        await self._send_client(JSONRPCError(jsonrpc="2.0", id=request.id, error=error))

    async def _send_client(self, message: JSONRPCMessage) -> None:
        with suppress(BrokenResourceError, ClosedResourceError):  # then `hear_client` ends too
            await self._to_client.send(SessionMessage(message))

    async def _send_server(self, message: JSONRPCMessage) -> None:
        with suppress(BrokenResourceError, ClosedResourceError):  # then `hear_server` ends too
            await self._to_server.send(SessionMessage(message))


def _meta(request: JSONRPCRequest) -> dict[str, Any]:
    meta = (request.params or {}).get("_meta")
    return meta if isinstance(meta, dict) else {}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
