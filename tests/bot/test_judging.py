"""Which terms a submission gets: budgets that run out, rates, and the modes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals.budgets import Budgets
from approvals.ids import new_id
from approvals.model import Action, AgentName, Kind, Terms
from approvals.policy import Facts, Stage, parse
from approvals.redis_door import open_redis
from bot.judging import Judge
from bot.settings import Mode

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
POLICY = """
version = 1
[defaults]
rate = "3/1h"
[[rule]]
name = "small refunds, up to a budget"
tools = ["refund"]
when = "args.amount <= 50"
action = "allow"
budget = { count = 3, sum = "args.amount", limit = 60, per = "1d", by = "agent" }
[[rule]]
name = "other refunds"
tools = ["refund"]
quorum = 2
"""


class Court:
    """A judge over a real Redis, and submissions for it."""

    def __init__(self, redis_url: str, tenant: str) -> None:
        self.redis = open_redis(redis_url)
        self.tenant = tenant

    def judge(self, mode: Mode = "enforce", **stages: Stage) -> Judge:
        policy = parse(POLICY)
        budgets = Budgets(self.redis, self.tenant)
        return Judge(lambda: policy, budgets, channel="#here", mode=mode, stages=lambda: stages)

    async def terms(self, judge: Judge, amount: float, **changes: Any) -> Terms:
        facts = Facts(
            kind=Kind.ACTION, tool="refund", args={"amount": amount}, agent=AgentName("billing"), now=NOON
        )
        return await judge.terms(replace(facts, **changes), new_id())


@pytest.fixture
async def court(redis_url: str, tenant: str) -> Any:
    court = Court(redis_url, tenant)
    yield court
    await court.redis.aclose()


async def test_past_its_budget_a_rule_stops_matching_and_the_next_one_asks(court: Court) -> None:
    judge = court.judge()
    actions = [(await court.terms(judge, amount)).action for amount in (30, 30, 0.01)]
    assert actions == [Action.ALLOW, Action.ALLOW, Action.ASK]
    terms = await court.terms(judge, 10)
    assert (terms.rule, terms.quorum) == ("other refunds", 2)


async def test_another_agent_has_a_budget_of_its_own(court: Court) -> None:
    judge = court.judge()
    for _ in range(3):
        await court.terms(judge, 1)
    assert (await court.terms(judge, 1)).action is Action.ASK
    assert (await court.terms(judge, 1, agent=AgentName("support"))).action is Action.ALLOW


async def test_a_letter_that_comes_twice_is_judged_the_same_and_spends_once(court: Court) -> None:
    judge = court.judge()
    facts = Facts(kind=Kind.ACTION, tool="refund", args={"amount": 40}, agent=AgentName("billing"), now=NOON)
    request_id = new_id()
    first = await judge.terms(facts, request_id)
    assert await judge.terms(facts, request_id) == first
    assert (await court.terms(judge, 20)).action is Action.ALLOW


@pytest.mark.attack("I109")
async def test_an_agent_that_asks_too_often_is_told_to_slow_down(court: Court) -> None:
    judge = court.judge()
    asked = [await court.terms(judge, 900) for _ in range(4)]
    assert [terms.action for terms in asked] == [Action.ASK] * 3 + [Action.DENY]
    assert asked[3].because == "slow down: this agent may ask 3 times in 1 h; try it again later"
    assert (await court.terms(judge, 1)).action is Action.ALLOW  # what nobody is asked is not counted


async def test_a_stage_that_was_set_later_goes_before_the_file(court: Court) -> None:
    terms = await court.terms(court.judge(refund=Stage.DISABLED), 1)
    assert (terms.action, terms.because) == (Action.DENY, "the tool refund is disabled")


async def test_shadow_asks_for_everything_and_says_what_the_policy_would_do(court: Court) -> None:
    shadow = court.judge("shadow")
    terms = await court.terms(shadow, 30)
    assert (terms.action, terms.quorum, terms.rule) == (Action.ASK, 1, "defaults")
    assert "would allow it: rule “small refunds, up to a budget” allows it without asking" in terms.because


async def test_shadow_takes_nothing_from_what_is_in_force(court: Court) -> None:
    for _ in range(3):
        await court.terms(court.judge("shadow"), 20)
    assert "would ask it" in (await court.terms(court.judge("shadow"), 1)).because
    assert (await court.terms(court.judge(), 1)).action is Action.ALLOW


async def test_off_lets_calls_through_under_its_own_name_and_still_asks_questions(court: Court) -> None:
    terms = await court.terms(court.judge("off"), 10**6)
    assert (terms.action, terms.rule) == (Action.ALLOW, "off")
    assert "APPROVALS_MODE=off" in terms.because
    question = await court.terms(court.judge("off"), 1, kind=Kind.QUESTION, tool="ask")
    assert question.action is Action.ASK
