"""What people, agents, the clock and a freeze do to one request, in any order, as hypothesis wants it.

The promises that hold all the while are in test_machine_properties.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from approvals.clock import due_command
from approvals.commands import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Climb,
    Command,
    Expire,
    Extend,
    Follow,
    GiveUp,
    Hold,
    Join,
    Lapse,
    LookAt,
    Override,
    Part,
    RecordRefusal,
    Redirect,
    Reject,
    Release,
    Report,
    RequestChanges,
    Revise,
    Snooze,
    TakeBack,
)
from approvals.errors import Refusal
from approvals.events import Event
from approvals.evolution import evolve
from approvals.ids import new_id
from approvals.machine import begin, decide
from approvals.messages import Outcome
from approvals.model import (
    CHANNEL,
    Action,
    Actor,
    Args,
    Barred,
    Decision,
    Fingerprint,
    Freeze,
    Kind,
    OnDeadline,
    Person,
    PersonId,
    Principal,
    Reach,
    Remind,
    Request,
    RequestId,
    Status,
    Step,
)
from approvals.quorum import approvers_of
from tests.builders import T0, a_person, a_question, a_request, terms

# Small pools, so that the same person, the same args and the same second come up again and again.
DIRECTOR, BOSS = Principal("S0DIRECTORS"), Principal("U0ANA")
REQUESTER = PersonId("U0KIM")
ANA, KIM, LEE = (
    a_person(id=PersonId(id), principals=frozenset({CHANNEL, DIRECTOR, Principal(id)}))
    for id in ("U0ANA", "U0KIM", "U0LEE")
)
DEPUTY = a_person(  # of Ana, who is away: may decide in her place, but break no glass
    id=PersonId("U0DEP"),
    principals=frozenset({CHANNEL, DIRECTOR, BOSS}),
    lent=frozenset({DIRECTOR, BOSS}),
    stands_for=(ANA.id,),
)
PEOPLE = [
    *(ANA, KIM, LEE, DEPUTY),
    a_person(id=PersonId("U0MAX")),
    a_person(id=PersonId("U0OUT"), principals=frozenset()),
    a_person(id=PersonId("U0GUS"), barred=Barred.GUEST),
    a_person(id=PersonId("U0EVE"), barred=Barred.EXTERNAL),
]
ARGS: list[Args] = [{"amount": 1}, {"amount": 2}, {"amount": 2.0}]
GONE = GiveUp(reason="#approvals is archived")
LADDER = (Step(after_s=4, remind=Remind.THREAD), Step(after_s=8, add=(CHANNEL,)))
LEADER, TWINS = new_id(), [new_id(), new_id()]
LEE_FREEZES = Actor(id="slack:U0LEE", name="Lee Park")
PERSON, REGULAR, CALL = st.sampled_from(PEOPLE), st.sampled_from(PEOPLE[:4]), st.sampled_from(ARGS)
WORDS = st.sampled_from(["", " ", "eu", "less"])
SECONDS = st.sampled_from([0, 1, 5, 10])


class LifeOfARequest(RuleBasedStateMachine):
    @initialize(
        kind=st.sampled_from([*[Kind.ACTION] * 4, Kind.QUESTION]),
        action=st.sampled_from([*[Action.ASK] * 8, Action.ALLOW, Action.DENY]),
        twin_of=st.sampled_from([None, None, LEADER]),
        on_behalf_of=st.sampled_from([None, REQUESTER]),
        agreed=st.fixed_dictionaries(
            {
                "approvers": st.sampled_from([(CHANNEL,), (DIRECTOR,)]),
                "quorum": st.sampled_from([1, 2, 2, 3]),
                "rejections": st.sampled_from([1, 1, 2]),
                "deadline_s": st.sampled_from([None, 10, 20]),
                "on_deadline": st.sampled_from(OnDeadline),
                "self_approval": st.booleans(),
                "guests": st.booleans(),
                "extend_s": st.sampled_from([0, 10]),
                "override": st.sampled_from([(), (BOSS,), (DIRECTOR,)]),
                "ladder": st.sampled_from([(), LADDER]),
            }
        ),
    )
    def submit(
        self,
        kind: Kind,
        action: Action,
        twin_of: RequestId | None,
        on_behalf_of: PersonId | None,
        agreed: dict[str, Any],
    ) -> None:
        is_action = kind is Kind.ACTION
        wanted = terms(action=action if is_action else Action.ASK, use_within_s=10, **agreed)
        make = a_request if is_action else a_question
        changes: dict[str, Any] = {"args": ARGS[0]} if is_action else {}
        if is_action and action is Action.ASK:
            changes["twin_of"] = twin_of
        self.first: Request = make(terms=wanted, created_at=T0, on_behalf_of=on_behalf_of, **changes)
        self.now: datetime = T0
        self.freeze: Freeze | None = None
        self.seen: list[Fingerprint] = [self.first.fingerprint]
        self.yes: dict[PersonId, Fingerprint] = {}  # what each person last said yes to
        self.followed: Decision | None = None  # what was decided for it on another's card
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
        """Whether it was let through as what it is, and not as the deadline that it came too late for."""
        try:
            event = decide(self.request, command, now=self.now, freeze=self.freeze)
        except Refusal as refusal:
            assert str(refusal)
            return False
        is_theirs = by is not None and event.by == by.actor
        if (
            by is not None
            and is_theirs
            and isinstance(command, Approve | Reject | Answer | Redirect | Extend | Snooze)
        ):
            self._check_time_and_person(by, command)
        self._happened(event)
        return is_theirs

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        self.before, self.request = self.request, evolve(self.request, event)
        self.freeze_then = self.freeze
        self.seen = [*dict.fromkeys([*self.seen, self.request.fingerprint])]

    def _check_time_and_person(self, by: Person, command: Command) -> None:
        """A person's word counts only in time, if nothing is frozen, and if they may decide it by now."""
        terms = self.request.terms
        assert self.request.deadline is None or self.now < self.request.deadline
        assert by.principals & approvers_of(self.request)
        assert by.barred is None or (by.barred is Barred.GUEST and terms.guests)
        assert by.id != self.request.on_behalf_of or terms.self_approval
        assert self.freeze is None or isinstance(command, Extend | Snooze)

    def _known(self, by: Person) -> Person:
        """As the desk knows them: nobody stands in for who has had their say."""
        said = {vote.person for vote in (*self.request.votes, *self.request.objections)}
        if not said & set(by.stands_for):
            return by
        return replace(by, principals=by.principals - by.lent, lent=frozenset(), stands_for=())

    # -- what people do

    @rule(by=PERSON, edited=st.none() | CALL, data=st.data())
    def approve(self, by: Person, edited: Args | None, data: st.DataObject) -> None:
        seen = data.draw(st.sampled_from(self.seen))
        shown = self.request.fingerprint
        if self._try(Approve(by=self._known(by), seen=seen, edited=edited), by):
            assert seen == shown, "a click on another call than the present one was let through"
            self.yes[by.id] = self.request.fingerprint

    @rule(by=REGULAR, edited=st.none() | CALL)
    def approve_what_is_shown(self, by: Person, edited: Args | None) -> None:
        if self._try(Approve(by=self._known(by), seen=self.request.fingerprint, edited=edited), by):
            self.yes[by.id] = self.request.fingerprint

    @rule(
        by=PERSON,
        edited=CALL,
        quorum=st.sampled_from([1, 2, 3]),
        approvers=st.sampled_from([CHANNEL, DIRECTOR]),
        data=st.data(),
    )
    def redirect(
        self, by: Person, edited: Args, quorum: int, approvers: Principal, data: st.DataObject
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
        by = self._known(by)
        commands: list[Command] = [
            Answer(by=by, text=words, seen=seen),
            Reject(by=by, feedback=words),
            RequestChanges(by=by, feedback=words),
        ]
        self._try(data.draw(st.sampled_from(commands)), by)

    @rule(by=PERSON, seconds=SECONDS, kind=st.sampled_from([Extend, Snooze]))
    def put_off(self, by: Person, seconds: int, kind: type[Extend | Snooze]) -> None:
        self._try(kind(by=by, seconds=seconds), by)

    @rule(by=PERSON, reason=WORDS, data=st.data())
    @precondition(lambda self: self.is_old)
    def override(self, by: Person, reason: str, data: st.DataObject) -> None:
        seen, before = data.draw(st.sampled_from(self.seen)), self.request
        if self._try(Override(by=by, seen=seen, reason=reason), by):
            assert (by.principals - by.lent) & set(before.terms.override), "only those named, in person"
            assert (seen, by.barred, self.freeze) == (before.fingerprint, None, None)
            assert reason.strip()

    @rule(by=REGULAR)
    @precondition(lambda self: self.first.terms.override)
    def break_the_glass(self, by: Person) -> None:
        before = self.request
        if self._try(Override(by=by, seen=before.fingerprint, reason="it burns"), by):
            assert (by.principals - by.lent) & set(before.terms.override)

    @rule(by=PERSON)
    @precondition(lambda self: not self.request.is_pending)
    def take_back(self, by: Person) -> None:
        before = self.request
        if self._try(TakeBack(by=by), by):
            assert before.status is Status.APPROVED
            assert by.id in self.yes or (before.decision is not None and before.decision.by == by.actor)

    @rule(by=REGULAR)
    @precondition(lambda self: not self.request.is_pending)
    def look_at(self, by: Person) -> None:
        before = self.request.decision
        if self._try(LookAt(by=by), by):
            assert before is not None
            assert before.word in ("expired", "overridden")
            assert before.by != by.actor, "whoever broke the glass has looked at it"

    @rule(by=PERSON)
    def record_a_refusal(self, by: Person) -> None:
        before = self.request
        self._try(RecordRefusal(by=by.actor, attempted="approve", reason="a guest"), by)
        assert replace(self.request, version=before.version) == before

    # -- what the agent, the service and the clock do

    @rule(args=CALL, action=st.sampled_from([None, None, None, Action.ASK, Action.DENY]))
    def revise(self, args: Args, action: Action | None) -> None:
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

    @rule()
    def somebody_freezes_or_thaws(self) -> None:
        if self.freeze is None:
            self.freeze = Freeze(reach=Reach.ALL, by=LEE_FREEZES, at=self.now)
        else:
            self.freeze = None
        self.the_freeze_is_carried_out()

    @rule()
    def the_freeze_is_carried_out(self) -> None:
        self._try(Release() if self.freeze is None else Hold(freeze=self.freeze))

    @rule(command=st.sampled_from([*(Join(twin=twin) for twin in TWINS), Part()]))
    def share_a_card(self, command: Join | Part) -> None:
        self._try(command)

    @rule(
        word=st.sampled_from(["approved", "edited", "rejected", "answered", "expired"]), args=CALL, by=REGULAR
    )
    @precondition(lambda self: self.first.twin_of is not None)
    def the_shared_card_is_decided(self, word: str, args: Args, by: Person) -> None:
        decision = Decision(word=word, by=by.actor, at=self.now, text="so")
        before = self.request
        if self._try(Follow(decision=decision, args=args), by):
            assert before.is_pending and before.twin_of is not None
            assert self.freeze is None and word != "expired"
            assert before.deadline is None or self.now < before.deadline
            self.followed = decision

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_timer_comes(self) -> None:
        due = due_command(self.request, now=self.now)
        if due is not None:
            version = self.request.version
            self._try(due)
            is_still = isinstance(due, Climb) and self.freeze is not None
            assert self.request.version == version + (not is_still), "what the clock wants is never refused"

    @rule()
    def the_timer_comes_early(self) -> None:
        self._try(Climb())
