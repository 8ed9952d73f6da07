"""Inside the service: from Slack's request to the acknowledgement of what is safely in Redis."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias
from urllib.parse import parse_qs

from aiohttp import web
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from approvals import Approvals
from approvals.model import RequestId
from bot import app, settings
from bot.sandbox.server import Sandbox
from tests.bench.bare import Floor, bolt_app
from tests.bench.ground import TENANT, Ground, one_by_one
from tests.bench.times import Times
from tests.builders import REFUND
from tests.lossy_line import LossyLine
from tests.running import a_bot, the_card

SECRET = "sandbox-signing-secret"
BY_SOCKET = "Click → durable ack, by socket"
BY_HTTP = "Click → durable ack, by HTTP"
FLOOR = "  floor, by HTTP"
BOLT = "  bare Bolt, by HTTP"
BOLT_DEFAULT = "  default Bolt, by HTTP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One click as it arrives: the form and its signature by HTTP, or the JSON alone by Socket Mode."""

    form: str
    headers: dict[str, str]
    payload: str


Answer: TypeAlias = Callable[[Sent], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Click:
    """A genuine click on a card, as Slack sends it by HTTP, to be made one on any other like it."""

    form: str
    request_id: RequestId

    def on(self, request_id: RequestId) -> Sent:
        form, at = self.form.replace(self.request_id, request_id), str(int(time.time()))
        signature = SignatureVerifier(SECRET, Clock()).generate_signature(timestamp=at, body=form)
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": at,
            "x-slack-signature": str(signature),
        }
        return Sent(form=form, headers=headers, payload=parse_qs(form)["payload"][0])


@dataclass(frozen=True, slots=True)
class Workspace:
    """A sandbox that sends nothing to the service, and a click that was recorded in it."""

    slack: Sandbox
    click: Click

    def by_http(self, redis_url: str) -> dict[str, str]:
        """The environment of a service that Slack calls."""
        env = self.by_socket(redis_url)
        del env["SLACK_APP_TOKEN"]
        return env

    def by_socket(self, redis_url: str) -> dict[str, str]:
        """The environment of a service that connects to Slack."""
        return one_by_one(self.slack, redis_url, SLACK_SIGNING_SECRET=SECRET)


@asynccontextmanager
async def a_workspace(redis_url: str) -> AsyncIterator[Workspace]:
    """Start a sandbox, have a card drawn in it, and record what a click on that sends."""
    bodies: asyncio.Queue[str] = asyncio.Queue()

    async def record(request: web.Request) -> web.Response:
        body = await request.text()
        if "block_actions" in body:
            bodies.put_nowait(body)
        return web.Response()

    recorder = web.Application()
    recorder.router.add_post("/", record)
    runner = web.AppRunner(recorder, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with Sandbox(rate_limits=False, request_url=url, signing_secret=SECRET) as slack:
            workspace = Workspace(slack, Click("", RequestId("")))
            async with a_bot(workspace.by_http(redis_url), role="worker"):
                async with Approvals.connect(redis_url, agent="billing", tenant=TENANT) as approvals:
                    ticket = await approvals.submit("refund", REFUND, reason="Charged twice for invoice 881.")
                card = await the_card(slack)
                await slack.person("U0ANA").press("Approve", card)
            yield replace(workspace, click=Click(bodies.get_nowait(), ticket.id))
    finally:
        await runner.cleanup()


async def inside(ground: Ground, workspace: Workspace, count: int) -> dict[str, Times]:
    """Each contender answers `count` clicks, in an order that chance decides; one more before, unmeasured."""
    client = AsyncWebClient(token="xoxb-sandbox", base_url=workspace.slack.api_url)
    async with (
        _service(workspace.by_http(ground.url)) as by_http,
        _service(workspace.by_socket(ground.url)) as by_socket,
    ):
        contenders: list[tuple[str, Answer]] = [
            (BY_SOCKET, partial(_by_socket, by_socket)),
            (BY_HTTP, partial(_by_http, by_http)),
            (FLOOR, partial(_by_hand, Floor(ground.redis, SECRET))),
            (BOLT, partial(_by_http, bolt_app(ground.redis, client, SECRET, is_ack_first=False))),
            (BOLT_DEFAULT, partial(_by_http, bolt_app(ground.redis, client, SECRET, is_ack_first=True))),
        ]
        random.shuffle(contenders)
        return {name: await _timed(ground, workspace.click, answer, count) for name, answer in contenders}


async def round_trips(ground: Ground, workspace: Workspace, count: int) -> float:
    """How often the service waits for Redis for one click, counted on the line between them."""
    async with LossyLine(ground.url) as line, _service(workspace.by_http(line.url)) as bolt:
        answer = partial(_by_http, bolt)
        await _timed(ground, workspace.click, answer, 1)
        before = line.sent
        await _timed(ground, workspace.click, answer, count)  # and one more before
        return (line.sent - before) / (count + 1)


@asynccontextmanager
async def _service(env: dict[str, str]) -> AsyncIterator[AsyncApp]:
    """The service's listeners, without its loops: nobody else is at work in this process."""
    async with app.built(settings.read(env, needs="workspace")) as service:
        assert service.slack is not None
        assert service.slack.bolt is not None
        yield service.slack.bolt


async def _by_http(bolt: AsyncApp, sent: Sent) -> bool:
    request = AsyncBoltRequest(body=sent.form, headers=dict(sent.headers))
    return bool((await bolt.async_dispatch(request)).status == 200)


async def _by_socket(bolt: AsyncApp, sent: Sent) -> bool:
    request = AsyncBoltRequest(body=json.loads(sent.payload), mode="socket_mode")
    return bool((await bolt.async_dispatch(request)).status == 200)


async def _by_hand(floor: Floor, sent: Sent) -> bool:
    return await floor.handle(sent.form, sent.headers)


async def _timed(ground: Ground, click: Click, answer: Answer, count: int) -> Times:
    seconds = []
    for _ in range(count + 1):
        request = await ground.one_more()
        sent = click.on(request.id)
        began = time.perf_counter()
        is_answered = await answer(sent)
        seconds.append(time.perf_counter() - began)
        assert is_answered, "a click was not acknowledged"
        await ground.store.forget(request.id)  # the bare ones have decided nothing
    return Times(tuple(seconds[1:]))
