"""Inside the service: from Slack's signed request to the acknowledgement of what is safely in Redis."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from approvals import Approvals
from approvals.model import RequestId
from bot import app, settings
from bot.sandbox.server import Sandbox
from tests.bench.bare import Floor, bolt_app
from tests.bench.ground import TENANT, Ground
from tests.bench.times import Times
from tests.builders import REFUND
from tests.lossy_line import LossyLine
from tests.running import a_bot, environment, the_card

SECRET = "sandbox-signing-secret"
OURS = "Click → durable ack, inside"
FLOOR = "  floor, inside"
BOLT = "  bare Bolt, inside"
BOLT_DEFAULT = "  default Bolt, inside"

Answer: TypeAlias = Callable[[str, dict[str, str]], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Click:
    """A genuine click on a card, as Slack sends it by HTTP, to be made one on any other like it."""

    body: str
    request_id: RequestId

    def on(self, request_id: RequestId) -> tuple[str, dict[str, str]]:
        body, at = self.body.replace(self.request_id, request_id), str(int(time.time()))
        signature = SignatureVerifier(SECRET, Clock()).generate_signature(timestamp=at, body=body)
        return body, {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": at,
            "x-slack-signature": str(signature),
        }


@dataclass(frozen=True, slots=True)
class Workspace:
    """A sandbox that sends nothing to the service, and a click that was recorded in it."""

    slack: Sandbox
    click: Click

    def env(self, redis_url: str) -> dict[str, str]:
        return _env(self.slack, redis_url)


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
            async with a_bot(_env(slack, redis_url), role="worker"):
                async with Approvals.connect(redis_url, agent="billing", tenant=TENANT) as approvals:
                    ticket = await approvals.submit("refund", REFUND, reason="Charged twice for invoice 881.")
                card = await the_card(slack)
                await slack.person("U0ANA").press("Approve", card)
            yield Workspace(slack, Click(bodies.get_nowait(), ticket.id))
    finally:
        await runner.cleanup()


def _env(slack: Sandbox, redis_url: str) -> dict[str, str]:
    env = environment(slack, redis_url, TENANT, SLACK_SIGNING_SECRET=SECRET)
    del env["SLACK_APP_TOKEN"]
    return env


async def inside(ground: Ground, workspace: Workspace, count: int) -> dict[str, Times]:
    """Each contender answers `count` clicks, in an order that chance decides; one more before, unmeasured."""
    async with AsyncExitStack() as stack:
        read = settings.read(workspace.env(ground.url), needs="workspace")
        service = await stack.enter_async_context(app.built(read))
        assert service.slack is not None
        assert service.slack.bolt is not None
        client = AsyncWebClient(token="xoxb-sandbox", base_url=workspace.slack.api_url)
        contenders: list[tuple[str, Answer]] = [
            (OURS, _dispatch(service.slack.bolt)),
            (FLOOR, Floor(ground.redis, SECRET).handle),
            (BOLT, _dispatch(bolt_app(ground.redis, client, SECRET, is_ack_first=False))),
            (BOLT_DEFAULT, _dispatch(bolt_app(ground.redis, client, SECRET, is_ack_first=True))),
        ]
        random.shuffle(contenders)
        return {name: await _timed(ground, workspace.click, answer, count) for name, answer in contenders}


async def round_trips(ground: Ground, workspace: Workspace, count: int) -> float:
    """How often the service waits for Redis for one click, counted on the line between them."""
    async with LossyLine(ground.url) as line:
        read = settings.read(workspace.env(line.url), needs="workspace")
        async with app.built(read) as service:
            assert service.slack is not None
            assert service.slack.bolt is not None
            answer = _dispatch(service.slack.bolt)
            await _timed(ground, workspace.click, answer, 1)
            before = line.sent
            await _timed(ground, workspace.click, answer, count)
            return (line.sent - before) / (count + 1)


def _dispatch(bolt: AsyncApp) -> Answer:
    async def answer(body: str, headers: dict[str, str]) -> bool:
        response = await bolt.async_dispatch(AsyncBoltRequest(body=body, headers=headers))  # type: ignore[arg-type]
        return bool(response.status == 200)

    return answer


async def _timed(ground: Ground, click: Click, answer: Answer, count: int) -> Times:
    requests = await ground.waiting(count + 1)
    seconds = []
    for request in requests:
        body, headers = click.on(request.id)
        began = time.perf_counter()
        is_answered = await answer(body, headers)
        seconds.append(time.perf_counter() - began)
        assert is_answered, "a click was not acknowledged"
    return Times(tuple(seconds[1:]))
