"""The real slack_bolt app, unmodified, against the sandbox: over Socket Mode and over signed HTTP."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox

CARD: list[dict[str, Any]] = [
    {"type": "section", "block_id": "what", "text": {"type": "mrkdwn", "text": "Refund $940?"}},
    {
        "type": "actions",
        "block_id": "buttons",
        "elements": [
            {
                "type": "button",
                "action_id": "approve",
                "text": {"type": "plain_text", "text": "Approve & run"},
                "value": "R-7K2M",
            },
            {
                "type": "button",
                "action_id": "edit",
                "text": {"type": "plain_text", "text": "Edit…"},
                "value": "x",
            },
        ],
    },
]
DIALOG: dict[str, Any] = {
    "type": "modal",
    "callback_id": "edit",
    "title": {"type": "plain_text", "text": "Edit"},
    "submit": {"type": "plain_text", "text": "Save"},
    "blocks": [
        {
            "type": "input",
            "block_id": "amount",
            "label": {"type": "plain_text", "text": "Amount"},
            "element": {"type": "number_input", "action_id": "value", "is_decimal_allowed": True},
        }
    ],
}


class App:
    """A Bolt app that keeps what it was sent."""

    def __init__(self, api_url: str) -> None:
        self.client = AsyncWebClient(token="xoxb-sandbox", base_url=api_url)
        self.bolt = AsyncApp(
            client=self.client, signing_secret="sandbox-signing-secret", process_before_response=True
        )
        self.seen: list[dict[str, Any]] = []
        self.bolt.action("approve")(self._approve)
        self.bolt.action("edit")(self._edit)
        self.bolt.view("edit")(self._save)
        self.bolt.command("/approve")(self._command)
        self.bolt.shortcut("show_request")(self._shortcut)
        for name in ("message", "app_mention", "app_home_opened", "user_change"):
            self.bolt.event(name)(self._event)

    async def _approve(self, ack: Any, body: dict[str, Any], respond: Any) -> None:
        self.seen.append(body)
        await respond(text="approved", blocks=[], replace_original=True)
        await ack()

    async def _edit(self, ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        self.seen.append(body)
        await client.views_open(trigger_id=body["trigger_id"], view=DIALOG)
        await ack()

    async def _save(self, ack: Any, body: dict[str, Any], view: dict[str, Any]) -> None:
        self.seen.append(body)
        amount = float(view["state"]["values"]["amount"]["value"]["value"])
        if amount > 1_000:
            await ack(response_action="errors", errors={"amount": "At most 1,000."})
        else:
            await ack()

    async def _command(self, ack: Any, body: dict[str, Any]) -> None:
        self.seen.append(body)
        await ack(f"You approved {body['text']}.")

    async def _shortcut(self, ack: Any, body: dict[str, Any]) -> None:
        self.seen.append(body)
        await ack()

    async def _event(self, body: dict[str, Any]) -> None:
        self.seen.append(body)

    def last(self, kind: str) -> dict[str, Any]:
        return [body for body in self.seen if kind in (body.get("type"), body.get("event", {}).get("type"))][
            -1
        ]


@asynccontextmanager
async def over_socket_mode() -> AsyncIterator[tuple[Sandbox, App]]:
    async with Sandbox(rate_limits=False) as slack:
        app = App(slack.api_url)
        handler = AsyncSocketModeHandler(app.bolt, "xapp-sandbox", web_client=app.client)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's own
        try:
            yield slack, app
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def over_http() -> AsyncIterator[tuple[Sandbox, App]]:
    server = web.Application()
    runner = web.AppRunner(server)
    apps: list[App] = []

    async def receive(request: web.Request) -> web.Response:
        from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request

        response = await apps[0].bolt.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(response)

    server.router.add_post("/slack/events", receive)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    async with Sandbox(rate_limits=False, request_url=url) as slack:
        apps.append(App(slack.api_url))
        yield slack, apps[0]
    await runner.cleanup()


@pytest.fixture(params=[over_socket_mode, over_http], ids=["socket", "http"])
async def joined(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Sandbox, App]]:
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)
    async with request.param() as both:
        yield both


async def test_a_click_reaches_bolt_and_its_answer_changes_the_message(joined: tuple[Sandbox, App]) -> None:
    slack, app = joined
    await app.client.chat_postMessage(channel="C0APPROVALS", text="Refund?", blocks=CARD)
    card = slack.messages()[-1]

    assert (await slack.person("U0KIM").press("Approve & run", card)).ok

    body = app.last("block_actions")
    assert body["user"]["id"] == "U0KIM" and body["actions"][0]["value"] == "R-7K2M"
    assert body["actions"][0]["text"]["text"] == "Approve &amp; run"
    assert slack.messages()[-1].text == "approved"


async def test_a_dialog_opens_complains_and_closes(joined: tuple[Sandbox, App]) -> None:
    slack, app = joined
    await app.client.chat_postMessage(channel="C0APPROVALS", text="Refund?", blocks=CARD)
    ana = slack.person("U0ANA")
    assert (await ana.click(slack.messages()[-1], "edit")).ok
    assert [view.callback_id for view in ana.views] == ["edit"]

    assert (await ana.fill_and_submit({"Amount": "4000"})).errors == {"amount": "At most 1,000."}
    assert (await ana.fill_and_submit({"Amount": "400"})).ok

    assert ana.views == []
    assert app.last("view_submission")["view"]["state"]["values"]["amount"]["value"]["value"] == "400"


async def test_a_slash_command_is_answered_privately(joined: tuple[Sandbox, App]) -> None:
    slack, _ = joined
    max_ = slack.person("U0MAX")
    assert (await max_.slash("/approve", "R-7K2M fine")).ok
    assert [message.text for message in max_.ephemerals()] == ["You approved R-7K2M fine."]
    assert slack.person("U0ANA").ephemerals() == []


async def test_events_and_shortcuts_reach_bolt(joined: tuple[Sandbox, App]) -> None:
    slack, app = joined
    said = slack.person("U0EVE").say("hello @countersign & all")
    await slack.settled()
    mention = app.last("app_mention")
    assert mention["event"]["text"] == "hello <@U0COUNTERSIGN> &amp; all"
    assert mention["event"]["ts"] == said.ts

    slack.person("U0ANA").open_home()
    await slack.settled()
    assert app.last("app_home_opened")["event"]["tab"] == "home"
    assert (await slack.person("U0ANA").shortcut("show_request", slack.messages()[-1])).ok
    assert app.last("message_action")["message"]["ts"] == said.ts


async def test_bolt_comes_back_after_a_refresh() -> None:
    async with over_socket_mode() as (slack, app):
        await slack.disconnect()
        await slack.until(lambda: slack.connections == 1, timeout_s=20)
        assert (await slack.person("U0ANA").slash("/approve", "R-1")).ok
        assert app.seen
