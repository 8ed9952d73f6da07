"""What people set for themselves: when nothing calls them, and when their own digest comes."""

from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from approvals.model import PersonId
from approvals.preference_book import PreferenceBook
from approvals.preferences import Preferences, Where, digest_time, may_ping
from approvals.redis_door import open_redis
from approvals.store import Store

BERLIN = ZoneInfo("Europe/Berlin")
ANA = Preferences(person=PersonId("U0ANA"), name="Ana Duarte")
NIGHT = replace(ANA, quiet=(time(18), time(8)))
OWN = replace(ANA, where=Where.DM, at=(time(9), time(15, 30)), days_off=(5, 6))


def friday(hour: int, minute: int = 0, *, day: int = 20) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("wanted", "now", "may"),
    [
        (ANA, friday(3), True),
        (NIGHT, friday(17, 59), True),
        (NIGHT, friday(18), False),
        (NIGHT, friday(7, 59), False),
        (NIGHT, friday(8), True),
        (NIGHT, datetime(2026, 11, 20, 17, 30, tzinfo=UTC), False),  # half past six in Berlin
        (replace(ANA, quiet=(time(12), time(13))), friday(12, 30), False),
        (replace(ANA, quiet=(time(12), time(13))), friday(13), True),
        (replace(ANA, days_off=(4,)), friday(12), False),
        (replace(ANA, days_off=(5, 6)), friday(12), True),
        (replace(ANA, pings=False), friday(12), False),
    ],
)
def test_nobody_is_called_when_they_want_to_be_left_alone(
    wanted: Preferences, now: datetime, *, may: bool
) -> None:
    assert may_ping(wanted, now, BERLIN) is may


@pytest.mark.parametrize(
    ("last", "now", "is_due"),
    [
        (friday(8), friday(9), True),
        (friday(9), friday(9, 1), False),
        (friday(9), friday(15, 30), True),
        (friday(8), friday(8, 59), False),
        (friday(15, 30, day=19), friday(1), False),
        (friday(9, day=19), friday(1), True),  # yesterday's came late: we were away
        (friday(9, day=1), friday(8), False),  # that late it has been overtaken
        (friday(15, 30), friday(9, day=21), False),  # a day off
    ],
)
def test_an_own_digest_comes_once_at_each_of_its_times(
    last: datetime, now: datetime, *, is_due: bool
) -> None:
    assert (digest_time(OWN, last, now, BERLIN) is not None) is is_due
    assert (digest_time(replace(OWN, where=Where.BOTH), last, now, BERLIN) is not None) is is_due
    assert digest_time(replace(OWN, where=Where.CHANNEL), last, now, BERLIN) is None


async def test_what_somebody_sets_is_kept_and_logged(redis_url: str, tenant: str) -> None:
    async with open_redis(redis_url) as redis:
        book = PreferenceBook(redis, tenant)
        assert await book.all() == {}
        await book.set(NIGHT)
        await book.set(replace(NIGHT, pings=False))
        assert await book.all() == {"U0ANA": replace(NIGHT, pings=False)}
        entries = await Store(redis, tenant).entries()
    assert [(entry.event, entry.actor) for entry in entries] == [("preferred", "slack:U0ANA")] * 2
    assert entries[1].detail == {
        "by": "Ana Duarte",
        "where": "channel",
        "at": ["09:00"],
        "quiet": ["18:00", "08:00"],
        "days_off": [],
        "pings": False,
    }
