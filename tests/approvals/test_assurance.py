"""How sure it must be who says yes: a click is too little for some calls, whatever the way it takes."""

from datetime import timedelta

import pytest

from approvals.commands import Approve, Command, Expire, Override, Redirect, Reject, TakeBack
from approvals.digest import Digest, LeftOut, Row, covered, new_digest_id
from approvals.errors import AlreadyVoted, NeedsAssurance
from approvals.events import Approved, Edited, Event, Expired, Overridden, Redirected, Rejected, Voted
from approvals.evolution import evolve
from approvals.grants import may_be_granted
from approvals.machine import decide
from approvals.model import CHANNEL, AgentName, Assurance, Kind, OnDeadline, Person, Request, Risk, Terms
from approvals.policy import Facts, PolicyFaults, is_stricter, parse, terms_for
from tests.builders import T0, a_person, a_request, terms

CLICKING = a_person()
SIGNED_IN = a_person(assurance=Assurance.STEP_UP)
OTHERS = a_person(id="U0LEE", name="Lee", assurance=Assurance.STEP_UP)


def asked(**changes: object) -> Request:
    return a_request(terms=terms(assurance=Assurance.STEP_UP, **changes), created_at=T0)


def met(request: Request, command: Command) -> Event:
    return decide(request, command, now=T0 + timedelta(minutes=1))


def test_a_yes_counts_only_from_who_has_signed_in() -> None:
    request = asked()
    with pytest.raises(NeedsAssurance):
        met(request, Approve(by=CLICKING, seen=request.fingerprint))
    with pytest.raises(NeedsAssurance):
        met(request, Approve(by=CLICKING, seen=request.fingerprint, edited={"amount": 1}))
    assert isinstance(met(request, Approve(by=SIGNED_IN, seen=request.fingerprint)), Approved)
    assert isinstance(met(request, Reject(by=CLICKING)), Rejected)


def test_each_vote_of_a_quorum_takes_it() -> None:
    request = asked(quorum=2)
    first = met(request, Approve(by=SIGNED_IN, seen=request.fingerprint))
    assert isinstance(first, Voted)
    voted = evolve(request, first)
    with pytest.raises(AlreadyVoted):
        met(voted, Approve(by=CLICKING, seen=request.fingerprint))
    with pytest.raises(NeedsAssurance):
        met(voted, Approve(by=a_person(id="U0LEE"), seen=request.fingerprint))
    assert isinstance(met(voted, Approve(by=OTHERS, seen=request.fingerprint)), Approved)


def test_what_is_sure_need_not_be_surer() -> None:
    request = a_request(created_at=T0)
    assert isinstance(met(request, Approve(by=SIGNED_IN, seen=request.fingerprint)), Approved)
    owned = a_person(assurance=Assurance.KEY)
    assert isinstance(met(asked(), Approve(by=owned, seen=asked().fingerprint)), Approved)


def test_an_override_takes_it_too() -> None:
    request = asked(override=(CHANNEL,))
    with pytest.raises(NeedsAssurance):
        met(request, Override(by=CLICKING, seen=request.fingerprint, reason="on fire"))
    assert isinstance(met(request, Override(by=SIGNED_IN, seen=request.fingerprint, reason="x")), Overridden)


def test_who_changes_a_call_by_a_click_into_one_that_takes_more_has_not_approved_it() -> None:
    request = a_request(created_at=T0)
    stricter = terms(assurance=Assurance.STEP_UP)
    assert is_stricter(request, stricter) and not is_stricter(asked(), terms())

    def changed(who: Person) -> Event:
        seen, args = request.fingerprint, {"amount": 2}
        return met(request, Redirect(by=who, voter=who, seen=seen, edited=dict(args), terms=stricter))

    event = changed(CLICKING)
    assert isinstance(event, Redirected) and event.vote is None
    assert isinstance(changed(SIGNED_IN), Edited)


