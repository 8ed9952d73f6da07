"""A changed call under other terms: whose yes counts then, and what begins anew."""

from datetime import UTC, datetime, time, timedelta

import pytest

from approvals.calendars import Calendar
from approvals.clock import next_due
from approvals.commands import Approve, Climb, Command, Redirect, Reject, Revise
from approvals.errors import ArgumentsChanged, NothingSaid, NotQualified
from approvals.evolution import evolve
from approvals.machine import decide
from approvals.model import (
    CHANNEL,
    Action,
    Group,
    PersonId,
    Principal,
    Remind,
    Request,
    Risk,
    Status,
    Step,
    Terms,
)
from approvals.policy import is_stricter
from tests.builders import REFUND, T0, a_person, a_request, terms

DIRECTORS = Principal("S0DIRECTORS")
MORE = REFUND | {"amount": 6000}
SOON = T0 + timedelta(minutes=50)
STRICT = terms(rule="large", approvers=(DIRECTORS,), quorum=2, channel="#directors", deadline_s=3600)
ANA = a_person()
KIM = a_person(id=PersonId("U0KIM"), principals=frozenset({CHANNEL, DIRECTORS}))


def asked(**changes: object) -> Request:
    return a_request(created_at=T0, terms=terms(rejections=2, **changes))


def redirect(request: Request, new: Terms = STRICT, by: object = ANA, **changes: object) -> Redirect:
    usual = {"by": by, "voter": by, "seen": request.fingerprint, "edited": MORE, "terms": new}
    return Redirect(**(usual | changes))  # type: ignore[arg-type]  # a builder


def after(request: Request, command: Command) -> Request:
    return evolve(request, decide(request, command, now=SOON))


class TestRedirect:
    def test_the_new_terms_hold_from_now_on(self) -> None:
        request = asked(quorum=2)
        request = after(after(request, Approve(by=KIM, seen=request.fingerprint)), Reject(by=ANA))
        request = after(request, redirect(request))
        assert (request.terms, request.args, request.asked_args) == (STRICT, MORE, REFUND)
        assert (request.status, request.votes, request.objections) == (Status.PENDING, (), ())
        assert request.deadline == SOON + timedelta(hours=1)

    def test_whom_the_new_terms_name_has_voted_by_it(self) -> None:
        request = after(asked(), redirect(asked(), by=KIM))
        assert [vote.person for vote in request.votes] == [KIM.id]

    def test_where_one_yes_is_enough_it_approves_under_the_new_terms(self) -> None:
        risky = terms(rule="large", risk=Risk.HIGH, use_within_s=60)
        request = after(asked(), redirect(asked(), risky))
        assert (request.status, request.terms.rule, request.decision and request.decision.word) == (
            Status.APPROVED, "large", "edited",
        )  # fmt: skip
        assert request.claim_by == SOON + timedelta(seconds=60)

    def test_who_could_not_decide_the_first_call_can_not_change_it(self) -> None:
        with pytest.raises(NotQualified):
            decide(asked(), redirect(asked(), by=a_person(principals=frozenset({DIRECTORS}))), now=SOON)

    def test_it_is_for_exactly_what_was_shown(self) -> None:
        with pytest.raises(ArgumentsChanged):
            decide(after(asked(), Revise(args={"amount": 1})), redirect(asked()), now=SOON)

    def test_an_own_request_needs_a_reason_where_it_counts_at_all(self) -> None:
        own = a_request(created_at=T0, terms=terms(self_approval=True), on_behalf_of=ANA.id)
        with pytest.raises(NothingSaid):
            decide(own, redirect(own, terms(self_approval=True, quorum=2)), now=SOON)
        assert after(own, redirect(own, terms(quorum=2))).votes == ()

    def test_its_ladder_begins_anew_with_a_call(self) -> None:
        ladder = (Step(after_s=600, remind=Remind.THREAD),)
        request = after(asked(ladder=ladder), Climb())
        request = after(request, redirect(request, terms(quorum=2, ladder=ladder)))
        assert [(ping.turn, ping.step) for ping in request.pings] == [(1, 0)]
        assert next_due(request) == SOON + timedelta(seconds=600)

    def test_at_night_nobody_is_called_until_it_ends(self) -> None:
        quiet = Calendar(tz="UTC", opens=time(8), closes=time(9))
        request = after(asked(), redirect(asked(), terms(quorum=2, deadline_s=None, quiet=quiet)))
        assert request.pings == ()
        morning = datetime(2026, 11, 23, 8, tzinfo=UTC)  # a Monday
        assert next_due(request) == morning
        event = decide(request, Climb(), now=morning)
        assert [ping.turn for ping in evolve(request, event).pings] == [1]


class TestRevisions:
    def test_a_denied_one_ends_by_its_rule(self) -> None:
        no = terms(rule="never so much", because="Never.", action=Action.DENY)
        request = after(asked(), Revise(args=MORE, terms=no))
        assert (request.status, request.args, request.terms.rule) == (
            Status.REJECTED, MORE, "never so much",
        )  # fmt: skip
        assert request.decision is not None
        assert (request.decision.by.id, request.decision.text) == ("policy:never so much", "Never.")
        assert request.terms.action is Action.ASK  # its card tells how it ended

    def test_others_are_asked_where_the_policy_wants_them(self) -> None:
        request = after(asked(), Revise(args=MORE, terms=STRICT))
        assert (request.terms, request.asked_args, request.turn) == (STRICT, None, 1)


SECURITY = Group(name="security", principals=(CHANNEL,), needed=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"approvers": (DIRECTORS,)}),
        ({"approvers": (CHANNEL, DIRECTORS)}, {"approvers": (DIRECTORS,)}),
        ({}, {"channel": "#directors"}),
        ({}, {"quorum": 2}),
        ({}, {"groups": (SECURITY,)}),
        ({}, {"risk": Risk.HIGH}),
        ({"self_approval": True}, {}),
        ({"guests": True}, {}),
        ({"groups": (SECURITY,)}, {"quorum": 2}),
    ],
)
def test_a_yes_that_is_not_enough_for_the_new_terms_makes_them_stricter(
    old: dict[str, object], new: dict[str, object]
) -> None:
    assert is_stricter(a_request(terms=terms(**old)), terms(**new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {}),
        ({"approvers": (DIRECTORS,)}, {"approvers": (DIRECTORS, CHANNEL)}),
        ({"quorum": 2}, {"quorum": 1}),
        ({"risk": Risk.HIGH}, {"risk": Risk.LOW}),
        ({}, {"self_approval": True, "guests": True}),
        ({"approvers": (DIRECTORS,)}, {"approvers": (DIRECTORS,), "channel": "#directors"}),
    ],
)
def test_where_it_would_be_enough_they_are_not(old: dict[str, object], new: dict[str, object]) -> None:
    assert not is_stricter(a_request(terms=terms(**old)), terms(**new))


def test_whom_the_ladder_has_added_must_be_among_them_too() -> None:
    request = a_request(terms=terms(approvers=(DIRECTORS,)), added=(CHANNEL,))
    assert is_stricter(request, terms(approvers=(DIRECTORS,)))
