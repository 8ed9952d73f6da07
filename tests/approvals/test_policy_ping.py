"""Whom the policy calls of those who may decide."""

import pytest

from approvals.model import AgentName, Kind, Principal, Terms
from approvals.policy import DEFAULT, Facts, PolicyFaults, parse, terms_for
from approvals.quorum import called_of
from tests.builders import a_request, terms

HEAD = """
version = 1

[people]
ops = ["U0LEE", "@sre-oncall"]
"""


def _terms(text: str) -> Terms:
    facts = Facts(kind=Kind.ACTION, tool="refund", args={}, agent=AgentName("billing"))
    return terms_for(parse(HEAD + text), facts)


def _rule(*lines: str) -> str:
    return "\n".join(["[[rule]]", 'name = "refunds"', 'tools = ["refund"]', *lines, ""])


@pytest.mark.parametrize(
    ("lines", "called"),
    [
        ([], None),
        (['ping = ["@sre-oncall"]', 'approvers = ["ops"]'], ("@sre-oncall",)),
        (["ping = []"], ()),
        (['ping = ["U0KIM"]', 'approvers = ["@directors"]'], ("U0KIM",)),  # she may be one of them
        (['ping = ["@sre-oncall"]'], ("@sre-oncall",)),  # they may be in the channel
        (['approvers = ["U0KIM", "U0LEE"]', "quorum = 2", 'ping = ["U0LEE"]'], ("U0LEE",)),
    ],
)
def test_a_rule_names_whom_it_calls(lines: list[str], called: tuple[str, ...] | None) -> None:
    assert _terms(_rule(*lines)).ping == called


def test_a_rule_with_approvers_of_its_own_calls_all_of_them() -> None:
    defaults = '[defaults]\napprovers = ["ops"]\nping = ["@sre-oncall"]\n'
    assert _terms(defaults + _rule('risk = "low"')).ping == ("@sre-oncall",)
    assert _terms(defaults + _rule('approvers = ["U0KIM"]')).ping is None


def test_defaults_that_call_nobody_hold_for_every_rule() -> None:
    assert _terms("[defaults]\nping = []\n" + _rule('approvers = ["U0KIM"]')).ping == ()


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (['approvers = ["U0KIM"]', 'ping = ["U0LEE"]'], "`ping` names `U0LEE`, but `approvers` does not"),
        (['approvers = ["U0KIM"]', 'ping = ["@sre-oncall"]'], "`ping` names `@sre-oncall`, but"),
        (['ping = ["channel"]'], '`ping` holds "channel", which calls nobody'),
        (['ping = "U0KIM"'], "`ping` is 'U0KIM'; list people"),
    ],
)
def test_who_may_not_decide_is_not_called(lines: list[str], fault: str) -> None:
    with pytest.raises(PolicyFaults) as faults:
        _terms(_rule(*lines))
    assert fault in str(faults.value)


def test_where_a_rule_is_in_doubt_all_are_called_whom_either_would_call() -> None:
    doubtful = _rule('when = "args.amount > 5"', 'approvers = ["U0KIM", "U0ANA"]', 'ping = ["U0KIM"]')
    plain = doubtful.replace('"refunds"', '"others"').replace('when = "args.amount > 5"\n', "")
    asked = _terms(doubtful + plain.replace("U0KIM", "U0MAX"))
    assert asked.ping == ("U0KIM", "U0MAX")
    assert _terms(doubtful + plain.replace('ping = ["U0KIM"]', "")).ping == ("U0KIM", "U0ANA")


def test_whom_a_ladder_brings_in_is_called_as_well() -> None:
    kim, lee, ana = Principal("U0KIM"), Principal("U0LEE"), Principal("U0ANA")
    request = a_request(terms=terms(approvers=(kim, lee), ping=(lee,)), added=(ana,))
    assert called_of(request) == (lee, ana)
    assert called_of(a_request(terms=terms(approvers=(kim, lee)))) == (kim, lee)
    assert DEFAULT.defaults.ping is None
