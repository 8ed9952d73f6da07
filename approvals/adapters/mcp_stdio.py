"""MCP on stdin and stdout, ended in the same orderly way by the client and by SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

from approvals.adapters import needs

with needs("mcp"):
    from mcp.server.stdio import stdio_server

# What a transport of the SDK gives: where to read, and where to write.
Streams: TypeAlias = tuple[Any, Any]

STOPPED = 143  # the exit code of what SIGTERM has ended
CHUNK_BYTES = 65536


class Stdin:
    """The client's lines. They end with the client's, or when we are told to stop.

    They are read in a thread that needn't end before the process does: the SDK's own waits for the next line.
    """

    def __init__(self) -> None:
        self.was_stopped = False
        self._lines, self._loop = asyncio.Queue[str | None](), asyncio.get_running_loop()
        self._fd = os.dup(0)
        with open(os.devnull) as nothing:  # noqa: PTH123 - a path of the system's; so that nobody else reads
            os.dup2(nothing.fileno(), 0)
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def stop(self) -> None:
        self.was_stopped = True
        self._lines.put_nowait(None)

    def __aiter__(self) -> Stdin:
        return self

    async def __anext__(self) -> str:
        line = await self._lines.get()
        if line is None or self.was_stopped:
            raise StopAsyncIteration
        return line

    def _read(self) -> None:
        begun = b""
        with suppress(RuntimeError, OSError):  # the loop has ended, or stdin was none
            while chunk := os.read(self._fd, CHUNK_BYTES):
                *lines, begun = (begun + chunk).split(b"\n")
                for line in lines:
                    self._loop.call_soon_threadsafe(self._lines.put_nowait, line.decode(errors="replace"))
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._lines.put_nowait, None)


@asynccontextmanager
async def client_on_stdio() -> AsyncIterator[tuple[Streams, Stdin]]:
    """The client. SIGTERM ends what it says, so that whoever serves it can tell it so and come to an end."""
    stdin, loop = Stdin(), asyncio.get_running_loop()
    has_signals = sys.platform != "win32"
    if has_signals:
        loop.add_signal_handler(signal.SIGTERM, stdin.stop)
    try:
        async with stdio_server(stdin=stdin) as streams:  # type: ignore[arg-type]  # all that it needs of a file
            yield streams, stdin
    finally:
        if has_signals:
            loop.remove_signal_handler(signal.SIGTERM)
