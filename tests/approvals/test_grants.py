"""A grant lets through what its giver could have approved alone, within its limits, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from approvals.grants import Bound, Grant, Limit, covers, may_be_granted, use_of
from approvals.model import CHANNEL, Action, AgentName, Group, PersonId, Principal, Request, RequestId, Risk
from tests.builders import T0, a_person, a_question, a_request, terms

DIRECTORS = Principal("S0DIRECTORS")


def a_grant(**changes: Any) -> Grant:
    """Refunds of billing to c_42 of up to 940 USD."""
    usual = Grant(
        id="G-7K2MAB",
        agent=AgentName("billing"),
        tool="refund",
        limits=(
            Limit(arg="amount", bound=Bound.UP_TO, value=940),
            Limit(arg="currency", bound=Bound.SAME, value="USD"),
            Limit(arg="customer", bound=Bound.ANY),
        ),
        rule="refunds",
        approvers=(CHANNEL,),
        channel="#approvals",
        risk=Risk.MEDIUM,
        uses=10,
        until=T0 + timedelta(hours=1),
        by=a_person().actor,
        at=T0,
        request=RequestId("R-7K2M"),
    )
    return replace(usual, **changes)


def a_refund(amount: Any = 900, **changes: Any) -> Request:
    return a_request(created_at=T0, args={"amount": amount, "currency": "USD", "customer": "c_1"}, **changes)


@pytest.mark.parametrize("amount", [0, 0.5, 940, 940.0])
def test_what_is_within_every_limit_is_covered(amount: float) -> None:
    assert covers(a_grant(), a_refund(amount), T0)


@pytest.mark.parametrize("amount", [941, -1, "900", None, True, [900], 1e300])
def test_an_amount_beyond_the_limit_or_of_another_kind_is_not(amount: object) -> None:
    assert not covers(a_grant(), a_refund(amount), T0)


@pytest.mark.parametrize(
    "changes",
    [
        {"agent": AgentName("deployer")},
        {"tool": "refund_all"},
        {"terms": terms(rule="refunds over $500")},
        {"terms": terms(approvers=(DIRECTORS,))},
        {"terms": terms(channel="#elsewhere")},
        {"terms": terms(quorum=2)},
        {"terms": terms(groups=(Group(name="directors", principals=(DIRECTORS,), needed=1),))},
        {"terms": terms(risk=Risk.HIGH)},
        {"terms": terms(action=Action.DENY)},
        {"on_behalf_of": PersonId("U0ANA")},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_another_call_or_stricter_terms_are_not_covered(changes: dict[str, Any]) -> None:
    assert not covers(a_grant(), a_refund(**changes), T0)


@pytest.mark.attack("B44")
def test_a_call_with_more_or_fewer_args_is_another_call() -> None:
    assert not covers(a_grant(), a_request(args={"amount": 1, "currency": "USD"}), T0)
    more = {"amount": 1, "currency": "USD", "customer": "c_1", "force": True}
    assert not covers(a_grant(), a_request(args=more), T0)


def test_a_grant_ends_with_its_time() -> None:
    assert not covers(a_grant(), a_refund(), T0 + timedelta(hours=1))


def test_critical_calls_quorums_and_questions_are_never_granted() -> None:
    assert not may_be_granted(a_request(terms=terms(risk=Risk.CRITICAL)))
    assert not may_be_granted(a_request(terms=terms(quorum=2)))
    assert not may_be_granted(a_question())
    critical = a_refund(terms=terms(risk=Risk.CRITICAL))
    assert not covers(a_grant(risk=Risk.CRITICAL), critical, T0)


def test_a_sum_that_can_not_be_told_is_not_used() -> None:
    grant = a_grant(total_of="amount", total=1000)
    assert use_of(grant, a_refund("much"), "1") is None
    use = use_of(grant, a_refund(0.1), "1")
    assert use is not None
    assert (use.micros, use.limit_micros) == (100_000, 1_000_000_000)
