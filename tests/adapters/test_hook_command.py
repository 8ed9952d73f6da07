"""`countersign hook`: however it ends, it has denied, unless an approval was claimed."""

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import PIPE

import pytest

from approvals.model import Status
from tests.adapters.hooking import COUNTERSIGN, PUSH, Hook, Said, hook
from tests.adapters.pages import a_page
from tests.clerk import Clerk, yes
from tests.longer import one_of


@pytest.fixture(params=one_of(["claude", "gemini"]))
def asks(request: pytest.FixtureRequest, redis_url: str, tenant: str) -> Hook:
    return hook(request.param, redis_url, tenant)


async def test_it_asks_and_says_yes_once_that_is_claimed_and_reports_the_result(
    asks: Hook, clerk: Clerk
) -> None:
    clerk.habit = yes
    said = await asks.said(asks.event())
    assert said.is_allowed
    assert said.args == PUSH
    (request,) = await clerk.arrived()
    assert request.agent in ("claude-code", "gemini-cli")
    assert "/home/ada/shop" in (request.reason or "")
    assert (await asks.said(asks.event(asks.after, tool_response="pushed"))).json == {}
    await clerk.until_status(request.id, Status.EXECUTED)


@pytest.mark.parametrize("asks", ["gemini"], indirect=True)
async def test_the_command_on_geminis_page_is_all_it_takes(asks: Hook, clerk: Clerk) -> None:
    clerk.habit = yes
    (shown,) = re.findall(r"```json\n(.*?)```", a_page("gemini_cli").text, re.DOTALL)
    (before,) = json.loads(shown)["hooks"]["BeforeTool"]
    command = before["hooks"][0]["command"].replace("countersign hook", f"{COUNTERSIGN} hook")
    process = await asyncio.create_subprocess_shell(
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=os.environ | asks.env
    )
    out, _ = await process.communicate(json.dumps(asks.event()).encode())
    assert json.loads(out)["decision"] == "allow"


async def test_without_redis_it_denies(asks: Hook) -> None:
    said = await asks.said(asks.event(), REDIS_URL="redis://127.0.0.1:1", within="5s")
    assert said.is_denied
    assert "approvals can't be asked for now" in said.words


async def test_without_settings_it_denies_and_says_which_are_missing(asks: Hook) -> None:
    said = await asks.said(asks.event(), REDIS_URL="")
    assert said.is_denied
    assert "REDIS_URL" in said.words and "REDIS_URL" in said.complaint


UNREADABLE = [
    b"",
    b"{",
    b"[" * 100_000,
    b"\xff",
    b"[]",
    b"{}",
    b'{"hook_event_name": "PreToolUse"}',
    b'{"hook_event_name": "BeforeTool", "session_id": "s", "tool_name": "Bash", "tool_input": "rm"}',
    b'{"hook_event_name": "Stop", "session_id": "s", "tool_name": "Bash", "tool_input": {}}',
]


@pytest.mark.parametrize(
    "unreadable", [UNREADABLE[1::5], pytest.param(UNREADABLE, marks=pytest.mark.long)], ids=["some", "all"]
)
async def test_what_it_cant_read_it_denies(asks: Hook, unreadable: list[bytes]) -> None:
    few = asyncio.Semaphore(3)  # since each takes its time to start

    async def said(event: bytes) -> Said:
        async with few:
            return await asks.said(event)

    async with asyncio.TaskGroup() as group:
        heard = [group.create_task(said(event)) for event in unreadable]
    for one in heard:
        assert one.result().code == 2
        assert one.result().is_denied
        assert one.result().words == one.result().complaint.strip()


async def test_it_has_a_deadline_of_its_own_even_when_it_is_told_nothing(asks: Hook) -> None:
    process = await asks.start(None, within="1s")
    said = await asks.heard(process)
    assert said.code == 2
    assert "no answer in time" in said.words


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGINT, signal.SIGHUP)),
    ],
)
async def test_stopped_while_it_waits_it_denies_and_uses_nothing_up(
    number: signal.Signals, asks: Hook, clerk: Clerk
) -> None:
    process = await asks.start(asks.event())
    (request,) = await clerk.arrived()
    process.send_signal(number)
    said = await asks.heard(process)
    assert said.code == 2
    assert said.is_denied
    await clerk.approve(request.id)
    assert clerk.requests[request.id].status is Status.APPROVED


async def test_when_nobody_reads_its_answer_the_exit_code_denies(asks: Hook, clerk: Clerk) -> None:
    process = await asks.start(asks.event())
    (request,) = await clerk.arrived()
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # asyncio has no other way
    await clerk.approve(request.id)
    async with asyncio.timeout(10):
        assert await process.wait() == 2
