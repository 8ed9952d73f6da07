"""Who stands in for whom: chains end, circles lead to nobody, and dates are read as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from approvals.deputies import LONGEST_CHAIN, Absence, away_now, read_until, stand_in, stood_in_for
from approvals.model import PersonId
from tests.builders import T0

ANA, KIM, LEE, MAX = (PersonId(id) for id in ("U0ANA", "U0KIM", "U0LEE", "U0MAX"))
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_deputy_stands_in_and_a_chain_ends_with_who_is_there() -> None:
    assert stand_in(ANA, {ANA: KIM}) == KIM
    assert stand_in(ANA, {ANA: KIM, KIM: LEE}) == LEE
    assert stood_in_for(LEE, {ANA: KIM, KIM: LEE, MAX: ANA}) == [ANA, KIM, MAX]
    assert stand_in(LEE, {ANA: KIM}) is None


@pytest.mark.parametrize(
    "away", [{ANA: ANA}, {ANA: KIM, KIM: ANA}, {ANA: KIM, KIM: LEE, LEE: KIM}], ids=["self", "two", "tail"]
)
def test_a_circle_leads_to_nobody(away: dict[PersonId, PersonId]) -> None:
    assert stand_in(ANA, away) is None


def test_a_chain_that_is_too_long_leads_to_nobody() -> None:
    chain = {PersonId(f"U0{n}"): PersonId(f"U0{n + 1}") for n in range(LONGEST_CHAIN + 3)}
    assert stand_in(PersonId("U00"), chain) is None
    assert stand_in(PersonId("U08"), {PersonId("U08"): ANA}) == ANA


def test_an_absence_counts_until_its_time_or_while_the_status_says_so() -> None:
    dated = Absence(person=ANA, name="Ana", deputy=KIM, at=T0, until=T0 + timedelta(days=1))
    standing = Absence(person=LEE, name="Lee", deputy=MAX, at=T0)
    assert away_now([dated, standing], T0, set()) == {ANA: KIM}
    assert away_now([dated, standing], T0 + timedelta(days=1), {LEE}) == {LEE: MAX}


@pytest.mark.parametrize(
    ("typed", "until"),
    [
        ("tomorrow", datetime(2026, 11, 21, tzinfo=BERLIN)),
        ("monday", datetime(2026, 11, 23, tzinfo=BERLIN)),
        ("Fri", datetime(2026, 11, 27, tzinfo=BERLIN)),  # T0 is a Friday
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=BERLIN)),
        ("2 weeks", T0 + timedelta(weeks=2)),
        ("3d", T0 + timedelta(days=3)),
    ],
)
def test_a_day_is_read_where_the_person_is(typed: str, until: datetime) -> None:
    assert read_until(typed, T0, BERLIN) == until


@pytest.mark.parametrize(
    "typed", ["", "soon", "2020-01-01", "99 weeks", "never", "2026-13-01", "400d", "0 days"]
)
def test_what_is_no_day_or_none_to_come_is_not_read(typed: str) -> None:
    assert read_until(typed, T0, UTC) is None
