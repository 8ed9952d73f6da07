"""Our house in one process: a service that may die, an agent that may, and what both have kept.

Against the sandbox and a real Redis; what the service does is in `sweep_life.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from redis.asyncio import Redis
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_sdk.errors import SlackApiError

from approvals import Approvals
from approvals.audit import verify
from approvals.callback_secrets import CallbackSecrets
from approvals.errors import Unavailable
from approvals.inbox import GROUP
from approvals.keys import key
from approvals.messages import Outcome
from approvals.model import Actor, Args, RequestId
from approvals.store import Store
from bot.drawing.sending import Limited
from bot.people import LookupFailed
from bot.sandbox.server import Sandbox
from tests.proof.history import Books, History, Kept, Line
from tests.proof.relay import CommandLine
from tests.proof.sweep_faults import Died, Fault, lived
from tests.proof.sweep_life import Life, Loop
from tests.running import SECRET, a_machine

T = TypeVar("T")
AGENT = "billing"
TURNS = 40  # of the loops, before what goes on for ever is a wrong
LEASES = ("draw", "due", "queues", "bulks", "callbacks")
# What the loops of the service know to happen; whatever else is raised is a bug of ours.
TROUBLE = (Unavailable, Limited, SlackApiError, LookupFailed, aiohttp.ClientError, TimeoutError)


class Unknown(Exception):
    """Whoever asked can't tell whether it was done."""


