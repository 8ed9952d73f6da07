"""When a channel is told about the day before, and how the policy file says so."""

from datetime import UTC, date, datetime, time

import pytest

from approvals.calendars import Calendar
from approvals.mornings import Daily, daily_for
from approvals.policy import DEFAULT, PolicyFaults, parse

FRIDAY, SATURDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 23)
BERLIN = Daily(tz="Europe/Berlin")


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def dailies(text: str) -> tuple[Daily, ...]:
    return parse(f"version = 1\n{text}").dailies


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyFaults) as caught:
        dailies(text)
    return [str(fault) for fault in caught.value.faults]


def test_it_is_the_clock_on_the_wall_that_says_when_it_is_morning() -> None:
    assert BERLIN.morning_of(FRIDAY) == at(FRIDAY, 8)
    assert BERLIN.morning_of(date(2026, 7, 1)) == at(date(2026, 7, 1), 7)
    assert Daily(tz="America/New_York").morning_of(FRIDAY) == at(FRIDAY, 14)


def test_days_off_and_holidays_have_no_morning() -> None:
    closed = Daily(calendar=Calendar(tz="UTC", holidays=(MONDAY,)))
    assert [closed.morning_of(day) for day in (SATURDAY, MONDAY)] == [None, None]
    assert closed.after(at(FRIDAY, 9)) == at(date(2026, 11, 24), 9)
    assert closed.before(at(date(2026, 11, 24), 9)) == at(FRIDAY, 9)


def test_off_is_never() -> None:
    off = Daily(is_off=True)
    assert (off.morning_of(FRIDAY), off.after(at(FRIDAY, 8)), off.before(at(FRIDAY, 8))) == (None, None, None)


def test_a_channel_has_the_morning_that_names_it_or_else_the_general_one() -> None:
    finance, general = Daily(channels=("#finance",)), Daily()
    assert daily_for((general, finance), frozenset({"#finance", "C0FIN"})) is finance
    assert daily_for((general, finance), frozenset({"#ops"})) is general
    assert daily_for((finance,), frozenset({"#ops"})) is None
    silent = Daily(channels=("#ops",), is_off=True)
    assert daily_for((general, silent), frozenset({"#ops"})) is None


def test_without_a_table_it_is_nine_on_the_days_that_pings_keep_to() -> None:
    assert DEFAULT.dailies == (Daily(),)
    (daily,) = dailies(
        '[calendars.office]\ntz = "Asia/Tokyo"\ndays = "sun-thu"\n[defaults]\nquiet = "office"'
    )
    assert (daily.at, daily.tz) == (time(9), "Asia/Tokyo")
    assert daily.morning_of(FRIDAY) is None and daily.morning_of(date(2026, 11, 22)) is not None


def test_one_table_or_several_say_otherwise() -> None:
    (one,) = dailies('[daily]\nat = "07:30"\ntz = "Europe/Berlin"\ndays = "mon,thu"')
    assert (one.at, one.tz, one.days) == (time(7, 30), "Europe/Berlin", (0, 3))
    first, second = dailies(
        '[[daily]]\nchannels = ["#finance"]\ntz = "America/New_York"\n[[daily]]\noff = true'
    )
    assert (first.at, first.days) == (time(9), (0, 1, 2, 3, 4))
    assert (first.channels, first.tz, second.is_off) == (("#finance",), "America/New_York", True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[daily]\nat = "9"\ntz = "UTC"', "`at` is '9'; write a time of day as \"09:00\""),
        ('[daily]\nat = "09:00"', "`at` has no time zone"),
        ('[daily]\ncalendar = "office"', "which is no calendar of this file"),
        ('[daily]\nchannels = ["approvals"]', "names no channel"),
        ("[daily]\nof = true", "`of` is unknown; did you mean `off`?"),
        ('daily = "09:00"', "it is '09:00'; write it as a table"),
        ("[[daily]]\n[[daily]]", "speaks for all other channels already"),
        ('[[daily]]\nchannels = ["#ops"]\n[[daily]]\nchannels = ["#ops"]', "speaks for `#ops` already"),
        (
            '[calendars.office]\ntz = "UTC"\n[daily]\ncalendar = "office"\ndays = "mon"',
            "`days` and `calendar` both say on which days",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_mend(text: str, told: str) -> None:
    (fault,) = faults_of(text)
    assert told in fault
