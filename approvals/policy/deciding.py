"""What the policy says of one call: the first rule that fits gives the terms.

A rule whose condition can't be evaluated asks as if it fitted, and the walk goes on as if it did not: all who
would be asked in either case must agree. From then on nothing is allowed; what a later rule denies is denied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from approvals.durations import LONGEST_S, tell_duration
from approvals.model import Action, Assurance, Kind, OnDeadline, Risk, Terms
from approvals.policy.agreeing import Doubt, with_doubts
from approvals.policy.conditions import Unclear, View
from approvals.policy.globs import matches
from approvals.policy.rules import (
    DEFAULTS,
    STAGES,
    By,
    Facts,
    Policy,
    Rule,
    Settings,
    Stage,
)

BLAMED = 3  # rules that a sentence names


class Verdict(Enum):
    FITS = "fits"
    OTHER_KIND = "is for another kind of request"
    OTHER_TOOL = "is for other tools"
    OTHER_AGENT = "is for other agents"
    FALSE = "its condition does not hold"
    UNCLEAR = "its condition can't be evaluated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What a match takes from a budget: all of it at once, or the match doesn't count."""

    key: str  # names the budget: 64 hexadecimal digits
    amount: int = 0  # of this call, in millionths
    count_limit: int | None
    sum_limit: int | None = None  # in millionths
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What the policy may answer. One with a `spend` counts only if that is granted; else the next does."""

    terms: Terms
    spend: Spend | None = None


def terms_for(
    policy: Policy, facts: Facts, *, channel: str = "#approvals", stages: Mapping[str, Stage] | None = None
) -> Terms:
    """What `policy` says of one call as long as no budget is used up."""
    return next(candidates(policy, facts, channel=channel, stages=stages)).terms


def candidates(
    policy: Policy, facts: Facts, *, channel: str = "#approvals", stages: Mapping[str, Stage] | None = None
) -> Iterator[Match]:
    """Say what `policy` wants of one call, in order; the last has no `spend`, so that one always counts.

    `channel` is where it is shown when the policy names none; `stages` go before those of the file. The
    agent's wishes count in one direction only: more risk, less time.
    """
    answer = _Answer(policy, facts, channel)
    stage = None if facts.kind is Kind.QUESTION else {**policy.stages, **(stages or {})}.get(facts.tool)
    if stage is Stage.DISABLED:
        yield answer.staged(Action.DENY, f"the tool {facts.tool} is disabled")
    elif stage is Stage.AUTONOMOUS and (free := _autonomous(policy, facts, answer)) is not None:
        yield free
    else:
        yield from _by_rules(policy, facts, answer, is_asked=stage is Stage.APPROVAL)


def _autonomous(policy: Policy, facts: Facts, answer: _Answer) -> Match | None:
    """An autonomous tool is stopped by what denies only; where that is unclear: None, the rules say."""
    view = policy.view(facts)
    for rule in policy.rules:
        if rule.settings.action is Action.DENY:
            verdict, _ = look(rule, facts, view)
            if verdict is Verdict.UNCLEAR:
                return None
            if verdict is Verdict.FITS:
                return answer.of(rule)
    return answer.staged(Action.ALLOW, f"the tool {facts.tool} is autonomous: it runs without asking")


def _by_rules(policy: Policy, facts: Facts, answer: _Answer, *, is_asked: bool) -> Iterator[Match]:
    view = policy.view(facts)
    doubts: list[Doubt] = []
    for rule in policy.rules:
        verdict, why = look(rule, facts, view)
        is_sure = verdict is Verdict.FITS
        if verdict is Verdict.UNCLEAR:
            doubts.append(Doubt(rule=rule, why=why))
        elif is_sure and rule.budget and not doubts and not (is_asked and rule.settings.action.lets_through):
            spend = spend_of(rule, facts, view)
            if isinstance(spend, Unclear):
                doubts.append(Doubt(rule=rule, why=spend.why))
            else:
                yield replace(answer.of(rule), spend=spend)
        elif is_sure:
            yield answer.of(rule, tuple(doubts), is_asked=is_asked)
            return
    yield answer.of(None, tuple(doubts), is_asked=is_asked)


def look(rule: Rule, facts: Facts, view: View | None) -> tuple[Verdict, str]:
    """Whether `rule` fits a call; if its condition is unclear, why."""
    if rule.kind is not None and rule.kind is not facts.kind:
        return Verdict.OTHER_KIND, ""
    if not matches(rule.tools, facts.tool):
        return Verdict.OTHER_TOOL, ""
    if not matches(rule.agents, facts.agent):
        return Verdict.OTHER_AGENT, ""
    if rule.when is None or view is None:
        return (Verdict.FITS, "") if rule.when is None else (Verdict.UNCLEAR, "there is no CEL engine")
    holds = rule.when.holds(view)
    if isinstance(holds, Unclear):
        return Verdict.UNCLEAR, holds.why
    return (Verdict.FITS if holds is True else Verdict.FALSE), ""


def spend_of(rule: Rule, facts: Facts, view: View | None) -> Spend | Unclear:
    """What a call takes from the budget of `rule`, which has one."""
    budget = rule.budget
    assert budget is not None  # noqa: S101 - told above
    amount: int | Unclear = 0
    if budget.amount is not None:
        amount = budget.amount.micros(view) if view else Unclear(why="there is no CEL engine")
    if isinstance(amount, Unclear):
        return amount
    owner = {By.AGENT: facts.agent, By.TOOL: facts.tool, None: ""}[budget.by]
    return Spend(
        key=spend_key("rule", rule.name, str(budget.by), owner),
        amount=amount,
        count_limit=budget.count,
        sum_limit=budget.limit_micros,
        window_s=budget.per_s,
    )


def rate_spend(policy: Policy, facts: Facts) -> Spend | None:
    """What one ask takes from its agent's rate; past that the agent is told to slow down."""
    if policy.rate is None:
        return None
    key = spend_key("rate", facts.agent)
    return Spend(key=key, count_limit=policy.rate.count, window_s=policy.rate.per_s)