class Door:
    """Where the sandbox brings what people do: to whichever service lives now."""

    def __init__(self) -> None:
        self.handler: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
        self.url = ""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            if self.handler is not None:
                return await self.handler(request)
        except Died:
            pass
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Door]:
        door, served = cls(), web.Application()
        served.router.add_post("/slack/events", door._handle)
        runner = web.AppRunner(served, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        door.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        try:
            yield door
        finally:
            await runner.cleanup()


class OurHouse:
    """One tenant: a service that may die and is started again, an agent likewise, and what both have kept."""

    def __init__(
        self,
        slack: Sandbox,
        door: Door,
        redis: Redis,
        redis_url: str,
        fault: Fault,
        *,
        loops: Sequence[Loop] = (),
        more: Mapping[str, str],
    ) -> None:
        self.slack, self.history = slack, History()
        self.tenant = f"t{secrets.token_hex(5)}"
        self._door, self._redis, self._url, self._fault = door, redis, redis_url, fault
        self._env = {
            "SLACK_BOT_TOKEN": "xoxb-sandbox",
            "SLACK_SIGNING_SECRET": "sandbox-signing-secret",
            "APPROVALS_TENANT": self.tenant,
            **a_machine(),
            **SECRET,
            **more,
        }
        self._store = Store(redis, self.tenant)
        self._life: Life | None = None
        self._loops = loops
        self._ahead_s = 0
        self._agent: tuple[Approvals, CommandLine] | None = None

    async def __aenter__(self) -> OurHouse:
        await self._start()
        self._fault.is_on = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._door.handler = None
        if self._life is not None:
            await self._life.end()
        await self._end_agent()

    # -- the service ----------------------------------------------------------------------------------

    async def _start(self) -> None:
        was_on, self._fault.is_on = self._fault.is_on, False
        env = {"SLACK_API_URL": self.slack.api_url, **self._env}
        self._life = await Life.begin(env, self._url, self._fault, self._loops, self._ahead_s)
        self._door.handler = self._handle
        self._fault.is_on = was_on

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        life = self._life
        if life is None or life.is_over:
            raise Died
        answer = life.bolt.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(await life.lived(answer))

    async def pump(self) -> None:
        """Let the service do all there is to do; one that has died is started again."""
        for _ in range(TURNS):
            if self._life is None or self._life.is_over:
                await self._end_leases()
                await self._start()
            life = self._life
            assert life is not None
            try:
                if not await life.lived(life.once_around()):
                    return
            except Died:
                continue
            except TROUBLE:
                await self._end_leases()
            except Exception as error:
                self.history.bugs.append(f"{type(error).__name__}: {error}")
                await self._end_leases()
        self.history.bugs.append("the service finds no end of what it has to do")

    async def _end_leases(self) -> None:
        """Turn the clock forward to when what was taken is free for others."""
        for queue in LEASES:
            await self._earlier(queue, 10_000)
        inbox = key(self.tenant, "inbox", AGENT)
        if await self._redis.exists(inbox):
            groups = await self._redis.xinfo_groups(inbox)
            held = await self._redis.xpending_range(inbox, GROUP, "-", "+", 100) if groups else []
            for each in held:
                await self._redis.xclaim(
                    inbox, GROUP, "dead", 0, [each["message_id"]], idle=60_000, justid=True
                )
        if self._life is not None and not self._life.is_over:
            self._life.look_around()

    async def turn_clock(self, seconds: int) -> None:
        """By Redis's clock it is so much later from now on."""
        self._ahead_s += seconds
        if self._life is not None:
            self._life.line.ahead_s = self._ahead_s
        for queue in ("due", "queues"):
            await self._earlier(queue, seconds * 1000)

    async def _earlier(self, queue: str, ms: int) -> None:
        name = key(self.tenant, queue)
        for member in await self._redis.zrange(name, 0, -1):
            await self._redis.zincrby(name, -ms, str(member))

    async def heal(self) -> None:
        """Nothing goes wrong any more; let all that was begun come to its end."""
        self._fault.is_on = False
        await self._end_leases()
        await self.pump()

    # -- the agent ------------------------------------------------------------------------------------

    async def agent(self, does: Callable[[Approvals], Coroutine[Any, Any, T]]) -> T:
        """One call of the agent's. Raises Unknown, and whatever the call raises that is known."""
        if self._agent is None:
            line = await CommandLine(self._url, self._fault.of_command).__aenter__()
            self._agent = (Approvals.connect(line.url, agent=AGENT, tenant=self.tenant), line)
        approvals, line = self._agent
        try:
            return await lived(does(approvals), self._fault)
        except Unavailable:
            raise Unknown from None
        except Died:
            line.is_dead = True
            await self._end_agent()
            raise Unknown from None

    async def _end_agent(self) -> None:
        if self._agent is not None:
            approvals, line = self._agent
            self._agent = None
            line.drop()
            await approvals.aclose()
            await line.__aexit__(None, None, None)

    async def submit(self, call: str, tool: str, args: Args, **options: Any) -> str:
        ticket = await self.agent(lambda agent: agent.submit(tool, args, key=call, **options))
        return ticket.id

    async def outcome(self, request: str) -> Outcome | None:
        return await self.agent(lambda agent: agent.get(request))

    async def claim(self, request: str) -> Args:
        permit = await self.agent(lambda agent: agent.claim(request))
        return permit.args

    async def report(self, request: str) -> None:
        await self.agent(lambda agent: agent.receipt(request, True, "done"))

    async def revise(self, request: str, args: Args) -> None:
        await self.agent(lambda agent: agent.revise(request, args))

    async def cancel(self, request: str) -> None:
        await self.agent(lambda agent: agent.cancel(request))

    async def surely_told(self, request: str) -> Outcome | None:
        """What has become of it, asked until there is an answer: a fault strikes once."""
        try:
            return await self.outcome(request)
        except Unknown:
            return await self.outcome(request)

    async def is_frozen(self) -> bool:
        return bool((await self._store.freezes.now()).freezes)

    async def allow_callbacks(self, url: str) -> None:
        """Agents may be called there from now on; the service is started anew, as it reads that once."""
        operator = Actor(id="operator:root", name="root")
        await CallbackSecrets(self._redis, self.tenant).newest(AGENT, operator)
        self._env["APPROVALS_CALLBACKS"] = url
        if self._life is not None:
            await self._life.end()
        await self._start()

    # -- afterwards -----------------------------------------------------------------------------------

    async def books(self) -> Books:
        return await books_of(self._redis, self.tenant)


async def books_of(redis: Redis, tenant: str) -> Books:
    """What the service has kept, by its own reading, and what its own check says of the log."""
    store = Store(redis, tenant)
    ids = await redis.zrange(key(tenant, "ids"), 0, -1)
    requests = await store.get_many([RequestId(str(id)) for id in ids])
    log = [entry async for entry in store.log()]
    fault = verify(log, last_seq=await store.last_seq())
    kept: dict[str, Kept] = {}
    for request in requests.values():
        by: set[str] = {vote.person for vote in request.votes}
        by |= {request.decision.by.id.removeprefix("slack:")} if request.decision else set()
        kept[request.id] = Kept(
            id=request.id, status=request.status, entries=request.version, by=frozenset(by)
        )
    lines = [
        Line(request=each.request, event=each.event, actor=each.actor, fingerprint=each.fingerprint)
        for each in log
    ]
    return Books(requests=kept, log=lines, faults=(str(fault),) if fault else ())
