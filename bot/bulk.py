"""Carries out one click on many rows of a digest: each row a decision of its own, checked like any other.

The click is written down first. The process that took it begins at once; whatever a killed one leaves undone,
another takes over when its lease ends, and what was done already counts as done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from approvals.bulk import Bulk, BulkId, BulkVerb, Progress, RowResult, has_said
from approvals.bulks import Bulks
from approvals.commands import Approve, Reject
from approvals.digest import Row
from approvals.errors import RequestNotFound, Unavailable
from approvals.model import Person, Request
from blocks import replies
from bot.bulk_telling import BulkTelling
from bot.desk import Decides, Desk
from bot.payloads import Who

logger = logging.getLogger(__name__)

AT_ONCE = 8  # rows decided side by side by one process
TAKEN = 4  # bulks of others that are taken over at once
TICK_S = 1.0

Tell: TypeAlias = Callable[[Progress], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Job:
    """A bulk that this process carries out. `tell` is set by whoever doesn't wait for it any longer."""

    bulk_id: BulkId
    tell: Tell | None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    progress: Progress | None = None

    async def within(self, seconds: float) -> Progress | None:
        """What became of it, if it is carried out by then."""
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            pass  # it may have ended at this very moment
        return self.progress if self.ended.is_set() else None


class Bulking:
    """Carries out bulks, each row once."""

    def __init__(self, bulks: Bulks, desk: Desk, telling: BulkTelling) -> None:
        self._bulks, self._desk, self.telling = bulks, desk, telling
        self._begun: asyncio.Queue[Job] = asyncio.Queue()
        self._at_work: set[BulkId] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def begin(self, bulk: Bulk, tell: Tell | None = None) -> Job:
        """Write it down, after which it will be carried out whatever happens, and begin.

        `tell` speaks to the clicker when it is done; without it, whoever called waits for the job.

        Raises:
            Unavailable: Redis was away; nothing will happen.
        """
        await self._bulks.make(bulk)
        job = Job(bulk.id, tell)
        self._at_work.add(bulk.id)
        self._begun.put_nowait(job)
        return job

    async def run(self) -> None:
        """Carry out for ever what is begun here, and what others have left undone."""
        async with asyncio.TaskGroup() as jobs:
            jobs.create_task(self._take_over(jobs))
            while True:
                jobs.create_task(self._carry_out_safely(await self._begun.get()))

    async def _take_over(self, jobs: asyncio.TaskGroup) -> None:
        while True:
            try:
                for bulk_id in await self._bulks.claim(TAKEN):
                    if bulk_id not in self._at_work:
                        self._at_work.add(bulk_id)
                        jobs.create_task(self._carry_out_safely(Job(bulk_id, self.telling.tell)))
            except Unavailable as error:
                logger.warning("no bulk can be taken over: %s", error)
            await asyncio.sleep(TICK_S)

    async def _carry_out_safely(self, job: Job) -> None:
        """Carry out one; what goes wrong must not stop the others, and its lease brings it back."""
        try:
            await self._carry_out(job)
        except Unavailable as error:
            logger.warning("a bulk is not carried out yet: %s", error)
        except Exception:
            logger.exception("a bulk could not be carried out")
        finally:
            self._at_work.discard(job.bulk_id)

    async def _carry_out(self, job: Job) -> None:
        begun = await self._bulks.of(job.bulk_id)
        if begun is not None:
            async with asyncio.TaskGroup() as rows:
                for place in begun.open_rows:
                    rows.create_task(self._settle_safely(begun.bulk, place))
        progress = await self._bulks.of(job.bulk_id)
        if progress is not None and progress.open_rows:
            return  # until its lease ends
        job.progress = progress
        job.ended.set()
        if job.tell is not None and progress is not None:
            await job.tell(progress)
        await self._bulks.finish(job.bulk_id)

    async def _settle_safely(self, bulk: Bulk, place: int) -> None:
        """Settle one row. Where Redis was away it is left to whoever comes next."""
        row = bulk.covered.rows[place]
        async with self._turns:
            try:
                await self._bulks.settle(bulk.id, place, await self._decided(bulk, row))
            except Unavailable as error:
                logger.warning("a row is not decided yet: %s", error, extra={"request_id": row.request_id})
            except Exception:  # it would go wrong again: its clicker is told, and may try it alone
                logger.exception("a row could not be decided", extra={"request_id": row.request_id})
                await self._bulks.settle(bulk.id, place, RowResult(is_done=False, why_not=replies.OUR_FAULT))

    async def _decided(self, bulk: Bulk, row: Row) -> RowResult:
        who = Who(id=bulk.by, team=bulk.team)
        if await self._has_said(bulk, row):
            return RowResult(is_done=True)
        command = _commanding(bulk, row)
        verdict = await self._desk.decide(who, row.request_id, bulk.verb.value, command)
        return RowResult(is_done=verdict.refusal is None, why_not=verdict.refusal or "")

    async def _has_said(self, bulk: Bulk, row: Row) -> bool:
        try:
            request, _ = await self._desk.store.get(row.request_id)
        except RequestNotFound:
            return False  # the desk says so
        return has_said(request, bulk.by, bulk.verb)


def _commanding(bulk: Bulk, row: Row) -> Callable[[Person, Request], Decides]:
    match bulk.verb:
        case BulkVerb.APPROVE:
            return lambda person, _: Approve(by=person, seen=row.fingerprint, note=bulk.words, bulk=bulk.id)
        case BulkVerb.REJECT:
            return lambda person, _: Reject(
                by=person, seen=row.fingerprint, feedback=bulk.words, bulk=bulk.id
            )
        case _:
            assert_never(bulk.verb)