def shadowed(spend: Spend) -> Spend:
    """The same from a budget of its own: a policy that is only tried takes nothing from those in force."""
    return replace(spend, key=spend_key("shadow", spend.key))


def too_fast(policy: Policy, terms: Terms) -> Terms:
    """The terms of a call that came on top of its agent's rate."""
    assert policy.rate is not None  # noqa: S101 - only a rate can be exceeded
    because = (
        f"slow down: this agent may ask {policy.rate.count} times in {tell_duration(policy.rate.per_s)};"
        " try it again later"
    )
    return replace(terms, rule="rate", action=Action.DENY, because=because)


def spend_key(*parts: str) -> str:
    """Name a budget: by its rule, whatever the policy's version, so that editing the file resets nothing."""
    return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Answer:
    """Makes terms for one call."""

    policy: Policy
    facts: Facts
    channel: str

    def of(self, rule: Rule | None, doubts: tuple[Doubt, ...] = (), *, is_asked: bool = False) -> Match:
        """What `rule`, or without one the defaults, says of the call."""
        settings = rule.settings if rule else self.policy.defaults
        name = rule.name if rule else DEFAULTS
        if settings.action is Action.DENY:
            return self._match(name, settings, _because(rule, settings))
        but = self._why_ask(settings, is_asked=is_asked)
        if not doubts and not but:
            return self._match(name, settings, _because(rule, settings), digest=settings.digest)
        asking = with_doubts(settings, name, doubts)
        if doubts:
            because = f"{_blame(doubts)}, so people are asked: {_wanted(asking)}"
            name = doubts[0].rule.name
        else:
            would = "allow it" if settings.action is Action.ALLOW else "have it looked at afterwards"
            because = f"{_who(rule)} would {would}, but {but}: it is for {_wanted(asking)}"
        return self._match(name, asking, because)

    def _why_ask(self, settings: Settings, *, is_asked: bool) -> str:
        """Why people are asked about what the settings let through; "" where they aren't."""
        if not settings.action.lets_through:
            return ""
        if self.facts.kind is Kind.QUESTION:
            return "a question needs a person"
        if is_asked:
            return "its stage is “approval”"
        is_critical = Risk.CRITICAL in (settings.risk, self.facts.risk)
        return "its risk is critical" if settings.action is Action.REVIEW and is_critical else ""

    def staged(self, action: Action, because: str) -> Match:
        return self._match(STAGES, replace(self.policy.defaults, action=action), because)

    def _match(self, name: str, settings: Settings, because: str, *, digest: str | None = None) -> Match:
        facts, policy = self.facts, self.policy
        risk = max(settings.risk, facts.risk or settings.risk, key=list(Risk).index)
        deadline_s = _deadline_s(settings.deadline_s, facts.deadline_s)
        # Where silence means yes, neither of the agent's wishes may bring that yes about.
        assurance = _assurance(settings, risk, facts.kind)
        is_harmless = not risk.is_at_least(Risk.HIGH) and assurance is Assurance.CLICK
        may_be_silent = is_harmless and deadline_s == settings.deadline_s
        terms = Terms(
            rule=name,
            policy=policy.version,
            action=settings.action,
            because=because,
            channel=settings.channel or self.channel,
            approvers=settings.approvers.principals,
            ping=settings.ping,
            quorum=settings.quorum,
            groups=settings.groups,
            rejections=settings.rejections,
            deadline_s=deadline_s,
            on_deadline=settings.on_deadline if may_be_silent else OnDeadline.EXPIRE,
            risk=risk,
            use_within_s=settings.use_within_s,
            self_approval=settings.self_approval,
            guests=settings.guests,
            assurance=assurance,
            ladder=settings.ladder,
            quiet=settings.quiet,
            extend_s=settings.extend_s,
            override=policy.owners.override,
            retention_s=policy.retention_s,
            digest=digest if settings.action is Action.ASK else None,
            burst=settings.burst,
            sample=settings.sample,
        )
        return Match(terms=_afterwards(terms) if facts.kind is Kind.REVIEW else terms)


