"""When the clock next has something to say to a request that waits: a step of its ladder, or its deadline."""

from __future__ import annotations

from datetime import datetime, timedelta

from approvals.model import Remind, Request, Step

MORNING = Step(after_s=0, remind=Remind.THREAD)  # who would have been called at night is called when it ends


def steps_of(request: Request) -> tuple[Step, ...]:
    """The ladder of its terms; before it the first call, where no new card makes it at once."""
    is_first = request.turn == 0 and may_call(request)
    return request.terms.ladder if is_first else (MORNING, *request.terms.ladder)


def may_call(request: Request) -> bool:
    """Whether it was asked in hours in which its first card may call people."""
    return request.terms.quiet is None or request.terms.quiet.is_open(request.asked_at)


def next_step(request: Request) -> Step | None:
    """The step of the ladder that comes next; None: all are done."""
    steps = steps_of(request)
    return steps[request.climbed] if request.climbed < len(steps) else None


def next_step_at(request: Request) -> datetime | None:
    """When it comes: a step calls people, so it waits for their hours; a reminder also while it is snoozed.

    The steps come in their order, so those behind one that waits wait too. The deadline waits for nothing.
    """
    step = next_step(request)
    if step is None:
        return None
    at = request.asked_at + timedelta(seconds=step.after_s)
    if step.remind is not None and request.snoozed_until is not None:
        at = max(at, request.snoozed_until)
    return at if request.terms.quiet is None else request.terms.quiet.next_opening(at)


def is_to_remind(request: Request) -> bool:
    """Whether any reminder is still to come, so that there is something to snooze."""
    return any(step.remind is not None for step in steps_of(request)[request.climbed :])


def pending_due(request: Request) -> datetime | None:
    """The earlier of the next step and the deadline; None: neither will come."""
    times = [at for at in (next_step_at(request), request.deadline) if at is not None]
    return min(times, default=None)
