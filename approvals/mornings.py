"""Mornings on which a channel is told about the day before, in its time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from approvals.calendars import LOOK_AHEAD_DAYS, Calendar
from approvals.model import RequestId
from approvals.places import Posted


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """When, and for whom. It speaks for all channels that no other names, unless it names its own."""

    at: time = time(9, 0)
    tz: str = "UTC"  # an IANA name
    days: tuple[int, ...] = (0, 1, 2, 3, 4)  # Monday is 0
    calendar: Calendar | None = None  # its days instead, without its holidays
    channels: tuple[str, ...] = ()
    is_off: bool = False

    def morning_of(self, day: date) -> datetime | None:
        """When it speaks on a day, in UTC; None: not on that day."""
        calendar = self.calendar
        is_meant = day.weekday() in self.days if calendar is None else calendar.is_working_day(day)
        if self.is_off or not is_meant:
            return None
        return datetime.combine(day, self.at, ZoneInfo(self.tz)).astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """The day it is there."""
        return moment.astimezone(ZoneInfo(self.tz)).date()

    def before(self, moment: datetime) -> datetime | None:
        """The last morning before a moment; None: there was none within a year."""
        return self._next(moment, step=-1)

    def after(self, moment: datetime) -> datetime | None:
        """The first morning after a moment; None: there is none within a year."""
        return self._next(moment, step=1)

    def _next(self, moment: datetime, *, step: int) -> datetime | None:
        day = self.day_of(moment)
        for away in range(LOOK_AHEAD_DAYS):
            morning = self.morning_of(day + timedelta(days=step * away))
            if morning is not None and (morning > moment if step > 0 else morning < moment):
                return morning
        return None


def daily_for(dailies: tuple[Daily, ...], names: frozenset[str]) -> Daily | None:
    """Which of these speaks for the channel that goes by these names; None: nobody does."""
    named = (daily for daily in dailies if names.intersection(daily.channels))
    general = (daily for daily in dailies if not daily.channels)
    found = next(named, None) or next(general, None)
    return None if found is None or found.is_off else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One message of a daily thread: some calls that ran without asking, for people to look at."""

    posted: Posted
    requests: tuple[RequestId, ...]
    is_old: bool = False  # they were left from before
    left_out: int = 0  # so many more are up for a look than the thread shows


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyThread:
    """What a channel was, or is about to be, told on the morning of a day."""

    day: date
    since: datetime
    until: datetime
    head: Posted
    picture: str | None = None  # the file that shows it; "": it goes without; None: not made yet
    replies: tuple[Reply, ...] | None = None  # None: not chosen yet
    suggestions: Posted | None = None  # rules that could spare people's time
    is_told: bool = False  # all of it has been posted
