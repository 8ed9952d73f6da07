"""Conditions: what they see, when they hold, and what becomes of a call for which they have no answer."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.model import Action, AgentName, Kind, OnDeadline, Risk, Terms
from approvals.policy import Facts, PolicyFaults, Stage, candidates, parse, terms_for
from approvals.policy.conditions import Language, Unclear
from approvals.policy.ranges import demands

ROOT = Path(__file__).parents[2]
MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SUNDAY_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

MONEY = """
version = 1
[people]
directors = ["U0KIM", "U0BEN", "U0ANA"]
[[rule]]
name = "small"
tools = ["refund"]
when = "args.amount <= 50"
action = "allow"
[[rule]]
name = "never"
tools = ["refund"]
when = "args.currency == 'XXX'"
action = "deny"
[[rule]]
name = "huge"
tools = ["refund"]
when = "args.amount > 25000"
risk = "critical"
approvers = ["U0CFO"]
[[rule]]
name = "large"
tools = ["refund"]
when = "args.amount > 5000"
approvers = ["directors"]
quorum = 2
deadline = "30m"
"""


def facts_of(tool: str = "refund", **changes: Any) -> Facts:
    facts = Facts(
        kind=Kind.ACTION, tool=tool, args={"amount": 900, "currency": "EUR"}, agent=AgentName("billing")
    )
    return replace(facts, **{"now": MONDAY_NOON, **changes})


def terms_of(text: str, tool: str = "refund", stages: dict[str, Stage] | None = None, **facts: Any) -> Terms:
    return terms_for(parse(text), facts_of(tool, **facts), stages=stages)


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyFaults) as caught:
        parse(text)
    return [str(fault) for fault in caught.value.faults]


def one_rule(when: str, *lines: str, tables: str = "") -> str:
    rule = ["version = 1", "[[rule]]", 'name = "r"', 'tools = ["*"]', f"when = {when!r}", *lines]
    return "\n".join(rule) + "\n" + tables


def fits(when: str, *, tables: str = "", **facts: Any) -> bool:
    return terms_of(one_rule(when, 'action = "allow"', tables=tables), **facts).action is Action.ALLOW


class TestWhatTheySee:
    @pytest.mark.parametrize(
        ("when", "facts"),
        [
            ("args.amount > 50", {"args": {"amount": 60}}),
            ("args.amount > 50", {"args": {"amount": 50.01}}),
            ("args.env in ['staging', 'dev']", {"args": {"env": "dev"}}),
            ("args.lines.exists(line, line.sku.startsWith('X'))", {"args": {"lines": [{"sku": "X1"}]}}),
            ("has(args.force) && args.force", {"args": {"force": True}}),
            ("args['a b'] == null", {"args": {"a b": None}}),
            ("tool == 'deploy'", {"tool": "deploy"}),
            ("agent.startsWith('bill')", {}),
            ("kind == 'action'", {}),
            ("risk == 'high'", {"risk": Risk.HIGH}),
            ("risk == 'medium'", {"risk": Risk.LOW}),  # an agent can't lower it, here neither
            ("confidence == 1.0", {}),
            ("confidence >= 0.4 && confidence <= 0.6 || 'sensitive' in tags", {"confidence": 0.5}),
            ("confidence <= 0.6 || 'sensitive' in tags", {"tags": ("sensitive",)}),
            ("environment == 'production'", {"environment": "production"}),
            ("now.getDayOfWeek('UTC') == 1", {}),
        ],
    )
    def test_they_see_the_call_and_where_and_when_it_is_made(self, when: str, facts: dict[str, Any]) -> None:
        assert fits(when, **facts)

    def test_a_calendar_is_true_while_it_is_open(self) -> None:
        office = '[calendars.office]\ntz = "Europe/Berlin"\nhours = "09:00-18:00"\n'
        assert fits("office", tables=office)
        assert not fits("office", tables=office, now=None)
        assert not fits("!office", tables=office)
        policy = parse(one_rule("!office", 'action = "allow"', tables=office))
        assert terms_for(policy, replace(facts_of(), now=SUNDAY_NOON)).action is Action.ALLOW

    @pytest.mark.parametrize("value", [False, None, 0, 1, "true", [True], {"a": True}])
    def test_only_true_is_a_yes(self, value: object) -> None:
        assert not fits("args.flag", args={"flag": value})
        assert fits("args.flag", args={"flag": True})

    @pytest.mark.attack("E70")
    def test_a_catastrophic_regular_expression_costs_no_time(self) -> None:
        assert not fits("args.text.matches('^(a+)+$')", args={"text": "a" * 200_000 + "b"})

    def test_looking_through_too_much_is_bounded(self) -> None:
        when = "args.xs.all(x, args.xs.all(y, args.xs.all(z, z >= 0)))"
        terms = terms_of(one_rule(when, 'action = "allow"'), args={"xs": list(range(2000))})
        assert terms.action is Action.ASK
        assert "it has too much to look through" in terms.because


class TestNoAnswer:
    @pytest.mark.parametrize(
        ("args", "why"),
        [
            ({}, "the call has no “amount”"),
            ({"amount": "60"}, "“<=” can't be used on a text and a whole number"),
            ({"amount": None}, "“<=” can't be used on nothing and a whole number"),
            ({"amount": True}, "“<=” can't be used on true or false and a whole number"),
            ({"amount": [1]}, "“<=” can't be used on a list and a whole number"),
            ({"amount": 2**70}, "a number in the call is too large"),
            ({"amount": 1, "x": "\ud800"}, "the call holds something that it can't deal with"),
        ],
    )
    def test_an_allow_rule_asks_and_says_why(self, args: dict[str, Any], why: str) -> None:
        terms = terms_of(one_rule("args.amount <= 50", 'action = "allow"'), args=args)
        assert (terms.action, terms.approvers) == (Action.ASK, ("channel",))
        assert terms.because == (
            f"rule “r” could not be checked, as {why}, so people are asked: anyone in the channel"
        )

    @pytest.mark.parametrize("args", [{"env": "staging\0prod"}, {"env": "staging", "x": [{"a\0b": 1}]}])
    def test_a_text_that_the_engine_would_cut_off_lets_nothing_through(self, args: dict[str, Any]) -> None:
        terms = terms_of(one_rule("args.env == 'staging'", 'action = "allow"'), args=args)
        assert terms.action is Action.ASK
        assert "the call holds a NUL, at which a text would be cut off" in terms.because

    def test_a_deny_rule_asks_where_it_might_have_denied(self) -> None:
        text = one_rule("args.env == 'production'", 'action = "deny"') + (
            '[[rule]]\nname = "free"\ntools = ["*"]\naction = "allow"\n'
        )
        assert terms_of(text, args={"env": "staging"}).action is Action.ALLOW
        assert terms_of(text, args={"env": "production"}).action is Action.DENY
        terms = terms_of(text, args={})
        assert (terms.action, terms.rule) == (Action.ASK, "r")

    def test_a_later_deny_still_denies(self) -> None:
        text = one_rule("args.env == 'x'", 'action = "allow"') + (
            '[[rule]]\nname = "no"\ntools = ["*"]\naction = "deny"\n'
        )
        assert terms_of(text, args={}).action is Action.DENY

    def test_leaving_an_argument_out_gets_nobody_out_of_the_way(self) -> None:
        terms = terms_of(MONEY, args={"currency": "EUR"})
        assert {(group.name, group.needed) for group in terms.groups} == {
            ("huge", 1), ("large", 2), ("defaults", 1),
        }  # fmt: skip
        assert terms.approvers == ("U0CFO", "U0KIM", "U0BEN", "U0ANA", "channel")
        assert (terms.risk, terms.deadline_s, terms.action) == (Risk.CRITICAL, 1800, Action.ASK)
        assert terms.because == (
            "rules “small”, “huge” and “large” could not be checked, as the call has no “amount”,"
            " so people are asked: 1 of “huge” and 2 of “large” and 1 of “defaults”"
        )

    def test_the_same_people_are_wanted_once(self) -> None:
        text = one_rule("args.a > 1", "quorum = 2") + (
            '[[rule]]\nname = "s"\ntools = ["*"]\nwhen = "args.a > 0"\nquorum = 3\n'
        )
        terms = terms_of(text, args={})
        assert (terms.groups, terms.quorum, terms.approvers) == ((), 3, ("channel",))

    def test_silence_never_lets_it_through(self) -> None:
        text = one_rule("args.a > 1", 'on_deadline = "approve"')
        assert terms_of(text, args={"a": 2}).on_deadline is OnDeadline.APPROVE
        assert terms_of(text, args={}).on_deadline is OnDeadline.EXPIRE

    @given(
        amount=st.one_of(
            st.none(), st.booleans(), st.text(max_size=3), st.integers(-(2**70), 2**70), st.floats(),
            st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
        )
    )  # fmt: skip
    def test_nothing_but_a_small_number_is_allowed(self, amount: object) -> None:
        terms = terms_of(MONEY, args={"amount": amount, "currency": "EUR"})
        is_small = isinstance(amount, int | float) and not isinstance(amount, bool) and amount <= 50
        is_read = not isinstance(amount, int) or abs(amount) < 2**63 + 1
        if terms.action is Action.ALLOW:
            assert is_small
            assert is_read

    def test_without_an_engine_a_condition_is_refused_and_all_else_works(self) -> None:
        program = """
