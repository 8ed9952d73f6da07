"""A naive twin: the same approvals as most would write them first. It shows that the harness bites.

It acknowledges before it writes, its clients try again by themselves, its button names the request and not
the call, whoever can click may decide, a status is simply set, leave to run is a status that is read, and the
log is written after the fact.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.canonical import fingerprint
from approvals.errors import NotClaimed
from approvals.model import Args
from bot.sandbox.server import Sandbox
from tests.proof.figures import Figures
from tests.proof.history import Books, History, Kept, Line
from tests.proof.relay import AFTER, CommandLine
from tests.proof.sweep import Ground, Trial, figures, swept
from tests.proof.sweep_faults import Died, Fault, Where, lived
from tests.proof.sweep_house import Door, Unknown
from tests.proof.sweep_more import MORE
from tests.proof.sweep_scenarios import CHANNEL, SCENARIOS, Scenario

PLAYED = ("approve", "reject", "quorum", "expiry", "cancel", "revise", "two at once")
HOUR_S = 3600
EVERY = 3  # which command, call or await fails; and of the ways some: it takes few of them to show
WAYS: dict[Where, tuple[str, ...]] = {
    "redis": (AFTER, "an error"),
    "slack": ("drop",),
    "awaits": ("killed",),
}


class Twin:
    """Service and agent in one."""

    def __init__(
        self, slack: Sandbox, door: Door, redis: Redis, redis_url: str, fault: Fault, need: int
    ) -> None:
        self.slack, self.history, self._fault, self._need = slack, History(), fault, need
        self._door, self._plain = door, redis
        self._line = CommandLine(redis_url, fault.of_command)
        self._at = f"twin:{secrets.token_hex(5)}"
        self._ahead_s = 0

    async def __aenter__(self) -> Twin:
        await self._line.__aenter__()
        self._redis = Redis.from_url(self._line.url, decode_responses=True)
        self._bolt = self._app(AsyncWebClient(token="xoxb-sandbox", base_url=self.slack.api_url))
        self._door.handler = self._handle
        self._fault.is_on = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._door.handler = None
        await self._redis.aclose()
        await self._line.__aexit__(None, None, None)

    # -- Slack ----------------------------------------------------------------------------------------

    def _app(self, client: AsyncWebClient) -> AsyncApp:
        self._client = client
        who = AuthorizeResult(enterprise_id=None, team_id="T0SANDBOX", bot_token=client.token)

        async def authorize() -> AuthorizeResult:
            return who

        bolt = AsyncApp(client=client, signing_secret="sandbox-signing-secret", authorize=authorize)

        @bolt.action("approve")
        async def approve(ack: AsyncAck, body: dict[str, Any]) -> None:
            await ack()
            await self._safely(self._approve(body["actions"][0]["value"], body["user"]["id"]))

        @bolt.action("reject")
        async def ask_why(ack: AsyncAck, body: dict[str, Any]) -> None:
            view = _dialog(body["actions"][0]["value"])
            await self._safely(client.views_open(trigger_id=body["trigger_id"], view=view))
            await ack()

        @bolt.view("reject")
        async def reject(ack: AsyncAck, body: dict[str, Any]) -> None:
            await ack()
            request, by = body["view"]["private_metadata"], body["user"]["id"]
            await self._safely(self._decide(request, "rejected", f"slack:{by}"))

        return bolt

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await to_aiohttp_response(await self._bolt.async_dispatch(await to_bolt_request(request)))

    async def _safely(self, work: Coroutine[Any, Any, object]) -> None:
        """What goes wrong in a listener is in its log, and nowhere else."""
        try:
            await lived(work, self._fault)
        except (Died, RedisError, OSError, SlackApiError, TimeoutError):
            return

    async def _approve(self, request: str, by: str) -> None:
        if await self._redis.hincrby(f"{self._at}:r:{request}", "votes", 1) >= self._need:
            await self._decide(request, "approved", f"slack:{by}")
        else:
            await self._log(request, "voted", f"slack:{by}")

    async def _decide(self, request: str, status: str, by: str) -> None:
        await self._redis.hset(f"{self._at}:r:{request}", mapping={"status": status, "by": by})
        await self._draw(request)
        await self._log(request, status, by)

    async def _log(self, request: str, event: str, by: str) -> None:
        args = json.loads(await self._redis.hget(f"{self._at}:r:{request}", "args") or "{}")
        entry = [request, event, by, fingerprint("refund", args)]
        await self._redis.rpush(f"{self._at}:log", json.dumps(entry))

    async def _kept(self, request: str) -> dict[str, str]:
        found = await self._redis.hgetall(f"{self._at}:r:{request}")
        return {str(name): str(value) for name, value in found.items()}

    async def _draw(self, request: str) -> None:
        kept = await self._kept(request)
        shown = _blocks(request, json.loads(kept["args"]), kept["status"])
        if ts := kept.get("ts"):
            await self._client.chat_update(channel=CHANNEL, ts=ts, text="refund", blocks=shown)
            return
        metadata = {"event_type": "twin", "event_payload": {"id": request}}
        posted = await self._client.chat_postMessage(
            channel=CHANNEL, text="refund", blocks=shown, metadata=metadata
        )
        await self._redis.hset(f"{self._at}:r:{request}", "ts", str(posted["ts"]))

    # -- its loops ------------------------------------------------------------------------------------

    async def pump(self) -> None:
        await self.slack.settled()
        await asyncio.sleep(0.01)  # its listeners go on after they have acknowledged
        await self._safely(self._once_around())

    async def _once_around(self) -> None:
        while request := await self._redis.lpop(f"{self._at}:todo"):
            await self._draw(str(request))
        now = time.time() + self._ahead_s
        for due in await self._redis.zrangebyscore(f"{self._at}:due", "-inf", now):
            await self._redis.zrem(f"{self._at}:due", str(due))
            await self._decide(str(due), "expired", "timer")

    async def turn_clock(self, seconds: int) -> None:
        self._ahead_s += seconds

    async def heal(self) -> None:
        self._fault.is_on = False
        await self.pump()

    # -- the agent ------------------------------------------------------------------------------------

    async def _does(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await lived(work, self._fault)
        except (Died, RedisError, OSError):
            raise Unknown from None

    async def submit(self, call: str, tool: str, args: Args, **options: Any) -> str:
        async def put() -> str:
            request = f"T-{await self._redis.incr(f'{self._at}:ids')}"
            await self._redis.hset(
                f"{self._at}:r:{request}", mapping={"status": "pending", "args": json.dumps(args)}
            )
            await self._redis.zadd(f"{self._at}:due", {request: time.time() + HOUR_S})
            await self._redis.rpush(f"{self._at}:todo", request)
            return request

        return str(await self._does(put()))

    async def claim(self, request: str) -> Args:
        async def look() -> Args:
            kept = await self._kept(request)
            if kept.get("status") != "approved":
                raise NotClaimed(request)
            await self._log(request, "claimed", "agent")
            args: Args = json.loads(kept["args"])
            return args

        found: Args = await self._does(look())
        return found

    async def report(self, request: str) -> None:
        await self._does(self._log(request, "executed", "agent"))

    async def revise(self, request: str, args: Args) -> None:
        await self._does(self._redis.hset(f"{self._at}:r:{request}", "args", json.dumps(args)))  # type: ignore[arg-type]
        await self._redis.rpush(f"{self._at}:todo", request)

    async def cancel(self, request: str) -> None:
        await self._does(self._decide(request, "cancelled", "agent"))

    # -- afterwards -----------------------------------------------------------------------------------

    async def books(self) -> Books:
        requests = {}
        async for name in self._plain.scan_iter(f"{self._at}:r:*"):
            request, kept = str(name).rpartition(":")[2], await self._plain.hgetall(name)
            by = str(kept.get("by", "")).removeprefix("slack:")
            requests[request] = Kept(id=request, status=str(kept.get("status")), by=frozenset({by}))
        entries = map(json.loads, await self._plain.lrange(f"{self._at}:log", 0, -1))
        log = [Line(request=one, event=event, actor=by, fingerprint=of) for one, event, by, of in entries]
        return Books(requests=requests, log=log)


def _blocks(request: str, args: Args, status: str) -> list[dict[str, Any]]:
    words = f"customer {args.get('customer')}\namount {args.get('amount')}\n{status}"
    section = {"type": "section", "text": {"type": "plain_text", "text": words}}
    buttons = [_button("approve", "Approve", request), _button("reject", "Reject…", request)]
    return [section, *([{"type": "actions", "elements": buttons}] if status == "pending" else [])]


def _button(action: str, words: str, request: str) -> dict[str, Any]:
    text = {"type": "plain_text", "text": words}
    return {"type": "button", "action_id": action, "text": text, "value": request}


def _dialog(request: str) -> dict[str, Any]:
    field = {"type": "plain_text_input", "action_id": "words"}
    label = {"type": "plain_text", "text": "Why?"}
    return {
        "type": "modal",
        "callback_id": "reject",
        "private_metadata": request,
        "title": {"type": "plain_text", "text": "Reject"},
        "submit": {"type": "plain_text", "text": "Reject"},
        "blocks": [{"type": "input", "block_id": "words", "label": label, "element": field}],
    }


def run(scale: int) -> Figures:
    """The same scenarios, faults and checks as ours, as far as it has what they need."""
    trials = asyncio.run(_swept(max(1, EVERY // scale)))
    found = [wrong for trial in trials for wrong in trial.wrongs]
    shown = {wrong.kind: wrong.sentence for wrong in reversed(found) if wrong.kind != "violations"}
    told = figures("twin", trials, must_fail=True)
    return replace(told, notes=tuple(f"{kind}: {sentence}" for kind, sentence in shown.items()))


async def _swept(step: int) -> list[Trial]:
    trials: list[Trial] = []
    for scenario in (*SCENARIOS, *MORE):
        for where, kinds in WAYS.items() if scenario.name in PLAYED else ():
            for kind in kinds:
                trials += await swept(scenario, where, kind, make=_twin, step=step)
    return trials


def _twin(ground: Ground, scenario: Scenario, fault: Fault, slack: Sandbox) -> Twin:
    return Twin(slack, ground.door, ground.redis, ground.url, fault, scenario.rules.quorum)
