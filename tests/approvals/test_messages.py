"""What an agent is told of its request, in every state, and what it may run."""

from datetime import timedelta

import pytest

from approvals.commands import Answer, Approve, Cancel, Expire, GiveUp, Reject, RequestChanges
from approvals.evolution import evolve
from approvals.machine import decide
from approvals.messages import OutcomeStatus, is_auto, outcome_of, permit_of
from approvals.model import Action, Request, Status
from tests.builders import REFUND, T0, a_person, a_request, terms

ANA = a_person()
REQUEST = a_request(created_at=T0)
HOUR = timedelta(hours=1)
LESS = REFUND | {"amount": 900}


def after(command: Approve | Answer | Cancel | Expire | GiveUp | Reject | RequestChanges) -> Request:
    now = T0 + (HOUR if isinstance(command, Expire) else timedelta(0))
    return evolve(REQUEST, decide(REQUEST, command, now=now))


def test_an_open_request_has_no_outcome() -> None:
    assert outcome_of(REQUEST) is None
    assert permit_of(REQUEST) is None


@pytest.mark.parametrize(
    ("request_", "status", "text", "by"),
    [
        (after(Approve(by=ANA, seen=REQUEST.fingerprint, note="ok")), "approved", "ok", "slack:U0ANA"),
        (after(Reject(by=ANA, feedback="Too much.")), "rejected", "Too much.", "slack:U0ANA"),
        (after(Answer(by=ANA, text="Done already.")), "answered", "Done already.", "slack:U0ANA"),
        (after(RequestChanges(by=ANA, feedback="900?")), "changes_requested", "900?", "slack:U0ANA"),
        (after(Cancel(reason="by hand")), "cancelled", "by hand", "agent:billing"),
        (after(GiveUp(reason="archived")), "cancelled", "archived", "service"),
        (after(Expire()), "expired", None, "timer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_says_what_was_decided_by_whom_and_why(
    request_: Request, status: str, text: str | None, by: str
) -> None:
    outcome = outcome_of(request_)
    assert outcome is not None
    assert (outcome.status, outcome.text, outcome.decided_by) == (status, text, by)


def test_silence_is_told_as_expired_and_never_as_rejected() -> None:
    outcome = outcome_of(after(Expire()))
    assert outcome is not None
    assert outcome.status is OutcomeStatus.EXPIRED


@pytest.mark.parametrize(
    "command", [Reject(by=ANA), Answer(by=ANA, text="x"), Cancel(), Expire(), GiveUp(reason="x")]
)
def test_only_a_yes_brings_args_and_a_permit(command: Reject | Answer | Cancel | Expire | GiveUp) -> None:
    request = after(command)
    outcome = outcome_of(request)
    assert outcome is not None
    assert (outcome.args, outcome.fingerprint, permit_of(request)) == (None, None, None)


def test_an_edited_call_is_the_one_that_may_run() -> None:
    request = after(Approve(by=ANA, seen=REQUEST.fingerprint, edited=LESS))
    outcome, permit = outcome_of(request), permit_of(request)
    assert outcome is not None
    assert permit is not None
    assert (outcome.args, outcome.edited, permit.args) == (LESS, True, LESS)
    assert outcome.fingerprint == permit.fingerprint != REQUEST.fingerprint


def test_only_undeliverable_is_told_apart_from_cancelled() -> None:
    told = [outcome_of(after(command)) for command in (Cancel(), GiveUp(reason="archived"))]
    assert [outcome.undeliverable for outcome in told if outcome] == [False, True]


def test_every_state_that_is_an_end_has_an_outcome() -> None:
    decided = after(Reject(by=ANA)).decision
    for status in set(Status) - {Status.PENDING, Status.WITHDRAWN}:  # taking back is still to come
        request = a_request(created_at=T0, status=status, decision=decided)
        assert outcome_of(request) is not None, status


@pytest.mark.parametrize(
    ("action", "is_shown"), [(Action.ASK, True), (Action.ALLOW, False), (Action.DENY, False)]
)
def test_what_a_rule_decides_is_shown_to_nobody(action: Action, is_shown: bool) -> None:
    assert is_auto(a_request(terms=terms(action=action))) is not is_shown
