"""Tomorrow's sandbox shows today's messages, and their buttons still work."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox, serve
from tests.bot.sandbox.conftest import BOT, listening

BUTTONS = [
    {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": "approve", "text": {"type": "plain_text", "text": "Approve"}}
        ],
    }
]


async def test_a_restarted_sandbox_has_everything_and_reuses_no_timestamp(tmp_path: Path) -> None:
    kept = tmp_path / "deep" / "state.json"
    clock = lambda: 1_800_000_000.0  # noqa: E731  a clock that stands still
    async with Sandbox(state_file=kept, clock=clock, rate_limits=False) as slack:
        client = AsyncWebClient(token=BOT, base_url=slack.api_url)
        card = await client.chat_postMessage(channel="C0APPROVALS", text="Refund?", blocks=BUTTONS)
        await client.chat_postMessage(channel="C0APPROVALS", text="reply", thread_ts=card["ts"])
        await client.chat_postMessage(channel="U0KIM", text="for you")
        await client.files_upload_v2(content="all", filename="args.txt", channel="C0OPS")
        await client.reactions_add(channel="C0APPROVALS", name="eyes", timestamp=card["ts"])
        await client.views_publish(user_id="U0ANA", view={"type": "home", "blocks": BUTTONS})
        slack.workspace.set_usergroup("S0ONCALL", ["U0ANA"])
        before = slack.messages()[-1]

    async with Sandbox(state_file=kept, clock=clock, rate_limits=False) as slack, listening(slack) as app:
        assert slack.messages() == [before]
        assert [message.text for message in slack.thread("C0APPROVALS", before.ts)] == ["Refund?", "reply"]
        assert slack.messages(slack.person("U0KIM").dm().id)[0].text == "for you"
        assert slack.workspace.files[slack.messages("C0OPS")[0].files[0]].content == b"all"
        assert slack.workspace.usergroup("S0ONCALL").users == ["U0ANA"]
        assert (await slack.person("U0ANA").press("Approve", slack.messages()[-1])).ok
        assert (await slack.person("U0ANA").press("Approve")).ok  # on Home
        assert len(app.payloads("block_actions")) == 2
        stamps = [slack.person("U0ANA").say("more").ts for _ in range(2)]
        assert len({before.ts, *slack.workspace.channel("C0APPROVALS").messages, *stamps}) == 4


async def test_changes_are_kept_before_the_stop(tmp_path: Path) -> None:
    kept = tmp_path / "state.json"
    async with Sandbox(state_file=kept) as slack:
        slack.person("U0ANA").say("hello")
        slack.person("U0ANA").say("again")
        await slack.until(kept.exists)
        assert "hello" in kept.read_text()
        assert not kept.with_name("state.json.new").exists()


async def test_a_file_that_is_no_workspace_stops_the_start(tmp_path: Path) -> None:
    kept = tmp_path / "state.json"
    kept.write_text(json.dumps({"format": 99}))
    with pytest.raises(ValueError, match=r"state\.json does not hold a sandbox's workspace"):
        await Sandbox(state_file=kept).start()
    assert json.loads(kept.read_text()) == {"format": 99}


async def test_a_taken_port_stops_the_start(slack: Sandbox) -> None:
    port = int(slack.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        await Sandbox().start(port=port)


async def test_a_served_sandbox_keeps_its_state_when_it_is_stopped(tmp_path: Path) -> None:
    kept = tmp_path / "state.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        serving = group.create_task(serve("127.0.0.1", port, state_file=kept))
        client = AsyncWebClient(
            token=BOT,
            base_url=f"http://127.0.0.1:{port}/api/",
            retry_handlers=[AsyncConnectionErrorRetryHandler(max_retry_count=50)],
        )
        await client.chat_postMessage(channel="C0APPROVALS", text="before the stop")
        serving.cancel()
    assert "before the stop" in kept.read_text()
