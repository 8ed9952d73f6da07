"""Hours in which people work, in their time zone: when they may be pinged, and a word for conditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LOOK_AHEAD_DAYS = 366  # a calendar that doesn't open within a year never does


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Some days of the week, some hours of those days, but for holidays; all in one time zone."""

    tz: str  # an IANA name, such as "Europe/Berlin"
    days: tuple[int, ...] = (0, 1, 2, 3, 4)  # Monday is 0
    opens: time = time(0, 0)
    closes: time = time(0, 0)  # not after `opens`: on the next day
    holidays: tuple[date, ...] = ()

    def is_open(self, at: datetime) -> bool:
        """Whether `at`, an aware datetime, lies within the hours."""
        local = at.astimezone(ZoneInfo(self.tz))
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        return any(hours and hours[0] <= at < hours[1] for hours in map(self._hours, (yesterday, today)))

    def next_opening(self, at: datetime) -> datetime | None:
        """`at` itself if it is open then, else when it opens next, in UTC; None: never."""
        if self.is_open(at):
            return at
        day = at.astimezone(ZoneInfo(self.tz)).date()
        for ahead in range(LOOK_AHEAD_DAYS):
            hours = self._hours(day + timedelta(days=ahead))
            if hours is not None and hours[0] > at:
                return hours[0]
        return None

    def is_working_day(self, day: date) -> bool:
        """Whether it opens on a day at all."""
        return day.weekday() in self.days and day not in self.holidays

    def _hours(self, day: date) -> tuple[datetime, datetime] | None:
        """From when to when it is open on a day, in UTC; by the clock on the wall, in summer and winter."""
        if not self.is_working_day(day):
            return None
        zone = ZoneInfo(self.tz)
        end_day = day if self.closes > self.opens else day + timedelta(days=1)
        start = datetime.combine(day, self.opens, zone).astimezone(UTC)
        return start, datetime.combine(end_day, self.closes, zone).astimezone(UTC)
