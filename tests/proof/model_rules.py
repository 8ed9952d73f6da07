"""The rules that the model plays by: the real `decide` and `evolve`, each answer kept.

A request is a number here. What can't make a difference to what follows is left out of it (its version, its
trail): test_model.py checks that this is so. Versions are not needed, because the model knows who is stale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from approvals import store, wire
from approvals.canonical import fingerprint
from approvals.clock import due_command
from approvals.commands import (
    Approve,
    Cancel,
    Claim,
    Command,
    Expire,
    Hold,
    Reject,
    Release,
    Report,
    Revise,
    TakeBack,
)
from approvals.errors import AlreadyResolved, NotClaimable, Refusal
from approvals.events import Event
from approvals.evolution import evolve
from approvals.machine import TIMER, begin, decide
from approvals.model import Action, Actor, Args, Freeze, Person, PersonId, Reach, Request, Status, Terms
from bot import desk
from bot.payloads import Who
from tests.builders import T0, a_person, a_request

CALLS: tuple[Args, ...] = ({"amount": 1}, {"amount": 2})  # what is asked for first; what it may become
PRINTS = tuple(fingerprint("refund", call) for call in CALLS)
# Before the deadline; after it; when no approval from before is of use any more; and again.
TIMES = (
    *(T0 + timedelta(minutes=1), T0 + timedelta(minutes=60, seconds=30)),
    *(T0 + timedelta(hours=4), T0 + timedelta(hours=8)),
)
DEADLINE_S = USE_WITHIN_S = 3600
ANA, KIM, OUT = 0, 1, 2
PEOPLE: tuple[Person, ...] = (
    a_person(id=PersonId("U0ANA"), name="Ana"),
    a_person(id=PersonId("U0KIM"), name="Kim"),
    a_person(id=PersonId("U0OUT"), name="Out", principals=frozenset()),  # whom no rule names
)
FREEZE = Freeze(reach=Reach.ALL, by=Actor(id="slack:U0LEE", name="Lee"), at=T0)

KEEPS, DELETES, MUST_BE_THERE = -1, -2, -3  # what becomes of the permit; 0 or 1: it is given, for that call


class Answer(NamedTuple):
    """What a command causes; `word` None: it is refused, and `after` is what it was."""

    word: str | None
    after: int
    permit: int = KEEPS
    is_same: bool = False  # refused, but this very person had decided this very thing before
    is_end: bool = False
    by_timer: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What the model must know about a request without asking the rules."""

    status: Status
    call: int
    voters: frozenset[int]
    word: str
    decided_by: str
    decided_early: bool
    was_claimed: bool
    has_receipt: bool
    gone_in: int  # the phase from which on its permit is gone by itself


