"""The gate in the Claude Agent SDK: with the real Claude Code under it, or one that follows a script."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import make_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("claude_agent_sdk", reason="make test installs the Claude Agent SDK")

import claude_agent_sdk
from claude_agent_sdk import ClaudeAgentOptions, CLIConnectionError, ResultMessage, query

from approvals import Approvals, InvalidCall
from approvals.adapters.claude_agent import approval_hooks, can_use_tool
from approvals.commands import Approve, Command, Reject
from approvals.model import Args, Request, Status
from tests.adapters.claude_api import CLAUDE, scripted_claude
from tests.adapters.pages import a_page
from tests.adapters.scripted_code import ScriptedCode
from tests.clerk import ADA, Clerk, serving, yes
from tests.longer import one_of

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "with_claude_agent.py"
with_claude_code = pytest.mark.skipif(not CLAUDE.exists(), reason="this Claude Agent SDK has no Claude Code")


class Site:
    """What the agent publishes by calling Bash."""

    def __init__(self, home: Path) -> None:
        self.home, self.made = home, home / "made"
        self.call: Args = {"command": f"echo published | tee {self.made}", "description": "Publish it"}
        self.heard: list[str] = []

    async def publish(self, options: ClaudeAgentOptions, *, is_open: bool = True) -> None:
        """`is_open`: Claude Code itself would let it through, so that only the gate stands before it."""
        async with scripted_claude(("Bash", self.call)) as claude, asyncio.timeout(50):
            options.env, options.cwd, options.setting_sources = claude.env(self.home), self.home, []
            options.allowed_tools = ["Bash"] if is_open else []
            async for message in query(prompt=said("Publish the site."), options=options):
                assert not isinstance(message, ResultMessage) or message.result == "Done."
        self.heard = claude.heard


async def said(text: str) -> AsyncIterator[dict[str, Any]]:
    yield {"type": "user", "message": {"role": "user", "content": text}}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@with_claude_code
async def test_the_example_publishes_what_people_approved(
    site: Site, redis_url: str, tenant: str, clerk: Clerk
) -> None:
    clerk.habit = yes
    page = a_page("claude_agent")
    assert f"```python\n{EXAMPLE.read_text()}```" in page.text
    env = {"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant, "APPROVALS_AGENT": "docs"}
    async with scripted_claude(("Bash", site.call)) as claude, asyncio.timeout(50):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLE), stdout=PIPE, cwd=site.home,
            env={"PATH": os.environ["PATH"]} | env | claude.env(site.home),
        )  # fmt: skip
        out, _ = await process.communicate()
    assert out.decode() == page.printed
    assert site.made.read_text() == "published\n"
    (request,) = await clerk.arrived()
    assert (await clerk.until_status(request.id, Status.EXECUTED)).args == site.call


@with_claude_code
@pytest.mark.parametrize("by", one_of(["hooks", "can_use_tool"]))
async def test_what_people_changed_is_what_runs(
    by: str, site: Site, approvals: Approvals, clerk: Clerk
) -> None:
    options = ClaudeAgentOptions(hooks=approval_hooks(approvals, "Bash"))
    if by == "can_use_tool":
        options = ClaudeAgentOptions(can_use_tool=can_use_tool(approvals))

    def changed(request: Request) -> Command:
        assert not site.made.exists()
        edited = site.call | {"command": f"echo a draft > {site.made}"}
        return Approve(by=ADA, seen=request.fingerprint, edited=edited)

    clerk.habit = changed
    await site.publish(options, is_open=by == "hooks")
    assert site.made.read_text() == "a draft\n"


@with_claude_code
@pytest.mark.parametrize("by", one_of(["hooks", "can_use_tool"]))
async def test_what_people_rejected_does_not_run(
    by: str, site: Site, approvals: Approvals, clerk: Clerk
) -> None:
    options = ClaudeAgentOptions(hooks=approval_hooks(approvals))
    if by == "can_use_tool":
        options = ClaudeAgentOptions(can_use_tool=can_use_tool(approvals))
    clerk.habit = lambda _: Reject(by=ADA, feedback="not on a Friday")
    await site.publish(options, is_open=by == "hooks")
    assert not site.made.exists()
    assert "not on a Friday" in site.heard[0]


@pytest.mark.long
@with_claude_code
async def test_a_tool_that_fails_is_reported_as_failed(
    site: Site, approvals: Approvals, clerk: Clerk
) -> None:
    clerk.habit = yes
    site.call["command"] = "echo no such host >&2; exit 3"
    await site.publish(ClaudeAgentOptions(hooks=approval_hooks(approvals)))
    (request,) = await clerk.arrived()
    failed = await clerk.until_status(request.id, Status.FAILED)
    assert failed.receipt is not None and "no such host" in (failed.receipt.result or "")


@with_claude_code
async def test_a_hook_that_breaks_lets_nothing_run(site: Site, approvals: Approvals) -> None:
    hooks = approval_hooks(approvals)
    hooks["PreToolUse"][0].hooks[0] = broken
    await site.publish(ClaudeAgentOptions(hooks=hooks))
    assert not site.made.exists()


async def broken(*_: object) -> Any:
    raise ZeroDivisionError


async def publish(code: ScriptedCode, approvals: Approvals, timeout: float = 5) -> dict[str, Any]:  # noqa: ASYNC109  # ours
    """What the SDK has told Claude Code about its call."""
    options = ClaudeAgentOptions(hooks=approval_hooks(approvals, timeout=timeout))
    async with asyncio.timeout(10):
        async for _ in query(prompt=said("Publish the site."), options=options, transport=code):
            pass
    (answer,) = code.answers
    specific: dict[str, Any] = answer["response"]["hookSpecificOutput"]
    return specific


async def test_the_sdk_waits_for_longer_than_we_do_and_blocks_on_failure(
    approvals: Approvals, clerk: Clerk
) -> None:
    clerk.habit = yes
    code = ScriptedCode()
    assert (await publish(code, approvals))["permissionDecision"] == "allow"
    (before,) = code.registered["PreToolUse"]
    assert before["timeout"] > 5
    assert before["onFailure"] == "block"


@pytest.mark.parametrize("timeout", ["never", "soon", -1])
def test_a_wait_that_is_none_is_told_when_the_program_starts(timeout: Any, approvals: Approvals) -> None:
    with pytest.raises(InvalidCall, match="timeout"):
        approval_hooks(approvals, timeout=timeout)


async def test_without_an_answer_the_tool_is_denied_and_the_same_call_goes_on_waiting(
    approvals: Approvals, redis_url: str, tenant: str
) -> None:
    denied = await publish(ScriptedCode(), approvals, timeout=0.05)
    assert denied["permissionDecision"] == "deny"
    assert "stays open" in denied["permissionDecisionReason"]
    async with serving(redis_url, tenant, habit=yes) as clerk:
        assert (await publish(ScriptedCode(), approvals))["permissionDecision"] == "allow"
        assert len(clerk.requests) == 1


async def test_without_redis_the_tool_is_denied() -> None:
    async with Approvals.connect("redis://127.0.0.1:1", agent="billing", patience=0) as nowhere:
        assert (await publish(ScriptedCode(), nowhere))["permissionDecision"] == "deny"


async def test_a_call_that_claude_code_gives_up_uses_nothing(approvals: Approvals, clerk: Clerk) -> None:
    code = ScriptedCode()

    async def run() -> None:
        options = ClaudeAgentOptions(hooks=approval_hooks(approvals))
        async for _ in query(prompt=said("Publish the site."), options=options, transport=code):
            pass

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(run())
        (request,) = await clerk.arrived()
        code.cancel()
        code.end()
    await clerk.approve(request.id)
    assert code.answers == []
    assert clerk.requests[request.id].status is Status.APPROVED


async def test_a_claude_code_that_would_go_on_without_the_hook_is_refused(approvals: Approvals) -> None:
    with pytest.raises(CLIConnectionError, match="on_failure"):
        await publish(ScriptedCode(honors_on_failure=False), approvals)


def test_an_sdk_that_would_go_on_without_the_hook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    older = make_dataclass("HookMatcher", ["matcher", "hooks", "timeout"])
    monkeypatch.setattr(claude_agent_sdk, "HookMatcher", older)
    monkeypatch.delitem(sys.modules, "approvals.adapters.claude_agent")
    with pytest.raises(ImportError, match=r'pip install "countersign\[claude\]"'):
        import_module("approvals.adapters.claude_agent")
