"""The agent of docs/examples/durable.py is killed wherever that could hurt, started again, and pays once."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from approvals.callback_secrets import CallbackSecrets
from approvals.model import Actor, Request, RequestId, Status
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import a_connected_bot, environment, the_card, until
from tests.stories.processes import ROOT, a_process
from tests.stories.signing import free_port

PROGRAM = "docs/examples/durable.py"


@dataclass(slots=True)
class Payments:
    """Who pays, and remembers what. `dies`: when the agent is to be killed, before or after it was paid."""

    url: str = ""
    paid: list[str] = field(default_factory=list)
    dies: str = "never"
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def pay(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        if self.dies != "before":
            self.paid.append(id)
        self.reached.set()
        if self.dies != "never":
            await asyncio.Event().wait()
        return web.Response()

    async def look(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if request.match_info["id"] in self.paid else 404)


@asynccontextmanager
async def paying() -> AsyncIterator[Payments]:
    payments, app = Payments(), web.Application()
    app.router.add_post("/{id}", payments.pay)
    app.router.add_get("/{id}", payments.look)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    payments.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield payments
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    slack: Sandbox
    bot: Service
    payments: Payments
    env: dict[str, str]

    async def start(self) -> str:
        """What a start of the agent says before it ends by itself."""
        async with a_process(self.env, PROGRAM) as process:
            said, complained = await process.communicate()
            assert process.returncode == 0, complained.decode()
            return said.decode().strip()

    async def approve(self) -> None:
        assert (await self.slack.person("U0ANA").press("Approve", await the_card(self.slack))).ok

    async def until_status(self, status: Status) -> Request:
        async def found() -> Request | None:
            (id,) = await self.bot.redis.zrange(f"cs:{{{self.bot.settings.tenant}}}:ids", 0, -1)
            request, _ = await self.bot.store.get(RequestId(str(id)))
            return request if request.status is status else None

        request = await until(found)
        assert request is not None
        return request


@pytest.fixture
async def scene(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> AsyncIterator[Scene]:
    port = free_port()
    allowed = environment(slack, redis_url, tenant, APPROVALS_CALLBACKS=f"http://127.0.0.1:{port}")
    async with paying() as payments, a_connected_bot(slack, allowed) as bot:
        operator = Actor(id="operator:root", name="root")
        env = {
            "REDIS_URL": redis_url,
            "APPROVALS_TENANT": tenant,
            "APPROVALS_AGENT": "billing",
            "PAYMENTS_URL": payments.url,
            "CALLBACK_URL": f"http://127.0.0.1:{port}/countersign",
            "WEBHOOK_SECRET": await CallbackSecrets(bot.redis, tenant).newest("billing", operator),
            "AGENT_PORT": str(port),
            "AGENT_LOCK": str(tmp_path / "lock"),
        }
        yield Scene(slack=slack, bot=bot, payments=payments, env=env)


@asynccontextmanager
async def serving(scene: Scene) -> AsyncIterator[None]:
    """The agent, awaiting calls."""

    async def is_up() -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(scene.env["CALLBACK_URL"]) as answer:
                return answer.status == 405
        except aiohttp.ClientConnectionError:
            return False

    async with a_process(scene.env, PROGRAM, "serve"):
        await until(is_up, timeout_s=20)
        yield


@pytest.mark.long
async def test_it_asks_and_ends_and_the_next_start_finds_the_outcome_by_the_key(scene: Scene) -> None:
    assert await scene.start() == "nobody has decided yet"
    assert await scene.start() == "nobody has decided yet"
    await scene.approve()
    assert await scene.start() == "paid"
    request = await scene.until_status(Status.EXECUTED)
    assert scene.payments.paid == [request.id]


@pytest.mark.long
async def test_it_is_called_back_when_a_person_has_decided(scene: Scene) -> None:
    async with serving(scene):
        assert await scene.start() == "nobody has decided yet"
        await scene.approve()
        request = await scene.until_status(Status.EXECUTED)
    assert scene.payments.paid == [request.id]


async def test_a_call_that_nobody_signed_is_turned_away(scene: Scene) -> None:
    await scene.start()
    await scene.approve()
    request = await scene.until_status(Status.APPROVED)
    forged = {"type": "request.approved", "data": {"id": request.id}}
    async with (
        serving(scene),
        aiohttp.ClientSession() as http,
        http.post(scene.env["CALLBACK_URL"], json=forged) as answer,
    ):
        assert answer.status == 401
    assert scene.payments.paid == []


@pytest.mark.attack("B40")
@pytest.mark.parametrize(
    ("dies", "says", "status", "payments"),
    [
        pytest.param(
            *("before", "not paid: shut down too early, by an earlier start", Status.FAILED, 0),
            marks=pytest.mark.long,
        ),
        ("after", "paid, by an earlier start", Status.EXECUTED, 1),
    ],
)
async def test_killed_between_claim_and_receipt_it_finds_out_how_far_it_came_and_never_pays_twice(
    scene: Scene, dies: str, says: str, status: Status, payments: int
) -> None:
    await scene.start()
    await scene.approve()
    scene.payments.dies = dies
    async with a_process(scene.env, PROGRAM) as process:
        async with asyncio.timeout(20):
            await scene.payments.reached.wait()
        process.kill()
        await process.wait()
    scene.payments.dies = "never"
    assert await scene.start() == says
    await scene.until_status(status)
    assert await scene.start() == says
    assert len(scene.payments.paid) == payments


@pytest.mark.long
async def test_while_one_is_paying_another_keeps_out_of_its_way(scene: Scene) -> None:
    await scene.start()
    await scene.approve()
    scene.payments.dies = "after"
    async with a_process(scene.env, PROGRAM):
        async with asyncio.timeout(20):
            await scene.payments.reached.wait()
        async with a_process(scene.env, PROGRAM) as other:
            _, complained = await other.communicate()
    assert b"BlockingIOError" in complained
    assert len(scene.payments.paid) == 1
    assert (await scene.until_status(Status.EXECUTING)).receipt is None


def test_the_page_shows_this_very_program() -> None:
    page = (ROOT / "docs" / "agents" / "webhooks.md").read_text()
    assert (ROOT / PROGRAM).read_text() in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
