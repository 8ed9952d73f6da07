"""The life of a request, a sentence at a time. `test_machine_properties` tries what nobody thought of."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from approvals.clock import CLAIM_GRACE, due_command, is_to_be_forgotten, next_due
from approvals.commands import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Command,
    Expire,
    GiveUp,
    Lapse,
    RecordRefusal,
    Reject,
    Report,
    RequestChanges,
    Revise,
)
from approvals.errors import (
    AlreadyResolved,
    AlreadyVoted,
    ArgumentsChanged,
    DeadlinePassed,
    InvalidCall,
    NotAnOption,
    NotClaimable,
    NotDue,
    NothingSaid,
    NotQualified,
    OwnRequest,
    Refusal,
    WithAgent,
    WrongKind,
)
from approvals.evolution import TRAIL_LINES, TRAIL_TEXT_CHARS, evolve
from approvals.machine import begin, decide
from approvals.messages import OutcomeStatus, outcome_of, permit_of
from approvals.model import Action, Args, Barred, Kind, OnDeadline, Person, PersonId, Request, Status, Terms
from tests.builders import QUESTION, REFUND, T0, a_person, a_question, terms
from tests.builders import a_request as just_now

ANA, KIM, LEE = (a_person(id=PersonId(id), name=id[2:].capitalize()) for id in ("U0ANA", "U0KIM", "U0LEE"))
LESS: Args = REFUND | {"amount": 900}
SECOND = timedelta(seconds=1)
TWO: Terms = terms(quorum=2)
SILENT_YES: Terms = terms(on_deadline=OnDeadline.APPROVE)


def a_request(**changes: Any) -> Request:
    return just_now(**({"created_at": T0} | changes))


def after(request: Request, *commands: Command, now: datetime = T0 + SECOND) -> Request:
    for command in commands:
        request = evolve(request, decide(request, command, now=now))
    return request


def yes(request: Request, by: Person = ANA, **changes: Any) -> Approve:
    return Approve(by=by, seen=request.fingerprint, **changes)


def approved(**changes: Any) -> Request:
    request = a_request(**changes)
    return after(request, yes(request))


def deadline_of(request: Request) -> datetime:
    assert request.deadline is not None
    return request.deadline


class TestTheBeginning:
    @pytest.mark.parametrize(
        ("action", "word", "status"),
        [
            (Action.ASK, "asked", Status.PENDING),
            (Action.ALLOW, "allowed", Status.APPROVED),
            (Action.DENY, "denied", Status.REJECTED),
        ],
    )
    def test_the_policy_answers_first(self, action: Action, word: str, status: Status) -> None:
        request = a_request(terms=terms(action=action))
        submitted, answer = begin(request)
        assert (submitted.word, submitted.by.id) == ("submitted", "agent:billing")
        assert (answer.word, answer.by.id) == (word, "policy:refunds")
        assert evolve(request, answer).status is status

    def test_a_rule_decides_in_its_own_words(self) -> None:
        request = a_request(terms=terms(action=Action.DENY, because="Not on Fridays."))
        decision = evolve(request, begin(request)[1]).decision
        assert decision is not None
        assert (decision.by.id, decision.text) == ("policy:refunds", "Not on Fridays.")


class TestApproving:
    def test_one_yes_is_enough_unless_the_rule_wants_more(self) -> None:
        request = approved()
        assert request.status is Status.APPROVED
        assert request.decision is not None
        assert (request.decision.word, request.decision.by.id) == ("approved", "slack:U0ANA")

    def test_the_note_reaches_the_agent(self) -> None:
        request = a_request()
        outcome = outcome_of(after(request, yes(request, note="Shipping is not refundable.")))
        assert outcome is not None
        assert (outcome.text, outcome.args, outcome.edited) == ("Shipping is not refundable.", REFUND, False)

    def test_a_quorum_is_of_distinct_people(self) -> None:
        request = a_request(terms=TWO)
        first = after(request, yes(request))
        assert first.is_pending
        assert [vote.person for vote in first.votes] == ["U0ANA"]
        with pytest.raises(AlreadyVoted):
            decide(first, yes(request), now=T0)
        assert after(first, yes(request, KIM)).status is Status.APPROVED

    def test_a_yes_is_to_what_was_seen(self) -> None:
        request = a_request()
        revised = after(request, Revise(args=LESS))
        with pytest.raises(ArgumentsChanged):
            decide(revised, yes(request), now=T0)

    def test_an_edit_approves_other_args(self) -> None:
        request = a_request()
        edited = after(request, yes(request, edited=LESS))
        outcome = outcome_of(edited)
        assert (edited.status, edited.args, edited.asked_args) == (Status.APPROVED, LESS, REFUND)
        assert outcome is not None
        assert (outcome.args, outcome.edited, outcome.fingerprint) == (LESS, True, edited.fingerprint)

    def test_an_edit_that_changes_nothing_is_a_plain_yes(self) -> None:
        request = a_request()
        same = after(request, yes(request, edited=REFUND | {"amount": 940.0}))
        assert same.decision is not None
        assert (same.decision.word, same.asked_args) == ("approved", None)

    def test_an_edit_voids_earlier_votes_and_is_a_vote_for_its_own_args(self) -> None:
        request = a_request(terms=TWO)
        edited = after(request, yes(request), yes(request, KIM, edited=LESS))
        assert edited.is_pending
        assert ([vote.person for vote in edited.votes], edited.args) == (["U0KIM"], LESS)
        assert after(edited, yes(edited, ANA)).status is Status.APPROVED

    def test_who_edits_after_voting_counts_once(self) -> None:
        request = a_request(terms=TWO)
        edited = after(request, yes(request), yes(request, edited=LESS))
        assert [vote.person for vote in edited.votes] == ["U0ANA"]
        with pytest.raises(AlreadyVoted):
            decide(edited, yes(edited), now=T0)

    def test_an_edit_that_is_edited_back_is_none(self) -> None:
        request = a_request(terms=terms(quorum=3))
        edited = after(request, yes(request, edited=LESS))
        back = after(edited, yes(edited, KIM, edited=REFUND))
        done = after(back, yes(back, ANA), yes(back, LEE))
        outcome = outcome_of(done)
        assert outcome is not None
        assert (outcome.status, outcome.edited, outcome.args) == (OutcomeStatus.APPROVED, False, REFUND)

    def test_an_edit_to_what_is_not_json_is_invalid(self) -> None:
        request = a_request()
        with pytest.raises(InvalidCall):
            decide(request, yes(request, edited={"amount": float("nan")}), now=T0)

    def test_a_question_cannot_be_approved(self) -> None:
        question = a_question(created_at=T0)
        with pytest.raises(WrongKind):
            decide(question, yes(question), now=T0)


class TestWhoMayDecide:
    COMMANDS = (
        lambda request, by: Approve(by=by, seen=request.fingerprint),
        lambda request, by: Reject(by=by),
        lambda request, by: Answer(by=by, text="no"),
        lambda request, by: RequestChanges(by=by, feedback="less"),
    )

    @pytest.mark.parametrize("make", COMMANDS)
    @pytest.mark.parametrize("barred", Barred)
    def test_barred_people_decide_nothing(self, make: Any, barred: Barred) -> None:
        request = a_request()
        with pytest.raises(NotQualified) as caught:
            decide(request, make(request, a_person(barred=barred)), now=T0)
        assert caught.value.barred is barred

    @pytest.mark.parametrize("make", COMMANDS)
    def test_who_is_no_approver_decides_nothing(self, make: Any) -> None:
        request = a_request(terms=terms(approvers=("U0KIM",)))
        with pytest.raises(NotQualified) as caught:
            decide(request, make(request, ANA), now=T0)
        assert caught.value.barred is None

    @pytest.mark.parametrize("make", COMMANDS)
    def test_who_it_is_for_decides_nothing(self, make: Any) -> None:
        request = a_request(on_behalf_of=PersonId("U0ANA"))
        with pytest.raises(OwnRequest):
            decide(request, make(request, ANA), now=T0)
        assert decide(request, make(request, KIM), now=T0).by == KIM.actor

    def test_a_rule_may_let_who_it_is_for_decide_with_a_reason(self) -> None:
        request = a_request(on_behalf_of=PersonId("U0ANA"), terms=terms(self_approval=True))
        with pytest.raises(NothingSaid):
            decide(request, Approve(by=ANA, seen=request.fingerprint), now=T0)
        aloud = Approve(by=ANA, seen=request.fingerprint, note="nobody else is awake, and it burns")
        assert decide(request, aloud, now=T0).word == "approved"

    def test_a_yes_counts_no_more_once_its_giver_may_not_decide(self) -> None:
        request = a_request(terms=terms(quorum=2))
        once = after(request, Approve(by=ANA, seen=request.fingerprint))
        second = Approve(by=KIM, seen=request.fingerprint, gone=frozenset({ANA.id}))
        left = after(once, second)
        assert (left.status, [vote.person for vote in left.votes]) == (Status.PENDING, [KIM.id])

    def test_a_rule_may_let_guests_decide_and_nobody_else_who_is_barred(self) -> None:
        request = a_request(terms=terms(guests=True))
        assert decide(request, Reject(by=a_person(barred=Barred.GUEST)), now=T0).word == "rejected"
        with pytest.raises(NotQualified):
            decide(request, Reject(by=a_person(barred=Barred.EXTERNAL)), now=T0)

    def test_a_refused_attempt_is_recorded_and_changes_nothing(self) -> None:
        request = a_request()
        note = RecordRefusal(by=ANA.actor, attempted="approve", reason="a guest")
        refused = after(request, note)
        assert refused == evolve(request, decide(request, note, now=T0 + SECOND))
        assert (refused.version, refused.trail, refused.status) == (2, request.trail, request.status)
        assert after(approved(), note).status is Status.APPROVED


class TestSayingNo:
    def test_one_no_ends_it_with_feedback(self) -> None:
        outcome = outcome_of(after(a_request(terms=TWO), Reject(by=ANA, feedback="Too much.")))
        assert outcome is not None
        assert (outcome.status, outcome.text, outcome.args) == (OutcomeStatus.REJECTED, "Too much.", None)

    def test_empty_feedback_is_none(self) -> None:
        decision = after(a_request(), Reject(by=ANA, feedback="")).decision
        assert decision is not None
        assert decision.text is None

    def test_whoever_voted_yes_may_still_say_no(self) -> None:
        request = a_request(terms=TWO)
        assert after(request, yes(request), Reject(by=ANA)).status is Status.REJECTED

    def test_a_person_may_answer_instead_of_the_tool(self) -> None:
        outcome = outcome_of(after(a_request(), Answer(by=ANA, text="Already refunded.")))
        assert outcome is not None
        assert (outcome.status, outcome.text) == (OutcomeStatus.ANSWERED, "Already refunded.")

    def test_an_answer_given_on_a_card_is_to_what_it_showed(self) -> None:
        request = a_request()
        answer = Answer(by=ANA, text="ok", seen=request.fingerprint)
        with pytest.raises(ArgumentsChanged):
            decide(after(request, Revise(args=LESS)), answer, now=T0)

    def test_an_answer_needs_words(self) -> None:
        with pytest.raises(NothingSaid):
            decide(a_request(), Answer(by=ANA, text=" \n"), now=T0)


class TestQuestions:
    def test_one_of_the_options_answers_it(self) -> None:
        assert after(a_question(created_at=T0), Answer(by=ANA, text="eu")).status is Status.ANSWERED

    def test_nothing_else_does_unless_free_text_is_welcome(self) -> None:
        with pytest.raises(NotAnOption):
            decide(a_question(created_at=T0), Answer(by=ANA, text="asia"), now=T0)
        free = a_question(created_at=T0, args=QUESTION | {"free_text": True})
        assert after(free, Answer(by=ANA, text="asia")).status is Status.ANSWERED

    @pytest.mark.parametrize("args", [{}, {"options": []}, {"options": "eu"}, {"options": None}])
    def test_one_without_options_can_always_be_answered(self, args: Args) -> None:
        question = a_question(created_at=T0, args=args | {"question": "Where?", "free_text": False})
        assert after(question, Answer(by=ANA, text="here")).status is Status.ANSWERED


class TestSendingBack:
    def test_it_stays_open_with_its_agent(self) -> None:
        back = after(a_request(), RequestChanges(by=ANA, feedback="At most 900."))
        outcome = outcome_of(back)
        assert (back.is_pending, back.round) == (True, 1)
        assert outcome is not None
        assert (outcome.status, outcome.text) == (OutcomeStatus.CHANGES_REQUESTED, "At most 900.")

    def test_until_it_is_revised_there_is_nothing_to_decide_but_no(self) -> None:
        request = a_request()
        back = after(request, RequestChanges(by=ANA, feedback="less"))
        for command in (yes(request), Answer(by=ANA, text="x"), RequestChanges(by=KIM, feedback="x")):
            with pytest.raises(WithAgent):
                decide(back, command, now=T0)
        assert after(back, Reject(by=KIM)).status is Status.REJECTED

    def test_a_revision_is_asked_anew(self) -> None:
        request = a_request(terms=TWO)
        back = after(request, yes(request, edited=LESS), RequestChanges(by=KIM, feedback="less"))
        revised = after(back, Revise(args=REFUND | {"amount": 1}, reason="as you said"))
        assert (revised.votes, revised.sent_back, revised.asked_args) == ((), None, None)
        assert (revised.reason, outcome_of(revised)) == ("as you said", None)

    def test_a_revision_without_a_reason_keeps_the_first(self) -> None:
        request = a_request()
        assert after(request, Revise(args=LESS)).reason == request.reason

    def test_sending_back_needs_words(self) -> None:
        with pytest.raises(NothingSaid):
            decide(a_request(), RequestChanges(by=ANA, feedback=" "), now=T0)

    def test_a_revision_to_what_is_not_json_is_invalid(self) -> None:
        with pytest.raises(InvalidCall):
            decide(a_request(), Revise(args={"a": (1,)}), now=T0)


class TestTheDeadline:
    def test_a_late_click_expires_the_request(self) -> None:
        request = a_request()
        for command in (yes(request), Reject(by=ANA), Revise(args=LESS), Expire()):
            event = decide(request, command, now=deadline_of(request))
            assert (event.word, event.by.id) == ("expired", "timer")

    def test_it_is_not_due_a_moment_before(self) -> None:
        request = a_request()
        with pytest.raises(NotDue):
            decide(request, Expire(), now=deadline_of(request) - timedelta(microseconds=1))

    def test_without_a_deadline_it_waits_for_ever(self) -> None:
        request = a_request(terms=terms(deadline_s=None))
        assert next_due(request) is None
        assert decide(request, yes(request), now=T0 + timedelta(days=10_000)).word == "approved"

    def test_silence_approves_where_the_policy_says_so(self) -> None:
        request = a_request(terms=SILENT_YES)
        event = decide(request, Expire(was_shown=True), now=deadline_of(request))
        assert (event.word, event.by.id) == ("approved", "timer")

    def test_silence_approves_nothing_that_nobody_could_see(self) -> None:
        request = a_request(terms=SILENT_YES)
        event = decide(request, Expire(was_shown=False), now=deadline_of(request))
        assert (event.word, event.by.id) == ("expired", "timer")

    def test_only_the_clock_gives_silence_its_yes(self) -> None:
        request = a_request(terms=SILENT_YES)
        for command in (yes(request), Reject(by=ANA), Revise(args=LESS)):
            with pytest.raises(DeadlinePassed):
                decide(request, command, now=deadline_of(request))

    @pytest.mark.parametrize(
        "command",
        [
            Revise(args=LESS),
            RequestChanges(by=ANA, feedback="less"),
            Approve(by=ANA, seen=a_request().fingerprint, edited=LESS),
        ],
    )
    def test_silence_approves_nothing_that_was_not_open_unchanged_all_the_time(
        self, command: Command
    ) -> None:
        request = after(a_request(terms=terms(quorum=2, on_deadline=OnDeadline.APPROVE)), command)
        assert decide(request, Expire(was_shown=True), now=deadline_of(request)).word == "expired"

    def test_silence_does_not_answer_questions(self) -> None:
        question = a_question(created_at=T0, terms=SILENT_YES)
        assert decide(question, Expire(), now=deadline_of(question)).word == "expired"

    def test_what_nobody_could_see_is_not_approved_by_silence(self) -> None:
        request = a_request(terms=SILENT_YES)
        event = decide(request, GiveUp(reason="#approvals is archived"), now=deadline_of(request))
        assert event.word == "undeliverable"

    def test_what_its_agent_took_back_is_not_approved_by_silence(self) -> None:
        request = a_request(terms=SILENT_YES)
        assert decide(request, Cancel(), now=deadline_of(request)).word == "cancelled"


class TestTheOtherEnds:
    def test_its_agent_may_take_it_back(self) -> None:
        outcome = outcome_of(after(a_request(), Cancel(reason="done by hand")))
        assert outcome is not None
        assert (outcome.status, outcome.text) == (OutcomeStatus.CANCELLED, "done by hand")
        assert not outcome.undeliverable

    def test_what_cannot_be_shown_to_anyone_ends_and_says_so(self) -> None:
        outcome = outcome_of(after(a_request(), GiveUp(reason="#approvals is archived")))
        assert outcome is not None
        assert (outcome.undeliverable, outcome.text) == (True, "#approvals is archived")

    @pytest.mark.attack("B51")
    @pytest.mark.parametrize(
        "first", [Cancel(), Reject(by=KIM), GiveUp(reason="x"), Answer(by=KIM, text="x")]
    )
    def test_it_ends_once(self, first: Command) -> None:
        request = a_request()
        ended = after(request, first)
        for command in (
            yes(request),
            Reject(by=ANA),
            Answer(by=ANA, text="x"),
            RequestChanges(by=ANA, feedback="x"),
            Revise(args=LESS),
            Cancel(),
            GiveUp(reason="x"),
            Expire(),
        ):
            with pytest.raises(AlreadyResolved):
                decide(ended, command, now=T0 + timedelta(days=1))


class TestUsingAnApproval:
    def test_it_is_claimed_once_and_reported_once(self) -> None:
        claimed = after(approved(), Claim())
        assert (claimed.status, claimed.claimed_at) == (Status.EXECUTING, T0 + SECOND)
        with pytest.raises(NotClaimable):
            decide(claimed, Claim(), now=T0)
        done = after(claimed, Report(ok=True, result="re_81f", duration_ms=800))
        assert done.status is Status.EXECUTED
        assert done.receipt is not None
        assert (done.receipt.ok, done.receipt.result, done.receipt.duration_ms) == (True, "re_81f", 800)
        with pytest.raises(NotClaimable):
            decide(done, Report(ok=False), now=T0)

    def test_a_failure_is_reported_as_one(self) -> None:
        failed = after(approved(), Claim(), Report(ok=False, result="ValueError: no such customer"))
        assert failed.status is Status.FAILED
        assert failed.receipt is not None
        assert not failed.receipt.ok

    @pytest.mark.parametrize("request_", [a_request(), after(a_request(), Reject(by=ANA))])
    def test_nothing_else_can_be_claimed_or_reported(self, request_: Request) -> None:
        for command in (Claim(), Report(ok=True), Lapse()):
            with pytest.raises(NotClaimable):
                decide(request_, command, now=T0 + timedelta(days=1))

    def test_an_approval_that_is_not_used_lapses_a_grace_after_its_permit(self) -> None:
        request = approved()
        assert request.claim_by == T0 + SECOND + timedelta(hours=1)
        due = request.claim_by + CLAIM_GRACE
        with pytest.raises(NotDue):
            decide(request, Lapse(), now=due - timedelta(microseconds=1))
        assert after(request, Lapse(), now=due).status is Status.LAPSED

    def test_a_claim_that_was_under_way_when_it_lapsed_still_counts(self) -> None:
        lapsed = after(approved(), Lapse(), now=T0 + timedelta(hours=2))
        assert after(lapsed, Claim(), Report(ok=True)).status is Status.EXECUTED

    def test_an_agent_that_asks_again_later_still_hears_that_it_was_approved(self) -> None:
        request = approved()
        told = outcome_of(request)
        for later in (
            after(request, Claim()),
            after(request, Claim(), Report(ok=True)),
            after(request, Claim(), Report(ok=False)),
            after(request, Lapse(), now=T0 + timedelta(hours=2)),
        ):
            assert outcome_of(later) == told
            assert permit_of(later) is None

    def test_the_permit_is_for_the_approved_call_until_it_lapses(self) -> None:
        request = a_request()
        edited = after(request, yes(request, edited=LESS))
        permit = permit_of(edited)
        assert permit is not None
        assert (permit.args, permit.fingerprint, permit.expires_at) == (
            LESS,
            edited.fingerprint,
            edited.claim_by,
        )
        assert permit_of(request) is None


class TestTheClock:
    def test_it_says_what_is_due(self) -> None:
        request = a_request()
        assert due_command(request, now=T0) is None
        assert due_command(request, now=deadline_of(request)) == Expire()
        assert due_command(approved(), now=T0 + timedelta(hours=2)) == Lapse()

    def test_what_it_says_is_never_refused(self) -> None:
        for request in (a_request(), approved()):
            due = next_due(request)
            assert due is not None
            command = due_command(request, now=due)
            assert command is not None
            assert decide(request, command, now=due).by.id == "timer"

    def test_what_has_ended_is_forgotten_after_its_retention(self) -> None:
        ended = after(a_request(terms=terms(retention_s=60)), Cancel())
        due = next_due(ended)
        assert due == T0 + SECOND + timedelta(seconds=60)
        assert due_command(ended, now=due) is None
        assert not is_to_be_forgotten(ended, now=due - timedelta(microseconds=1))
        assert is_to_be_forgotten(ended, now=due)

    @pytest.mark.parametrize("request_", [a_request(), approved()])
    def test_what_is_open_is_never_forgotten(self, request_: Request) -> None:
        assert not is_to_be_forgotten(request_, now=T0 + timedelta(days=10_000))


class TestTheTrail:
    def test_it_tells_what_happened_and_not_what_was_refused(self) -> None:
        request = a_request(terms=TWO)
        told = after(
            request, yes(request), RecordRefusal(by=ANA.actor, attempted="x", reason="y"), Reject(by=KIM)
        )
        assert [line.word for line in told.trail] == ["voted", "rejected"]

    def test_it_stays_short_however_often_an_agent_revises(self) -> None:
        request = a_request()
        long = after(request, *(Revise(args=LESS, reason="x" * 16_000) for _ in range(TRAIL_LINES + 10)))
        assert len(long.trail) == TRAIL_LINES
        assert {len(line.text or "") for line in long.trail} == {TRAIL_TEXT_CHARS}
        assert long.version == 1 + TRAIL_LINES + 10

    def test_every_refusal_says_why_and_about_what(self) -> None:
        request = after(a_request(), Cancel())
        with pytest.raises(Refusal, match=f"{request.id}: already cancelled"):
            decide(request, Cancel(), now=T0)

    def test_kinds_are_told_apart_in_refusals(self) -> None:
        question = a_question(created_at=T0)
        assert question.kind is Kind.QUESTION
        with pytest.raises(WrongKind, match="a question can't be met with 'approve'"):
            decide(question, yes(question), now=T0)
