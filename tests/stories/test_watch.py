"""`countersign watch` in a terminal of its own: what waits, live, and keys that decide as clicks do."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from approvals import Approvals
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import environment, until

LOGIN = pwd.getpwuid(os.getuid()).pw_name
ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; from approvals.cli import main; sys.exit(main(['watch']))"
POLICY = f"""
version = 1

[operators]
"{LOGIN}" = "U0KIM"

[[rule]]
name = "never so much"
tools = ["refund"]
when = "args.amount > 5000"
action = "deny"
"""


@pytest.fixture
def policy() -> str:
    return POLICY


class Terminal:
    """A terminal with the program in it: what it shows, and what is typed."""

    def __init__(self, fd: int, process: asyncio.subprocess.Process) -> None:
        self._fd, self.process = fd, process
        self._shown = ""

    async def shows(self, words: str) -> str:
        """All that it has shown since the last time, once that has these words."""
        await until(lambda: self._has(words), timeout_s=20)
        shown, self._shown = self._shown, ""
        return shown

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    async def _has(self, words: str) -> bool:
        try:
            read = os.read(self._fd, 65536).decode(errors="replace")
        except (BlockingIOError, OSError):
            read = ""
        self._shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read)
        return words in self._shown


@asynccontextmanager
async def watching(env: dict[str, str], **more: str) -> AsyncIterator[Terminal]:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    os.set_blocking(master, False)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        cwd=ROOT,
        env={**kept, "TERM": "xterm", **env, **more},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        os.close(master)


@pytest.fixture
def env(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> dict[str, str]:
    return environment(slack, redis_url, tenant, APPROVALS_POLICY=str(tmp_path / "policy.toml"))


async def test_what_waits_is_shown_live_and_approved_with_two_keys(
    approvals: Approvals, bot: Service, env: dict[str, str]
) -> None:
    async with watching(env) as terminal:
        await terminal.shows("Nothing waits.")
        ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940}, reason="paid twice")
        await terminal.shows("billing: ")
        terminal.type("a")
        shown = await terminal.shows("Press a to approve exactly this call.")
        assert "paid twice" in shown
        assert "940" in shown
        terminal.type("a")
        outcome = await approvals.wait(ticket.id, timeout=10)
        assert (outcome.status, outcome.decided_by) == ("approved", "slack:U0KIM")
        await terminal.shows("You approved")
        terminal.type("q")
        assert await asyncio.wait_for(terminal.process.wait(), 10) == 0
    entries = [entry async for entry in bot.store.log() if entry.event == "approved"]
    assert [entry.via for entry in entries] == ["cli"]


async def test_a_call_is_rejected_with_a_reason(
    approvals: Approvals, bot: Service, env: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940})
    async with watching(env) as terminal:
        await terminal.shows("billing: ")
        terminal.type("r")
        await terminal.shows("Why is")
        terminal.type("\n")
        await terminal.shows("Nothing was decided.")
        terminal.type("r")
        await terminal.shows("Why is")
        terminal.type("it is paid\n")
        outcome = await approvals.wait(ticket.id, timeout=10)
        assert (outcome.status, outcome.text) == ("rejected", "it is paid")


async def test_a_call_is_edited_in_an_editor_and_checked(
    approvals: Approvals, bot: Service, env: dict[str, str], tmp_path: Path
) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"amount": {"type": "number"}}}
    ticket = await approvals.submit("refund", {"amount": 940}, schema=schema)
    script, turns = tmp_path / "editor.py", tmp_path / "turns"
    script.write_text(
        "import pathlib, sys\n"
        f"turns = pathlib.Path({str(turns)!r})\n"
        "turn = len(turns.read_text()) if turns.exists() else 0\n"
        "turns.write_text('x' * (turn + 1))\n"
        "texts = ['{nonsense', '{\"amount\": \"a lot\"}', '{\"amount\": 9000}', '{\"amount\": 900}']\n"
        "pathlib.Path(sys.argv[1]).write_text(texts[turn])\n"
    )
    async with watching(env, EDITOR=f"{sys.executable} {script}") as terminal:
        await terminal.shows("billing: ")
        for told in ("it is no JSON", "amount must fit", "never so much"):
            terminal.type("e")
            await terminal.shows(told)
        terminal.type("e")
        outcome = await approvals.wait(ticket.id, timeout=10)
        assert (outcome.args, outcome.edited) == ({"amount": 900}, True)


async def test_nobody_approves_what_they_could_not_see_to_its_end(
    approvals: Approvals, bot: Service, env: dict[str, str]
) -> None:
    ticket = await approvals.submit("run", {f"line_{n}": n for n in range(40)})
    async with watching(env) as terminal:
        await terminal.shows("billing: ")
        terminal.type("\r")
        await terminal.shows("more lines")
        terminal.type("a")
        await terminal.shows("Read on to its end first")
        terminal.type("j" * 5 + "  " + "a")
        assert (await approvals.wait(ticket.id, timeout=10)).status == "approved"


async def test_who_is_mapped_to_nobody_sees_nothing(
    slack: Sandbox, bot: Service, env: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text("version = 1\n")
    async with watching(env, APPROVALS_POLICY=str(other)) as terminal:
        await terminal.shows("mapped to no Slack user")
        assert await asyncio.wait_for(terminal.process.wait(), 10) == 1
