"""Lines to Redis on which the harness can do what networks do: lose the k-th command, or everything.

`CommandLine` reads the commands, so that one of them can fail; `Tunnel` carries bytes, and can be stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit

import hiredis

BEFORE: Final = "cut before it arrives"
AFTER: Final = "cut before its reply arrives"
FORGET: Final = "scripts forgotten before it"
# What a Redis says that can't answer now, each word by one of its own states.
WORDS: Final = (
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
)
Command: TypeAlias = tuple[bytes, ...]
Fate: TypeAlias = Callable[[Command], str | None]  # one of the above for this command, or None
_ABORTED = b"-EXECABORT Transaction discarded because of previous errors.\r\n"
_CHUNK = 1 << 16


class _Server:
    """Something that listens on a port of 127.0.0.1, and can drop all who are connected."""

    def __init__(self) -> None:
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._admit, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.drop()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def drop(self) -> None:
        """Break every connection, on both sides, without a word."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class CommandLine(_Server):
    """Between one process and Redis: one command at a time, each asked of `fate` first.

    `ahead_s`: so far is Redis's clock ahead of what it was, as TIME tells it.
    """

    def __init__(self, redis_url: str, fate: Fate) -> None:
        super().__init__()
        self._to, self._fate = urlsplit(redis_url), fate
        self.ahead_s = 0
        self.is_dead = False  # its process is: whatever it still sends goes nowhere

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_dead:
            return
        there, to_there = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._open.add(to_there)
        sent = hiredis.Reader()
        talk = _Talk(there, to_there)
        try:
            while data := await reader.read(_CHUNK):
                sent.feed(data)
                while (command := sent.gets()) is not False:
                    reply = await self._answer(tuple(command), talk)
                    if reply is None or self.is_dead:
                        return
                    writer.write(reply)
        finally:
            self._open.discard(to_there)
            to_there.transport.abort()

    async def _answer(self, command: Command, talk: _Talk) -> bytes | None:
        """What the client is to get; None: nothing, and the line breaks."""
        fate = None if self.is_dead else self._fate(command)
        if fate == BEFORE or self.is_dead:
            return None
        if fate == FORGET:
            await talk.ask((b"SCRIPT", b"FLUSH"))
        elif fate is not None and fate != AFTER:
            return await talk.fail(command, fate)
        reply = await talk.ask(command)
        if command[0] == b"TIME" and self.ahead_s and reply.startswith(b"*"):
            reply = _later(reply, self.ahead_s)
        return None if fate == AFTER else reply


class _Talk:
    """With Redis, a command at a time."""

    def __init__(self, there: asyncio.StreamReader, to_there: asyncio.StreamWriter) -> None:
        self._there, self._to_there = there, to_there
        self._is_multi = self._is_dirty = False

    async def ask(self, command: Command) -> bytes:
        name = command[0].upper()
        if name == b"EXEC" and self._is_dirty:
            return await self._abort()
        if name in (b"MULTI", b"EXEC", b"DISCARD"):
            self._is_multi, self._is_dirty = name == b"MULTI", False
        self._to_there.write(_packed(command))
        replies, raw = hiredis.Reader(), b""
        while True:
            data = await self._there.read(_CHUNK)
            if not data:
                raise EOFError
            raw += data
            replies.feed(data)
            if replies.gets() is not False:
                return raw

    async def fail(self, command: Command, words: str) -> bytes:
        """Answer so in Redis's place; a transaction with such an answer in it is not carried out."""
        if command[0].upper() == b"EXEC":
            return await self._abort()
        self._is_dirty = self._is_multi
        return f"-{words}\r\n".encode()

    async def _abort(self) -> bytes:
        self._is_dirty = False
        await self.ask((b"DISCARD",))
        return _ABORTED


def _later(reply: bytes, seconds: int) -> bytes:
    reader = hiredis.Reader()
    reader.feed(reply)
    at, micros = reader.gets()
    return _packed((str(int(at) + seconds).encode(), micros))


def _packed(command: Command) -> bytes:
    return bytes(hiredis.pack_command(command))  # type: ignore[arg-type]  # its stub wants tuples of one


class Tunnel(_Server):
    """Bytes, both ways, to whatever address `to` tells at the moment; a stopped one holds them back."""

    def __init__(self, to: Callable[[], tuple[str, int]]) -> None:
        super().__init__()
        self._to = to
        self._goes = asyncio.Event()
        self._goes.set()

    def stop(self) -> None:
        """From now on nothing passes, and nobody is told: a partition."""
        self._goes.clear()

    def go_on(self) -> None:
        self._goes.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._goes.wait()
        there, to_there = await asyncio.open_connection(*self._to())
        self._open.add(to_there)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, to_there))
                both.create_task(self._carry(there, writer))
        finally:
            self._open.discard(to_there)
            to_there.transport.abort()

    async def _carry(self, from_: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await from_.read(_CHUNK):
                await self._goes.wait()
                to.write(data)
        to.transport.abort()
