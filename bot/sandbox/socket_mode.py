"""Socket Mode: the app connects to us, and every payload goes to any one of its connections."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable

from aiohttp import WSMsgType, web

from bot.sandbox import limits
from bot.sandbox.delivery import TIMED_OUT, UNREACHABLE, Ack, Envelope
from bot.sandbox.wire import Json

logger = logging.getLogger(__name__)


class SocketMode:
    def __init__(self, app_id: str, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self._app_id = app_id
        self._changed = changed  # told whenever a connection comes or goes
        self._clock = clock
        self._tickets: dict[str, float] = {}
        self._sockets: list[web.WebSocketResponse] = []
        self._lines: dict[web.WebSocketResponse, asyncio.Transport | None] = {}  # what each one runs over
        self._turn = 0
        self._waiting: dict[str, asyncio.Future[Ack]] = {}

    @property
    def connections(self) -> int:
        return len(self._sockets)

    def new_ticket(self) -> str:
        now = self._clock()
        self._tickets = {ticket: expires for ticket, expires in self._tickets.items() if expires > now}
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = now + limits.SOCKET_TICKET_S
        return ticket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """The app's side of `apps.connections.open`."""
        if self._tickets.pop(request.query.get("ticket", ""), 0.0) < self._clock():
            return web.Response(status=403, text="invalid_ticket")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self._sockets) >= limits.SOCKETS:
            await _say(socket, {"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        self._sockets.append(socket)
        self._lines[socket] = request.transport
        self._changed()
        try:
            await _say(socket, self._hello())
            await self._listen(socket)
        finally:
            self._forget(socket)
        return socket

    async def send(self, envelope: Envelope, timeout_s: float) -> Ack:
        """Deliver `envelope` to the next connection in turn."""
        open_ones = [socket for socket in self._sockets if not socket.closed]
        if not open_ones:
            return UNREACHABLE
        self._turn += 1
        socket = open_ones[self._turn % len(open_ones)]
        waiting = self._waiting.setdefault(envelope.id, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(timeout_s):
                await _say(socket, _as_sent(envelope))
                return await asyncio.shield(waiting)
        except TimeoutError:
            return TIMED_OUT
        except ConnectionError:
            return UNREACHABLE
        finally:
            self._waiting.pop(envelope.id, None)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to be renewed, then close it, as Slack does every few hours.

        A `warning` comes some seconds before that, and closes nothing.
        """
        for socket in list(self._sockets):
            try:
                await _say(
                    socket, {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
                )
            except ConnectionError:
                self._forget(socket)
            if reason != "warning":
                self._forget(socket)
                await socket.close()

    def abort(self) -> None:
        """Lose every connection without a word."""
        for socket in list(self._sockets):
            line = self._lines.get(socket)
            self._forget(socket)
            if line is not None:
                line.abort()

    def _forget(self, socket: web.WebSocketResponse) -> None:
        if socket in self._sockets:
            self._sockets.remove(socket)
            self._lines.pop(socket, None)
            self._changed()

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._take_ack(str(message.data))

    def _take_ack(self, text: str) -> None:
        try:
            said = json.loads(text)
            waiting = self._waiting.get(said["envelope_id"])
        except (ValueError, KeyError, TypeError):
            logger.warning("the app sent something that is no acknowledgement")
            return
        if waiting is not None and not waiting.done():
            waiting.set_result(Ack(answer=said.get("payload")))

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._sockets),
            "debug_info": {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18_060},
            "connection_info": {"app_id": self._app_id},
        }


def _as_sent(envelope: Envelope) -> Json:
    sent: Json = {
        "envelope_id": envelope.id,
        "type": envelope.kind,
        "payload": envelope.payload,
        "accepts_response_payload": envelope.takes_answer,
    }
    if envelope.kind == "events_api":
        sent["retry_attempt"] = envelope.attempt
        sent["retry_reason"] = envelope.reason
    return sent


async def _say(socket: web.WebSocketResponse, what: Json) -> None:
    if socket.closed:
        raise ConnectionResetError
    await socket.send_str(json.dumps(what, separators=(",", ":")))
