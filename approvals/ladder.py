"""When the clock next has something to say to a request that waits: a step of its ladder, or its deadline."""

from __future__ import annotations

from datetime import datetime, timedelta

from approvals.model import Request, Step


def next_step(request: Request) -> Step | None:
    """The step of the ladder that comes next; None: all are done."""
    steps = request.terms.ladder
    return steps[request.climbed] if request.climbed < len(steps) else None


def next_step_at(request: Request) -> datetime | None:
    """When it comes. Pings wait for the hours in which people may be pinged, and while it is snoozed."""
    step = next_step(request)
    if step is None:
        return None
    at = request.created_at + timedelta(seconds=step.after_s)
    if step.remind is None:
        return at
    if request.snoozed_until is not None:
        at = max(at, request.snoozed_until)
    return at if request.terms.quiet is None else request.terms.quiet.next_opening(at)


def pending_due(request: Request) -> datetime | None:
    """The earlier of the next step and the deadline; None: neither will come."""
    times = [at for at in (next_step_at(request), request.deadline) if at is not None]
    return min(times, default=None)
