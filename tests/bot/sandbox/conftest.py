"""A sandbox, a hand that calls its Web API, and the plainest app that can listen to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bot.sandbox.server import Sandbox

BOT = "xoxb-sandbox"
APP = "xapp-sandbox"

Api = Callable[..., Awaitable[dict[str, Any]]]


class Listener:
    """An app on one socket: it acknowledges everything with `answer`, and keeps what it was sent."""

    def __init__(self) -> None:
        self.envelopes: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []  # hello, disconnect
        self.answer: Any = None
        self.silent = False
        self.hung_up = asyncio.Event()
        self.meanwhile: Callable[[dict[str, Any]], Awaitable[Any]] | None = None  # before it acknowledges

    async def listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            said = message.json()
            if "envelope_id" not in said:
                self.notes.append(said)
                continue
            self.envelopes.append(said)
            if self.meanwhile is not None and said["type"] != "events_api":
                await self.meanwhile(said["payload"])
            if self.silent:
                continue
            ack = {"envelope_id": said["envelope_id"]}
            if self.answer is not None and said["accepts_response_payload"]:
                ack["payload"] = self.answer
            await socket.send_json(ack)
        self.hung_up.set()

    def payloads(self, kind: str) -> list[dict[str, Any]]:
        """Payloads of this type: of an interaction, an event, or `slash_commands`."""
        return [
            envelope["payload"]
            for envelope in self.envelopes
            if kind
            in (
                envelope["type"],
                envelope["payload"].get("type"),
                envelope["payload"].get("event", {}).get("type"),
            )
        ]


@asynccontextmanager
async def listening(slack: Sandbox) -> AsyncIterator[Listener]:
    """Connect an app by Socket Mode."""
    app = Listener()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        headers = {"Authorization": f"Bearer {APP}"}
        async with session.post(slack.api_url + "apps.connections.open", headers=headers) as response:
            address = (await response.json())["url"]
        async with session.ws_connect(address) as socket:
            task = group.create_task(app.listen(socket))
            await slack.until(lambda: slack.connections)
            yield app
            task.cancel()


@pytest.fixture
async def slack() -> AsyncIterator[Sandbox]:
    async with Sandbox(rate_limits=False, event_retry_delays_s=(), ack_timeout_s=2.0) as sandbox:
        yield sandbox


@pytest.fixture
async def app(slack: Sandbox) -> AsyncIterator[Listener]:
    async with listening(slack) as listener:
        yield listener


@pytest.fixture
async def api(slack: Sandbox) -> AsyncIterator[Api]:
    """`await api("chat.postMessage", channel=…)`: the answer, as JSON."""
    async with aiohttp.ClientSession() as session:

        async def call(method: str, *, token: str = BOT, **args: Any) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {token}"}
            async with session.post(slack.api_url + method, json=args, headers=headers) as response:
                answer: dict[str, Any] = await response.json()
                return answer

        yield call
