"""A candidate's rule is held against the file in force, and against what people said of such calls."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from approvals.audit import Entry
from approvals.commands import Reject
from approvals.model import Args, Risk
from approvals.policy import Stage, parse
from approvals.trust import Proposal
from bot.policy_file import PolicyFile
from bot.proposing import Ground, found_in, inserted, place_of
from tests.approvals.test_trust import ANA, YES, a_life
from tests.builders import T0, terms

NOW = T0 + timedelta(days=20)
FILE = """version = 1

[[rule]]
name = "never to c_13"
tools = ["refund"]
when = "args.customer == 'c_13'"
action = "deny"

# Money goes out here,
# so look.
[[rule]]
name = "refunds"
tools = ["refund"]
when = "args.amount > 0"
ladder = [{ after = "10m", remind = "thread" }]

[owners]
policy = ["U0KIM"]
"""


def refund(amount: float = 40, **more: Any) -> Args:
    return {"customer": "c_42", "amount": amount, **more}


def approved(count: int = 5, **changes: Any) -> list[Iterator[Entry]]:
    usual: dict[str, Any] = {"args": refund()}
    return [a_life(YES, at=24 * number, **(usual | changes)) for number in range(count)]


def proposed(*lives: Iterator[Entry], text: str | None = FILE, **changes: Any) -> tuple[Proposal, ...]:
    ground = Ground(
        text=text,
        file="policy.toml",
        stages={},
        channel="#approvals",
        environment="default",
        since=T0 - timedelta(days=10),
        now=NOW,
    )
    return found_in([entry for life in lives for entry in life], replace(ground, **changes), least=5)


def test_it_narrows_the_rule_that_asks_and_stands_right_before_it() -> None:
    (one,) = proposed(*approved())
    assert (one.saved, one.days, one.place) == (5, 30, "right before rule “refunds”")
    assert (one.channel, one.approvers) == ("#approvals", ("channel",))
    assert one.diff is not None
    assert one.diff.splitlines() == [
        "--- policy.toml",
        "+++ policy.toml",
        "@@ -7,4 +7,12 @@",
        ' action = "deny"',
        " ",
        *(f"+{line}" for line in one.rule.splitlines()),
        "+",
        " # Money goes out here,",
        " # so look.",
    ]
    after = parse(inserted(FILE, one.rule, 1))
    assert [rule.name for rule in after.rules] == ["never to c_13", one.name, "refunds"]
    assert after.rules[1].when is not None and after.rules[1].when.text.startswith("(args.amount > 0) && ")


def test_the_comment_above_the_rule_that_asks_stays_with_it() -> None:
    (one,) = proposed(*approved())
    assert 'by = "agent" }\n\n# Money goes out here,\n# so look.\n[[rule]]\nname = "refunds"' in inserted(
        FILE, one.rule, 1
    )


def test_what_the_defaults_ask_is_let_through_at_the_end_of_the_file() -> None:
    lives = approved(tool="label", terms=terms(rule="defaults", deadline_s=3600))
    (one,) = proposed(*lives)
    assert one.place == "at the end of the file, after the other rules"
    assert parse(inserted(FILE, one.rule, None)).rules[-1].name == one.name


def test_without_a_file_there_is_the_rule_alone() -> None:
    (one,) = proposed(*approved(terms=terms(rule="defaults", deadline_s=3600)), text=None)
    assert one.diff is None and "policy file of your own" in one.place
    assert parse(f"version = 1\n{one.rule}").rules[0].name == one.name


def test_nothing_is_proposed_that_would_have_let_through_what_people_rejected() -> None:
    assert len(proposed(*approved())) == 1
    # Under another rule of that time, so that its own kind is without a fault.
    no = a_life(
        Reject(by=ANA, feedback="No."), at=200, args=refund(), terms=terms(rule="old", deadline_s=3600)
    )
    assert proposed(*approved(), no) == ()
    higher = a_life(
        Reject(by=ANA, feedback="No."), at=200, args=refund(41), terms=terms(rule="old", deadline_s=3600)
    )
    assert len(proposed(*approved(), higher)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        ("[owners]", 'risk = "high"\n[owners]'),
        ("[owners]", 'approvers = ["U0ANA", "U0KIM"]\nquorum = 2\n[owners]'),
        ("[owners]", "quorum = { leads = 1 }\n[people]\nleads = ['U0ANA']\n[owners]"),
        ('when = "args.amount > 0"', 'when = "args.amount > 40"'),
        ('when = "args.amount > 0"', 'when = "args.sum > 0"'),
        ('name = "refunds"', 'name = "money"'),
        ("[owners]", 'action = "allow"\n[owners]'),
        ("[owners]", 'action = "deny"\n[owners]'),
        ("[owners]", '[stages]\nrefund = "approval"\n[owners]'),
    ],
    ids=["risky", "two", "groups", "other calls", "unclear", "renamed", "allowed", "denied", "stage"],
)
def test_such_calls_must_be_asked_for_now_as_they_were_and_by_one_yes(changed: tuple[str, str]) -> None:
    text = FILE.replace(*changed)
    parse(text)
    assert proposed(*approved(), text=text) == ()


def test_a_rule_above_that_asks_for_some_of_them_now_makes_them_another_kind() -> None:
    above = FILE.replace(
        "# Money", '[[rule]]\nname = "large"\ntools = ["refund"]\nwhen = "args.amount > 30"\n\n# Money'
    )
    assert len(proposed(*approved(3), *approved(3, args=refund(20)))) == 1
    assert proposed(*approved(3), *approved(3, args=refund(20)), text=above) == ()


def test_what_a_stage_or_an_agents_own_fear_asks_is_let_alone() -> None:
    assert proposed(*approved(), stages={"refund": Stage.APPROVAL}) == ()
    assert proposed(*approved(wished_risk=Risk.HIGH)) == ()


def test_a_condition_that_grew_too_long_to_be_read_is_not_proposed() -> None:
    args = {f"argument_{number}": "x" * 150 for number in range(20)}
    assert proposed(*approved(args=args, terms=terms(rule="defaults", deadline_s=3600)), text=None) == ()


def test_a_file_whose_rules_are_written_in_a_line_gets_no_half_fitting_rule() -> None:
    text = 'version = 1\nrule = [{ name = "refunds", tools = ["refund"] }]\n'
    parse(text)
    assert proposed(*approved(), text=text) == ()


def test_a_name_that_is_taken_gets_a_number() -> None:
    (one,) = proposed(*approved())
    named = FILE.replace('name = "never to c_13"', f'name = "{one.name}"')
    (other,) = proposed(*approved(), text=named)
    assert other.name == f"{one.name} 2"


def test_the_policy_files_text_is_that_of_the_policy_in_force(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(FILE)
    assert PolicyFile(path).text == FILE
    assert PolicyFile(None).text is None
    assert place_of(None, is_file=False).startswith("into")