def _afterwards(terms: Terms) -> Terms:
    """The terms of a call that has run already: what would not have been let through is up for a look."""
    if terms.action.lets_through:
        return terms
    because = f"{terms.because}; but it has run already, so it is up for a look"
    return replace(terms, action=Action.REVIEW, because=because, sample=1.0, digest=None)


def _assurance(settings: Settings, risk: Risk, kind: Kind) -> Assurance:
    """What a yes takes: what its rule says, or more where its risk wants more. Answers are clicked."""
    if kind is not Kind.ACTION:
        return Assurance.CLICK
    wanted = [level for least, level in settings.assurance_for if risk.is_at_least(least)]
    return max(settings.assurance, *wanted, Assurance.CLICK, key=lambda one: one.level)


def _deadline_s(ours: int | None, asked: int | None) -> int | None:
    if asked is None:
        return ours
    return min(max(asked, 1), LONGEST_S if ours is None else ours)


def _blame(doubts: tuple[Doubt, ...]) -> str:
    names = [f"“{doubt.rule.name}”" for doubt in doubts]
    more = [f"{len(names) - BLAMED} more"] if len(names) > BLAMED else []
    *head, last = [*names[:BLAMED], *more]
    rules = f"rules {', '.join(head)} and {last}" if head else f"rule {last}"
    return f"{rules} could not be checked, as {doubts[0].why}"


def _because(rule: Rule | None, settings: Settings) -> str:
    if rule and rule.reason:
        return rule.reason
    match settings.action:
        case Action.ALLOW:
            return f"{_who(rule)} allows it without asking"
        case Action.DENY:
            return f"{_who(rule)} does not allow it"
        case Action.ASK:
            return f"{_who(rule)} asks for {_wanted(settings)}"
        case Action.REVIEW:
            share = "it" if settings.sample == 1 else f"{100 * settings.sample:.3g} % of such calls"
            return f"{_who(rule)} lets it run, and has {share} looked at afterwards"


def _who(rule: Rule | None) -> str:
    return f"rule “{rule.name}”" if rule else "no rule speaks of this call, so the policy's default"


def _wanted(settings: Settings) -> str:
    if settings.groups:
        return " and ".join(f"{group.needed} of “{group.name}”" for group in settings.groups)
    count = f"{settings.quorum} of: " if settings.quorum > 1 else ""
    return f"{count}{settings.approvers.words}"
