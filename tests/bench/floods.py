"""A flood of requests into one channel: until each of them can be reached and decided, as Slack lets us."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from approvals import Approvals
from approvals.digest import DigestId
from approvals.model import Request
from approvals.places import digests_in, is_card
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.bench.ground import Ground
from tests.running import a_connected_bot, environment, until

TENANT = "floods"
END_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """So many requests at once, in a Slack that takes one message a second of us."""

    count: int
    asked_s: float  # until all were asked
    reachable_s: float  # from the first request on, until all could be decided
    messages: int
    calls: int  # to Slack's Web API that post or update


async def flood(ground: Ground, count: int) -> Flood:
    async with _house(ground) as (slack, service, approvals):
        before, began = _calls(slack), time.perf_counter()
        async with asyncio.TaskGroup() as asking:
            for number in range(count):
                asking.create_task(approvals.submit("label", {"issue": number, "label": "bug"}))
        asked_s = time.perf_counter() - began
        await until(lambda: _is_reachable(service, count), timeout_s=END_S)
        return Flood(
            count=count,
            asked_s=asked_s,
            reachable_s=time.perf_counter() - began,
            messages=len(slack.messages()),
            calls=_calls(slack) - before,
        )


@asynccontextmanager
async def _house(
    ground: Ground, policy: Path | None = None
) -> AsyncIterator[tuple[Sandbox, Service, Approvals]]:
    """The service in a Slack that enforces its rates; both in this process, which is to our disadvantage."""
    file = {} if policy is None else {"APPROVALS_POLICY": str(policy)}
    async with Sandbox() as slack:
        env = environment(slack, ground.url, TENANT, **file)
        async with (
            a_connected_bot(slack, env) as service,
            Approvals.connect(ground.url, agent="billing", tenant=TENANT) as approvals,
        ):
            yield slack, service, approvals


async def _is_reachable(service: Service, count: int) -> bool:
    """Whether each has a card, or a row in a digest that is posted."""
    if await service.store.count_pending() < count or await service.cards.backlog():
        return False
    requests = await service.store.pending(limit=count)
    return all([await _is_shown(service, request) for request in requests])


async def _is_shown(service: Service, request: Request) -> bool:
    posted = await service.cards.posted(request.id)
    if any(is_card(place) and each.ts for place, each in posted.items()):
        return True
    kept = [await service.digests.of(DigestId(id)) for id in digests_in(posted)]
    return any(each.posted.ts is not None for each in kept)


def _calls(slack: Sandbox) -> int:
    return sum(slack.calls[method].count for method in ("chat.postMessage", "chat.update"))
