"""Past the normal path and back: break-glass, taking an approval back, looking at what went astray."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.commands import Approve, Claim, Command, Expire, LookAt, Override, TakeBack
from approvals.errors import (
    AlreadyResolved,
    AlreadyUsed,
    ArgumentsChanged,
    NoOverrider,
    NotClaimable,
    NothingSaid,
    NothingToSee,
    NotQualified,
    NotYours,
    OwnOverride,
)
from approvals.evolution import evolve
from approvals.machine import decide, is_to_be_looked_at
from approvals.messages import outcome_of, permit_of
from approvals.model import Barred, Fingerprint, Person, PersonId, Principal, Request, Status
from tests.builders import T0, a_person, a_request, terms

LEADS = Principal("@platform-leads")
LEAD = a_person(id=PersonId("U0LEE"), name="Lee Park", principals=frozenset({LEADS}))
OTHER_LEAD = a_person(id=PersonId("U0MAX"), name="Max Weber", principals=frozenset({LEADS}))
ANA, KIM = a_person(), a_person(id=PersonId("U0KIM"), name="Kim Osei")


def asked(**changes: Any) -> Request:
    return a_request(created_at=T0, terms=terms(**({"override": (LEADS,), "quorum": 2} | changes)))


def after(request: Request, *commands: Command) -> Request:
    for command in commands:
        request = evolve(request, decide(request, command, now=T0))
    return request


def override(request: Request, by: Person = LEAD, **changes: Any) -> Override:
    return replace(Override(by=by, seen=request.fingerprint, reason="the site is down"), **changes)


def yes(request: Request, by: Person) -> Approve:
    return Approve(by=by, seen=request.fingerprint)


class TestAnOverride:
    def test_lets_it_through_with_its_reason(self) -> None:
        request = after(asked(), override(asked()))
        assert permit_of(request) is not None
        outcome = outcome_of(request)
        assert outcome is not None
        assert (outcome.status, outcome.text) == ("approved", "the site is down")

    def test_is_for_those_whom_the_policy_names(self) -> None:
        for request, person in ((asked(), ANA), (asked(override=()), LEAD)):
            with pytest.raises(NoOverrider):
                decide(request, override(request, by=person), now=T0)
        guest = a_person(principals=LEAD.principals, barred=Barred.GUEST)
        with pytest.raises(NotQualified):
            decide(asked(), override(asked(), by=guest), now=T0)

    def test_needs_a_reason(self) -> None:
        with pytest.raises(NothingSaid):
            decide(asked(), override(asked(), reason="  "), now=T0)

    def test_is_of_what_was_seen(self) -> None:
        with pytest.raises(ArgumentsChanged):
            decide(asked(), override(asked(), seen=Fingerprint("0" * 64)), now=T0)

    def test_is_of_what_still_waits(self) -> None:
        request = after(asked(), override(asked()))
        with pytest.raises(AlreadyResolved):
            decide(request, override(request, by=OTHER_LEAD), now=T0)

    def test_is_to_be_looked_at_by_somebody_else(self) -> None:
        request = after(asked(), override(asked()))
        assert is_to_be_looked_at(request)
        with pytest.raises(OwnOverride):
            decide(request, LookAt(by=LEAD), now=T0)
        for person in (OTHER_LEAD, ANA):
            seen = after(request, LookAt(by=person))
            assert not is_to_be_looked_at(seen)
            with pytest.raises(NothingToSee):
                decide(seen, LookAt(by=KIM), now=T0)


class TestWhatExpired:
    def test_is_to_be_looked_at_by_one_who_could_have_decided(self) -> None:
        request = asked()
        assert request.deadline is not None
        expired = evolve(request, decide(request, Expire(), now=request.deadline))
        assert is_to_be_looked_at(expired)
        with pytest.raises(NotQualified):
            decide(expired, LookAt(by=a_person(principals=frozenset())), now=T0)
        assert after(expired, LookAt(by=ANA)).looked_at == ANA.actor

    def test_what_people_decided_is_not(self) -> None:
        request = after(asked(), yes(asked(), ANA), yes(asked(), KIM))
        with pytest.raises(NothingToSee):
            decide(request, LookAt(by=ANA), now=T0)


class TestTakingBack:
    def approved(self) -> Request:
        return after(asked(), yes(asked(), ANA), yes(asked(), KIM))

    def test_everybody_whose_yes_counted_can(self) -> None:
        for person in (ANA, KIM):
            request = after(self.approved(), TakeBack(by=person))
            outcome = outcome_of(request)
            assert request.status is Status.WITHDRAWN
            assert outcome is not None and outcome.status == "cancelled"
            assert permit_of(request) is None

    def test_nobody_else_can(self) -> None:
        with pytest.raises(NotYours):
            decide(self.approved(), TakeBack(by=LEAD), now=T0)

    def test_an_override_is_taken_back_by_who_made_it(self) -> None:
        request = after(asked(), override(asked()), TakeBack(by=LEAD))
        assert request.status is Status.WITHDRAWN

    def test_it_is_too_late_once_the_agent_has_begun(self) -> None:
        begun = after(self.approved(), Claim())
        with pytest.raises(AlreadyUsed):
            decide(begun, TakeBack(by=ANA), now=T0)

    def test_there_is_nothing_to_take_back_once_nobody_can_use_it(self) -> None:
        request = self.approved()
        assert request.claim_by is not None
        with pytest.raises(NotClaimable):
            decide(request, TakeBack(by=ANA), now=request.claim_by)
