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
from typing import Any

import pytest

from approvals import Approvals, TakenOver
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import environment, until

LOGIN = pwd.getpwuid(os.getuid()).pw_name
ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; from approvals.cli import main; sys.exit(main(['watch']))"
FORM = {"type": "object", "properties": {"copies": {"type": "integer"}}, "required": ["copies"]}
POLICY = f"""
version = 1

[operators]
"{LOGIN}" = "U0KIM"

[[rule]]
name = "never so much"
tools = ["refund"]
when = "args.amount > 5000"
action = "deny"

[[rule]]
name = "large refunds"
tools = ["refund"]
when = "args.amount > 3000"
reason = "Large refunds need two people."
quorum = 2
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


async def test_an_editor_is_given_no_secret_and_keeps_it(
    approvals: Approvals, bot: Service, env: dict[str, str], tmp_path: Path
) -> None:
    ticket = await approvals.submit("log_in", {"host": "db", "password": "hunter2"})
    script, seen = tmp_path / "editor.py", tmp_path / "seen"
    script.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        f"pathlib.Path({str(seen)!r}).write_text(file.read_text())\n"
        "file.write_text(file.read_text().replace('db', 'db2'))\n"
    )
    async with watching(env, EDITOR=f"{sys.executable} {script}") as terminal:
        await terminal.shows("billing: ")
        terminal.type("e")
        outcome = await approvals.wait(ticket.id, timeout=10)
    assert outcome.args == {"host": "db2", "password": "hunter2"}
    assert "hunter2" not in seen.read_text() and "‹secret, 7 characters, #" in seen.read_text()


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


@pytest.mark.long
async def test_an_edit_that_is_for_others_is_sent_to_them_if_it_is_meant_so(
    approvals: Approvals, bot: Service, env: dict[str, str], tmp_path: Path
) -> None:
    ticket = await approvals.submit("refund", {"amount": 940})
    script = tmp_path / "editor.py"
    script.write_text("import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('{\"amount\": 4000}')")
    async with watching(env, EDITOR=f"{sys.executable} {script}") as terminal:
        await terminal.shows("billing: ")
        for meant, told in (("n\n", "Nothing was decided."), ("y\n", "You changed")):
            terminal.type("e")
            assert "need two people" in await terminal.shows("[y/N]")
            terminal.type(meant)
            await terminal.shows(told)
    request, _ = await bot.store.get(ticket.id)
    assert (request.args, request.terms.quorum, request.is_pending) == ({"amount": 4000}, 2, True)
    assert [vote.person for vote in request.votes] == ["U0KIM"]


@pytest.mark.parametrize(
    ("about", "keys", "answer"),
    [
        ({"options": ["eu", "us"]}, ["2"], "us"),
        ({"options": ["eu", "us"], "free_text": True}, ["w", "mars\n"], "mars"),
        ({}, ["w", "The disk was full.\n"], "The disk was full."),
        ({"options": ["ops", "legal", "sales"], "many": True}, ["w", "1, 3\n"], ["ops", "sales"]),
        ({"schema": FORM}, ["w"], {"copies": 3}),
    ],
    ids=["by number", "other words", "words", "several", "a form"],
)
async def test_a_question_is_answered(
    approvals: Approvals,
    bot: Service,
    env: dict[str, str],
    tmp_path: Path,
    about: dict[str, Any],
    keys: list[str],
    answer: object,
) -> None:
    script = tmp_path / "editor.py"
    script.write_text("import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('{\"copies\": 3}')")
    async with watching(env, EDITOR=f"{sys.executable} {script}") as terminal, asyncio.TaskGroup() as group:
        asking = group.create_task(approvals.ask("Which one?", **about))
        await terminal.shows("billing: ")
        terminal.type("a")
        await terminal.shows("Press a number, or w to write.")
        terminal.type(keys[0])
        for line in keys[1:]:
            await terminal.shows("sent) ")
            terminal.type(line)
        assert await asking == answer


@pytest.mark.long
async def test_a_question_may_be_taken_over(approvals: Approvals, bot: Service, env: dict[str, str]) -> None:
    async with watching(env) as terminal, asyncio.TaskGroup() as group:
        asking = group.create_task(_taken_over(approvals))
        await terminal.shows("billing: ")
        terminal.type("\r")
        await terminal.shows("t take over")
        terminal.type("9")  # there is no such option
        terminal.type("t")
        assert "has taken over" in await asking


async def _taken_over(approvals: Approvals) -> str:
    with pytest.raises(TakenOver) as taken:
        await approvals.ask("Which one?", ["eu", "us"])
    return str(taken.value)


@pytest.mark.long
async def test_who_is_mapped_to_nobody_sees_nothing(
    slack: Sandbox, bot: Service, env: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text("version = 1\n")
    async with watching(env, APPROVALS_POLICY=str(other)) as terminal:
        await terminal.shows("mapped to no Slack user")
        assert await asyncio.wait_for(terminal.process.wait(), 10) == 1
