"""The whole walk, as agents and the sandbox see it: the service is a process of its own, on Socket Mode."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from approvals import Approvals
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from bot.sandbox.workspace import Change
from tests.bench import bare
from tests.bench.child import Child, a_child
from tests.bench.ground import CHANNEL_ID, TENANT, Ground, one_by_one
from tests.bench.times import Times
from tests.builders import REFUND
from tests.lossy_line import LossyLine
from tests.running import a_bot

SUBMIT = "Submit → card posted"
CLICK = "Click → acknowledged"
AWAKE = "Click → agent awake"
BOLT = "  bare Bolt"
BOLT_DEFAULT = "  default Bolt"
AT_ONCE = 16  # lifecycles under way while throughput is measured
PATIENCE_S = 30.0


class Wall:
    """What hangs in the channel: each request's card, as soon as it is there and once it says some words."""

    def __init__(self, slack: Sandbox) -> None:
        self._posted: defaultdict[str, asyncio.Future[tuple[Message, float]]] = defaultdict(_future)
        self._said: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        slack.workspace.watch(self._follow)

    async def card(self, request_id: str) -> tuple[Message, float]:
        """The card, and when it came."""
        return await asyncio.wait_for(self._posted[request_id], PATIENCE_S)

    def says(self, words: str) -> asyncio.Event:
        """What is set as soon as some card says `words`, from now on."""
        return self._said[words]

    def _follow(self, change: Change) -> None:
        message, now = change.message, time.perf_counter()
        if message is None or message.is_reply:
            return
        if change.kind == "posted" and message.metadata is not None:
            posted = self._posted[message.metadata["event_payload"]["id"]]
            if not posted.done():
                posted.set_result((message, now))
        if change.kind == "changed":
            shown = message.shown
            for words in [each for each, event in self._said.items() if not event.is_set() and each in shown]:
                self._said[words].set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a walk goes: the workspace, what hangs in its channel, and an agent."""

    slack: Sandbox
    wall: Wall
    approvals: Approvals


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How long the parts of one walk took, in seconds."""

    posted: float
    acknowledged: float
    awake: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What AT_ONCE lifecycles at a time come to."""

    per_s: float  # on this machine, the sandbox and the agents included
    service_cpu_s: float  # of one lifecycle
    redis_cpu_s: float


async def walks(ground: Ground, count: int, fast: int) -> tuple[dict[str, Times], Throughput]:
    """`count` lifecycles one after the other, then `fast` of them AT_ONCE at a time."""
    async with (
        Sandbox(rate_limits=False) as slack,
        a_child("service", slack, one_by_one(slack, ground.url)) as service,
        Approvals.connect(ground.url, agent="billing", tenant=TENANT) as approvals,
    ):
        scene = Scene(slack=slack, wall=Wall(slack), approvals=approvals)
        walked = [await _walk(scene, f"re_{number}_") for number in range(count + 1)][1:]
        throughput = await _throughput(scene, service, ground, fast)
    times = {
        SUBMIT: Times(tuple(each.posted for each in walked)),
        CLICK: Times(tuple(each.acknowledged for each in walked)),
        AWAKE: Times(tuple(each.awake for each in walked)),
    }
    return times, throughput


async def _walk(scene: Scene, words: str) -> Walk:
    """One lifecycle: submit, card, click, wait, claim, receipt, and the card that tells all of it."""
    approvals, began = scene.approvals, time.perf_counter()
    ticket = await approvals.submit("refund", REFUND, reason="Charged twice for invoice 881.")

    async def waited() -> float:
        await approvals.wait(ticket.id, timeout=PATIENCE_S)
        return time.perf_counter()

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(waited())
        card, posted = await scene.wall.card(ticket.id)
        clicked = time.perf_counter()
        result = await scene.slack.person("U0ANA").press("Approve", card)
        acknowledged = time.perf_counter()
        assert result.ok, result
    await approvals.claim(ticket.id)
    told = scene.wall.says(words)
    await approvals.receipt(ticket.id, ok=True, result=words, duration_ms=12)
    await asyncio.wait_for(told.wait(), PATIENCE_S)
    return Walk(posted=posted - began, acknowledged=acknowledged - clicked, awake=waiting.result() - clicked)


async def _throughput(scene: Scene, service: Child, ground: Ground, count: int) -> Throughput:
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await _walk(scene, f"fast_{number}_")

    used, redis_used, began = (await service.used()).cpu_s, await ground.cpu_s(), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(some())
    took = time.perf_counter() - began
    return Throughput(
        per_s=count / took,
        service_cpu_s=((await service.used()).cpu_s - used) / count,
        redis_cpu_s=(await ground.cpu_s() - redis_used) / count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What one lifecycle sends to Redis."""

    service_trips: float
    agent_trips: float
    commands: float


async def traffic(ground: Ground, count: int) -> Traffic:
    """Count on the lines between Redis and the two, over `count` lifecycles."""
    async with (
        Sandbox(rate_limits=False) as slack,
        LossyLine(ground.url) as line,
        LossyLine(ground.url) as agents_line,
        a_bot(one_by_one(slack, line.url)),
        Approvals.connect(agents_line.url, agent="billing", tenant=TENANT) as approvals,
    ):
        await slack.until(lambda: slack.connections > 0)
        scene = Scene(slack=slack, wall=Wall(slack), approvals=approvals)
        await _walk(scene, "first")
        service, agent, commands = line.sent, agents_line.sent, await ground.commands()
        for number in range(count):
            await _walk(scene, f"counted_{number}_")
        return Traffic(
            service_trips=(line.sent - service) / count,
            agent_trips=(agents_line.sent - agent) / count,
            commands=(await ground.commands() - commands) / count,
        )


async def bare_clicks(ground: Ground, kind: str, count: int) -> Times:
    """The same click on an app that is Bolt and nothing else."""
    text = {"type": "plain_text", "text": "Approve"}
    button = {"type": "button", "action_id": bare.ACTION, "text": text, "value": "x"}
    blocks = [{"type": "actions", "elements": [button]}]
    async with (
        Sandbox(rate_limits=False) as slack,
        a_child(kind, slack, one_by_one(slack, ground.url)),
    ):
        client = AsyncWebClient(token="xoxb-sandbox", base_url=slack.api_url)
        await client.chat_postMessage(channel=CHANNEL_ID, text="refund", blocks=blocks)
        card, ana, seconds = slack.messages()[-1], slack.person("U0ANA"), []
        for _ in range(count + 1):
            began = time.perf_counter()
            result = await ana.press("Approve", card)
            seconds.append(time.perf_counter() - began)
            assert result.ok, result
    return Times(tuple(seconds[1:]))


def _future() -> asyncio.Future[tuple[Message, float]]:
    return asyncio.get_running_loop().create_future()
