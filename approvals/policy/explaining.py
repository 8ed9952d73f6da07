"""The walk through the rules for one call, told step by step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from approvals.durations import tell_duration
from approvals.model import Action, Json, Kind
from approvals.policy.conditions import MICROS, paths
from approvals.policy.deciding import Verdict, candidates, look
from approvals.policy.rules import Budget, By, Facts, Policy, Rule, Stage

VALUE_CHARS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One rule that was looked at, and what came of it."""

    rule: str
    verdict: Verdict
    told: str


def walk(policy: Policy, facts: Facts) -> Iterator[Tried]:
    """Every rule that is looked at, in order. Whether a budget has something left is not known here."""
    view = policy.view(facts)
    seen = dict(policy.seen(facts))
    for rule in policy.rules:
        verdict, why = look(rule, facts, view)
        yield Tried(rule=rule.name, verdict=verdict, told=_told(rule, verdict, why, seen))
        if verdict is Verdict.FITS and rule.budget is None:
            return


def stage_of(policy: Policy, facts: Facts, stages: Mapping[str, Stage] | None = None) -> Stage | None:
    return None if facts.kind is Kind.QUESTION else {**policy.stages, **(stages or {})}.get(facts.tool)


def answer(policy: Policy, facts: Facts, *, channel: str) -> Iterator[str]:
    """What comes out, in sentences: first as long as budgets last, then past each of them."""
    before = ""
    for match in candidates(policy, facts, channel=channel):
        terms = match.terms
        yield f"{before}{terms.action}: {terms.because}"
        if terms.action is Action.ASK:
            until = (
                "with no deadline"
                if terms.deadline_s is None
                else f"within {tell_duration(terms.deadline_s)}"
            )
            digest = f", in the digest {terms.digest}" if terms.digest else ""
            yield f"  {terms.risk} risk, shown in {terms.channel}{digest}, {until}, then: {terms.on_deadline}"
        if terms.action is Action.REVIEW:
            share = "all of them are" if terms.sample == 1 else f"{100 * terms.sample:.3g} % of them are"
            yield f"  {terms.risk} risk; {share} up for a look afterwards, in {terms.channel}"
        before = "when that budget is used up, "


def _told(rule: Rule, verdict: Verdict, why: str, seen: Mapping[str, object]) -> str:
    condition = f": {rule.when.text}{_values(rule.when.text, seen)}" if rule.when else ""
    match verdict:
        case Verdict.FITS:
            budget = f", as long as its budget lasts ({_budget(rule.budget)})" if rule.budget else ""
            return f"fits{condition}{budget}"
        case Verdict.FALSE:
            return f"{verdict.value}{condition}"
        case Verdict.UNCLEAR:
            return f"{verdict.value}, as {why}{condition}"
        case Verdict.OTHER_TOOL:
            return f"{verdict.value}: {', '.join(rule.tools)}"
        case Verdict.OTHER_AGENT:
            return f"{verdict.value}: {', '.join(rule.agents)}"
        case Verdict.OTHER_KIND:
            return f"{verdict.value}: {rule.kind}"


def _values(condition: str, seen: Mapping[str, object]) -> str:
    """The values of what a condition mentions."""
    told = [
        f"{path} = {_value(path, seen)}"
        for path in dict.fromkeys(paths(condition))
        if path.split(".")[0] in seen
    ]
    return f" ({', '.join(told)})" if told else ""


def _value(path: str, seen: Mapping[str, object]) -> str:
    value: object = seen
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return "missing"
        value = value[name]
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= VALUE_CHARS else text[:VALUE_CHARS] + "…"


def _budget(budget: Budget) -> str:
    parts = [f"{budget.count} times"] if budget.count is not None else []
    if budget.amount is not None and budget.limit_micros is not None:
        parts.append(f"{budget.amount.text} up to {budget.limit_micros / MICROS:,g}")
    whose = {By.AGENT: " for each agent", By.TOOL: " for each tool", None: ""}[budget.by]
    return f"{' and '.join(parts)} in {tell_duration(budget.per_s)}{whose}"


Report = dict[str, Json]


def report(policy: Policy, facts: Facts, *, channel: str) -> Report:
    """The same for scripts."""
    match = next(candidates(policy, facts, channel=channel))
    return {
        "policy": policy.version,
        "stage": stage_of(policy, facts),
        "rules": [
            {"rule": each.rule, "verdict": each.verdict.name.lower(), "told": each.told}
            for each in walk(policy, facts)
        ],
        "action": match.terms.action,
        "rule": match.terms.rule,
        "because": match.terms.because,
        "spends": match.spend is not None,
    }
