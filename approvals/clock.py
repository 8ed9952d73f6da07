"""When the clock next has something to say to a request, and what."""

from __future__ import annotations

from datetime import datetime, timedelta

from approvals.commands import Climb, Expire, Lapse
from approvals.ladder import pending_due
from approvals.model import (
    Request,
    Status,
)

CLAIM_GRACE = timedelta(seconds=5)  # a claim made in the last moment is still on its way through the inbox


def next_due(request: Request) -> datetime | None:
    """When the clock next has something to say to this request; None: never."""
    if request.is_pending:
        return pending_due(request)
    if request.status is Status.APPROVED and request.claim_by is not None:
        return None if request.hold is not None else request.claim_by + CLAIM_GRACE
    return _forget_at(request)


def due_command(request: Request, *, now: datetime) -> Expire | Climb | Lapse | None:
    """What the clock wants of a request whose time has come; None: it is to be forgotten, or is not due."""
    due = next_due(request)
    if due is None or now < due:
        return None
    if request.is_pending:
        return Expire() if request.deadline is not None and now >= request.deadline else Climb()
    return Lapse() if request.status is Status.APPROVED else None


def is_to_be_forgotten(request: Request, *, now: datetime) -> bool:
    """A finished request leaves Redis when its retention ends (the audit log keeps its own time)."""
    return request.status not in (Status.PENDING, Status.APPROVED) and now >= _forget_at(request)


def _forget_at(request: Request) -> datetime:
    last = request.trail[-1].at if request.trail else request.created_at
    return last + timedelta(seconds=request.terms.retention_s)
