"""Whole lifecycles without Slack: the agent, the intake, the decision and the receipt, in one process."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import defaultdict
from dataclasses import dataclass

from approvals import Approvals
from approvals.budgets import Budgets
from approvals.cards import Place, Posted
from approvals.commands import Approve
from approvals.grant_book import GrantBook
from approvals.inbox import Inboxes
from approvals.messages import Letter
from approvals.policy import DEFAULT
from approvals.stages import Stages
from bot.intake import Intake
from bot.judging import Judge
from tests.bench.ground import CHANNEL, CHANNEL_ID, TENANT, Ground
from tests.builders import REFUND, a_person

AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Of one process that is agent and service at once."""

    per_s: float
    cpu_s: float  # of one lifecycle
    redis_cpu_s: float


class _Service:
    """The service's intake, and who waits for it."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._inboxes = Inboxes(ground.redis, TENANT, "bench")
        judge = Judge(lambda: DEFAULT, Budgets(ground.redis, TENANT), channel=CHANNEL)
        grants = GrantBook(ground.redis, TENANT)
        stages = Stages(ground.redis, TENANT)
        self._intake = Intake(ground.store, self._inboxes, judge, grants, stages, environment="bench")
        self._dealt: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)

    async def run(self) -> None:
        while True:
            for taken in await self._inboxes.take():
                await self._intake.deal(taken)
                letter: Letter | None = taken.letter
                assert letter is not None
                self._dealt[letter.id, letter.letter].set()

    async def has_dealt_with(self, request_id: str, letter: str) -> None:
        await self._dealt[request_id, letter].wait()


async def lifecycles(ground: Ground, count: int) -> Speed:
    """`count` lifecycles, AT_ONCE at a time: submit, create, record a card, decide, wait, claim, receipt."""
    service, numbers = _Service(ground), iter(range(count))
    async with Approvals.connect(ground.url, agent="billing", tenant=TENANT) as approvals:

        async def some() -> None:
            for _ in numbers:
                await _live(service, approvals)

        async with asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(service.run())
            began, cpu, redis = time.perf_counter(), _cpu_s(), await ground.cpu_s()
            async with asyncio.TaskGroup() as agents:
                for _ in range(AT_ONCE):
                    agents.create_task(some())
            took, used, redis_used = time.perf_counter() - began, _cpu_s() - cpu, await ground.cpu_s() - redis
            taking.cancel()
    await ground.draw_nothing()
    return Speed(per_s=count / took, cpu_s=used / count, redis_cpu_s=redis_used / count)


async def _live(service: _Service, approvals: Approvals) -> None:
    ground = service.ground
    ticket = await approvals.submit("refund", REFUND, reason="Charged twice for invoice 881.")
    await service.has_dealt_with(ticket.id, "submission")
    posted = Posted(place=Place(CHANNEL_ID), channel=CHANNEL_ID, ts=f"{time.time():.6f}")
    await ground.cards.record(ticket.id, posted)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(approvals.wait(ticket.id, timeout=30))
        await ground.store.change(ticket.id, Approve(by=a_person(), seen=ticket.fingerprint))
    await approvals.claim(ticket.id)
    await approvals.receipt(ticket.id, ok=True, result="re_81f", duration_ms=12)
    await service.has_dealt_with(ticket.id, "receipt")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
