"""What happens when nobody answers: the steps in their order, each once, whatever the clocks do."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from approvals.calendars import Calendar
from approvals.clock import due_command, next_due
from approvals.commands import Climb, Command, Expire, Extend, Snooze
from approvals.errors import DeadlinePassed, NotDue, NotQualified, TooMuch
from approvals.evolution import evolve
from approvals.ladder import MORNING, is_to_remind, next_step_at
from approvals.machine import decide
from approvals.model import OnDeadline, Principal, Remind, Request, Step
from tests.builders import T0, a_person, a_request, terms

HOUR = timedelta(hours=1)
ONCALL = Principal("@sre-oncall")
STEPS = (
    Step(after_s=600, remind=Remind.THREAD),
    Step(after_s=1200, add=(ONCALL,), remind=Remind.CHANNEL),
    Step(after_s=1800, channel="#general"),
)
OFFICE = Calendar(tz="Europe/Berlin", opens=time(9), closes=time(18))
ANA = a_person()


def a_climber(created_at: datetime = T0, **changes: Any) -> Request:
    usual: dict[str, Any] = {"ladder": STEPS, "deadline_s": 3600, "extend_s": 7200}
    return a_request(created_at=created_at, terms=terms(**(usual | changes)))


def after(request: Request, *commands: Command, now: datetime) -> Request:
    for command in commands:
        request = evolve(request, decide(request, command, now=now))
    return request


def settled(request: Request, now: datetime) -> Request:
    """The request as the clock leaves it by `now`, however late it comes."""
    while command := due_command(request, now=now):
        before = request.version
        request = after(request, command, now=now)
        assert request.version == before + 1, "what the clock wants is never refused"
        if not request.is_pending:
            break
    return request


def minutes(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


class TestItsSteps:
    def test_each_comes_in_its_time(self) -> None:
        request = a_climber()
        assert next_due(request) == minutes(10)
        request = settled(request, minutes(10))
        assert (request.climbed, [ping.where for ping in request.pings]) == (1, [Remind.THREAD])
        request = settled(request, minutes(20))
        assert (request.climbed, request.added) == (2, (ONCALL,))
        request = settled(request, minutes(30))
        assert (request.climbed, request.channels) == (3, ("#general",))
        assert next_due(request) == minutes(60)

    def test_none_comes_early(self) -> None:
        with pytest.raises(NotDue):
            decide(a_climber(), Climb(), now=minutes(10) - timedelta(microseconds=1))

    def test_after_an_outage_they_come_one_after_another_and_none_is_skipped(self) -> None:
        request = settled(a_climber(), minutes(59))
        assert [line.word for line in request.trail] == ["reminded", "escalated", "escalated"]
        assert [ping.step for ping in request.pings] == [0, 1]

    def test_who_is_added_may_decide_from_then_on(self) -> None:
        lee = a_person(principals=frozenset({ONCALL}))
        request = a_climber(approvers=(Principal("U0CFO"),))
        snooze = Snooze(by=lee, seconds=60)
        with pytest.raises(NotQualified):
            decide(request, snooze, now=minutes(1))
        assert decide(settled(request, minutes(20)), snooze, now=minutes(21)).word == "snoozed"

    def test_who_is_added_is_told_so_once(self) -> None:
        silent = a_climber(ladder=(Step(after_s=600, add=(ONCALL,)),))
        assert [ping.where for ping in settled(silent, minutes(10)).pings] == [Remind.THREAD]
        elsewhere = a_climber(ladder=(Step(after_s=600, add=(ONCALL,), channel="#general"),))
        assert settled(elsewhere, minutes(10)).pings == ()  # its card there tells them

    def test_the_deadline_outranks_what_is_left_of_it(self) -> None:
        request = settled(a_climber(), minutes(60))
        assert (request.climbed, request.trail[-1].word) == (0, "expired")
        with pytest.raises(DeadlinePassed):
            decide(a_climber(on_deadline=OnDeadline.APPROVE), Climb(), now=minutes(60))


class TestClocksThatJump:
    @pytest.mark.attack("D67")
    def test_one_that_goes_back_repeats_no_step(self) -> None:
        request = settled(a_climber(), minutes(20))
        assert due_command(request, now=minutes(5)) is None
        assert settled(request, minutes(5)) == request
        assert settled(request, minutes(20)) == request

    @pytest.mark.attack("D67")
    def test_one_that_goes_back_before_it_was_asked_expires_nothing(self) -> None:
        request = a_climber()
        assert due_command(request, now=T0 - 24 * HOUR) is None
        with pytest.raises(NotDue):
            decide(request, Expire(), now=T0 - 24 * HOUR)

    @pytest.mark.attack("D67")
    def test_one_that_leaps_ahead_ends_it_once(self) -> None:
        request = settled(a_climber(), T0 + timedelta(days=400))
        assert request.trail[-1].word == "expired"

    def test_a_step_is_so_many_hours_later_whatever_the_wall_says(self) -> None:
        eve_of_summer = datetime.fromisoformat("2026-03-28T23:00+01:00").astimezone(UTC)
        eve_of_winter = datetime.fromisoformat("2026-10-24T23:00+02:00").astimezone(UTC)
        for eve in (eve_of_summer, eve_of_winter):
            request = a_climber(eve, ladder=(Step(after_s=4 * 3600, remind=Remind.DM),), deadline_s=None)
            assert next_step_at(request) == eve + 4 * HOUR


class TestQuietHours:
    def test_what_is_asked_at_night_calls_people_in_the_morning(self) -> None:
        night = datetime.fromisoformat("2026-11-20T22:00+01:00").astimezone(UTC)
        monday = datetime.fromisoformat("2026-11-23T09:00+01:00").astimezone(UTC)
        request = a_climber(night, quiet=OFFICE, deadline_s=None)
        assert next_due(request) == monday
        request = settled(request, monday)
        assert [ping.step for ping in request.pings] == [0, 1, 2]
        assert request.climbed == len(STEPS) + 1

    def test_what_is_asked_by_day_calls_at_once(self) -> None:
        request = a_climber(T0, quiet=OFFICE)
        assert next_due(request) == minutes(10)
        assert MORNING not in request.terms.ladder

    def test_a_step_that_falls_into_the_night_waits_for_the_morning(self) -> None:
        evening = datetime.fromisoformat("2026-11-19T17:55+01:00").astimezone(UTC)
        request = a_climber(evening, quiet=OFFICE, deadline_s=None)
        assert next_due(request) == datetime.fromisoformat("2026-11-20T09:00+01:00")

    def test_nine_in_the_morning_is_nine_after_the_clocks_changed(self) -> None:
        for asked, opening in (
            ("2026-03-27T20:00+01:00", "2026-03-30T09:00+02:00"),
            ("2026-10-23T20:00+02:00", "2026-10-26T09:00+01:00"),
        ):
            request = a_climber(datetime.fromisoformat(asked).astimezone(UTC), quiet=OFFICE, deadline_s=None)
            assert next_due(request) == datetime.fromisoformat(opening)

    def test_the_deadline_waits_for_no_morning(self) -> None:
        night = datetime.fromisoformat("2026-11-20T22:00+01:00").astimezone(UTC)
        assert next_due(a_climber(night, quiet=OFFICE)) == night + HOUR


class TestSnoozeAndExtend:
    def test_a_reminder_waits_until_the_snooze_ends(self) -> None:
        request = after(a_climber(), Snooze(by=ANA, seconds=15 * 60), now=minutes(1))
        assert next_due(request) == minutes(16)

    def test_a_snooze_ends_before_the_deadline(self) -> None:
        with pytest.raises(TooMuch):
            decide(a_climber(), Snooze(by=ANA, seconds=3600), now=minutes(1))

    def test_there_is_nothing_to_snooze_once_all_reminders_are_sent(self) -> None:
        assert is_to_remind(a_climber())
        assert not is_to_remind(settled(a_climber(), minutes(20)))

    def test_more_time_moves_the_deadline_and_not_the_steps(self) -> None:
        request = after(a_climber(), Extend(by=ANA, seconds=3600), now=minutes(1))
        assert request.deadline == minutes(120)
        assert next_due(request) == minutes(10)

    def test_no_more_time_is_added_in_all_than_the_rule_says(self) -> None:
        request = after(a_climber(), Extend(by=ANA, seconds=7000), now=minutes(1))
        with pytest.raises(TooMuch) as refusal:
            decide(request, Extend(by=ANA, seconds=201), now=minutes(2))
        assert refusal.value.at_most_s == 200
        assert after(request, Extend(by=ANA, seconds=200), now=minutes(2)).deadline == minutes(180)

    @pytest.mark.parametrize("seconds", [0, -60])
    def test_nobody_takes_time_away(self, seconds: int) -> None:
        for command in (Extend(by=ANA, seconds=seconds), Snooze(by=ANA, seconds=seconds)):
            with pytest.raises(TooMuch):
                decide(a_climber(), command, now=minutes(1))
