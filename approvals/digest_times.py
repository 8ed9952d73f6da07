"""When a digest is due: what is held is shown at its times, and always soon enough to be decided. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from approvals.model import Request
from approvals.policy.rules import Digest as Wish

BURST_WAIT = timedelta(seconds=1)  # for what else belongs to a flood
LONGEST = timedelta(days=1)  # nothing is kept from people for longer, whatever a policy says
BATCH_WAIT = timedelta(seconds=0.3)  # for what else belongs to a batch
_LEAD = timedelta(minutes=15)  # before a deadline people see what is held, at the latest
_LEAD_SHARE, _LEAD_AT_MOST = 4, 2  # a quarter of its time if that is longer, half of it if it is short


def due_at(wish: Wish | None, request: Request, now: datetime) -> datetime:
    """When a request that is held from `now` on is to be shown, with all that is held by then.

    None for `wish`: a flood, or a digest that the policy no longer knows.
    """
    if wish is None:
        return now + BURST_WAIT
    times = [show_by(request), now + LONGEST]
    if wish.every_s is not None:
        times.append(now + timedelta(seconds=wish.every_s))
    times += [_next(at.hour, at.minute, wish.tz, now) for at in wish.at]
    return max(now, min(filter(None, times)))


def show_by(request: Request) -> datetime | None:
    """When it must be shown at the latest, for people to have time to decide; None: it has no deadline."""
    if request.deadline is None:
        return None
    whole = request.deadline - request.asked_at
    return request.deadline - min(max(_LEAD, whole / _LEAD_SHARE), whole / _LEAD_AT_MOST)


def _next(hour: int, minute: int, tz: str, now: datetime) -> datetime:
    """The next time that a clock there shows this; a time that a day leaves out comes with the next one."""
    zone = ZoneInfo(tz)
    local = now.astimezone(zone).replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    for days in range(3):
        at = (local + timedelta(days=days)).astimezone(now.tzinfo)
        if at > now:
            return at
    raise AssertionError("a day has no third tomorrow")
