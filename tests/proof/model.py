"""The protocol explored whole, and mutants of it that must all be caught.

Each write is on disk before its reply (`appendfsync always`), so a crash of Redis is a lost reply here; below
that class see the mutant that loses its last second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from approvals.commands import Approve, Command
from approvals.errors import AlreadyVoted
from approvals.events import Approved, Event
from approvals.evolution import evolve
from approvals.machine import decide
from approvals.model import OnDeadline, Request
from tests.proof import model_deciding as deciding
from tests.proof import model_posting as posting
from tests.proof.figures import Figures
from tests.proof.model_deciding import CANCEL, REVISE, SUBMIT
from tests.proof.search import Found, Model, explore

DECIDING = deciding.Scope(name="two people, two replicas", agents=0, letters=SUBMIT | REVISE)
SCOPES: tuple[deciding.Scope, ...] = (
    DECIDING.but(clicks=("approve", "approve the revised", "edit", "reject")),
    DECIDING.but(name="a quorum of two", quorum=2, clicks=("approve", "approve the revised", "edit")),
    deciding.Scope(name="a quorum of two and an outsider", quorum=2, has_outsider=True, clicks=("approve",)),
    deciding.Scope(
        name="letters that overtake each other",
        letters=SUBMIT | REVISE | CANCEL,
        clicks=("approve",),
        people=1,
    ),
    deciding.Scope(name="submitted again", submits_again=True, letters=SUBMIT | CANCEL, people=1),
    deciding.Scope(
        name="two processes of the agent, and a take-back",
        agents=2,
        people=1,
        clicks=("approve", "take back"),
        clicks_each=2,
    ),
    deciding.Scope(name="a freeze", people=1, clicks=("approve",), freezes=True, phases=4),
    deciding.Scope(
        name="silence means yes", silence=OnDeadline.APPROVE, letters=SUBMIT | REVISE, people=1, phases=4
    ),
)
NIGHTLY: tuple[deciding.Scope, ...] = (
    DECIDING.but(name="decided and used", clicks=("approve", "approve the revised", "reject"), agents=1),
)
POSTING: tuple[posting.Scope, ...] = (
    posting.Scope(name="cards: kills, lost replies", kills=True, loses_replies=True, versions=4, attempts=5),
    posting.Scope(name="cards: late posts", kills=True, loses_replies=True, delays=True, attempts=4),
    posting.Scope(name="cards: a poster stopped for longer than its lease", stalls=True, kills=True),
)


def run(scale: int) -> list[Figures]:
    scopes = (*SCOPES, *(NIGHTLY if scale > 1 else ()))
    models: list[Model[Any]] = [*map(deciding.model_of, scopes), *map(posting.model_of, POSTING)]
    return [_explored(models), _mutated(list(mutants()))]


def _explored(models: list[Model[Any]]) -> Figures:
    began = time.monotonic()
    found = {model.name: _told(model) for model in models}
    wrongs = tuple(f"{name}: {one.wrong}: {_way(one)}" for name, one in found.items() if one.wrong)
    states, transitions = (
        sum(getattr(one, word) for one in found.values()) for word in ("states", "transitions")
    )
    counts = {"models": len(found), "states": states, "transitions": transitions, "violations": len(wrongs)}
    note = (
        "a poster that is stopped for longer than its lease (10 s) between reading and sending, and then "
        "goes on, may leave a card that shows an earlier state until the request changes; what a click on it "
        "does is judged as ever"
    )
    seconds = time.monotonic() - began
    return Figures(part="model", counts=counts, seconds=seconds, sentences=wrongs, notes=(note,))


def _mutated(models: list[Model[Any]]) -> Figures:
    began = time.monotonic()
    found = {model.name: _told(model) for model in models}
    survivors = tuple(name for name, one in found.items() if not one.wrong)
    counts = {"mutants": len(found), "killed": len(found) - len(survivors), "survived": len(survivors)}
    sentences = tuple(f"nothing is wrong with the mutant: {name}" for name in survivors)
    seconds = time.monotonic() - began
    return Figures(part="mutants of the protocol", counts=counts, seconds=seconds, sentences=sentences)


def _told(model: Model[Any]) -> Found:
    found = explore(model)
    print(f"   {model.name}: {found.states:,} states, {found.transitions:,} transitions", file=sys.stderr)
    if found.wrong:
        print(f"      {found.wrong}: {_way(found)}", file=sys.stderr)
    return found


def _way(found: Found) -> str:
    return " → ".join(found.trace)


# -- mutants ------------------------------------------------------------------------------------------


def mutants() -> Iterator[Model[Any]]:
    """The protocol with one thing left out, each where it can show."""
    two, quorum, _, letters, _, use, freeze, _ = SCOPES
    used = replace(two, agents=1)
    changes: dict[str, deciding.Scope] = {
        "acknowledges first": two,
        "takes letters out first": letters,
        "overtakes": letters,
        "no compare": two,
        "timer without compare": two,
        "writes in two steps": two,
        "permit is read only": use.but(clicks=("approve",)),
        "permit is taken without a watch": use.but(clicks=("approve",)),
        "runs on a lost reply": use.but(clicks=("approve",)),
        "no ! on the permit": use,
        "no look at the freeze": freeze,
    }
    for name, scope in changes.items():
        yield deciding.model_of(scope.but(name=name, mutant=name))
    rules = {
        "no look at the fingerprint": two.but(decides=_any_print),
        "votes are kept over an edit": quorum.but(evolves=_keeping_votes),
        "a person counts twice": quorum.but(decides=_counting_twice, clicks_each=2),
        "anybody may decide": SCOPES[2].but(decides=_anybody),
        "the deadline is for the timer alone": two.but(decides=_without_deadline),
    }
    for name, scope in rules.items():
        yield deciding.model_of(scope.but(name=name))
    yield deciding.model_of(used.but(name="everysec, and a power cut", cuts_power=True))
    for name in posting.MUTANTS:
        yield posting.model_of(posting.Scope(name=name, mutant=name, kills=True, loses_replies=True))


def _any_print(request: Request, command: Command, *, now: datetime, **more: Any) -> Event:
    if isinstance(command, Approve):
        command = replace(command, seen=request.fingerprint)
    return decide(request, command, now=now, **more)


def _counting_twice(request: Request, command: Command, *, now: datetime, **more: Any) -> Event:
    try:
        return decide(request, command, now=now, **more)
    except AlreadyVoted:
        assert isinstance(command, Approve)
        return Approved(by=command.by.actor, at=now, text=None)


def _anybody(request: Request, command: Command, *, now: datetime, **more: Any) -> Event:
    if isinstance(command, Approve):
        everyone = replace(command.by, principals=frozenset(request.terms.approvers))
        command = replace(command, by=everyone)
    return decide(request, command, now=now, **more)


def _without_deadline(request: Request, command: Command, *, now: datetime, **more: Any) -> Event:
    if isinstance(command, Approve):
        request = replace(request, deadline=None)
    return decide(request, command, now=now, **more)


def _keeping_votes(request: Request, event: Event) -> Request:
    after = evolve(request, event)
    kept = {vote.person: vote for vote in (*request.votes, *after.votes)}
    return replace(after, votes=tuple(kept.values()))
