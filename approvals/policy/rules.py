"""The policy as values, and what it says of one call: the first rule that fits gives the terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from approvals.durations import LONGEST_S
from approvals.model import (
    CHANNEL,
    Action,
    AgentName,
    Args,
    Kind,
    OnDeadline,
    PersonId,
    Principal,
    Risk,
    Terms,
)
from approvals.policy.globs import ANYTHING, matches

DEFAULTS = "defaults"  # what the terms of a call that no rule fits name as their rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvers:
    """Who may decide: as principals, and in words for the card."""

    principals: tuple[Principal, ...] = (CHANNEL,)
    words: str = "anyone in the channel"

    @property
    def at_most(self) -> int | None:
        """How many people these can be; None where Slack alone knows."""
        is_everyone_named = all(principal[0] in "UW" for principal in self.principals)
        return len(self.principals) if is_everyone_named else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What [defaults] and every rule may say. A rule's are complete: what it left out is the defaults'."""

    action: Action = Action.ASK
    channel: str | None = None  # None: where the service puts requests when the policy doesn't say
    approvers: Approvers = field(default_factory=Approvers)
    quorum: int = 1
    deadline_s: int | None = 3600  # None: never
    on_deadline: OnDeadline = OnDeadline.EXPIRE
    risk: Risk = Risk.MEDIUM
    use_within_s: int = 3600
    burst: int = 5  # kept for digests, which are still to come
    self_approval: bool = False
    guests: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    tools: tuple[str, ...] = (ANYTHING,)
    agents: tuple[str, ...] = (ANYTHING,)
    kind: Kind | None = None  # None: both
    reason: str | None = None  # told instead of our own sentence
    settings: Settings

    def fits(self, facts: Facts) -> bool:
        return (
            (self.kind is None or self.kind is facts.kind)
            and matches(self.tools, facts.tool)
            and matches(self.agents, facts.agent)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    version: str  # names its content
    defaults: Settings = field(default_factory=Settings)
    rules: tuple[Rule, ...] = ()
    retention_s: int = 90 * 24 * 3600
    operators: Mapping[str, PersonId] = field(default_factory=dict)  # login name on a terminal → Slack user
    operators_channel: str | None = None


DEFAULT = Policy(
    version="built-in"
)  # without a file everything is asked, and anyone in the channel may decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a policy looks at in one submission."""

    kind: Kind
    tool: str
    args: Args
    agent: AgentName
    risk: Risk | None = None  # as the agent sees it
    on_behalf_of: PersonId | None = None
    deadline_s: int | None = None  # as the agent wishes it


def terms_for(policy: Policy, facts: Facts, *, channel: str = "#approvals") -> Terms:
    """Say what `policy` wants of one call; `channel` is where it is shown when the policy names none.

    The agent's wishes count in one direction only: more risk, less time. Where silence means yes, neither may
    bring that yes about: the request then expires.
    """
    rule = next((rule for rule in policy.rules if rule.fits(facts)), None)
    settings = rule.settings if rule else policy.defaults
    action = settings.action
    if facts.kind is Kind.QUESTION and action is Action.ALLOW:
        action = Action.ASK  # only a person can answer it
    risk = max(settings.risk, facts.risk or settings.risk, key=list(Risk).index)
    deadline_s = _deadline_s(settings.deadline_s, facts.deadline_s)
    may_be_silent = not risk.is_at_least(Risk.HIGH) and deadline_s == settings.deadline_s
    return Terms(
        rule=rule.name if rule else DEFAULTS,
        policy=policy.version,
        action=action,
        because=_because(rule, settings, action),
        channel=settings.channel or channel,
        approvers=settings.approvers.principals,
        quorum=settings.quorum,
        deadline_s=deadline_s,
        on_deadline=settings.on_deadline if may_be_silent else OnDeadline.EXPIRE,
        risk=risk,
        use_within_s=settings.use_within_s,
        self_approval=settings.self_approval,
        guests=settings.guests,
        retention_s=policy.retention_s,
    )


def _deadline_s(ours: int | None, asked: int | None) -> int | None:
    if asked is None:
        return ours
    return min(max(asked, 1), LONGEST_S if ours is None else ours)


def _because(rule: Rule | None, settings: Settings, action: Action) -> str:
    if rule and rule.reason:
        return rule.reason
    who = f"rule “{rule.name}”" if rule else "no rule speaks of this call, so the policy's default"
    if action is not settings.action:
        return f"{who} would allow it, but a question needs a person: it is for {settings.approvers.words}"
    match action:
        case Action.ALLOW:
            return f"{who} allows it without asking"
        case Action.DENY:
            return f"{who} does not allow it"
        case Action.ASK:
            count = f"{settings.quorum} of: " if settings.quorum > 1 else ""
            return f"{who} asks for {count}{settings.approvers.words}"


def why_unanswerable(terms: Terms, on_behalf_of: PersonId | None) -> str | None:
    """Say why nobody could ever decide a request with these terms; None where somebody might."""
    people = Approvers(principals=terms.approvers)
    if terms.action is not Action.ASK or people.at_most is None:
        return None
    requester_counts = terms.self_approval or str(on_behalf_of) not in terms.approvers
    left = people.at_most if requester_counts else people.at_most - 1
    if left >= terms.quorum:
        return None
    can = "only 1 person" if left == 1 else f"only {left} people" if left else "nobody"
    but = "" if requester_counts else ", as the one it is asked for does not count"
    return f"rule “{terms.rule}” needs {terms.quorum} to decide, but {can} may{but}"
