"""Several requests that belong together: sent all at once, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from approvals.canonical import fingerprint
from approvals.errors import ApprovalsError, InvalidCall, StillPending
from approvals.ids import new_id
from approvals.messages import Outcome, Submission, Ticket
from approvals.model import Args, RequestId
from approvals.placeholders import Held, collect
from approvals.submitting import Options, Span, seconds_of, submission, text_of

if TYPE_CHECKING:
    from approvals.client import Approvals
    from approvals.gate import Gate


class Batch:
    """Collects requests while its `async with` is open, and sends them when it ends without an error."""

    def __init__(self, approvals: Approvals, reason: str | None = None) -> None:
        self._approvals, self._reason = approvals, text_of("reason", reason)
        self.id = str(new_id())
        self.tickets: tuple[Ticket, ...] = ()
        self._submissions: list[Submission] = []
        self._held: list[Held] = []
        self._results: dict[int, object] = {}
        self._is_sent = False
        self._outer: Batch | None = None  # of blocks in blocks

    def submit(self, tool: str, args: Args, **options: Unpack[Options]) -> Ticket:
        """Add a request; nothing is sent yet.

        Raises:
            InvalidCall: it can't be asked for as it is.
        """
        if self._is_sent:
            raise InvalidCall("this batch has been sent; open another one")
        if options.get("key") is not None:
            raise InvalidCall("a request of a batch takes no key: a batch is sent all or nothing, once")
        options.setdefault("reason", self._reason)
        one = submission(tool, args, batch=self.id, **options)
        self._submissions.append(one)
        ticket = Ticket(id=one.id, fingerprint=fingerprint(tool, one.args))
        self.tickets += (ticket,)
        return ticket

    async def send(self) -> None:
        """Send what was collected; leaving the `async with` does so."""
        if self._is_sent:
            return
        if len(self._submissions) == 1:  # a request like any other
            self._submissions = [replace(self._submissions[0], batch=None)]
        await self._approvals.submit_all(self._submissions)
        self._is_sent = True

    async def wait(self, timeout: Span | None = None) -> dict[RequestId, Outcome]:  # noqa: ASYNC109  # told, not cancelled
        """Return what became of each, once all are decided.

        Raises:
            StillPending, ChangesRequested, Unavailable: as `Approvals.wait`, for the first it happens to.
        """
        try:
            async with asyncio.TaskGroup() as group:
                waits = {
                    ticket.id: group.create_task(self._approvals.wait(ticket.id, timeout))
                    for ticket in self.tickets
                }
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return {id: wait.result() for id, wait in waits.items()}

    async def wait_for_approvals(self, timeout: Span | None = None) -> dict[int, object]:  # noqa: ASYNC109  # likewise
        """Run the gated calls of the block that are approved, each once, as they are approved.

        Returns what became of each, by the number of its placeholder: its result; `REJECTED: reason` …;
        `FAILED: …` with what it raised; the placeholder, if nobody has decided within `timeout`: wait again.

        Raises:
            Unavailable: Redis was away. What has run is told by the next call, and doesn't run again.
        """
        await self.send()
        timeout_s, turn, troubles = seconds_of("timeout", timeout), asyncio.Lock(), list[ApprovalsError]()

        async def carry_out(held: Held) -> None:
            try:
                self._results[held.number] = await held.carried_out(self._approvals, timeout_s, turn)
            except StillPending:
                return
            except ApprovalsError as trouble:
                troubles.append(trouble)

        async with asyncio.TaskGroup() as group:
            for held in self._held:
                if held.number not in self._results:
                    group.create_task(carry_out(held))
        if troubles:
            raise troubles[0]
        return {held.number: self._results.get(held.number, held.placeholder) for held in self._held}

    # -- the gate's side ------------------------------------------------------------------------------

    def takes_calls_of(self, approvals: Approvals) -> bool:
        return approvals is self._approvals

    def hold(
        self, gate: Gate, function: Callable[..., object], receiver: tuple[object, ...], args: Args
    ) -> str:
        """Add a call of a gated function; returns its placeholder. Raises as `submit`."""
        ticket = self.submit(gate.tool, args, **gate.options(args))
        held = Held(
            number=len(self._held) + 1, ticket=ticket, gate=gate, function=function, receiver=receiver
        )
        self._held.append(held)
        return held.placeholder

    async def __aenter__(self) -> Self:
        self._outer = collect(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        collect(self._outer)
        if error is None:
            await self.send()
