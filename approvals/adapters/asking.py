"""What the adapters share: one call of a tool is asked about, waited for, and claimed."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Unpack

from approvals.canonical import fingerprint
from approvals.client import Approvals, not_approved
from approvals.errors import ChangesRequested, NotClaimed, Unavailable
from approvals.gate import Run
from approvals.messages import Outcome, OutcomeStatus, Permit
from approvals.model import Args, Json, RequestId
from approvals.submitting import Options, Span


async def submitted(
    approvals: Approvals, run_id: str, call_id: str, tool: str, args: Args, **options: Unpack[Options]
) -> RequestId:
    """Ask about one call of one run; asked again, in whichever process, it is the same request.

    Raises:
        InvalidCall: it can't be asked for.
        Unavailable: Redis was away.
    """
    # Some models number their calls anew in each turn, so the call itself is part of the key.
    options["key"] = f"{run_id[:200]}/{call_id[:200]}/{fingerprint(tool, args)}"
    return (await approvals.submit(tool, args, **options)).id


async def approved(approvals: Approvals, request_id: RequestId, within: Span | None) -> Outcome:
    """Wait until people, the policy or the clock have decided, and return the approval.

    Raises:
        NotApproved: it must not run. What is wanted otherwise is taken back, and asked anew.
        StillPending, Unavailable: as `Approvals.wait`.
    """
    try:
        outcome = await approvals.wait(request_id, within)
    except ChangesRequested:
        with suppress(Unavailable):
            await approvals.cancel(request_id, "the changed call is asked for anew")
        raise
    if outcome.status is not OutcomeStatus.APPROVED:
        raise not_approved(outcome)
    return outcome


async def claimed(approvals: Approvals, request_id: RequestId, tool: str) -> tuple[Permit, Run]:
    """Take the leave to run `tool`, once, and what reports how that went.

    Raises:
        NotClaimed: there is no leave (any more), or it is for another tool.
        Unavailable: as `Approvals.claim`.
    """
    permit = await approvals.claim(request_id)
    run = Run(approvals, permit.id, time.monotonic())
    if permit.tool != tool:  # what is kept of a run, or told by a framework, named another request
        no = NotClaimed(f"{permit.id} was approved for {permit.tool}, not for {tool}")
        await run.failed(no)
        raise no
    return permit, run


def misfits(asked: Args, approved: Args) -> list[str]:
    """The arguments that have another type than was asked for: all that one can see without a schema."""
    return sorted(name for name in asked.keys() & approved.keys() if _differ(asked[name], approved[name]))


def _differ(asked: Json, approved: Json) -> bool:
    return asked is not None and _kind(asked) is not _kind(approved)


def _kind(value: Json) -> type:
    return float if type(value) is int else type(value)
