"""What a policy would have made of the calls in the log, beside what became of them in fact."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from approvals.audit import Entry, entry_of
from approvals.commands import Approve, Cancel, Command, Expire, Reject, Revise
from approvals.evolution import evolve
from approvals.machine import begin, decide
from approvals.model import Action, Args, PersonId, Request, Risk, Via
from approvals.policy import parse
from bot.backtest import Backtest, History, backtest
from bot.terminal.backtest_shown import as_json, bars, show, svg
from tests.builders import T0, a_person, a_request, terms

ANA, KIM = a_person(), a_person(id=PersonId("U0KIM"), name="Kim Osei")
HOUR = timedelta(hours=1)
UNTIL = T0 + timedelta(days=3)
CANDIDATE = """
version = 1
[[rule]]
name = "small refunds"
tools = ["refund"]
when = "args.amount <= 50"
action = "allow"
[[rule]]
name = "never"
tools = ["drop_*"]
action = "deny"
"""


def a_life(
    amount: float = 40, *commands: Command, day: int = 0, tool: str = "refund", **changes: Any
) -> Iterator[Entry]:
    """The log of one refund: each command comes an hour after the one before."""
    args: Args = {"amount": amount}
    at = T0 + timedelta(days=day)
    usual: dict[str, Any] = {"terms": terms(deadline_s=7200), "created_at": at, "tool": tool, "args": args}
    request: Request = a_request(**(usual | changes))
    submitted, answer = begin(request)
    yield entry_of(request, request, submitted, via=Via.REDIS)
    after = evolve(request, answer)
    yield entry_of(request, after, answer, via=Via.SERVICE)
    for command in commands:
        at += HOUR
        wanted = replace(command, seen=after.fingerprint) if isinstance(command, Approve) else command
        event = decide(after, wanted, now=at)
        before, after = after, evolve(after, event)
        yield entry_of(before, after, event, via=Via.SLACK)


def replayed(*lives: Iterator[Entry], policy: str = CANDIDATE, since: timedelta = timedelta(0)) -> Backtest:
    history = History(T0 + since, environment="production")
    for life in lives:
        for entry in life:
            history.add(entry)
    cases = list(history.cases(UNTIL))
    return backtest(parse(policy), cases, since=T0 + since, until=UNTIL, channel="#approvals")


def yes(by: Any = ANA, edited: Args | None = None) -> Approve:
    return Approve(by=by, seen=a_request().fingerprint, edited=edited)


class TestWhatItFinds:
    def test_each_call_is_judged_anew_and_stands_beside_what_people_said(self) -> None:
        found = replayed(a_life(40, yes()), a_life(900, yes(KIM)), a_life(1, yes(), tool="drop_table", day=1))
        assert [(each.would, each.rule) for each in found.calls] == [
            (Action.ALLOW, "small refunds"),
            (Action.ASK, "defaults"),
            (Action.DENY, "never"),
        ]
        assert (found.was(Action.ALLOW), found.was(Action.ASK), found.was(Action.DENY)) == (0, 3, 0)
        assert {name: count.would.total() for name, count in found.per_person.items()} == {
            "Ana Duarte": 2, "Kim Osei": 1,
        }  # fmt: skip
        assert [each.case.facts.tool for each in found.stopped] == ["drop_table"]

    def test_asks_a_day_and_hours_waited_are_saved(self) -> None:
        found = replayed(a_life(40, yes()), a_life(40, yes(), day=1), a_life(900, yes(), day=1))
        assert (found.per_day(found.was(Action.ASK)), found.per_day(found.would(Action.ASK))) == (1, 1 / 3)
        assert (found.hours_waited, found.hours_saved) == (3, 2)
        assert [(day.asked, day.would_ask) for day in found.days] == [(1, 0), (2, 1), (0, 0), (0, 0)]

    def test_what_people_rejected_and_it_would_let_through_is_listed(self) -> None:
        no = Reject(by=KIM, feedback="Not this one.")
        found = replayed(a_life(40, no), a_life(900, no), a_life(40, yes(edited={"amount": 30})))
        (slip,) = found.let_through
        assert (slip.case.by, slip.case.said, slip.rule) == ("Kim Osei", "Not this one.", "small refunds")
        assert [each.case.ended for each in found.unedited] == ["edited"]

    def test_what_ended_without_an_answer_is_neither_yes_nor_no(self) -> None:
        found = replayed(a_life(40, Expire(), terms=terms()), a_life(40, Cancel()), a_life(40))
        count = found.per_rule["small refunds"]
        assert (count.approved, count.rejected, count.otherwise) == (0, 0, 3)
        assert set(found.per_person) == {"nobody", "billing"}

    def test_what_was_allowed_in_fact_has_not_waited(self) -> None:
        found = replayed(a_life(900, terms=terms(action=Action.ALLOW)))
        assert (found.was(Action.ALLOW), found.would(Action.ASK), found.hours_waited) == (1, 1, 0)
        assert found.per_person == {}

    def test_what_people_looked_at_afterwards_is_told_apart(self) -> None:
        found = replayed(a_life(40, terms=terms(action=Action.REVIEW)))
        assert (found.was(Action.REVIEW), found.was(Action.ALLOW), found.hours_waited) == (1, 0, 0)

    def test_a_call_counts_as_its_agent_last_revised_it(self) -> None:
        no = terms(action=Action.DENY)
        found = replayed(
            a_life(900, Revise(args={"amount": 40}), yes()),
            a_life(40, Revise(args={"amount": 900}, terms=no)),
            a_life(40, yes(edited={"amount": 900})),
        )
        assert [(each.case.facts.args["amount"], each.would) for each in found.calls] == [
            (40, Action.ALLOW), (900, Action.ASK), (40, Action.ALLOW),
        ]  # fmt: skip

    def test_what_grants_let_through_is_told_apart(self, capsys: pytest.CaptureFixture[str]) -> None:
        by_grant = terms(action=Action.ALLOW, grant="G1")
        found = replayed(a_life(900, terms=by_grant), a_life(40, terms=by_grant), a_life(900, yes()))
        show(found)
        told = capsys.readouterr().out
        assert "2 calls were let through by grants in fact; this file alone would ask about 1," in told
        assert as_json(found)["let_through_by_grants"] == {"in_fact": 2, "asked_with_this_file": 1}

    def test_only_what_was_submitted_since_counts(self) -> None:
        found = replayed(a_life(40, yes()), a_life(40, day=1), since=timedelta(hours=12))
        assert len(found.calls) == 1

    def test_what_the_agent_said_of_itself_is_seen_as_it_was(self) -> None:
        policy = 'version = 1\n[[rule]]\nname = "sure"\ntools = ["*"]\naction = "allow"\n'
        sure = policy + "when = \"confidence > 0.9 && risk == 'medium' && 'vip' in tags\"\n"
        said: dict[str, Any] = {"confidence": 0.95, "tags": ("vip",)}
        # Its rule made it high risk, the agent did not: the condition sees what the agent said.
        high = terms(risk=Risk.HIGH)
        assert replayed(a_life(terms=high, **said), policy=sure).would(Action.ALLOW) == 1
        assert replayed(a_life(wished_risk=Risk.HIGH, **said), policy=sure).would(Action.ALLOW) == 0

    def test_budgets_and_rates_run_out_as_they_would_have(self) -> None:
        policy = CANDIDATE.replace('action = "allow"', 'action = "allow"\nbudget = { count = 1, per = "1d" }')
        rated = policy.replace("version = 1", 'version = 1\n[defaults]\nrate = "1/1d"')
        lives = [(40, 0), (40, 0), (40, 0), (40, 1)]
        found = replayed(*(a_life(amount, day=day) for amount, day in lives), policy=rated)
        assert [each.would for each in found.calls] == [Action.ALLOW, Action.ASK, Action.DENY, Action.ALLOW]
        assert found.calls[2].rule == "rate"


class TestHowItIsShown:
    @pytest.fixture
    def found(self) -> Backtest:
        no = Reject(by=KIM, feedback="<b>no</b>\x1b[31m & never")
        return replayed(a_life(40, yes()), a_life(40, no, day=1), a_life(900, yes(), day=2))

    def test_the_table_names_rules_people_and_slips(
        self, found: Backtest, capsys: pytest.CaptureFixture[str]
    ) -> None:
        show(found)
        told = capsys.readouterr().out
        assert "Asks a day: 1.0 in fact, 0.3 with this file." in told
        assert "Hours waited for people: 3.0, of which 2.0 saved." in told
        assert "1 would be let through, and people rejected it:" in told
        assert "rejected by Kim Osei" in told and "small refunds" in told
        assert "\x1b" not in told

    def test_bars_share_a_scale(self, found: Backtest) -> None:
        asked, would, *daily = bars(found)
        assert (asked.count("█"), would.count("█")) == (40, 13)
        assert ["███·" in daily[0], "··█·" in daily[1]] == [True, True]

    def test_the_picture_can_be_read_without_seeing_it_and_in_the_dark(self, found: Backtest) -> None:
        picture = svg(found)
        root = ElementTree.fromstring(picture)  # noqa: S314 - our own
        told = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}title")]
        assert told[0].startswith("How often people were asked")
        assert f"{T0.date()}: 1 asked in fact, 0 with this file" in told
        assert root.attrib["role"] == "img" and root.find("{http://www.w3.org/2000/svg}desc") is not None
        assert "prefers-color-scheme: dark" in picture and "script" not in picture

    def test_scripts_get_everything(self, found: Backtest) -> None:
        told = json.loads(json.dumps(as_json(found)))
        assert told["asks_per_day"] == {"in_fact": 1, "with_this_file": 0.333}
        assert [call["by"] for call in told["let_through_though_rejected"]] == ["Kim Osei"]
