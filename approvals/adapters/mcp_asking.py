"""Asking within a call over MCP: for as long as clients bear it, and gone on with when they call again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, Unpack

from approvals.adapters import needs, words
from approvals.adapters.asking import approved, claimed, submitted
from approvals.canonical import fingerprint
from approvals.client import Approvals
from approvals.errors import ApprovalsError, InvalidCall, NotApproved, StillPending, Unavailable
from approvals.gate import Run
from approvals.messages import Permit
from approvals.model import Args, Fingerprint, RequestId
from approvals.submitting import Options

with needs("mcp"):
    import anyio

R = TypeVar("R")
Tell: TypeAlias = Callable[[str], Awaitable[None]]
Definition: TypeAlias = Mapping[str, Any]  # of a tool, as its server lists it

TIMEOUT_S = 50.0  # of one wait, unless told: most clients give a call up after a minute
TELL_S = 15.0  # between two notifications of progress, which make some clients wait longer
TAKE_BACK_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An approval that was claimed, to be used for one call."""

    permit: Permit
    report: Run
    definition: Definition | None  # of the tool when people were asked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    id: RequestId
    definition: Definition | None


class Asking:
    """The requests of one client."""

    def __init__(self, approvals: Approvals, timeout_s: float) -> None:
        self._approvals, self._timeout_s = approvals, timeout_s
        self._run_id = f"mcp-{uuid.uuid4()}"
        # Whose calls ended before they were decided; the same call, made again, goes on with one of them.
        self._parked: dict[Fingerprint, list[_Asked]] = {}

    async def leave(
        self,
        call_id: str,
        tool: str,
        args: Args,
        tell: Tell,
        *,
        definition: Definition | None = None,
        **options: Unpack[Options],
    ) -> Claimed:
        """Ask about a call, wait, and claim the leave to make it.

        Raises:
            NotApproved, InvalidCall: it must not run.
            StillPending, Unavailable: not now; made again, it goes on with the same request.
        """
        name = fingerprint(tool, args)
        if parked := self._parked.get(name):
            asked = parked.pop(0)
        else:
            id = await submitted(self._approvals, self._run_id, call_id, tool, args, **options)
            asked = _Asked(id=id, definition=definition)
        try:
            await decided(
                lambda within_s: approved(self._approvals, asked.id, within_s),
                timeout_s=self._timeout_s,
                tell=lambda: tell(f"Waiting for people to decide {asked.id}"),
            )
        except (StillPending, Unavailable):
            self._parked.setdefault(name, []).append(asked)
            raise
        except asyncio.CancelledError:
            await take_back(self._approvals, asked.id)
            raise
        permit, report = await claimed(self._approvals, asked.id, tool)
        return Claimed(permit=permit, report=report, definition=asked.definition)

    async def take_back_parked(self) -> None:
        """Nobody will come for them any more, so people needn't decide them."""
        for asked in [one for some in self._parked.values() for one in some]:
            await take_back(self._approvals, asked.id)


async def decided(
    wait: Callable[[float], Awaitable[R]], *, timeout_s: float, tell: Callable[[], Awaitable[None]]
) -> R:
    """What `wait` returns within `timeout_s`, while `tell` says now and then that we wait.

    Raises:
        StillPending: nobody has decided by then.
    """
    now = asyncio.get_running_loop().time
    end = now() + timeout_s
    while True:
        await tell()
        try:
            return await wait(max(0.0, min(TELL_S, end - now())))
        except StillPending:
            if now() >= end:
                raise


async def take_back(approvals: Approvals, request_id: str) -> None:
    """Take a request back whose call was given up, also from within what is being cancelled."""
    with anyio.move_on_after(TAKE_BACK_S, shield=True), suppress(Unavailable):
        await approvals.cancel(request_id, "its MCP client doesn't wait for it any more")


def instead(error: ApprovalsError) -> str:
    """What the model reads when a call did not run, or did and its end isn't known.

    Over MCP errors are results, so unlike elsewhere an outage is in words too: the call did not run.
    """
    match error:
        case NotApproved():
            return words.instead(error)
        case StillPending():
            return (
                f"The call has not run: nobody has decided on {error.request_id} yet. Call the tool again "
                "with the same arguments to go on waiting. Don't do it in another way."
            )
        case InvalidCall():
            return words.unaskable(error)
        case Unavailable():
            return f"The call did not run: approvals are out of reach; try again later. ({error})"
        case _:
            return str(error)
