"""The promises as invariants: whatever people, agents and the clock do, in any order, these hold."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from approvals.clock import due_command, next_due
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
    Redirect,
    Reject,
    Report,
    RequestChanges,
    Revise,
)
from approvals.errors import Refusal
from approvals.events import Event
from approvals.evolution import evolve
from approvals.machine import begin, decide
from approvals.messages import Outcome, OutcomeStatus, outcome_of, permit_of
from approvals.model import (
    CHANNEL,
    Action,
    Barred,
    Fingerprint,
    Kind,
    OnDeadline,
    Person,
    PersonId,
    Principal,
    Request,
    Status,
)
from tests.builders import T0, a_person, a_question, a_request, terms

# Small pools, so that the same person, the same args and the same second come up again and again.
DIRECTOR = Principal("S0DIRECTORS")
REQUESTER = PersonId("U0KIM")
PEOPLE = [
    *(
        a_person(id=PersonId(id), principals=frozenset({CHANNEL, DIRECTOR}))
        for id in ("U0ANA", "U0KIM", "U0LEE")
    ),
    a_person(id=PersonId("U0MAX")),
    a_person(id=PersonId("U0OUT"), principals=frozenset()),
    a_person(id=PersonId("U0GUS"), barred=Barred.GUEST),
    a_person(id=PersonId("U0EVE"), barred=Barred.EXTERNAL),
]
ARGS = [{"amount": 1}, {"amount": 2}, {"amount": 2.0}]
ENDS = {"allowed", "denied", "approved", "edited", "rejected"}
ENDS |= {"answered", "expired", "cancelled", "undeliverable"}
GONE = GiveUp(reason="#approvals is archived")
PERSON = st.sampled_from(PEOPLE)
CALL = st.sampled_from(ARGS)
WORDS = st.sampled_from(["", " ", "eu", "less"])


class LifeOfARequest(RuleBasedStateMachine):
    @initialize(
        kind=st.sampled_from([*[Kind.ACTION] * 4, Kind.QUESTION]),
        action=st.sampled_from([*[Action.ASK] * 8, Action.ALLOW, Action.DENY]),
        approvers=st.sampled_from([CHANNEL, DIRECTOR]),
        quorum=st.sampled_from([1, 2, 2, 3]),
        deadline_s=st.sampled_from([None, 10, 20]),
        on_deadline=st.sampled_from(OnDeadline),
        own_and_guests=st.tuples(st.booleans(), st.booleans()),
        on_behalf_of=st.sampled_from([None, REQUESTER]),
    )
    def submit(
        self,
        kind: Kind,
        action: Action,
        approvers: Principal,
        quorum: int,
        deadline_s: int | None,
        on_deadline: OnDeadline,
        own_and_guests: tuple[bool, bool],
        on_behalf_of: PersonId | None,
    ) -> None:
        agreed = terms(
            action=Action.ASK if kind is Kind.QUESTION else action,
            approvers=(approvers,),
            quorum=quorum,
            deadline_s=deadline_s,
            on_deadline=on_deadline,
            self_approval=own_and_guests[0],
            guests=own_and_guests[1],
            use_within_s=10,
        )
        make = a_request if kind is Kind.ACTION else a_question
        changes = {"args": ARGS[0]} if kind is Kind.ACTION else {}
        self.first: Request = make(terms=agreed, created_at=T0, on_behalf_of=on_behalf_of, **changes)
        self.now: datetime = T0
        self.seen: list[Fingerprint] = [self.first.fingerprint]
        self.yes: dict[PersonId, Fingerprint] = {}  # what each person last said yes to
        self.final: Outcome | None = None
        submitted, answer = begin(self.first)
        self.events: list[Event] = [submitted]
        self.request = self.first
        self._happened(answer)

    @property
    def is_old(self) -> bool:
        """Whether enough has happened for an end to be worth trying; else most lives would be short."""
        return len(self.events) > 3 or not self.request.is_pending

    def _try(self, command: Command, by: Person | None = None) -> bool:
        try:
            event = decide(self.request, command, now=self.now)
        except Refusal as refusal:
            assert str(refusal)
            return False
        self._check_time_and_person(event, by)
        self._happened(event)
        return by is not None and event.by == by.actor

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        self.request = evolve(self.request, event)
        self.seen = [*dict.fromkeys([*self.seen, self.request.fingerprint])]

    def _check_time_and_person(self, event: Event, by: Person | None) -> None:
        """A person's word counts only in time, and only if the terms name that person."""
        if by is None or event.by != by.actor or event.word == "refused":
            return
        terms = self.request.terms
        assert self.request.deadline is None or self.now < self.request.deadline
        assert by.principals & set(terms.approvers)
        assert by.barred is None or (by.barred is Barred.GUEST and terms.guests)
        assert by.id != self.request.on_behalf_of or terms.self_approval

    # -- what people do

    @rule(by=PERSON, edited=st.none() | CALL, data=st.data())
    def approve(self, by: Person, edited: dict[str, object] | None, data: st.DataObject) -> None:
        seen = data.draw(st.sampled_from(self.seen))
        shown = self.request.fingerprint
        if self._try(Approve(by=by, seen=seen, edited=edited), by):
            assert seen == shown, "a click on another call than the present one was let through"
            self.yes[by.id] = self.request.fingerprint

    @rule(by=st.sampled_from(PEOPLE[:3]), edited=st.none() | CALL)
    def approve_what_is_shown(self, by: Person, edited: dict[str, object] | None) -> None:
        if self._try(Approve(by=by, seen=self.request.fingerprint, edited=edited), by):
            self.yes[by.id] = self.request.fingerprint

    @rule(
        by=PERSON,
        edited=CALL,
        quorum=st.sampled_from([1, 2, 3]),
        approvers=st.sampled_from([CHANNEL, DIRECTOR]),
        data=st.data(),
    )
    def redirect(
        self, by: Person, edited: dict[str, object], quorum: int, approvers: Principal, data: st.DataObject
    ) -> None:
        seen, shown = data.draw(st.sampled_from(self.seen)), self.request.fingerprint
        anew = replace(self.request.terms, quorum=quorum, approvers=(approvers,), rule="anew")
        if self._try(Redirect(by=by, voter=by, seen=seen, edited=edited, terms=anew, note="so"), by):
            assert seen == shown
            assert self.request.terms == anew
            self.yes[by.id] = self.request.fingerprint

    @rule(by=PERSON, words=WORDS, data=st.data())
    @precondition(lambda self: self.is_old)
    def say(self, by: Person, words: str, data: st.DataObject) -> None:
        seen = data.draw(st.sampled_from([None, *self.seen]))
        commands: list[Command] = [
            Answer(by=by, text=words, seen=seen),
            Reject(by=by, feedback=words),
            RequestChanges(by=by, feedback=words),
        ]
        self._try(data.draw(st.sampled_from(commands)), by)

    @rule(by=PERSON)
    def record_a_refusal(self, by: Person) -> None:
        before = self.request
        self._try(RecordRefusal(by=by.actor, attempted="approve", reason="a guest"), by)
        assert (before.status, before.votes, before.trail) == (
            self.request.status,
            self.request.votes,
            self.request.trail,
        )

    # -- what the agent, the service and the clock do

    @rule(args=CALL, action=st.sampled_from([None, None, None, Action.ASK, Action.DENY]))
    def revise(self, args: dict[str, object], action: Action | None) -> None:
        anew = None if action is None else replace(self.request.terms, action=action, quorum=2)
        self._try(Revise(args=args, terms=anew))

    @rule(
        command=st.sampled_from(
            [Claim(), Report(ok=True), Report(ok=False), Lapse(), Expire(was_shown=True), Cancel(), GONE]
        )
    )
    @precondition(lambda self: self.is_old)
    def come_at_any_moment(self, command: Command) -> None:
        before = self.request.status
        self._try(command)
        if self.request.status is Status.EXECUTING is not before:
            assert before in (Status.APPROVED, Status.LAPSED)

    @rule(command=st.sampled_from([Claim(), Report(ok=True)]))
    @precondition(lambda self: not self.request.is_pending)
    def use(self, command: Command) -> None:
        self._try(command)

    @rule(seconds=st.sampled_from([0, 1, 5, 10]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_timer_comes(self) -> None:
        due = due_command(self.request, now=self.now)
        if due is not None:
            version = self.request.version
            self._try(due)
            assert self.request.version == version + 1, "what the clock wants is never refused"

    # -- the promises

    @invariant()
    def it_ends_at_most_once(self) -> None:
        ends = [event for event in self.events if event.word in ENDS]
        assert len(ends) <= 1
        assert bool(ends) == (not self.request.is_pending) == (self.request.decision is not None)

    @invariant()
    def it_is_claimed_at_most_once_and_only_after_a_yes(self) -> None:
        words = [event.word for event in self.events]
        assert words.count("claimed") <= 1
        assert words.count("executed") + words.count("failed") <= words.count("claimed")
        if "claimed" in words:
            assert {"allowed", "approved", "edited"} & set(words[: words.index("claimed")])

    @invariant()
    def votes_are_for_exactly_this_call_and_nobody_is_counted_twice(self) -> None:
        voters = [vote.person for vote in self.request.votes]
        assert len(voters) == len(set(voters)) < self.request.terms.quorum
        assert all(self.yes[person] == self.request.fingerprint for person in voters)
        named = {person.id for person in PEOPLE if person.principals & set(self.request.terms.approvers)}
        assert set(voters) <= named, "a yes under earlier terms counts under these"

    @invariant()
    def people_approve_only_as_a_quorum(self) -> None:
        end = self.request.decision
        if end is not None and end.word in ("approved", "edited") and end.by.id.startswith("slack:"):
            voters = {f"slack:{vote.person}" for vote in self.request.votes} | {end.by.id}
            assert len(voters) == self.request.terms.quorum
            assert self.yes[PersonId(end.by.id.removeprefix("slack:"))] == self.request.fingerprint

    @invariant()
    def silence_approves_only_what_was_asked(self) -> None:
        end = self.request.decision
        if end is not None and end.word == "approved" and end.by.id == "timer":
            assert self.request.terms.on_deadline is OnDeadline.APPROVE
            assert self.request.fingerprint == self.first.fingerprint
            changed = {"revised", "redirected", "changes_requested"}
            assert not changed & {event.word for event in self.events}

    @invariant()
    def a_permit_exists_exactly_while_it_is_approved(self) -> None:
        permit = permit_of(self.request)
        assert (permit is not None) == (self.request.status is Status.APPROVED)
        assert permit is None or permit.fingerprint == self.request.fingerprint

    @invariant()
    def the_outcome_never_changes_once_it_is_final(self) -> None:
        outcome = outcome_of(self.request)
        if self.final is not None:
            assert outcome == self.final
        elif outcome is not None and outcome.status is not OutcomeStatus.CHANGES_REQUESTED:
            self.final = outcome
        assert (self.final is None) == self.request.is_pending

    @invariant()
    def the_version_counts_the_events(self) -> None:
        assert self.request.version == len(self.events)

    @invariant()
    def the_events_told_again_give_the_same_request(self) -> None:
        again = self.first
        for event in self.events[1:]:
            again = evolve(again, event)
        assert again == self.request

    @invariant()
    def the_clock_never_forgets_what_is_open(self) -> None:
        if self.request.is_pending and self.request.deadline is not None:
            assert next_due(self.request) == self.request.deadline


TestLifeOfARequest = LifeOfARequest.TestCase
TestLifeOfARequest.settings = settings(max_examples=400, stateful_step_count=25)
