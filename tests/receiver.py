"""Somebody who is called back: a small HTTP server that writes down what it gets, and answers as told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from multidict import CIMultiDict
from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    headers: CIMultiDict[str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """What it says, if it is signed by this secret."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass(slots=True)
class Receiver:
    """`status` and `headers` are what it answers; while `holds` is set it answers nothing."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: bool = False
    holds: bool = False
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(Call(headers=CIMultiDict(request.headers), body=await request.read()))
        self.came.set()
        if self.holds:
            await asyncio.Event().wait()
        if not self.endless:
            return web.Response(status=self.status, headers=self.headers)
        answer = web.StreamResponse(status=self.status)
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65536)

    async def until_called(self, count: int = 1) -> Call:
        """The newest call, once there are so many."""
        async with asyncio.timeout(20):
            while len(self.calls) < count:
                self.came.clear()
                await self.came.wait()
        return self.calls[count - 1]


@asynccontextmanager
async def receiving(
    *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """One that listens until the block ends."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.get)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls).start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()
