"""A proposed rule as people see it: in the thread, in full, and never more than Slack takes."""

from dataclasses import replace

from approvals.model import AgentName, Principal, Risk
from approvals.trust import Candidate, Proposal, rule_toml
from blocks.check import check_message, check_view
from blocks.proposals import listed, rule_view
from blocks.replies import Commands
from tests.blocks.drawn import card_text, view_text
from tests.blocks.test_goldens import is_as_before

LABELS = Candidate(
    agent=AgentName("triage"),
    tool="label",
    rule="labels",
    risk=Risk.LOW,
    requests=tuple(f"R-{number}" for number in range(41)),
    bounds=("size(args) == 2", "args.all(arg, arg in ['label', 'title'])", "args.label in ['bug', 'docs']"),
    open=("title",),
    per_day=12,
)


def a_proposal(candidate: Candidate = LABELS) -> Proposal:
    rule = rule_toml(candidate)
    added = "\n".join(f"+{line}" for line in rule.splitlines())
    return Proposal(
        candidate=candidate,
        name=candidate.name,
        rule=rule,
        place="right before rule “labels”",
        diff=f'--- policy.toml\n+++ policy.toml\n@@ -4,3 +4,10 @@\n{added}\n \n [[rule]]\n name = "labels"',
        saved=41,
        days=30,
        channel="#approvals",
        approvers=(Principal("channel"),),
    )


def test_a_proposal_looks_as_before() -> None:
    in_thread = listed([a_proposal()], Commands())
    check_message(in_thread.text, in_thread.blocks)
    is_as_before("replies/suggested", card_text(in_thread))
    check_view(rule_view(a_proposal()))
    is_as_before("views/rule", view_text(rule_view(a_proposal())))


def test_without_a_file_it_says_where_the_rule_would_go() -> None:
    shown = view_text(rule_view(replace(a_proposal(), diff=None, place="into a policy file of your own")))
    assert "There is no policy file yet. The rule goes into a policy file of your own." in shown


def test_whatever_agents_call_things_it_stays_within_slacks_limits_and_in_the_open() -> None:
    hostile = replace(
        LABELS,
        tool="<!channel>&" * 18,
        open=tuple(f"<@U0ANA> *{number}* \u202e" * 10 for number in range(30)),
        bounds=("args.x == '" + "<&>\u200b" * 400 + "'",),
    )
    proposals = [a_proposal(replace(hostile, rule=f"rule {number}")) for number in range(9)]
    card = listed(proposals, Commands())
    check_message(card.text, card.blocks)
    assert "<!" not in card.text and "<@" not in card.text
    assert "… and 4 more" in card.text
    check_view(rule_view(proposals[0]))
    drawn = view_text(rule_view(proposals[0]))
    assert "\u200b" not in drawn and "\u202e" not in drawn
