"""Enough people have agreed: so many distinct ones, or so many of each group, each counted once."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.commands import Approve, Reject
from approvals.errors import AlreadyObjected
from approvals.evolution import evolve
from approvals.machine import decide
from approvals.model import Group, Person, PersonId, Principal, Request, Status, Terms, Vote
from approvals.quorum import can_be_met, is_met, missing
from tests.builders import T0, a_person, a_request, terms

DIRECTORS, SECURITY, LEGAL = (Principal(f"S0{name}") for name in ("DIRECTORS", "SECURITY", "LEGAL"))
NAMES = ("directors", "security", "legal")
BOTH = terms(
    approvers=(DIRECTORS, SECURITY),
    groups=(
        Group(name="directors", principals=(DIRECTORS,), needed=1),
        Group(name="security", principals=(SECURITY,), needed=1),
    ),
)
ANA = a_person(principals=frozenset({DIRECTORS, SECURITY}))
KIM = a_person(id=PersonId("U0KIM"), name="Kim Osei", principals=frozenset({DIRECTORS}))
LEE = a_person(id=PersonId("U0LEE"), name="Lee Park", principals=frozenset({SECURITY}))


def voted(request: Request, *people: Person) -> Request:
    for person in people:
        request = evolve(request, decide(request, Approve(by=person, seen=request.fingerprint), now=T0))
    return request


def asked(agreed: Terms = BOTH) -> Request:
    return a_request(terms=agreed, created_at=T0)


def test_each_group_must_agree() -> None:
    assert voted(asked(), KIM, LEE).status is Status.APPROVED
    assert missing(BOTH, voted(asked(), KIM).votes) == {"security": 1}


def test_one_person_in_two_groups_counts_for_one_of_them() -> None:
    one = voted(asked(), ANA)
    assert one.is_pending
    assert list(missing(BOTH, one.votes).values()) == [1]


def test_whoever_is_in_two_groups_counts_for_the_one_that_is_still_missing() -> None:
    for other in (KIM, LEE):
        assert voted(asked(), ANA, other).status is Status.APPROVED
        assert voted(asked(), other, ANA).status is Status.APPROVED


def test_two_of_the_same_group_are_not_one_of_each() -> None:
    max_ = a_person(id=PersonId("U0MAX"), principals=frozenset({DIRECTORS}))
    assert missing(BOTH, voted(asked(), KIM, max_).votes) == {"security": 1}


def test_an_edit_voids_the_votes_of_every_group() -> None:
    one = voted(asked(), KIM)
    edit = Approve(by=LEE, seen=one.fingerprint, edited={**one.args, "amount": 900})
    edited = evolve(one, decide(one, edit, now=T0))
    assert edited.is_pending
    assert missing(BOTH, edited.votes) == {"directors": 1}
    assert voted(edited, KIM).status is Status.APPROVED


@pytest.mark.attack("E74")
def test_people_who_could_never_be_enough_are_known_beforehand() -> None:
    assert can_be_met(BOTH, [KIM, LEE], T0)
    assert not can_be_met(BOTH, [KIM], T0)
    assert not can_be_met(BOTH, [ANA], T0)
    assert can_be_met(terms(quorum=2), [KIM, LEE], T0)
    assert not can_be_met(terms(quorum=2), [KIM], T0)


class TestRejections:
    TWO = terms(approvers=(DIRECTORS, SECURITY), quorum=2, rejections=2)

    def rejected(self, request: Request, *people: Person) -> Request:
        for person in people:
            request = evolve(request, decide(request, Reject(by=person), now=T0))
        return request

    def test_as_many_as_the_rule_says_end_it(self) -> None:
        one = self.rejected(asked(self.TWO), KIM)
        assert one.is_pending
        assert self.rejected(one, LEE).status is Status.REJECTED

    def test_nobody_counts_twice(self) -> None:
        one = self.rejected(asked(self.TWO), KIM)
        try:
            self.rejected(one, KIM)
        except AlreadyObjected:
            return
        raise AssertionError("Kim was counted twice")

    def test_whoever_changes_their_mind_counts_on_the_other_side_only(self) -> None:
        one = voted(self.rejected(asked(self.TWO), KIM), KIM)
        assert ([vote.person for vote in one.votes], one.objections) == ([KIM.id], ())
        other = self.rejected(voted(asked(self.TWO), KIM), KIM)
        assert (other.votes, [vote.person for vote in other.objections]) == ((), [KIM.id])


def _by_brute_force(agreed: Terms, votes: Sequence[Vote]) -> bool:
    """Try every way to count each vote for one of its groups, or for none."""
    for way in product(*([*vote.groups, None] for vote in votes)):
        if all(way.count(group.name) >= group.needed for group in agreed.groups):
            return True
    return False


@given(
    needed=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    members=st.lists(st.sets(st.sampled_from(NAMES)), max_size=7),
)
def test_counting_agrees_with_trying_every_way(needed: list[int], members: list[set[str]]) -> None:
    groups = tuple(Group(name=name, principals=(), needed=n) for name, n in zip(NAMES, needed, strict=False))
    agreed = terms(groups=groups)
    votes = [
        Vote(person=PersonId(f"U{number}"), name="", at=T0, groups=tuple(sorted(names)))
        for number, names in enumerate(members)
    ]
    assert is_met(agreed, votes) == _by_brute_force(agreed, votes)