class Rules:
    """One set of terms, and all answers that were needed so far."""

    def __init__(self, terms: Terms, decides: Decides | None = None, evolves: Evolves = evolve) -> None:
        self._decide: Decides = decides or decide
        self._evolve = evolves
        self._requests: list[Request] = []
        self._numbers: dict[str, int] = {}
        self._answers: dict[tuple[int, str, int, int, bool], Answer] = {}
        self.known: list[Known] = []
        asked = a_request(args=CALLS[0], terms=terms, created_at=T0)
        self.first = self.number(evolve(asked, begin(asked)[1]))

    def number(self, request: Request) -> int:
        """The model's number for what matters of a request."""
        first = self._requests[0] if self._requests else request
        bare = replace(request, id=first.id, short=first.short, version=0, trail=())
        text = wire.write(wire.REQUEST, bare)
        if text not in self._numbers:
            self._numbers[text] = len(self._requests)
            self._requests.append(bare)
            self.known.append(_known(bare))
        return self._numbers[text]

    def request(self, number: int) -> Request:
        return self._requests[number]

    def answer(self, number: int, verb: str, person: int, phase: int, is_frozen: bool = False) -> Answer:
        key = (number, verb, person, phase, is_frozen)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._worked_out(*key)
        return found

    def due(self, number: int, phase: int) -> str | None:
        """What the clock wants of it."""
        command = due_command(self._requests[number], now=TIMES[phase])
        return None if command is None else type(command).__name__.lower()

    @staticmethod
    def command(request: Request, verb: str, by: Person, phase: int) -> Command | None:
        """What the verb means; the clock's verbs mean what it wants of this request by then, if anything."""
        if verb in COMMANDS:
            return COMMANDS[verb](by)
        command = due_command(request, now=TIMES[phase])
        return Expire(was_shown=True) if isinstance(command, Expire) else command

    @staticmethod
    def freeze(is_frozen: bool) -> Freeze | None:
        return FREEZE if is_frozen else None

    def _worked_out(self, number: int, verb: str, person: int, phase: int, is_frozen: bool) -> Answer:
        before, by = self._requests[number], PEOPLE[person]
        command = self.command(before, verb, by, phase)
        if command is None:
            return Answer(None, number)
        try:
            event = self._decide(before, command, now=TIMES[phase], freeze=self.freeze(is_frozen))
        except Refusal as refusal:
            return Answer(None, number, is_same=_is_same(refusal, before, by, verb))
        after = self._evolve(before, event)
        return Answer(
            event.word,
            self.number(after),
            permit=_permit(before, after),
            is_end=before.is_pending and not after.is_pending,
            by_timer=event.by == TIMER,
        )


Decides = Callable[..., Event]
Evolves = Callable[[Request, Event], Request]

COMMANDS: dict[str, Callable[[Person], Command]] = {
    "approve": lambda by: Approve(by=by, seen=PRINTS[0]),
    "approve the revised": lambda by: Approve(by=by, seen=PRINTS[1]),
    "edit": lambda by: Approve(by=by, seen=PRINTS[0], edited=CALLS[1]),
    "reject": lambda by: Reject(by=by),
    "take back": lambda by: TakeBack(by=by),
    "revise": lambda _: Revise(args=CALLS[1]),
    "cancel": lambda _: Cancel(),
    "claim": lambda _: Claim(),
    "receipt": lambda _: Report(ok=True),
    "hold": lambda _: Hold(freeze=FREEZE),
    "release": lambda _: Release(),
}


def _permit(before: Request, after: Request) -> int:
    """What the store's own function makes of it: it is private there, and the model must not have another."""
    text = store._permit(before, after)
    if text in ("", "-", "!"):
        return {"": KEEPS, "-": DELETES, "!": MUST_BE_THERE}[text]
    return PRINTS.index(after.fingerprint)


def _is_same(refusal: Refusal, request: Request, by: Person, verb: str) -> bool:
    """Whether the desk tells this person that it is recorded, since it was, by themselves."""
    who = Who(id=by.id, team=None)
    if isinstance(refusal, AlreadyResolved):
        return desk._did_the_same(request, who, "approve" if verb.startswith("approve") else verb)
    is_taken_back = isinstance(refusal, NotClaimable) and request.status is Status.WITHDRAWN
    return verb == "take back" and is_taken_back


def _known(request: Request) -> Known:
    ids = [person.id for person in PEOPLE]
    end = request.decision
    return Known(
        status=request.status,
        call=PRINTS.index(request.fingerprint),
        voters=frozenset(ids.index(vote.person) for vote in request.votes),
        word=end.word if end else "",
        decided_by=end.by.id if end else "",
        decided_early=end is not None and end.at == TIMES[0],
        was_claimed=request.claimed_at is not None,
        has_receipt=request.receipt is not None,
        gone_in=next(
            (n for n, at in enumerate(TIMES) if request.claim_by and at >= request.claim_by), len(TIMES)
        ),
    )


def terms_of(**changes: object) -> Terms:
    """What the model's policy says."""
    usual = Terms(
        rule="refunds",
        policy="p",
        action=Action.ASK,
        because="it asks",
        channel="#approvals",
        approvers=(next(iter(PEOPLE[0].principals)),),
        deadline_s=DEADLINE_S,
        use_within_s=USE_WITHIN_S,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # of the tests' own choosing
