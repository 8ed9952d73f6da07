"""Waiting for outcomes: any number of waits at once, of which one reads Redis for all of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from approvals.errors import ApprovalsError, Forged, Unavailable
from approvals.inbox import AgentInbox
from approvals.messages import Outcome, OutcomeStatus
from approvals.model import RequestId
from approvals.wire import Unreadable

READ_S = 30.0  # of one look at the stream of hints; the next one follows at once
SHORTEST_PAUSE_S = 0.05  # between two tries while Redis is away, doubling up to the longest
LONGEST_PAUSE_S = 2.0


class _Wait:
    """One wait for one request: over when it has an outcome, or a trouble to raise."""

    def __init__(self, request_id: RequestId, after_round: int) -> None:
        self.id, self._after_round = request_id, after_round
        self.outcome: Outcome | None = None
        self.trouble: ApprovalsError | None = None
        self.nudge = asyncio.Event()

    @property
    def is_over(self) -> bool:
        return self.outcome is not None or self.trouble is not None

    def hear(self, outcome: Outcome) -> None:
        """Take `outcome`, unless it is a sending back that its agent has answered already."""
        if outcome.status is not OutcomeStatus.CHANGES_REQUESTED or outcome.round > self._after_round:
            self.outcome = outcome
            self.nudge.set()

    def fail(self, trouble: ApprovalsError) -> None:
        self.trouble = trouble
        self.nudge.set()


class Waiting:
    """The waits of one event loop.

    There is no task in the background: one of the waits reads for the others, and hands that over when it
    ends. A hint only says whose outcome to read again: none is missed that came before, between or after.
    """

    def __init__(self, inbox: AgentInbox, patience_s: float) -> None:
        self._inbox, self._patience_s = inbox, patience_s
        self._waits: dict[RequestId, list[_Wait]] = {}
        self._open: dict[_Wait, None] = {}  # those that aren't over, in the order in which they came
        self._fresh: dict[_Wait, None] = {}  # of which nobody has looked yet what is known
        self._reader: _Wait | None = None
        self._looking = asyncio.Lock()
        self._place: str | None = None  # in the stream of hints; None: look at everything first
        self._away_since: float | None = None
        self._trouble: ApprovalsError | None = None  # the last one, while Redis is away
        self._pause_s = SHORTEST_PAUSE_S

    async def until(
        self, request_id: RequestId, *, timeout_s: float | None, after_round: int = 0
    ) -> Outcome | None:
        """Return what became of it, or None if nothing has within `timeout_s`.

        Raises:
            Unavailable: Redis was away for longer than a wait has patience, or when its time was up.
            Unreadable: there is an outcome, and it can't be read.
            Forged: there is one, and it is not as the service signed it.
        """
        end = None if timeout_s is None else _now() + timeout_s
        wait = _Wait(request_id, after_round)
        self._waits.setdefault(request_id, []).append(wait)
        self._open[wait] = self._fresh[wait] = None
        try:
            await self._step(wait, end)
            while not wait.is_over and (end is None or _now() < end):
                await self._step(wait, end)
        finally:
            self._leave(wait)
        trouble = wait.trouble if wait.is_over else self._trouble
        if trouble is not None:
            raise trouble
        return wait.outcome

    def close(self) -> None:
        """End all waits."""
        self._fail_all(Unavailable("this client was closed while it waited"))

    async def _step(self, wait: _Wait, end: float | None) -> None:
        if self._place is not None and wait in self._fresh:
            await self._look_up(wait)
        elif self._reader is None:
            await self._lead(wait, end)
        else:
            await _nudged(wait, end)

    async def _look_up(self, wait: _Wait) -> None:
        """See what is known about all fresh waits; those who come meanwhile do so together afterwards."""
        async with self._looking:
            if wait not in self._fresh:  # whoever looked before has looked for this one too
                return
            if self._place is None:  # whoever reads has found Redis away, and will look at everything
                return
            try:
                await self._tell({each.id for each in self._fresh})
                self._trouble = None
            except Unavailable as trouble:
                self._trouble = trouble
                await asyncio.sleep(SHORTEST_PAUSE_S)

    async def _lead(self, wait: _Wait, end: float | None) -> None:
        self._reader = wait
        try:
            while not wait.is_over and (end is None or _now() < end):
                try:
                    await self._read(READ_S if end is None else min(READ_S, end - _now()))
                except Unavailable as trouble:
                    await self._bear(trouble, end)
        finally:
            self._reader = None

    async def _read(self, timeout_s: float) -> None:
        if self._place is None:
            place = await self._inbox.last_wake()
            await self._tell(self._waits)
            self._place, self._away_since, self._trouble = place, None, None
            self._pause_s = SHORTEST_PAUSE_S
            for wait in self._fresh:  # it came while we looked, and may look for itself now
                wait.nudge.set()
            return
        ids, place = await self._inbox.wakes(self._place, timeout_s)
        await self._tell(self._waits if ids is None else self._waits.keys() & set(ids))
        self._place = place

    async def _bear(self, trouble: Unavailable, end: float | None) -> None:
        """Pause, and try again then; after too long tell everybody."""
        self._place, self._trouble = None, trouble
        self._away_since = self._away_since or _now()
        if _now() - self._away_since >= self._patience_s:
            self._away_since = None  # the next wait has its own patience
            self._fail_all(trouble)
            return
        pause_s = self._pause_s * random.uniform(0.5, 1)  # noqa: S311  # so that agents don't come back in step
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s if end is None else max(0.0, min(pause_s, end - _now())))

    async def _tell(self, request_ids: Iterable[RequestId]) -> None:
        ids = list(request_ids)
        asked = [wait for id in ids for wait in self._waits[id]]
        try:
            found = await self._inbox.outcomes(ids)
        except (Unreadable, Forged):
            found = await self._readable(ids)
        for wait in asked:
            self._fresh.pop(wait, None)
            if wait.id in found:
                wait.hear(found[wait.id])
            if wait.is_over:
                self._open.pop(wait, None)

    async def _readable(self, ids: list[RequestId]) -> dict[RequestId, Outcome]:
        """One that can't be read or believed is the trouble of those who wait for it, and of nobody else."""
        found: dict[RequestId, Outcome] = {}
        for id in ids:
            try:
                found |= await self._inbox.outcomes([id])
            except (Unreadable, Forged) as trouble:
                for wait in self._waits.get(id, ()):
                    wait.fail(trouble)
        return found

    def _fail_all(self, trouble: ApprovalsError) -> None:
        for wait in self._open:
            wait.fail(trouble)
        self._open.clear()

    def _leave(self, wait: _Wait) -> None:
        self._open.pop(wait, None)
        self._fresh.pop(wait, None)
        waits = self._waits[wait.id]
        waits.remove(wait)
        if not waits:
            del self._waits[wait.id]
        if self._reader is None and self._open:
            next(iter(self._open)).nudge.set()


async def _nudged(wait: _Wait, end: float | None) -> None:
    try:
        async with asyncio.timeout_at(end):
            await wait.nudge.wait()
    except TimeoutError:
        return
    wait.nudge.clear()


def _now() -> float:
    return asyncio.get_running_loop().time()
