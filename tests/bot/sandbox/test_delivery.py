"""Payloads arrive as they do on a good day, and as they do on a bad one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox
from tests.bot.sandbox.conftest import APP, BOT, Api, Listener, listening


async def test_hello_counts_connections_and_the_eleventh_is_sent_away(slack: Sandbox) -> None:
    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(listening(slack)) for _ in range(11)]
        await slack.until(lambda: slack.connections == 10)
        for _ in range(10):
            assert (await slack.person("U0ANA").slash("/approve")).ok
        assert [len(app.envelopes) for app in apps] == [1] * 10 + [0]
        assert apps[0].notes[0]["type"] == "hello" and apps[9].notes[0]["num_connections"] == 10
        assert apps[10].notes[0] == {"type": "disconnect", "reason": "too_many_websockets"}


async def test_a_socket_address_works_once(slack: Sandbox) -> None:
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {APP}"}
        async with session.post(slack.api_url + "apps.connections.open", headers=headers) as response:
            address = (await response.json())["url"]
        async with session.ws_connect(address):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(address)


async def test_envelopes_say_whether_they_take_an_answer(slack: Sandbox, app: Listener) -> None:
    await slack.person("U0ANA").slash("/approve")
    slack.person("U0ANA").say("hi")
    await slack.settled()
    command, event = app.envelopes
    assert (command["type"], command["accepts_response_payload"]) == ("slash_commands", True)
    assert (event["type"], event["accepts_response_payload"]) == ("events_api", False)
    assert (event["retry_attempt"], event["retry_reason"]) == (0, "")


async def test_a_refresh_is_announced_and_a_warning_closes_nothing(slack: Sandbox, app: Listener) -> None:
    await slack.disconnect("warning")
    assert slack.connections == 1
    await slack.disconnect()
    assert slack.connections == 0
    async with asyncio.timeout(5):
        await app.hung_up.wait()
    assert [note.get("reason") for note in app.notes] == [None, "warning", "refresh_requested"]


async def test_an_envelope_can_come_twice(slack: Sandbox, app: Listener) -> None:
    slack.faults.next_envelope("duplicate")
    assert (await slack.person("U0ANA").slash("/approve")).ok
    await slack.settled()
    first, second = app.envelopes
    assert first == second


async def test_an_envelope_can_come_late_or_never() -> None:
    async with Sandbox(ack_timeout_s=0.05, event_retry_delays_s=()) as slack, listening(slack) as app:
        late = slack.faults.next_envelope("late")
        slack.faults.next_envelope("lose")
        ana = slack.person("U0ANA")
        assert (await ana.slash("/approve", "late")).error == "operation_timeout"
        assert (await ana.slash("/approve", "lost")).error == "operation_timeout"
        assert app.envelopes == []
        late.release()
        await slack.settled()
        assert [envelope["payload"]["text"] for envelope in app.envelopes] == ["late"]


async def test_events_are_tried_again_with_the_same_id() -> None:
    async with Sandbox(ack_timeout_s=0.05, event_retry_delays_s=(0, 0, 0)) as slack, listening(slack) as app:
        app.silent = True
        slack.person("U0ANA").say("hi")
        await slack.settled()
        assert [envelope["retry_attempt"] for envelope in app.envelopes] == [0, 1, 2, 3]
        assert app.envelopes[3]["retry_reason"] == "http_timeout"
        assert len({envelope["payload"]["event_id"] for envelope in app.envelopes}) == 1


async def test_methods_fail_on_demand_and_then_work(slack: Sandbox) -> None:
    client = AsyncWebClient(token=BOT, base_url=slack.api_url, retry_handlers=[], timeout=1)
    slack.faults.next_calls("users.info", "429", retry_after=7)
    slack.faults.next_calls("users.info", "500", times=2)
    slack.faults.next_calls("users.info", "error", code="fatal_error")
    with pytest.raises(SlackApiError) as caught:
        await client.users_info(user="U0ANA")
    assert caught.value.response["error"] == "ratelimited"
    assert caught.value.response.headers["Retry-After"] == "7"
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await client.users_info(user="U0ANA")
        assert caught.value.response.status_code == 500
    with pytest.raises(SlackApiError, match="fatal_error"):
        await client.users_info(user="U0ANA")
    assert (await client.users_info(user="U0ANA"))["ok"]
    assert (slack.calls["users.info"].count, slack.calls["users.info"].failed) == (5, 4)


async def test_a_method_can_never_answer(slack: Sandbox) -> None:
    async with aiohttp.ClientSession() as session:
        slack.faults.next_calls("chat.postMessage", "timeout")
        post = session.post(
            slack.api_url + "chat.postMessage",
            json={"channel": "C0APPROVALS", "text": "x"},
            headers={"Authorization": f"Bearer {BOT}"},
            timeout=aiohttp.ClientTimeout(total=0.1),
        )
        with pytest.raises(TimeoutError):
            await post
    assert slack.messages() == []


async def test_a_drop_after_commit_makes_the_default_client_post_twice(slack: Sandbox) -> None:
    client = AsyncWebClient(token=BOT, base_url=slack.api_url)
    slack.faults.next_calls("chat.postMessage", "drop")
    await client.chat_postMessage(channel="C0APPROVALS", text="x")
    assert len(slack.messages()) == 2
    careful = AsyncWebClient(
        token=BOT, base_url=slack.api_url, retry_handlers=[AsyncRateLimitErrorRetryHandler()]
    )
    slack.faults.next_calls("chat.postMessage", "drop")
    with pytest.raises(aiohttp.ClientError):
        await careful.chat_postMessage(channel="C0APPROVALS", text="x")
    assert len(slack.messages()) == 3


async def test_a_channel_takes_a_burst_and_then_one_message_a_second() -> None:
    now = [1_800_000_000.0]
    async with Sandbox(clock=lambda: now[0], event_retry_delays_s=()) as slack:
        client = AsyncWebClient(token=BOT, base_url=slack.api_url, retry_handlers=[])
        for _ in range(5):
            await client.chat_postMessage(channel="C0APPROVALS", text="x")
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel="C0APPROVALS", text="x")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "1"
        await client.chat_postMessage(channel="C0GENERAL", text="another channel")
        now[0] += 1
        await client.chat_postMessage(channel="C0APPROVALS", text="x")


async def test_each_method_has_its_tier() -> None:
    async with Sandbox(clock=lambda: 1_800_000_000.0, event_retry_delays_s=()) as slack:
        client = AsyncWebClient(token=BOT, base_url=slack.api_url, retry_handlers=[])
        for _ in range(20):
            await client.usergroups_users_list(usergroup="S0ONCALL")
        with pytest.raises(SlackApiError) as caught:
            await client.usergroups_users_list(usergroup="S0ONCALL")
        assert caught.value.response.headers["Retry-After"] == "3"
        await client.users_info(user="U0ANA")


class Receiver:
    """An app's request URL."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.reply: Any = None

    async def receive(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        if self.reply is not None:
            return web.json_response(self.reply, status=self.status)
        return web.Response(status=self.status)


@pytest.fixture
async def http() -> AsyncIterator[tuple[Sandbox, Receiver]]:
    async with (
        _receiving() as (url, receiver),
        Sandbox(request_url=url, rate_limits=False, event_retry_delays_s=(0, 0, 0)) as slack,
    ):
        yield slack, receiver


@asynccontextmanager
async def _receiving() -> AsyncIterator[tuple[str, Receiver]]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/slack/events", receiver.receive)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events", receiver
    finally:
        await runner.cleanup()


async def test_http_payloads_are_forms_signed_as_slack_signs(http: tuple[Sandbox, Receiver]) -> None:
    slack, app = http
    app.reply = {"text": "done & dusted"}
    assert (await slack.person("U0ANA").slash("/approve", "R-1 ok")).ok
    assert slack.person("U0ANA").ephemerals()[0].text == "done & dusted"
    await slack.person("U0ANA").shortcut("open_queue")
    slack.person("U0ANA").say("hi")
    await slack.settled()

    for headers, body in app.requests:
        base = b"v0:" + headers["X-Slack-Request-Timestamp"].encode() + b":" + body
        expected = hmac.new(b"sandbox-signing-secret", base, hashlib.sha256).hexdigest()
        assert headers["X-Slack-Signature"] == f"v0={expected}"
    command, shortcut, event = (body.decode() for _, body in app.requests)
    assert parse_qs(command)["text"] == ["R-1 ok"]
    assert json.loads(parse_qs(shortcut)["payload"][0])["type"] == "shortcut"
    assert json.loads(event)["event"]["text"] == "hi"


async def test_http_events_are_retried_with_headers_and_clicks_are_not(
    http: tuple[Sandbox, Receiver],
) -> None:
    slack, app = http
    app.status = 500
    assert (await slack.person("U0ANA").shortcut("open_queue")).error == "dispatch_failed"
    assert len(app.requests) == 1
    slack.person("U0ANA").say("hi")
    await slack.settled()
    retries = [headers.get("X-Slack-Retry-Num") for headers, _ in app.requests[1:]]
    assert retries == [None, "1", "2", "3"]
    assert app.requests[-1][0]["X-Slack-Retry-Reason"] == "http_error"


async def test_socket_mode_is_off_where_payloads_go_by_http(http: tuple[Sandbox, Receiver], api: Api) -> None:
    slack, _ = http
    client = AsyncWebClient(base_url=slack.api_url)
    with pytest.raises(SlackApiError, match="socket_mode_not_enabled"):
        await client.apps_connections_open(app_token=APP)


async def test_waiting_is_woken_and_bounded(slack: Sandbox, api: Api) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(slack.until(lambda: slack.messages() and slack.messages()[-1].text))
        await api("chat.postMessage", channel="C0APPROVALS", text="there")
    assert waiting.result() == "there"
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        await slack.until(lambda: False, timeout_s=0.01)
