"""Who stands in for whom: a person who is away lends what they may decide to the deputy whom they named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from approvals.durations import parse_duration
from approvals.model import PersonId

LONGEST_CHAIN = 5
LONGEST = timedelta(days=366)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"([0-9]{1,3}) ?(hour|day|week)s?")
_UNITS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A person has named a deputy: until a time, or for whenever their status in Slack says they are away."""

    person: PersonId
    name: str
    deputy: PersonId
    at: datetime
    until: datetime | None = None


def is_in_force(absence: Absence, now: datetime) -> bool:
    return absence.until is None or now < absence.until


def stand_in(person: PersonId, away: Mapping[PersonId, PersonId]) -> PersonId | None:
    """Who stands in for a person who is away: the deputy, or the deputy's if that one is away too.

    A chain that comes back to somebody, or is too long, ends with nobody.
    """
    seen, next_ = {person}, away.get(person)
    while next_ is not None and next_ in away:
        if next_ in seen or len(seen) >= LONGEST_CHAIN:
            return None
        seen.add(next_)
        next_ = away[next_]
    return None if next_ in seen else next_


def stood_in_for(deputy: PersonId, away: Mapping[PersonId, PersonId]) -> list[PersonId]:
    """For whom somebody stands in."""
    return sorted(person for person in away if stand_in(person, away) == deputy)


def away_now(
    absences: Iterable[Absence], now: datetime, by_status: set[PersonId]
) -> dict[PersonId, PersonId]:
    """Who is away, and their deputies. `by_status`: whose status in Slack says so."""
    return {
        each.person: each.deputy
        for each in absences
        if is_in_force(each, now) and (each.until is not None or each.person in by_status)
    }


def read_until(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """When a person is back: the morning of "friday", "tomorrow" or "2026-12-01"; after "2 weeks" or "3d".

    None: it can't be read, or lies in the past or more than a year away.
    """
    until = _read(" ".join(text.lower().split()), now, zone)
    return until if until is not None and now < until <= now + LONGEST else None


def _read(words: str, now: datetime, zone: tzinfo) -> datetime | None:
    today = now.astimezone(zone).date()
    if words == "tomorrow":
        return datetime.combine(today + timedelta(days=1), time(0), zone)
    named = [number for number, name in enumerate(_DAYS) if name == words or name[:3] == words]
    if named:
        ahead = (named[0] - today.weekday() - 1) % 7 + 1
        return datetime.combine(today + timedelta(days=ahead), time(0), zone)
    if span := _SPAN.fullmatch(words):
        return now + int(span[1]) * _UNITS[span[2]]
    try:
        return datetime.combine(datetime.fromisoformat(words).date(), time(0), zone)
    except ValueError:
        pass
    try:
        seconds = parse_duration(words)
    except ValueError:
        return None
    return None if seconds is None else now + timedelta(seconds=seconds)
