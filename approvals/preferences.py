"""What people set for themselves: where and when a digest of their own comes, and when nothing calls them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from approvals.model import PersonId

MOST_TIMES = 6  # a day
LATE = timedelta(hours=12)  # a digest that is later than this has been overtaken by the next


class Where(StrEnum):
    """Where a person gets digests."""

    CHANNEL = "channel"  # only what channels show
    DM = "dm"  # one of their own, of everything that waits for them
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """All of it. Times are those of the clock on their wall."""

    person: PersonId
    name: str
    where: Where = Where.CHANNEL
    at: tuple[time, ...] = (time(9),)  # when their own digest comes
    quiet: tuple[time, time] | None = None  # from, until; over midnight if that is not later
    days_off: tuple[int, ...] = ()  # Monday is 0
    pings: bool = True


def may_ping(preferences: Preferences, now: datetime, zone: ZoneInfo) -> bool:
    """Whether they may be called now: mentioned, or reminded by a direct message."""
    local = now.astimezone(zone)
    return (
        preferences.pings
        and local.weekday() not in preferences.days_off
        and not is_quiet(preferences, local.time())
    )


def is_quiet(preferences: Preferences, at: time) -> bool:
    """Whether a time of day lies in their quiet hours."""
    if preferences.quiet is None:
        return False
    begins, ends = preferences.quiet
    return begins <= at < ends if begins < ends else at >= begins or at < ends


def digest_time(preferences: Preferences, last: datetime, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The newest time for a digest of their own since `last`; None: none has come. None does on days off."""
    if preferences.where is Where.CHANNEL:
        return None
    today = now.astimezone(zone).date()
    times = [
        datetime.combine(day, at, zone)
        for day in (today - timedelta(days=1), today)
        if day.weekday() not in preferences.days_off
        for at in preferences.at
    ]
    return max((at for at in times if max(last, now - LATE) < at <= now), default=None)