def test_silence_and_grants_are_no_sign_in() -> None:
    request = asked(on_deadline=OnDeadline.APPROVE)
    assert not may_be_granted(request) and may_be_granted(a_request())

    late = decide(request, Expire(was_shown=True), now=T0 + timedelta(days=1))
    assert isinstance(late, Expired)


def test_an_approval_is_taken_back_by_a_click() -> None:
    request = asked()
    approved = evolve(request, met(request, Approve(by=SIGNED_IN, seen=request.fingerprint)))
    assert met(approved, TakeBack(by=CLICKING)).word == "withdrawn"


def test_approving_all_that_are_shown_leaves_out_what_takes_a_sign_in() -> None:
    sure, plain = asked(), a_request(created_at=T0)
    rows = tuple(Row(request_id=one.id, fingerprint=one.fingerprint, is_ready=True) for one in (sure, plain))
    digest = Digest(id=new_digest_id(), tenant="t", name="d", channel="C", made_at=T0, rows=rows)
    means = covered(digest, {one.id: one for one in (sure, plain)}, range(2), digest.version)
    assert [row.request_id for row in means.rows] == [plain.id]
    assert means.left_out == ((rows[0], LeftOut.TO_BE_CONFIRMED),)


POLICY = """version = 1
[defaults]
assurance_for = { high = "step-up" }
[[rule]]
name = "refunds"
tools = ["refund"]
assurance = "step-up"
[[rule]]
name = "others"
tools = ["*"]
on_deadline = "approve"
"""


def told(tool: str, risk: Risk | None = None, kind: Kind = Kind.ACTION) -> Terms:
    facts = Facts(kind=kind, tool=tool, args={}, agent=AgentName("billing"), risk=risk)
    return terms_for(parse(POLICY), facts)


def test_a_rule_or_a_risk_asks_for_it() -> None:
    assert told("refund").assurance is Assurance.STEP_UP
    assert told("deploy").assurance is Assurance.CLICK
    assert told("deploy").on_deadline is OnDeadline.APPROVE
    assert told("deploy", Risk.CRITICAL).assurance is Assurance.STEP_UP
    assert told("deploy", Risk.MEDIUM).assurance is Assurance.CLICK
    assert told("refund", kind=Kind.QUESTION).assurance is Assurance.CLICK
    assert parse(POLICY).assurances == {Assurance.CLICK, Assurance.STEP_UP}


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ('assurance = "step-up"\non_deadline = "approve"', "a yes of nobody"),
        ('assurance = "stepup"', "use one of `click`, `step-up`"),
        ('assurance_for = { critical = "step-up" }', "move it to [defaults]"),
        ('kind = "question"\nassurance = "step-up"', "answers are clicked"),
    ],
)
def test_what_can_not_be_kept_is_refused(lines: str, fault: str) -> None:
    with pytest.raises(PolicyFaults) as faults:
        parse(f'version = 1\n[[rule]]\nname = "r"\ntools = ["refund"]\n{lines}\n')
    assert fault in str(faults.value)


@pytest.mark.parametrize("line", ['{ worst = "step-up" }', '{ high = "keys" }', '"step-up"'])
def test_what_a_risk_asks_for_is_read_as_strictly(line: str) -> None:
    with pytest.raises(PolicyFaults):
        parse(f"version = 1\n[defaults]\nassurance_for = {line}\n")


def test_silence_is_no_yes_where_the_risk_asks_for_a_sign_in() -> None:
    policy = parse(POLICY.replace("high =", "medium ="))
    facts = Facts(kind=Kind.ACTION, tool="deploy", args={}, agent=AgentName("billing"))
    found = terms_for(policy, facts)
    assert (found.assurance, found.on_deadline) == (Assurance.STEP_UP, OnDeadline.EXPIRE)


def test_a_rule_that_can_not_be_checked_asks_for_its_level_all_the_same() -> None:
    policy = parse(POLICY.replace('tools = ["refund"]', 'tools = ["refund"]\nwhen = "args.amount > 5"'))
    facts = Facts(kind=Kind.ACTION, tool="refund", args={}, agent=AgentName("billing"))
    assert terms_for(policy, facts).assurance is Assurance.STEP_UP
