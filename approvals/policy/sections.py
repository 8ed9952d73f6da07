"""The tables of a policy file beside its rules: calendars, digests, mornings, stages, owners."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from zoneinfo import ZoneInfo, available_timezones

from approvals.calendars import Calendar
from approvals.digest import OURS, GroupBy
from approvals.masking import NAMES, Masking
from approvals.model import CHANNEL, Principal
from approvals.mornings import Daily
from approvals.policy import people, readers
from approvals.policy.conditions import RESERVED, Language
from approvals.policy.people import People
from approvals.policy.rules import Digest, Owners, Stage
from approvals.policy.tables import Table, Wrong, tell, told

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DIGEST_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_CALENDAR_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_MEND_DAYS = 'write them as "mon-fri" or "mon,wed,sat"'
_MEND_HOURS = 'write them as "09:00-18:00"'


def calendars(table: Table) -> Mapping[str, Calendar]:
    return {name: _calendar(table, name) for name in table.keys if _is_a_name(table, name)}


def _is_a_name(table: Table, name: str) -> bool:
    known = table.raw(name, None)
    if _CALENDAR_NAME.fullmatch(name) and name not in RESERVED:
        return True
    what = "is a word of conditions" if name in RESERVED else f"is {tell(known)}, under a name"
    table.fault(name, f"`{name}` can't name a calendar: it {what}", "use lower-case letters, digits and _")
    return False


def _calendar(calendars: Table, name: str) -> Calendar:
    table = calendars.section(name)
    opens, closes = table.read("hours", _hours, (time(0, 0), time(0, 0)))
    calendar = Calendar(
        tz=table.read("tz", time_zone, "UTC"),
        days=table.read("days", _days, tuple(range(5))),
        opens=opens,
        closes=closes,
        holidays=table.read("holidays", _dates, ()),
    )
    if "tz" not in table:
        table.fault("", "it has no `tz`", 'write its time zone, such as tz = "Europe/Berlin"')
    table.close()
    return calendar


def time_zone(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Wrong(f"is {tell(value)}", 'use the name of a time zone, such as "Europe/Berlin"')
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # KeyError: it is not there (ZoneInfoNotFoundError)
        if not available_timezones():
            raise Wrong("can't be looked up: this machine has no time zones", "install `tzdata`") from None
        raise Wrong(f"is {tell(value)}, which is no time zone", 'use one such as "Europe/Berlin"') from None
    return value


def _days(value: object) -> tuple[int, ...]:
    if not isinstance(value, str):
        raise Wrong(f"is {tell(value)}", _MEND_DAYS)
    found: set[int] = set()
    for part in value.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS or (dash and not last):
            raise Wrong(f"is {tell(value)}", _MEND_DAYS)
        start, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return tuple(sorted(found))


def _hours(value: object) -> tuple[time, time]:
    start, dash, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not dash:
        raise Wrong(f"is {tell(value)}", _MEND_HOURS)
    try:
        opens, closes = clock(start.strip()), time(0, 0) if end.strip() == "24:00" else clock(end.strip())
    except Wrong:
        raise Wrong(f"is {tell(value)}", _MEND_HOURS) from None
    if start.strip() == end.strip():
        raise Wrong(
            f"is {tell(value)}, which is no time at all",
            'leave it out for the whole day, or use "00:00-24:00"',
        )
    return opens, closes


def clock(value: object) -> time:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Wrong(f"is {tell(value)}", 'write a time of day as "09:00"')
    return time(int(found[1]), int(found[2]))


def _dates(value: object) -> tuple[date, ...]:
    if not isinstance(value, list):
        raise Wrong(f"is {tell(value)}", 'list days, such as ["2026-12-25"]')
    return tuple(map(_date, value))


def _date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise Wrong(f"holds {tell(value)}", 'write a day as "2026-12-25"') from None


def digests(table: Table, language: Language) -> Mapping[str, Digest]:
    return {name: _digest(table, name, language) for name in table.keys if _names_a_digest(table, name)}


def _names_a_digest(table: Table, name: str) -> bool:
    if _DIGEST_NAME.fullmatch(name) and name not in OURS:
        return True
    what = "stands for one of the service's own" if name in OURS else "is no name of a digest"
    table.fault(name, f"`{name}` {what}", "use lower-case letters, digits, - and _, at most 40")
    return False


def _digest(digests: Table, name: str, language: Language) -> Digest:
    table = digests.section(name)
    digest = Digest(
        name=name,
        at=table.read("at", _clocks, ()),
        tz=table.read("tz", time_zone, "UTC"),
        every_s=table.read("every", readers.span, None),
        when=table.read("when", readers.whole_number(2), None),
        sum=table.read("sum", language.amount, None),
        unit=table.read("unit", readers.name, ""),
        group_by=table.read("group", readers.one_of(GroupBy), GroupBy.TOOL),
    )
    if not any(key in table for key in ("at", "every", "when")):
        table.fault("", "it never comes", 'write when, such as at = ["09:00"], every = "1h" or when = 20')
    if "at" in table and "tz" not in table:
        table.fault("at", "`at` has no time zone", 'write tz = "Europe/Berlin" with it')
    table.close()
    return digest


def _clocks(value: object) -> tuple[time, ...]:
    if not isinstance(value, list) or not value:
        raise Wrong(f"is {tell(value)}", 'list times of day, such as ["09:00", "15:00"]')
    return tuple(sorted(set(map(clock, value))))


def dailies(
    tables: list[Table], calendars: Mapping[str, Calendar], quiet: Calendar | None
) -> tuple[Daily, ...]:
    """When channels are told about the day before. Without a table: at nine, on the days of `quiet`."""
    found: list[Daily] = []
    spoken_for: set[str] = set()
    for table in tables:
        daily = _daily(table, calendars, quiet)
        names = set(daily.channels) or {""}
        if twice := sorted(names & spoken_for):
            which = f"`{twice[0]}`" if twice[0] else "all other channels"
            what = f"another [[daily]] speaks for {which} already"
            table.fault("channels", what, "name each channel once, and leave `channels` out once at most")
        spoken_for |= names
        found.append(daily)
    return tuple(found) or (Daily(tz=quiet.tz if quiet else "UTC", calendar=quiet),)


def _daily(table: Table, calendars: Mapping[str, Calendar], quiet: Calendar | None) -> Daily:
    calendar = table.read("calendar", _known_calendar(calendars), None)
    usual = Daily()
    hours = calendar or (None if "days" in table else quiet)
    daily = Daily(
        at=table.read("at", clock, usual.at),
        tz=table.read("tz", time_zone, hours.tz if hours else quiet.tz if quiet else "UTC"),
        days=table.read("days", _days, usual.days),
        calendar=hours,
        channels=table.read("channels", _channels, ()),
        is_off=table.read("off", readers.flag, False),
    )
    if "at" in table and "tz" not in table and hours is None and quiet is None:
        table.fault("at", "`at` has no time zone", 'write tz = "Europe/Berlin" with it, or a `calendar`')
    if "days" in table and "calendar" in table:
        table.fault("days", "`days` and `calendar` both say on which days", "leave one of them out")
    table.close()
    return daily


def _known_calendar(calendars: Mapping[str, Calendar]) -> readers.Reader[Calendar | None]:
    def read(value: object) -> Calendar | None:
        if isinstance(value, str) and value in calendars:
            return calendars[value]
        known = f"use one of {told(sorted(calendars))}" if calendars else "describe it under [calendars.NAME]"
        raise Wrong(f"is {tell(value)}, which is no calendar of this file", known)

    return read


def _channels(value: object) -> tuple[str, ...]:
    return tuple(map(readers.channel, readers.texts(value, 'list channels, such as ["#approvals"]')))


def stages(table: Table) -> Mapping[str, Stage]:
    found: dict[str, Stage] = {}
    for tool in table.keys:
        if set(tool) & set("*?["):
            table.fault(tool, f"`{tool}` is a pattern", "name each tool: a stage is for one")
        stage = table.read(tool, readers.one_of(Stage), None)
        if stage is not None:
            found[tool] = stage
    return found


def owners(table: Table, sets: People) -> Owners:
    def whom(key: str) -> tuple[Principal, ...]:
        nobody: tuple[Principal, ...] = ()
        return table.read(key, _owners_of(sets), nobody)

    return Owners(policy=whom("policy"), override=whom("override"), freeze=whom("freeze"))


def _owners_of(sets: People) -> readers.Reader[tuple[Principal, ...]]:
    def read(value: object) -> tuple[Principal, ...]:
        found = people.approvers(sets)(value).principals
        if CHANNEL in found:
            raise Wrong(
                'holds "channel", which is no one in particular', "name people, groups or sets of [people]"
            )
        return found

    return read


def masks(table: Table) -> Masking:
    """Which arguments hold secrets, beside what looks like one; those of the file come to our own."""
    names: tuple[str, ...] = table.read("names", readers.globs, ())
    masking = Masking(
        names=tuple(dict.fromkeys((*NAMES, *names))), allow=table.read("allow", readers.globs, ())
    )
    table.close()
    return masking
