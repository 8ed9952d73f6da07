"""A line to Redis that loses a reply when told to: the command arrives, and then the line is dead."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class LossyLine:
    """Stands between a client and Redis, at `url`; also counts what the client sends at once."""

    def __init__(self, redis_url: str) -> None:
        self._to = urlsplit(redis_url)
        self._lost_on: bytes | None = None
        self._is_cut = False
        self._open = 0
        self._all_closed = asyncio.Event()
        self.url = ""
        self.lost = b""  # what was sent whose reply was lost
        self.sent = 0  # round trips, as long as everything sent at once is small

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The client must have been closed before."""
        self._server.close()
        if self._open:
            async with asyncio.timeout(20):
                await self._all_closed.wait()

    def lose_reply_to(self, word: bytes) -> None:
        """Lose the reply to the next thing sent that holds `word`."""
        self._lost_on = word

    def cut(self) -> None:
        """Lose every reply from now on."""
        self._is_cut = True

    @property
    def has_lost(self) -> bool:
        """Whether what was to be lost has been."""
        return self._lost_on is None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        self._all_closed.clear()
        there, to_there = await asyncio.open_connection(self._to.hostname, self._to.port)
        is_lost = asyncio.Event()

        async def forth() -> None:
            while data := await reader.read(1 << 16):
                self.sent += 1
                if self._is_cut or (self._lost_on is not None and self._lost_on in data):
                    self._lost_on, self.lost = None, data
                    is_lost.set()
                to_there.write(data)
            to_there.close()

        async def back() -> None:
            while (data := await there.read(1 << 16)) and not is_lost.is_set():
                writer.write(data)
            writer.close()

        with contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as both:
                both.create_task(forth())
                both.create_task(back())
        self._open -= 1
        if not self._open:
            self._all_closed.set()
