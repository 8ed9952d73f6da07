"""The policy file: what it says of a call, and how it tells what is wrong with it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.model import Action, AgentName, Kind, OnDeadline, PersonId, Risk, Terms
from approvals.policy import DEFAULT, Facts, PolicyFaults, parse, terms_for, why_unanswerable
from approvals.policy.globs import covers, matches

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "policy.toml"

REFUNDS = """
version = 1

[defaults]
channel = "#money"
deadline = "4h"

[people]
directors = ["U0KIM", "S0DIRECTORS"]
leaders = ["directors", "U0ANA"]

[[rule]]
name = "reading"
tools = ["read_*"]
action = "allow"

[[rule]]
name = "never"
tools = ["drop_*"]
action = "deny"
reason = "This is not allowed."

[[rule]]
name = "refunds"
tools = ["refund"]
agents = ["billing", "support-*"]
approvers = ["leaders", "@sre-oncall"]
quorum = 2
risk = "high"
"""


def terms_of(text: str, tool: str = "refund", **facts: Any) -> Terms:
    return terms_for(parse(text), facts_of(tool, **facts))


def facts_of(tool: str = "refund", **changes: Any) -> Facts:
    return replace(Facts(kind=Kind.ACTION, tool=tool, args={}, agent=AgentName("billing")), **changes)


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyFaults) as caught:
        parse(text)
    return [str(fault) for fault in caught.value.faults]


def one_rule(*lines: str) -> str:
    return "\n".join(["version = 1", "[[rule]]", 'name = "r"', 'tools = ["refund"]', *lines])


def on_silence(**facts: Any) -> OnDeadline:
    return terms_of(one_rule('on_deadline = "approve"', 'deadline = "1h"'), **facts).on_deadline


class TestWhatItSaysOfACall:
    def test_without_a_file_everything_is_asked_of_anyone_in_the_channel(self) -> None:
        terms = terms_for(DEFAULT, facts_of("rm_rf"), channel="#here")
        assert (terms.action, terms.approvers, terms.channel) == (Action.ASK, ("channel",), "#here")
        assert "anyone in the channel" in terms.because

    @pytest.mark.attack("E73")
    def test_an_empty_file_but_for_its_version_says_the_same(self) -> None:
        assert terms_of("version = 1").approvers == terms_for(DEFAULT, facts_of()).approvers

    def test_the_first_rule_that_fits_decides(self) -> None:
        text = REFUNDS + '[[rule]]\nname = "later"\ntools = ["re*"]\naction = "allow"\n'
        assert terms_of(text, "refund").rule == "refunds"
        assert terms_of(text, "read_mail").rule == "reading"
        assert terms_of(text, "remove").rule == "later"

    @pytest.mark.parametrize("tool", ["Refund", "refund ", "refunds", "refund\n"])
    def test_a_rule_takes_exactly_what_it_names(self, tool: str) -> None:
        assert terms_of(REFUNDS, tool).rule == "defaults"

    @pytest.mark.parametrize(("agent", "rule"), [("support-eu", "refunds"), ("hiring", "defaults")])
    def test_a_rule_may_be_for_some_agents_only(self, agent: str, rule: str) -> None:
        assert terms_of(REFUNDS, agent=AgentName(agent)).rule == rule

    def test_a_rule_says_what_it_wants_and_takes_the_rest_from_the_defaults(self) -> None:
        terms = terms_of(REFUNDS)
        assert (terms.quorum, terms.risk) == (2, Risk.HIGH)
        assert (terms.channel, terms.deadline_s) == ("#money", 4 * 3600)

    def test_sets_of_people_are_expanded_and_each_person_stands_once(self) -> None:
        assert terms_of(REFUNDS).approvers == ("U0KIM", "S0DIRECTORS", "U0ANA", "@sre-oncall")

    def test_sets_that_share_people_do_not_multiply(self) -> None:
        levels = [f's{n} = ["s{n + 1}", "t{n + 1}"]\nt{n} = ["t{n + 1}", "s{n + 1}"]' for n in range(60)]
        people = "\n".join([*levels, 's60 = ["U0ANA"]', 't60 = ["U0ANA"]'])
        terms = terms_of(f'version = 1\n[defaults]\napprovers = ["s0"]\n[people]\n{people}\n')
        assert terms.approvers == ("U0ANA",)

    @pytest.mark.parametrize(
        ("tool", "sentence"),
        [
            ("read_mail", "rule “reading” allows it without asking"),
            ("drop_all", "This is not allowed."),
            ("refund", "rule “refunds” asks for 2 of: leaders or @sre-oncall"),
            ("other", "no rule speaks of this call, so the policy's default asks for anyone in the channel"),
        ],
    )
    def test_it_says_why_in_a_sentence(self, tool: str, sentence: str) -> None:
        assert terms_of(REFUNDS, tool).because == sentence

    def test_nobody_has_to_read_slack_ids(self) -> None:
        terms = terms_of(one_rule('approvers = ["U0ANA", "U0KIM", "S0DIRECTORS"]'))
        assert terms.because == "rule “r” asks for a user group or 2 named people"

    def test_the_version_names_the_content(self) -> None:
        versions = {parse(text).version for text in (REFUNDS, REFUNDS, REFUNDS + "# changed")}
        assert len(versions) == 2

    def test_an_allow_rule_never_answers_a_question(self) -> None:
        everything = 'version = 1\n[[rule]]\nname = "all"\ntools = ["*"]\naction = "allow"'
        terms = terms_of(everything, "ask", kind=Kind.QUESTION)
        assert (terms.action, terms.rule) == (Action.ASK, "all")
        assert "a question needs a person" in terms.because
        assert terms_of('version = 1\n[defaults]\naction = "allow"', kind=Kind.QUESTION).action is Action.ASK

    def test_a_question_may_be_denied(self) -> None:
        silent = 'version = 1\n[[rule]]\nname = "no"\nkind = "question"\naction = "deny"'
        assert terms_of(silent, "ask", kind=Kind.QUESTION).action is Action.DENY
        assert terms_of(silent, "ask").action is Action.ASK

    def test_operators_and_retention_are_read(self) -> None:
        policy = parse(
            'version = 1\n[defaults]\nretention = "30d"\n[operators]\nana = "U0ANA"\n"j.doe" = "W0JOE"\n'
            '[owners]\noperators_channel = "#ops"\n'
        )
        assert (policy.operators, policy.operators_channel) == ({"ana": "U0ANA", "j.doe": "W0JOE"}, "#ops")
        assert terms_for(policy, facts_of()).retention_s == 30 * 24 * 3600


class TestWhatTheAgentMayWish:
    @pytest.mark.attack("B48")
    @pytest.mark.parametrize(
        ("ours", "asked", "risk"),
        [("low", Risk.HIGH, Risk.HIGH), ("high", Risk.LOW, Risk.HIGH), ("medium", None, Risk.MEDIUM)],
    )
    def test_it_may_raise_the_risk_and_never_lower_it(self, ours: str, asked: Risk, risk: Risk) -> None:
        assert terms_of(one_rule(f'risk = "{ours}"'), risk=asked).risk is risk

    @pytest.mark.attack("B48")
    @pytest.mark.parametrize(
        ("ours", "asked", "deadline_s"),
        [("1h", 60, 60), ("1h", 7200, 3600), ("never", 60, 60), ("1h", None, 3600), ("never", None, None)],
    )
    def test_it_may_shorten_the_deadline_and_never_lengthen_it(
        self, ours: str, asked: int | None, deadline_s: int | None
    ) -> None:
        assert terms_of(one_rule(f'deadline = "{ours}"'), deadline_s=asked).deadline_s == deadline_s

    @pytest.mark.parametrize("asked", [10**18, 0, -5])
    def test_an_absurd_deadline_still_is_one(self, asked: int) -> None:
        deadline_s = terms_of(one_rule('deadline = "never"'), deadline_s=asked).deadline_s
        assert deadline_s is not None
        assert 0 < deadline_s <= 366 * 24 * 3600

    @pytest.mark.attack("B52")
    def test_it_cannot_bring_silence_to_approve_its_call(self) -> None:
        assert on_silence() is OnDeadline.APPROVE
        assert on_silence(deadline_s=7200) is OnDeadline.APPROVE
        assert on_silence(deadline_s=1) is OnDeadline.EXPIRE
        assert on_silence(risk=Risk.HIGH) is OnDeadline.EXPIRE

    @pytest.mark.attack("B48")
    @given(
        risk=st.sampled_from([None, *Risk]),
        deadline_s=st.sampled_from([None, 1, 3600, 10**6]),
        tool=st.sampled_from(["refund", "drop_x", "read_x", "x"]),
    )
    def test_no_wish_changes_who_decides(self, risk: Risk | None, deadline_s: int | None, tool: str) -> None:
        wished = terms_of(REFUNDS, tool, risk=risk, deadline_s=deadline_s)
        plain = terms_of(REFUNDS, tool)
        for name in ("rule", "action", "approvers", "quorum", "channel", "self_approval", "guests"):
            assert getattr(wished, name) == getattr(plain, name)


class TestWhoCouldDecide:
    def test_a_rule_that_only_the_requester_could_meet_says_so(self) -> None:
        terms = terms_of(one_rule('approvers = ["U0ANA"]'))
        assert why_unanswerable(terms, None) is None
        assert why_unanswerable(terms, PersonId("U0KIM")) is None
        why = why_unanswerable(terms, PersonId("U0ANA"))
        assert why == "rule “r” needs 1 to decide, but nobody may, as the one it is asked for does not count"

    def test_it_may_be_the_requester_where_the_rule_says_so(self) -> None:
        terms = terms_of(one_rule('approvers = ["U0ANA"]', "self_approval = true"))
        assert why_unanswerable(terms, PersonId("U0ANA")) is None

    def test_groups_and_channels_are_for_slack_to_count(self) -> None:
        terms = terms_of(one_rule('approvers = ["U0ANA", "@sre-oncall"]', "quorum = 9"))
        assert why_unanswerable(terms, PersonId("U0ANA")) is None


class TestFaults:
    @pytest.mark.attack("A7", "E74")
    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            ('action = "alow"', "`action` is 'alow'; use one of `allow`, `ask`, `deny`, `review`"),
            ("action = true", "`action` is true; use one of `allow`, `ask`, `deny`"),
            ("quorum = 0", "`quorum` is 0; use a whole number, 1 or more"),
            ("quorum = true", "`quorum` is true; use a whole number, 1 or more"),
            ("quorum = 1.5", "`quorum` is 1.5; use a whole number, 1 or more"),
            ("approvers = []", "`approvers` is an empty list; list people"),
            ('approvers = "channel"', "`approvers` is 'channel'; list people"),
            ("approvers = [1]", "`approvers` holds 1; list people"),
            ('approvers = ["u0ana"]', "`approvers` holds 'u0ana', which is no person, no group and no name"),
            ('approvers = ["chanel"]', "did you mean 'channel'?"),
            ('deadline = "-1h"', "`deadline` is '-1h'; '-1h' is no duration"),
            ('deadline = "0s"', "`deadline` is '0s'; '0s' is no time at all"),
            ("deadline = 60", '`deadline` is 60; use a duration such as "30m"'),
            ("deadline = 2026-01-01", "`deadline` is a date or time; use a duration"),
            ('use_within = "never"', '`use_within` is "never"; it must end'),
            ('on_deadline = "allow"', "`on_deadline` is 'allow'; use one of `expire`, `approve`"),
            ('risk = "hihg"', "`risk` is 'hihg'; use one of `low`"),
            ("guests = 1", "`guests` is 1; use true or false"),
            ('self_approval = "no"', "`self_approval` is 'no'; use true or false"),
            ("burst = -1", "`burst` is -1; use a whole number, 0 or more"),
            ('channel = "Approvals"', "`channel` is 'Approvals', which names no channel"),
            ('channel = "#General chat"', "which names no channel"),
            ("agents = []", "`agents` is an empty list; list names"),
            ('agents = [""]', "`agents` holds ''; a name has 1 to 200 characters"),
            ('kind = "wish"', "`kind` is 'wish'; use one of `action`, `question`, `review`"),
            ('reason = ""', "`reason` is ''; write one line"),
            ("rejections = 0", "`rejections` is 0; use a whole number, 1 or more"),
            ('extend = "never"', '`extend` is "never"; it must end'),
            ("sample = 1.5", "`sample` is 1.5; use a number from 0 to 1"),
            ('assurance = "keys"', "`assurance` is 'keys'; use one of `click`, `step-up`, `key`"),
            ('quiet = "office"', "`quiet` is 'office', which is no calendar of this file"),
            (
                'digest = "refunds"',
                "`digest` is 'refunds', which is no digest of this file; write it under a line",
            ),
            ('ladder = "1h"', "`ladder` is '1h'; list steps"),
            ('rate = "1/1h"', "`rate` does not belong here; move it to [defaults]"),
            ('retention = "5d"', "`retention` does not belong here; move it to [defaults]"),
            ('approver = ["U0ANA"]', "`approver` is unknown; did you mean `approvers`?"),
            ("zzz = 1", "`zzz` is unknown; known are `action`"),
        ],
    )
    def test_a_wrong_value_is_named_with_its_place_and_its_mend(self, line: str, fault: str) -> None:
        (told,) = faults_of(one_rule(line))
        assert told.startswith("line 5, rule “r”: ")
        assert fault in told

    @pytest.mark.parametrize(
        ("lines", "fault"),
        [
            (
                ['approvers = ["U0ANA", "U0KIM"]', "quorum = 3"],
                "`quorum` is 3, but only 2 may decide; use 2 or less, or name more `approvers`",
            ),
            (
                ['on_deadline = "approve"', 'risk = "critical"'],
                '`on_deadline` = "approve" with critical risk would let it run because nobody looked',
            ),
            (['channel = "dm"'], '`channel` = "dm" has no members, but `approvers` names the channel'),
            (['kind = "question"', 'action = "allow"'], "a question can't be allowed"),
        ],
    )
    def test_values_that_are_right_alone_may_be_wrong_together(self, lines: list[str], fault: str) -> None:
        (told,) = faults_of(one_rule(*lines))
        assert fault in told

    def test_all_faults_are_told_at_once_in_the_order_of_the_file(self) -> None:
        told = faults_of(one_rule("quorum = 0", 'risk = "x"') + "\n[default]\n[people]\na = []\n")
        assert [fault.split(":")[0] for fault in told] == [
            "line 5, rule “r”",
            "line 6, rule “r”",
            "line 7, the file",
            "line 9, [people]",
        ]
        assert "did you mean `defaults`?" in told[2]

    def test_a_rule_is_not_blamed_for_the_defaults(self) -> None:
        told = faults_of(one_rule() + '\n[defaults]\napprovers = ["U0ANA"]\nquorum = 2\n')
        assert [fault.split(":")[0] for fault in told] == ["line 7, [defaults]"]

    def test_rules_have_names_of_their_own(self) -> None:
        rule = '[[rule]]\nname = "{}"\ntools = ["{}"]\n'
        twice = "version = 1\n" + rule.format("r", "a") + rule.format("r", "b")
        assert faults_of(twice) == ["line 6, rule “r”: another rule has this name; choose another name"]
        assert (
            "stands for what the service says itself"
            in faults_of("version = 1\n" + rule.format("defaults", "a"))[0]
        )
        assert "it has no `name`" in faults_of('version = 1\n[[rule]]\ntools = ["a"]')[0]

    def test_a_rule_says_what_it_is_for(self) -> None:
        (told,) = faults_of('version = 1\n[[rule]]\nname = "open"\naction = "allow"')
        assert told.startswith("line 2, rule “open”: it does not say what it is for; write `tools")

    @pytest.mark.attack("E73")
    @pytest.mark.parametrize(
        ("above", "below"),
        [
            ('tools = ["*"]', 'tools = ["refund"]'),
            ('tools = ["re*"]', 'tools = ["refund", "read_*"]'),
            ('tools = ["*"]\nkind = "action"', 'tools = ["x"]\nkind = "action"\nagents = ["a"]'),
        ],
    )
    def test_a_rule_that_is_never_reached_is_a_fault(self, above: str, below: str) -> None:
        text = f'version = 1\n[[rule]]\nname = "wide"\n{above}\n[[rule]]\nname = "narrow"\n{below}\n'
        (told,) = faults_of(text)
        assert "rule “narrow”: it is never reached: rule “wide” above it takes all its calls" in told

    @pytest.mark.parametrize(
        ("above", "below"),
        [
            ('tools = ["*"]\nagents = ["a"]', 'tools = ["refund"]'),
            ('tools = ["*"]\nkind = "question"', 'tools = ["refund"]'),
            ('tools = ["refund"]', 'tools = ["refund", "read"]'),
        ],
    )
    def test_a_rule_that_is_sometimes_reached_is_none(self, above: str, below: str) -> None:
        parse(f'version = 1\n[[rule]]\nname = "wide"\n{above}\n[[rule]]\nname = "narrow"\n{below}\n')

    @pytest.mark.parametrize(
        ("people", "fault"),
        [
            ('a = ["b"]\nb = ["a"]', "a set contains itself"),
            ('a = ["a"]', "a set contains itself: a in a"),
            ('channel = ["U0ANA"]', "`channel` can't name a set"),
            ('U0ANA = ["U0KIM"]', "`U0ANA` can't name a set"),
            ("a = []", "`a` is an empty list"),
            ('a = "U0ANA"', "`a` is 'U0ANA'; list people"),
            ('directors = ["U0ANA"]\nb = ["director"]', "did you mean 'directors'?"),
        ],
    )
    def test_faulty_sets_of_people_are_named(self, people: str, fault: str) -> None:
        (told,) = faults_of(f"version = 1\n[people]\n{people}\n")
        assert "[people]" in told
        assert fault in told

    def test_who_names_a_faulty_set_is_not_blamed_as_well(self) -> None:
        assert len(faults_of(one_rule('approvers = ["a"]') + '\n[people]\na = ["a"]\n')) == 1

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "the file: `version` is not 1; write `version = 1` as the first line"),
            ("version = true", "line 1, the file: `version` is not 1"),
            ("version = 2", "line 1, the file: `version` is not 1"),
            ('version = 1\nname = "open', "line 2, the file: it is not TOML"),
            ("version = 1\nrule = 3", "line 2, the file: `rule` is 3; write each rule under a line [[rule]]"),
            ("version = 1\nrule = [3]", "rule 1: it is 3; write it as a table"),
            ("version = 1\npeople = 1", "line 2, [people]: it is 1; write it as a table"),
            ("version = 1\n[operators]\nana = 'ana'", "`ana` is 'ana', which is no Slack user id"),
            ("version = 1\na = " + "[" * 5000, "the file: it is nested too deeply"),
            ("#" * 1_000_001, "the file: it has 1,000,001 characters; at most 1,000,000 are read"),
        ],
    )
    def test_a_file_that_is_none_says_so(self, text: str, fault: str) -> None:
        assert any(fault in told for told in faults_of(text))

    def test_a_line_is_found_although_a_long_text_looks_like_keys(self) -> None:
        text = 'version = 1\n[[rule]]\nname = """x\nquorum = 1\n[defaults]\n"""\ntools = ["a"]\nquorum = 0\n'
        assert any(told.startswith("line 8, ") and "`quorum` is 0" in told for told in faults_of(text))

    def test_a_thousand_rules_are_read(self) -> None:
        rules = (f'[[rule]]\nname = "r{n}"\ntools = ["tool_{n}", "x_{n}_*"]\n' for n in range(1_000))
        assert terms_of("version = 1\n" + "".join(rules), "tool_999").rule == "r999"

    @given(st.text(alphabet="[]{}=\"\n #.,ab1'\\", max_size=60))
    def test_any_text_is_a_policy_or_a_list_of_faults(self, text: str) -> None:
        try:
            parse("version = 1\n" + text)
        except PolicyFaults as faults:
            assert faults.faults


class TestGlobs:
    PARTS = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]"]), max_size=4).map("".join)

    @given(wide=PARTS, narrow=PARTS, name=st.text(alphabet="ab", max_size=5))
    def test_a_glob_that_covers_another_fits_all_its_names(self, wide: str, narrow: str, name: str) -> None:
        if covers([wide], [narrow]) and matches([narrow], name):
            assert matches([wide], name)

    @pytest.mark.attack("E70")
    def test_many_stars_cost_no_time(self) -> None:
        assert not matches(["*a" * 100 + "b"], "a" * 200)


class TestTheExamples:
    @pytest.mark.parametrize(
        "text", re.findall(r"```toml\n(.*?)```", (DOCS / "policies.md").read_text(), re.DOTALL)
    )
    def test_those_of_the_docs_are_policies(self, text: str) -> None:
        assert parse(text).version

    def test_the_faults_of_the_docs_are_told_so(self) -> None:
        wide = 'version = 1\n[[rule]]\nname = "everything"\ntools = ["*"]\n'
        rule = 'name = "refunds"\napprovers = ["U0A", "U0B"]\nquorum = 3\ntools = ["refund"]\napprover = 1'
        shown = (DOCS / "policies.md").read_text()
        assert "\n".join(faults_of(f"{wide}[[rule]]\n{rule}")) in shown

    @pytest.mark.parametrize(
        ("tool", "kind", "action", "risk"),
        [
            ("refund", Kind.ACTION, Action.ASK, Risk.HIGH),
            ("deploy", Kind.ACTION, Action.ASK, Risk.HIGH),
            ("send_email", Kind.ACTION, Action.ASK, Risk.MEDIUM),
            ("delete_customer", Kind.ACTION, Action.ASK, Risk.CRITICAL),
            ("ask", Kind.QUESTION, Action.ASK, Risk.LOW),
            ("search_orders", Kind.ACTION, Action.ALLOW, Risk.MEDIUM),
            ("drop_database", Kind.ACTION, Action.DENY, Risk.MEDIUM),
            ("something_new", Kind.ACTION, Action.ASK, Risk.MEDIUM),
        ],
    )
    def test_it_asks_where_it_matters(self, tool: str, kind: Kind, action: Action, risk: Risk) -> None:
        terms = terms_of(EXAMPLE.read_text(), tool, kind=kind)
        assert (terms.action, terms.risk) == (action, risk)

    def test_a_director_and_someone_from_platform_decide_on_deletions(self) -> None:
        terms = terms_of(EXAMPLE.read_text(), "delete_customer")
        assert {group.name: group.needed for group in terms.groups} == {"directors": 1, "platform": 1}

    @pytest.mark.parametrize(
        ("amount", "rule"),
        [(18.99, "small refunds, up to a budget"), (120.5, "the other refunds"), (940, "refunds over $500")],
    )
    def test_the_amount_decides_who_looks_at_a_refund(self, amount: float, rule: str) -> None:
        assert terms_of(EXAMPLE.read_text(), "refund", args={"amount": amount}).rule == rule

    def test_a_newcomer_sees_a_ladder_climb_within_two_minutes(self) -> None:
        ladder = terms_of(EXAMPLE.read_text(), "refund", args={"amount": 940}).ladder
        assert ladder and ladder[-1].after_s <= 120


def test_a_file_may_name_more_secrets_and_what_is_none() -> None:
    masks = parse('version = 1\n[masks]\nnames = ["iban"]\nallow = ["reset_token"]\n').masks
    named = [name for name in ("IBAN", "apiKey", "resetToken") if masks.names_secret(name)]
    assert named == ["IBAN", "apiKey"]


def test_what_is_wrong_with_masks_is_told() -> None:
    with pytest.raises(PolicyFaults, match=r"\[masks\].*`name` is unknown; did you mean `names`"):
        parse('version = 1\n[masks]\nname = ["iban"]\n')