import sys
sys.modules["cel_expr_python"] = None
from approvals.policy import parse, PolicyFaults
parse('version = 1\\n[[rule]]\\nname = "r"\\ntools = ["a"]')
try:
    parse('version = 1\\n[[rule]]\\nname = "r"\\ntools = ["a"]\\nwhen = "args.a"')
except PolicyFaults as faults:
    print(faults)
"""
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert done.stdout.startswith(
            "line 5, rule “r”: `when` can't be read: this machine lacks the CEL engine"
        )


class TestFaults:
    @pytest.mark.parametrize(
        ("when", "fault"),
        [
            ("", "`when` is ''; write a condition"),
            ("args.", "`when` can't be read at character 6"),
            ("tols == 'x'", "`when` speaks of 'tols', which is unknown; did you mean `tool`?"),
            ("office", "`when` speaks of 'office', which is unknown"),
            ("tool > 1", "`when` is wrong at character 6: found no matching overload for '_>_'"),
            ("1 + 1", "`when` does not give true or false"),
            ("tool", "`when` does not give true or false"),
            ("tool.matches('(')", "`when` holds '(', which is no regular expression"),
            ("(" * 200 + "true" + ")" * 200, "`when` can't be read: it is nested too deeply"),
            ("args.a == '" + "x" * 2000 + "'", "`when` has 2,012 characters; use at most 2,000"),
            ("false", "`when` can never hold"),
            ("args.a > 1 && 1 > 2", "`when` can never hold"),
            ("risk == 'hihg'", "`when` can never hold"),
            ("kind == 'tool'", "`when` can never hold"),
            ("args.a > 5 && args.a < 3", "`when` can never hold: no number args.a is like that"),
            ("confidence > 1", "write the number with a dot, such as 1.0"),
            ("confidence > 1.0", "`when` can never hold: no number confidence is like that"),
            ("args.a > 1 || true", "`when` holds for every call; correct it, or leave it out"),
        ],
    )
    def test_a_condition_that_says_nothing_is_named(self, when: str, fault: str) -> None:
        (told,) = faults_of(one_rule(when))
        assert told.startswith("line 5, rule “r”: ")
        assert fault in told

    def test_one_that_speaks_of_a_tool_its_rule_is_not_for_is_named(self) -> None:
        text = 'version = 1\n[[rule]]\nname = "r"\ntools = ["refund"]\nwhen = "tool == \'refunds\'"'
        assert "`when` can never hold" in faults_of(text)[0]

    @pytest.mark.parametrize(
        ("above", "below", "is_hidden"),
        [
            ("args.amount > 5000", "args.amount > 25000", True),
            ("args.amount > 25000", "args.amount > 5000", False),
            ("args.amount >= 5", "args.amount > 5 && tool == 'refund'", True),
            ("args.amount > 5", "args.amount >= 5", False),
            ("args.amount > 5 || tool == 'x'", "args.amount > 6", False),
            ("args.env == 'a'", "args.env == 'a' && args.b", True),
            ("args.amount > 5 // && args.b > 1", "args.amount > 6", False),
            ("args.s == '&& args.a > 1'", "args.a > 2", False),
        ],
    )
    def test_a_wider_condition_above_hides_a_narrower_one(
        self, above: str, below: str, is_hidden: bool
    ) -> None:
        assert demands(above).cover(demands(below)) is is_hidden

    def test_a_hidden_rule_is_a_fault(self) -> None:
        text = one_rule("args.amount > 5000") + (
            '[[rule]]\nname = "cfo"\ntools = ["refund"]\nwhen = "args.amount > 25000"\n'
        )
        assert "rule “cfo”: it is never reached: rule “r” above it takes all its calls" in faults_of(text)[0]

    def test_blanks_within_texts_stay(self) -> None:
        assert fits("args.a == 'x  y'", args={"a": "x  y"})
        assert not fits("args.a == 'x  y'", args={"a": "x y"})


class TestStages:
    TEXT = MONEY + '[stages]\nwipe = "disabled"\nrefund = "approval"\n'

    def test_a_disabled_tool_is_denied_with_a_sentence(self) -> None:
        terms = terms_of(self.TEXT, "wipe")
        assert (terms.action, terms.rule, terms.because) == (
            Action.DENY, "stages", "the tool wipe is disabled",
        )  # fmt: skip

    def test_at_approval_nothing_is_allowed_and_what_is_denied_stays_denied(self) -> None:
        small = terms_of(self.TEXT, args={"amount": 1, "currency": "EUR"})
        assert (small.action, small.rule) == (Action.ASK, "small")
        assert "would allow it, but its stage is “approval”" in small.because
        assert terms_of(self.TEXT, args={"amount": 100, "currency": "XXX"}).action is Action.DENY

    def test_an_autonomous_tool_runs_unless_a_rule_denies(self) -> None:
        stages = {"refund": Stage.AUTONOMOUS}
        assert terms_of(self.TEXT, stages=stages).action is Action.ALLOW
        denied = terms_of(self.TEXT, stages=stages, args={"amount": 9000, "currency": "XXX"})
        assert (denied.action, denied.rule) == (Action.DENY, "never")

    def test_where_it_is_unclear_whether_a_rule_denies_the_rules_say(self) -> None:
        terms = terms_of(self.TEXT, stages={"refund": Stage.AUTONOMOUS}, args={"amount": 10})
        assert terms.action is Action.ALLOW  # by the rule above the one in doubt
        terms = terms_of(self.TEXT, stages={"refund": Stage.AUTONOMOUS}, args={"amount": 100})
        assert terms.action is Action.ASK

    def test_the_overlay_goes_before_the_file(self) -> None:
        assert terms_of(self.TEXT, "wipe", stages={"wipe": Stage.APPROVAL}).action is Action.ASK

    def test_a_question_has_no_stage(self) -> None:
        assert terms_of(self.TEXT, "wipe", kind=Kind.QUESTION).action is Action.ASK

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            ('wipe = "off"', "`wipe` is 'off'; use one of `disabled`, `approval`, `autonomous`"),
            ('"wipe_*" = "disabled"', "`wipe_*` is a pattern; name each tool"),
        ],
    )
    def test_wrong_stages_are_named(self, line: str, fault: str) -> None:
        assert fault in faults_of(f"version = 1\n[stages]\n{line}\n")[0]


class TestBudgets:
    TEXT = one_rule(
        "args.amount <= 50",
        'action = "allow"',
        'budget = { count = 20, sum = "args.amount", limit = 500, per = "1d", by = "agent" }',
    )

    def test_a_match_says_what_it_takes_and_what_comes_after(self) -> None:
        first, second = candidates(parse(self.TEXT), facts_of(args={"amount": 12.5}))
        assert first.spend is not None
        assert (first.terms.action, first.spend.amount) == (Action.ALLOW, 12_500_000)
        assert (first.spend.count_limit, first.spend.sum_limit, first.spend.window_s) == (
            20,
            500_000_000,
            86400,
        )
        assert (second.terms.action, second.terms.rule, second.spend) == (Action.ASK, "defaults", None)

    def test_each_agent_has_its_own_and_editing_the_file_resets_none(self) -> None:
        def key(text: str, agent: str) -> str:
            spend = next(candidates(parse(text), facts_of(args={"amount": 1}, agent=AgentName(agent)))).spend
            assert spend is not None
            return spend.key

        assert key(self.TEXT, "a") == key(self.TEXT + "# edited", "a") != key(self.TEXT, "b")
        shared = self.TEXT.replace(', by = "agent"', "")
        assert key(shared, "a") == key(shared, "b") != key(self.TEXT, "a")

    @pytest.mark.parametrize("amount", [-1, -1e300, 1e300, "9", None, True, [1]])
    def test_what_is_no_amount_is_asked(self, amount: object) -> None:
        text = self.TEXT.replace('when = "args.amount <= 50"', "").replace("when = 'args.amount <= 50'", "")
        (only,) = candidates(parse(text), facts_of(args={"amount": amount}))
        assert (only.terms.action, only.spend) == (Action.ASK, None)
        assert "args.amount is not a number from 0 to 1,000,000,000" in only.terms.because

    def test_nothing_is_taken_for_what_is_asked_anyway(self) -> None:
        policy = parse(self.TEXT)
        asked = list(candidates(policy, facts_of(args={"amount": 1}), stages={"refund": Stage.APPROVAL}))
        assert [(match.terms.action, match.spend) for match in asked] == [(Action.ASK, None)]

    @pytest.mark.parametrize(
        ("budget", "fault"),
        [
            ("3", "`budget`: it is 3; write it as a table, such as { name = value }"),
            ("{ count = 5 }", "`budget`: it has no `per`"),
            ('{ per = "1d" }', "`budget`: it limits nothing"),
            ('{ sum = "args.amount", per = "1d" }', "`sum` and `limit` belong together"),
            ('{ count = 0, per = "1d" }', "`count` is 0"),
            ('{ count = 1000000, per = "1d" }', "use at most 100,000"),
            ('{ sum = "args.", limit = 1, per = "1d" }', "`sum` can't be read at character 6"),
            ('{ sum = "tool", limit = 1, per = "1d" }', "`sum` does not give a number"),
            ('{ sum = "args.a", limit = -1, per = "1d" }', "`limit` is -1"),
            ('{ count = 1, per = "never" }', '`per` is "never"'),
            ('{ count = 1, per = "1d", by = "team" }', "`by` is 'team'; use one of `agent`, `tool`"),
            ('{ count = 1, per = "1d", of = 1 }', "`of` is unknown"),
        ],
    )
    def test_faulty_budgets_are_named(self, budget: str, fault: str) -> None:
        (told,) = faults_of(one_rule("args.a", f"budget = {budget}"))
        assert told.startswith("line 6, rule “r”, `budget`: ")
        assert fault.removeprefix("`budget`: ") in told

    def test_a_rule_that_denies_has_none(self) -> None:
        text = one_rule("args.a", 'action = "deny"', 'budget = { count = 1, per = "1d" }')
        assert "would stop denying past its `budget`" in faults_of(text)[0]

    def test_a_rule_below_one_with_a_budget_is_reached(self) -> None:
        parse(self.TEXT + '[[rule]]\nname = "then"\ntools = ["refund"]\nwhen = "args.amount <= 50"\n')


def test_a_thousand_conditions_are_read_once_and_decide_quickly() -> None:
    rules = (
        f'[[rule]]\nname = "r{n}"\ntools = ["refund"]\nwhen = "args.amount == {n}"\naction = "allow"\n'
        for n in range(1000)
    )
    policy = parse("version = 1\n" + "".join(rules))
    facts = facts_of(args={"amount": 999, "text": "x" * 200_000})
    assert terms_for(policy, facts).rule == "r999"


def test_an_answer_of_the_engine_that_is_an_error_is_truthy_but_no_yes() -> None:
    language = Language()
    answer = language.condition("args.a > 1").holds(language.view({"args": {}}))
    assert answer == Unclear(why="the call has no “a”")
    assert bool(answer)
