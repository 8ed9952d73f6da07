"""The model behind the real Claude Code: a small Anthropic API on this machine that follows a script."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import claude_agent_sdk
from aiohttp import web
from aiohttp.test_utils import TestServer

CLAUDE = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"  # the one that the SDK brings along


@dataclass
class ScriptedClaude:
    """Makes its one call of a tool, and says that it is done once it has heard of it."""

    calls: list[tuple[str, dict[str, Any]]]
    heard: list[str] = field(default_factory=list)  # the results of its calls, as it has read them
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.heard = [
            _text(block)
            for message in body["messages"]
            for block in message["content"]
            if isinstance(block, dict) and block.get("type") == "tool_result"
        ]
        blocks: list[dict[str, Any]] = [{"type": "text", "text": "Done."}]
        if not self.heard and body.get("tools"):
            blocks = [
                {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": args}
                for n, (name, args) in enumerate(self.calls)
            ]
        return await _streamed(request, body["model"], blocks)

    def env(self, home: Path) -> dict[str, str]:
        """A Claude Code that knows of nobody's account, and can reach nothing but this machine."""
        return {
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home),
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "scripted",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "HTTP_PROXY": "http://127.0.0.1:1",
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "NO_PROXY": "127.0.0.1",
        }


@asynccontextmanager
async def scripted_claude(*calls: tuple[str, dict[str, Any]]) -> AsyncIterator[ScriptedClaude]:
    claude = ScriptedClaude(list(calls))
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/messages", claude.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        claude.url = str(server.make_url("")).rstrip("/")
        yield claude


async def _streamed(request: web.Request, model: str, blocks: list[dict[str, Any]]) -> web.StreamResponse:
    """https://platform.claude.com/docs/en/build-with-claude/streaming"""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)

    async def send(kind: str, **more: Any) -> None:
        event = json.dumps({"type": kind, **more})
        await response.write(f"event: {kind}\ndata: {event}\n\n".encode())

    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []}
    await send("message_start", message=message | {"stop_reason": None, "usage": usage})
    for n, block in enumerate(blocks):
        if block["type"] == "text":
            await send("content_block_start", index=n, content_block=block | {"text": ""})
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            await send("content_block_start", index=n, content_block=block | {"input": {}})
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        await send("content_block_delta", index=n, delta=delta)
        await send("content_block_stop", index=n)
    stop = "tool_use" if blocks[0]["type"] == "tool_use" else "end_turn"
    await send("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage=usage)
    await send("message_stop")
    return response


def _text(block: dict[str, Any]) -> str:
    content = block["content"]
    return content if isinstance(content, str) else "".join(one.get("text", "") for one in content)
