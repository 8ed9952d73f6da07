"""Whether enough people have agreed: so many distinct ones, or so many of each group, each for one only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from approvals.model import Person, Principal, Request, Terms, Vote


def approvers_of(request: Request) -> frozenset[Principal]:
    """Who may decide it by now: those of the terms, and those whom the ladder has added."""
    return frozenset(request.terms.approvers) | frozenset(request.added)


def called_of(request: Request) -> tuple[Principal, ...]:
    """Who is to be called: whom the terms name for it, else all their approvers; and whom a ladder added."""
    terms = request.terms
    named = terms.approvers if terms.ping is None else terms.ping
    return tuple(dict.fromkeys((*named, *request.added)))


def principals_of(request: Request) -> tuple[Principal, ...]:
    """Everybody who means something to it; `Person.principals` is looked up among these."""
    named = (*request.terms.approvers, *request.added, *request.terms.override)
    return tuple(dict.fromkeys((*named, *(p for group in request.terms.groups for p in group.principals))))


def groups_of(terms: Terms, person: Person) -> tuple[str, ...]:
    """The groups of the quorum that a person could count for."""
    return tuple(group.name for group in terms.groups if person.principals & frozenset(group.principals))


def is_met(terms: Terms, votes: Sequence[Vote]) -> bool:
    """Whether these votes are enough."""
    return not missing(terms, votes)


def missing(terms: Terms, votes: Sequence[Vote]) -> dict[str, int]:
    """How many are missing of each group; of a plain quorum under the name "". Empty: it is met."""
    if not terms.groups:
        short = terms.quorum - len(votes)
        return {"": short} if short > 0 else {}
    filled = _assigned(terms, votes)
    wanted = {group.name: group.needed - len(filled[group.name]) for group in terms.groups}
    return {name: count for name, count in wanted.items() if count > 0}


def can_be_met(terms: Terms, people: Sequence[Person], at: datetime) -> bool:
    """Whether these people would be enough if all of them said yes."""
    return is_met(terms, [Vote(person=p.id, name=p.name, at=at, groups=groups_of(terms, p)) for p in people])


def _assigned(terms: Terms, votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    """Which vote counts for which group, so that as many places as possible are filled (augmenting paths)."""
    room = {group.name: group.needed for group in terms.groups}
    filled: dict[str, list[Vote]] = {name: [] for name in room}

    def place(vote: Vote, tried: set[str]) -> bool:
        for name in vote.groups:
            if name in tried or name not in room:
                continue
            tried.add(name)
            if len(filled[name]) < room[name]:
                filled[name].append(vote)
                return True
            for other in list(filled[name]):
                if place(other, tried):  # it can count elsewhere, and makes room here
                    filled[name].remove(other)
                    filled[name].append(vote)
                    return True
        return False

    for vote in votes:
        place(vote, set())
    return filled
