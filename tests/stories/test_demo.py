"""`python -m bot demo`, as a newcomer starts and stops it."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.tomorrow import NAME

START_S = 40.0


@contextlib.asynccontextmanager
async def a_demo(data: Path) -> AsyncIterator[tuple[Process, str]]:
    """A demo that has printed its address; whatever is left of it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", "--data", str(data), stdout=PIPE, process_group=0
    )
    try:
        yield process, await asyncio.wait_for(_address(process), START_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _address(process: Process) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        if found := re.search(rb"(http://127\.0\.0\.1:\d+)/#U0ANA/C0APPROVALS", line):
            return found[1].decode()
    raise AssertionError("the demo ended without printing an address")


async def _cards(page: str, *, at_least: int) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_S):
        while True:
            async with session.get(f"{page}/page/messages?as=U0ANA&channel=C0APPROVALS") as answer:
                messages: list[dict[str, Any]] = (await answer.json())["messages"]
            if len(messages) >= at_least:
                return messages
            await asyncio.sleep(0.1)


def _left_over(data: Path) -> list[str]:
    """The command lines of processes that still name the demo's directory."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and str(data).encode() in (entry / "cmdline").read_bytes():
                found.append(entry.name)
    return found


async def _stopped(process: Process) -> int:
    process.send_signal(signal.SIGINT)
    return await asyncio.wait_for(process.wait(), START_S)


async def test_ctrl_c_stops_everything_and_a_second_start_finds_what_was_pending(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    async with a_demo(data) as (process, page):
        first = await _cards(page, at_least=5)
        pids = {int(pid) for pid in _left_over(data)}
        assert await _stopped(process) == 0
    assert _left_over(data) == []
    assert not any(_is_alive(pid) for pid in pids)
    async with a_demo(data) as (process, page):
        second = await _cards(page, at_least=5)
        assert {message["ts"] for message in first} <= {message["ts"] for message in second}
        assert all("actions" in {block["type"] for block in message["blocks"]} for message in second)
        assert await _stopped(process) == 0
    assert _left_over(data) == []


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.mark.long
async def test_its_button_makes_it_tomorrow(tmp_path: Path) -> None:
    async with a_demo(tmp_path / "demo") as (process, page):
        await _cards(page, at_least=5)
        async with aiohttp.ClientSession() as session, session.post(f"{page}/page/buttons/{NAME}") as answer:
            assert "the channel is told about the day" in (await answer.json())["notice"]
        texts = [message["text"] for message in await _cards(page, at_least=6)]
        assert sum("people were asked" in text for text in texts) == 1
        assert await _stopped(process) == 0


@pytest.mark.long
async def test_a_second_demo_in_the_same_directory_says_so(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    async with a_demo(data) as (process, _):
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "demo", "--data", str(data), stdout=PIPE, stderr=PIPE
        )
        _, said = await asyncio.wait_for(other.communicate(), START_S)
        assert other.returncode == 1
        assert "in use" in said.decode()
        assert "Traceback" not in said.decode()
        await _stopped(process)
