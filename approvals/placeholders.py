"""Gated calls that don't wait: within a batch they return a placeholder, and run once they are approved."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from approvals.errors import (
    Answered,
    Cancelled,
    ChangesRequested,
    Expired,
    InvalidCall,
    NotApproved,
    NotClaimed,
    Rejected,
    Undeliverable,
)

if TYPE_CHECKING:
    from approvals.batch import Batch
    from approvals.client import Approvals
    from approvals.form import Call
    from approvals.gate import Gate
    from approvals.messages import Ticket

# The batch whose block we are in: also for tasks that are begun in it, and whatever they call.
_collecting: ContextVar[Batch | None] = ContextVar("collecting", default=None)

_WORDS: dict[type[NotApproved], str] = {
    Rejected: "REJECTED",
    Expired: "EXPIRED",
    Answered: "ANSWERED INSTEAD",
    ChangesRequested: "CHANGES REQUESTED",
    Cancelled: "CANCELLED",
    Undeliverable: "UNDELIVERABLE",
    NotClaimed: "NOT RUN",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A call that a batch holds until people have decided."""

    number: int
    ticket: Ticket
    gate: Gate
    function: Callable[..., object]
    receiver: tuple[object, ...]

    @property
    def placeholder(self) -> str:
        return placeholder(self.number)

    async def carried_out(self, approvals: Approvals, within_s: float | None, turn: asyncio.Lock) -> object:
        """What became of it: its result, or words in the place of one; one call at a time has its turn.

        Raises:
            StillPending: nobody has decided.
            Unavailable: Redis was away. That is no result.
        """
        try:
            approvals.require_approved(await approvals.wait(self.ticket.id, within_s))
            async with turn:
                return await self._run(approvals)
        except NotApproved as no:
            return f"{_WORDS.get(type(no), 'NOT RUN')}: {no.feedback or 'without a reason'}"

    async def _run(self, approvals: Approvals) -> object:
        try:
            run = await self.gate.claimed(approvals, self.ticket.id)
        except InvalidCall as misfit:  # a person has edited it to what the function doesn't take
            return _failed(misfit)
        _collecting.set(None)  # what it calls itself is asked for on its own
        try:
            result = await _called(self.function, self.receiver, run.call)
        except Exception as error:  # the tool's own, and so the result of this call alone
            await run.failed(error)
            return _failed(error)
        except BaseException as error:
            await run.failed(error)
            raise
        await run.executed(result)
        return result


def collecting(approvals: Approvals) -> Batch | None:
    """The batch that takes the calls of this client here; None: they wait for themselves."""
    batch = _collecting.get()
    return batch if batch is not None and batch.takes_calls_of(approvals) else None


def collect(batch: Batch | None) -> Batch | None:
    """Have gated calls go into `batch` from here on; returns where they went before."""
    before = _collecting.get()
    _collecting.set(batch)
    return before


def placeholder(number: int) -> str:
    return f"PENDING_APPROVAL_{number}"


def batched(returned: Sequence[object], results: Mapping[int, object]) -> list[object]:
    """What calls have returned, with their results in the places of the placeholders."""
    later = {placeholder(number): result for number, result in results.items()}
    return [later.get(one, one) if isinstance(one, str) else one for one in returned]


async def _called(function: Callable[..., object], receiver: tuple[object, ...], call: Call) -> object:
    if inspect.iscoroutinefunction(function):
        return await function(*receiver, *call.positional, **call.named)
    return await asyncio.to_thread(function, *receiver, *call.positional, **call.named)


def _failed(error: Exception) -> str:
    return f"FAILED: {type(error).__name__}: {error}"
