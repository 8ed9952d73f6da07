"""Several requests that belong together: sent all at once, or not at all."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from approvals.canonical import fingerprint
from approvals.errors import InvalidCall
from approvals.ids import new_id
from approvals.messages import Outcome, Submission, Ticket
from approvals.model import Args, RequestId
from approvals.submitting import Options, Span, submission, text_of

if TYPE_CHECKING:
    from approvals.client import Approvals


class Batch:
    """Collects requests while its `async with` is open, and sends them when it ends without an error."""

    def __init__(self, approvals: Approvals, reason: str | None = None) -> None:
        self._approvals, self._reason = approvals, text_of("reason", reason)
        self.id = str(new_id())
        self.tickets: tuple[Ticket, ...] = ()
        self._submissions: list[Submission] = []
        self._is_sent = False

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
        self._is_sent = True
        await self._approvals.submit_all(self._submissions)

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.send()
