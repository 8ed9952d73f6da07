"""The least that can call the API: one connection, one call after another, and nothing spent on a library."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Self, cast
from urllib.parse import urlsplit

CALL_S = 90.0  # longer than the API lets anybody wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back, and when the last of it did."""

    status: int
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


class Caller(asyncio.Protocol):
    """One connection to the API, as one agent."""

    def __init__(self, head: str) -> None:
        self._head, self._got = head, bytearray()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answered] | None = None

    @classmethod
    async def to(cls, url: str, token: str) -> Self:
        """Connect, as the agent whose token this is."""
        host, _, port = urlsplit(url).netloc.partition(":")
        head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(lambda: cls(head), host, int(port))
        return caller

    def call(self, method: str, path: str, body: bytes = b"") -> asyncio.Future[Answered]:
        """Send it at once; the answer comes when it is awaited."""
        assert self._transport is not None
        assert self._answer is None or self._answer.done(), "one call at a time"
        about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        self._transport.write(f"{method} {path} HTTP/1.1\r\n{self._head}{about}\r\n".encode() + body)
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    async def get(self, path: str) -> Answered:
        return await asyncio.wait_for(self.call("GET", path), CALL_S)

    async def post(self, path: str, body: bytes) -> Answered:
        return await asyncio.wait_for(self.call("POST", path, body), CALL_S)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self._got += data
        head, found, body = bytes(self._got).partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode().lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        if len(body) >= length and self._answer is not None and not self._answer.done():
            self._got.clear()
            self._answer.set_result(Answered(status=int(first.split()[1]), body=body, at=at))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the API has hung up") if error is None else error)
