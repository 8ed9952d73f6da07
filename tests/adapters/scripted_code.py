"""A Claude Code that follows a script: what the Claude Agent SDK answers to it is what would happen."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from claude_agent_sdk import Transport

from approvals.model import Args

BASH: Args = {"command": "make publish"}


class ScriptedCode(Transport):
    """Is about to call one tool; runs it with `runs`, if it is let, and tells the hooks of the result."""

    def __init__(
        self,
        tool: str = "Bash",
        args: Args = BASH,
        *,
        id: str = "1",
        runs: Callable[[Args], Awaitable[tuple[bool, str]]] | None = None,
        honors_on_failure: bool = True,
    ) -> None:
        self.tool, self.args, self.id, self.runs = tool, args, id, runs
        self.honors_on_failure = honors_on_failure
        self.answers: list[dict[str, Any]] = []
        self.read = ""  # by the model, instead of the result or as it
        self.registered: dict[str, Any] = {}
        self._to_sdk: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def connect(self) -> None: ...

    async def write(self, data: str) -> None:
        message = json.loads(data)
        if message["type"] == "control_request":  # initialize
            self.registered = message["request"]["hooks"] or {}
            answer = {"hook_on_failure_supported": True} if self.honors_on_failure else {}
            self._reply(message["request_id"], answer)
        elif message["type"] == "user":
            self.ask()
        else:
            self.answers.append(message["response"])
            await self._go_on(message["response"])

    async def _go_on(self, answer: dict[str, Any]) -> None:
        if answer["request_id"].startswith("after") or self.runs is None:
            return self.end()
        response = answer["response"]
        told = response.get("hookSpecificOutput", response)
        if "allow" not in (told.get("permissionDecision"), told.get("behavior")):
            self.read = str(told.get("permissionDecisionReason") or told.get("message"))
            return self.end()
        ok, self.read = await self.runs(told["updatedInput"])
        after = "PostToolUse" if ok else "PostToolUseFailure"
        if after not in self.registered:
            return self.end()
        return self._call_back(after, "after", tool_response=self.read, error=self.read)

    def ask(self) -> None:
        if "PreToolUse" in self.registered:
            return self._call_back("PreToolUse", "ask")
        request = {
            "subtype": "can_use_tool",
            "tool_name": self.tool,
            "input": self.args,
            "permission_suggestions": [],
        }
        return self._request("ask", request | {"tool_use_id": f"toolu_{self.id}"})

    def cancel(self) -> None:
        self._to_sdk.put_nowait({"type": "control_cancel_request", "request_id": f"ask-{self.id}"})

    def end(self) -> None:
        result = {
            "subtype": "success",
            "duration_ms": 1,
            "duration_api_ms": 1,
            "is_error": False,
            "num_turns": 1,
        }
        self._to_sdk.put_nowait({"type": "result", "session_id": "session-1", "result": "Done.", **result})
        self._to_sdk.put_nowait(None)

    def _call_back(self, name: str, which: str, **more: str) -> None:
        (matcher,) = self.registered[name]
        event = {
            "hook_event_name": name,
            "session_id": "session-1",
            "tool_name": self.tool,
            "tool_input": self.args,
            "tool_use_id": f"toolu_{self.id}",
            **more,
        }
        called = {"callback_id": matcher["hookCallbackIds"][0], "input": event}
        self._request(which, {"subtype": "hook_callback", **called})

    def _request(self, which: str, request: dict[str, Any]) -> None:
        id = f"{which}-{self.id}"
        self._to_sdk.put_nowait({"type": "control_request", "request_id": id, "request": request})

    def _reply(self, id: str, answer: dict[str, Any]) -> None:
        response = {"subtype": "success", "request_id": id, "response": answer}
        self._to_sdk.put_nowait({"type": "control_response", "response": response})

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self._to_sdk.get()) is not None:
            yield message

    async def close(self) -> None: ...

    async def end_input(self) -> None: ...

    def is_ready(self) -> bool:
        return True
