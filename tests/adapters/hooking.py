"""`countersign hook` as a coding agent runs it: a process that is given an event and is heard once."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from approvals import Approvals
from approvals.adapters.hook_command import HARNESSES
from approvals.adapters.tool_hooks import ToolHooks
from approvals.model import Args

COUNTERSIGN = str(Path(sys.executable).with_name("countersign"))
PUSH: Args = {"command": "git push", "description": "Publish it"}


@dataclass(frozen=True)
class Said:
    """What a hook has said: the same of every coding agent's."""

    code: int
    json: dict[str, Any]
    complaint: str

    @property
    def is_denied(self) -> bool:
        """Whether the coding agent takes it for a no: an answer that says so, or exit code 2."""
        return self.code == 2 or (self.code == 0 and self._word == "deny")

    @property
    def is_allowed(self) -> bool:
        return self.code == 0 and self._word == "allow"

    @property
    def words(self) -> str:
        specific = self.json.get("hookSpecificOutput", {})
        decision = specific.get("decision", {})
        return str(
            specific.get("permissionDecisionReason") or decision.get("message") or self.json.get("reason")
        )

    @property
    def args(self) -> Any:
        specific = self.json["hookSpecificOutput"]
        return (
            specific.get("updatedInput") or specific.get("tool_input") or specific["decision"]["updatedInput"]
        )

    @property
    def _word(self) -> Any:
        specific = self.json.get("hookSpecificOutput", {})
        decision = specific.get("decision", {})
        return specific.get("permissionDecision") or decision.get("behavior") or self.json.get("decision")


@dataclass(frozen=True)
class Hook:
    """One coding agent's hook, as its settings would have it."""

    harness: str
    before: str
    after: str
    env: dict[str, str]

    def event(self, name: str | None = None, args: Any = PUSH, **more: Any) -> dict[str, Any]:
        event = {
            "hook_event_name": name or self.before,
            "session_id": "session-1",
            "cwd": "/home/ada/shop",
            "tool_name": "Bash",
            "tool_input": args,
        }
        if self.before == "PreToolUse":
            event["tool_use_id"] = "toolu_1"
        return event | more

    async def says(self, approvals: Approvals, event: dict[str, Any], within: float | None = 5) -> Said:
        """What it would say, without a process around it."""
        harness = HARNESSES[self.harness]
        hooks = ToolHooks(approvals, within, merges=harness.merges)
        return Said(code=0, json=await harness.answer(hooks, event), complaint="")

    async def start(self, event: object, *, within: str = "20s", **env: str) -> Process:
        """A hook that has been told its event. None: it is not told any."""
        process = await asyncio.create_subprocess_exec(
            COUNTERSIGN, "hook", self.harness, "--timeout", within,
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=os.environ | self.env | env,
        )  # fmt: skip
        if event is not None:
            assert process.stdin is not None
            process.stdin.write(event if isinstance(event, bytes) else json.dumps(event).encode())
            process.stdin.close()
        return process

    async def heard(self, process: Process) -> Said:
        async with asyncio.timeout(20):
            assert process.stdout is not None and process.stderr is not None
            out, err, code = await process.stdout.read(), await process.stderr.read(), await process.wait()
        return Said(code=code, json=json.loads(out or "{}"), complaint=err.decode())

    async def said(self, event: object, *, within: str = "20s", **env: str) -> Said:
        return await self.heard(await self.start(event, within=within, **env))


def hook(harness: str, redis_url: str, tenant: str) -> Hook:
    names = {
        "claude": ("claude", "PreToolUse", "PostToolUse"),
        "claude, asked for permission": ("claude", "PermissionRequest", "PostToolUse"),
        "gemini": ("gemini", "BeforeTool", "AfterTool"),
    }[harness]
    return Hook(*names, env={"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant, "APPROVALS_AGENT": ""})
