"""What the rules make of a freeze, and of people who stand in for others."""

from datetime import timedelta

import pytest

from approvals.commands import Answer, Approve, Command, Expire, Override, Reject, RequestChanges
from approvals.errors import AlreadyVoted, Frozen, NoOverrider
from approvals.events import Approved, Expired
from approvals.evolution import evolve
from approvals.machine import decide
from approvals.model import CHANNEL, Freeze, OnDeadline, PersonId, Principal, Reach
from tests.builders import T0, a_person, a_request, terms

DURING, LATE = T0 + timedelta(minutes=1), T0 + timedelta(hours=2)
DIRECTOR = Principal("S0DIRECTORS")
ANA = a_person(principals=frozenset({CHANNEL, DIRECTOR}))
DEPUTY = a_person(  # of Ana, who is away
    id=PersonId("U0DEP"),
    name="Dep",
    principals=frozenset({DIRECTOR}),
    lent=frozenset({DIRECTOR}),
    stands_for=(ANA.id,),
)
FREEZE = Freeze(reach=Reach.ALL, by=ANA.actor, at=T0)
ASKED = a_request(created_at=T0, terms=terms(approvers=(DIRECTOR,), quorum=3, override=(DIRECTOR,)))


@pytest.mark.parametrize(
    "command",
    [
        Approve(by=ANA, seen=ASKED.fingerprint),
        Reject(by=ANA),
        Answer(by=ANA, text="no need"),
        RequestChanges(by=ANA, feedback="less"),
        Override(by=ANA, seen=ASKED.fingerprint, reason="it burns"),
    ],
)
def test_nobody_decides_what_is_frozen(command: Command) -> None:
    with pytest.raises(Frozen):
        decide(ASKED, command, now=DURING, freeze=FREEZE)
    decide(ASKED, command, now=DURING)


def test_silence_is_no_yes_to_what_is_frozen() -> None:
    asked = a_request(created_at=T0, terms=terms(on_deadline=OnDeadline.APPROVE))
    assert isinstance(decide(asked, Expire(was_shown=True), now=LATE), Approved)
    assert isinstance(decide(asked, Expire(was_shown=True), now=LATE, freeze=FREEZE), Expired)


def test_a_person_and_the_deputy_who_voted_for_them_count_for_one() -> None:
    voted = evolve(ASKED, decide(ASKED, Approve(by=DEPUTY, seen=ASKED.fingerprint), now=DURING))
    with pytest.raises(AlreadyVoted):
        decide(voted, Approve(by=ANA, seen=ASKED.fingerprint), now=DURING)


def test_only_those_named_break_the_glass_and_not_their_deputies() -> None:
    with pytest.raises(NoOverrider):
        decide(ASKED, Override(by=DEPUTY, seen=ASKED.fingerprint, reason="it burns"), now=DURING)
