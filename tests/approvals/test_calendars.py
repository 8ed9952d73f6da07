"""Hours by the clock on people's wall: nights, weekends, holidays, and days that aren't 24 hours."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from approvals.calendars import Calendar

OFFICE = Calendar(tz="Europe/Berlin", opens=time(9), closes=time(18), holidays=(date(2026, 12, 25),))
NIGHT = Calendar(tz="Europe/Berlin", days=tuple(range(7)), opens=time(22), closes=time(6))
EARLY = Calendar(tz="Europe/Berlin", days=tuple(range(7)), opens=time(2, 30), closes=time(4))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_it_is_open_from_the_first_minute_to_before_the_last() -> None:
    assert OFFICE.is_open(at("2026-11-20T09:00+01:00"))
    assert OFFICE.is_open(at("2026-11-20T17:59:59+01:00"))
    assert not OFFICE.is_open(at("2026-11-20T18:00+01:00"))
    assert not OFFICE.is_open(at("2026-11-20T08:59:59+01:00"))


def test_after_friday_evening_comes_monday_morning() -> None:
    assert OFFICE.next_opening(at("2026-11-20T18:00+01:00")) == at("2026-11-23T09:00+01:00")


def test_a_holiday_is_no_working_day() -> None:
    assert OFFICE.next_opening(at("2026-12-24T20:00+01:00")) == at("2026-12-28T09:00+01:00")


def test_while_it_is_open_it_opens_now() -> None:
    now = at("2026-11-20T10:00+01:00")
    assert OFFICE.next_opening(now) == now


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    assert NIGHT.is_open(at("2026-11-20T23:00+01:00"))
    assert NIGHT.is_open(at("2026-11-21T05:59+01:00"))
    assert not NIGHT.is_open(at("2026-11-21T06:00+01:00"))
    fridays = Calendar(tz="Europe/Berlin", days=(4,), opens=time(22), closes=time(6))
    assert fridays.is_open(at("2026-11-21T03:00+01:00"))
    assert not fridays.is_open(at("2026-11-20T03:00+01:00"))


def test_nine_is_nine_on_the_wall_in_summer_and_in_winter() -> None:
    assert OFFICE.next_opening(at("2026-03-27T20:00+01:00")) == at("2026-03-30T09:00+02:00")
    assert OFFICE.next_opening(at("2026-10-23T20:00+02:00")) == at("2026-10-26T09:00+01:00")


def test_an_hour_that_the_clock_skips_opens_when_the_clock_goes_on() -> None:
    assert EARLY.next_opening(at("2026-03-29T00:00+01:00")) == at("2026-03-29T03:30+02:00")


def test_an_hour_that_the_clock_shows_twice_opens_at_its_first() -> None:
    assert EARLY.next_opening(at("2026-10-25T00:00+02:00")) == at("2026-10-25T02:30+02:00")


def test_one_that_is_never_open_never_opens() -> None:
    assert Calendar(tz="UTC", days=()).next_opening(at("2026-11-20T10:00+00:00")) is None


@given(minute=st.integers(0, 2 * 366 * 24 * 60), calendar=st.sampled_from([OFFICE, NIGHT, EARLY]))
def test_nothing_is_open_between_now_and_the_next_opening(minute: int, calendar: Calendar) -> None:
    moment = at("2026-01-01T00:00+00:00") + timedelta(minutes=minute)
    opening = calendar.next_opening(moment)
    assert opening is not None and opening >= moment
    assert calendar.is_open(opening)
    if opening > moment:
        assert not calendar.is_open(moment)
        assert not calendar.is_open(opening - timedelta(microseconds=1))
        assert not calendar.is_open(moment + (opening - moment) / 2)
