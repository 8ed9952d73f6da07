"""Whole lifecycles without Slack: the agent, the intake, the decision and the receipt, in one process."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from approvals import Approvals
from approvals.budgets import Budgets
from approvals.commands import Approve, Command
from approvals.epochs import Epochs
from approvals.grant_book import GrantBook
from approvals.inbox import Inboxes
from approvals.model import Request, RequestId, Status
from approvals.policy import DEFAULT
from approvals.stages import Stages
from approvals.store import Change, Commanding, Store
from bot.intake import Intake
from bot.judging import Judge
from tests.bench.bare import BODY
from tests.bench.ground import CHANNEL, TENANT, Ground
from tests.builders import REFUND, a_person

AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Of one process that is agent and service at once."""

    per_s: float
    cpu_s: float  # of one lifecycle
    redis_cpu_s: float
    trips: float  # to Redis; those that wait for others go together


class _Told(Store):
    """The service's store, which tells those who wait for it what has been written."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground.redis, TENANT, ground.signing)
        self.created: defaultdict[RequestId, asyncio.Event] = defaultdict(asyncio.Event)
        self.executed: defaultdict[RequestId, asyncio.Event] = defaultdict(asyncio.Event)

    async def create(self, request: Request, **how: Any) -> Request:
        created = await super().create(request, **how)
        self.created[request.id].set()
        return created

    async def change(self, request_id: RequestId, command: Command | Commanding, **how: Any) -> Change:
        change = await super().change(request_id, command, **how)
        if change.request.status is Status.EXECUTED:
            self.executed[request_id].set()
        return change


def _intake(ground: Ground, store: Store) -> Intake:
    inboxes = Inboxes(ground.redis, TENANT, "bench")
    judge = Judge(lambda: DEFAULT, Budgets(ground.redis, TENANT), channel=CHANNEL)
    books = GrantBook(ground.redis, TENANT), Stages(ground.redis, TENANT)
    return Intake(store, inboxes, judge, *books, environment="bench")


async def lifecycles(ground: Ground, count: int) -> Speed:
    """`count` lifecycles, AT_ONCE at a time: submit, create, wait, decide, claim, receipt."""
    store = _Told(ground)
    await Epochs(ground.redis, TENANT, lambda *_: "").beat(await store.now())  # as a service does
    async with (
        Approvals.connect(ground.url, agent="billing", tenant=TENANT) as approvals,
        asyncio.TaskGroup() as tasks,
    ):
        taking = tasks.create_task(_intake(ground, store).run())
        speed = await _measured(ground, count, lambda: _live(store, approvals))
        taking.cancel()
    await ground.draw_nothing()
    return speed


async def floor(ground: Ground, count: int, trips: int) -> Speed:
    """The client library alone: as many round trips to Redis, each writes a body and no more."""

    async def live() -> None:
        for number in range(trips):
            await ground.redis.hset("bare:lifecycle", str(number), BODY)

    return await _measured(ground, count, live)


async def _measured(ground: Ground, count: int, live: Callable[[], Awaitable[None]]) -> Speed:
    numbers = iter(range(count))

    async def some() -> None:
        for _ in numbers:
            await live()

    began, cpu, redis, trips = time.perf_counter(), _cpu_s(), await ground.cpu_s(), await ground.trips()
    async with asyncio.TaskGroup() as agents:
        for _ in range(AT_ONCE):
            agents.create_task(some())
    took, used, redis_used = time.perf_counter() - began, _cpu_s() - cpu, await ground.cpu_s() - redis
    return Speed(
        per_s=count / took,
        cpu_s=used / count,
        redis_cpu_s=redis_used / count,
        trips=(await ground.trips() - trips) / count,
    )


async def _live(store: _Told, approvals: Approvals) -> None:
    ticket = await approvals.submit("refund", REFUND, reason="Charged twice for invoice 881.")
    await store.created[ticket.id].wait()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(approvals.wait(ticket.id, timeout=30))
        await store.change(ticket.id, Approve(by=a_person(), seen=ticket.fingerprint))
    await approvals.claim(ticket.id)
    await approvals.receipt(ticket.id, ok=True, result="re_81f", duration_ms=12)
    await store.executed[ticket.id].wait()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
