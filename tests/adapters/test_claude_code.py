"""The real Claude Code, with our hook in its settings and a scripted model behind it."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "claude_agent_sdk", reason="make test installs the Claude Agent SDK, and Claude Code with it"
)

from approvals.commands import Approve, Command, Reject
from approvals.model import Request, Status
from tests.adapters.claude_api import CLAUDE, scripted_claude
from tests.adapters.hooking import COUNTERSIGN
from tests.adapters.pages import a_page
from tests.clerk import ADA, Clerk, yes
from tests.longer import one_of

pytestmark = pytest.mark.skipif(
    not CLAUDE.exists(), reason="this machine's Claude Agent SDK has no Claude Code"
)

HOOK = f"{COUNTERSIGN} hook claude --timeout 20s || exit 2"


class Session:
    """Claude Code is told to make a file, and does so by calling Bash."""

    def __init__(self, home: Path, redis_url: str, tenant: str) -> None:
        self.home, self.made = home, home / "made"
        self.heard: list[str] = []
        self._env = {"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant, "PATH": os.environ["PATH"]}

    async def run(self, events: dict[str, str]) -> None:
        """`events`: the command that is configured for each event."""
        await self.configured(
            {
                event: [
                    {"matcher": "Bash", "hooks": [{"type": "command", "command": command, "timeout": 30}]}
                ]
                for event, command in events.items()
            }
        )

    async def configured(self, hooks: dict[str, Any]) -> None:
        # The hook alone stands before the tool, unless it is to answer when Claude Code asks.
        allowed = [] if "PermissionRequest" in hooks else ["Bash"]
        settings = {"hooks": hooks, "permissions": {"allow": allowed}}
        args = {"command": f"echo hello > {self.made}", "description": "Make it"}
        async with scripted_claude(("Bash", args)) as claude, asyncio.timeout(50):
            process = await asyncio.create_subprocess_exec(
                str(CLAUDE), "-p", "Make it.", "--setting-sources", "", "--settings", json.dumps(settings),
                stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, cwd=self.home,
                env=self._env | claude.env(self.home),
            )  # fmt: skip
            out, err = await process.communicate()
        assert out.decode().strip() == "Done.", err.decode()
        self.heard = claude.heard


@pytest.fixture
def session(tmp_path: Path, redis_url: str, tenant: str) -> Session:
    return Session(tmp_path, redis_url, tenant)


@pytest.mark.parametrize("event", one_of(["PreToolUse", "PermissionRequest"]))
async def test_what_people_approved_runs_and_is_reported(event: str, session: Session, clerk: Clerk) -> None:
    def changed(request: Request) -> Command:
        assert not session.made.exists()
        edited = request.args | {"command": f"echo changed | tee {session.made}"}
        return Approve(by=ADA, seen=request.fingerprint, edited=edited)

    clerk.habit = changed
    await session.run({event: HOOK, "PostToolUse": HOOK})
    (request,) = await clerk.arrived()
    assert session.made.read_text() == "changed\n"
    assert session.heard == ["changed"]
    done = await clerk.until_status(request.id, Status.EXECUTED)
    assert done.receipt is not None and done.receipt.result == "changed"


@pytest.mark.long
async def test_the_settings_on_the_page_are_all_it_takes(session: Session, clerk: Clerk) -> None:
    clerk.habit = yes
    (shown,) = re.findall(r"```json\n(.*?)```", a_page("claude_code").text, re.DOTALL)
    await session.configured(json.loads(shown.replace("countersign hook", f"{COUNTERSIGN} hook"))["hooks"])
    assert session.made.read_text() == "hello\n"
    (request,) = await clerk.arrived()
    await clerk.until_status(request.id, Status.EXECUTED)


@pytest.mark.parametrize("event", one_of(["PreToolUse", "PermissionRequest"]))
async def test_what_people_rejected_does_not_run_and_claude_reads_why(
    event: str, session: Session, clerk: Clerk
) -> None:
    clerk.habit = lambda _: Reject(by=ADA, feedback="not on a Friday")
    await session.run({event: HOOK})
    assert not session.made.exists()
    assert "The call was rejected and did not run." in session.heard[0]
    assert "not on a Friday" in session.heard[0]


@pytest.mark.parametrize(
    "command",
    one_of(
        [
            pytest.param("no-such-command hook claude || exit 2", id="which isn't there"),
            pytest.param(
                f"{sys.executable} -c 'import os; os.kill(os.getpid(), 9)' || exit 2", id="which is killed"
            ),
            pytest.param(f"REDIS_URL=redis://127.0.0.1:1 {HOOK}", id="without redis"),
        ]
    ),
)
async def test_a_hook_that_fails_lets_nothing_run(command: str, session: Session, clerk: Clerk) -> None:
    clerk.habit = yes
    await session.run({"PreToolUse": command})
    assert not session.made.exists()
    assert clerk.requests == {}
