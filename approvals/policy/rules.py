"""The policy as values: what the file says, read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum

from approvals.calendars import Calendar
from approvals.digest import GroupBy
from approvals.masking import Masking
from approvals.model import (
    CHANNEL,
    Action,
    AgentName,
    Args,
    Assurance,
    Group,
    Kind,
    OnDeadline,
    PersonId,
    Principal,
    Risk,
    Step,
)
from approvals.mornings import Daily
from approvals.policy.conditions import Amount, Condition, Language, View
from approvals.policy.globs import ANYTHING

DEFAULTS = "defaults"  # what the terms of a call that no rule fits name as their rule
STAGES = "stages"  # what those of a call name that its tool's stage decided
RESERVED_NAMES = (DEFAULTS, STAGES, "off", "rate")


class Stage(StrEnum):
    """What a tool may do at all."""

    DISABLED = "disabled"
    APPROVAL = "approval"
    AUTONOMOUS = "autonomous"


class By(StrEnum):
    """Who has a budget of their own."""

    AGENT = "agent"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvers:
    """Who may decide: as principals, and in words for the card."""

    principals: tuple[Principal, ...] = (CHANNEL,)
    words: str = "anyone in the channel"

    @property
    def at_most(self) -> int | None:
        """How many people these can be; None where Slack alone knows."""
        return at_most(self.principals)


def at_most(principals: tuple[Principal, ...]) -> int | None:
    is_everyone_named = all(principal[0] in "UW" for principal in principals)
    return len(principals) if is_everyone_named else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What [defaults] and every rule may say. A rule's are complete: what it left out is the defaults'."""

    action: Action = Action.ASK
    channel: str | None = None  # None: where the service puts requests when the policy doesn't say
    approvers: Approvers = field(default_factory=Approvers)
    ping: tuple[Principal, ...] | None = None  # those of them who are called; None: all
    quorum: int = 1
    groups: tuple[Group, ...] = ()  # if any, they and not `quorum` say who must agree
    rejections: int = 1
    deadline_s: int | None = 3600  # None: never
    on_deadline: OnDeadline = OnDeadline.EXPIRE
    risk: Risk = Risk.MEDIUM
    use_within_s: int = 3600
    burst: int = 5  # more than so many at once for one channel become a digest; 0: never
    self_approval: bool = False
    guests: bool = False
    assurance: Assurance = Assurance.CLICK
    assurance_for: tuple[tuple[Risk, Assurance], ...] = ()  # at least so, from this risk on
    extend_s: int = 0
    sample: float = 1.0  # of `review` actions, the share that people are shown
    ladder: tuple[Step, ...] = ()
    quiet: Calendar | None = None
    digest: str | None = None  # the name of one of the policy's digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a rule may let through; past it the rule stops matching."""

    count: int | None = None
    amount: Amount | None = None
    limit_micros: int | None = None
    per_s: int
    by: By | None = None  # None: one for all


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    count: int
    per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """When requests that were held for one message are shown, and what its headline adds up."""

    name: str
    at: tuple[time, ...] = ()
    tz: str = "UTC"
    every_s: int | None = None
    when: int | None = None  # as soon as so many wait
    sum: Amount | None = None
    unit: str = ""
    group_by: GroupBy = GroupBy.TOOL


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who may change what."""

    policy: tuple[Principal, ...] = ()
    override: tuple[Principal, ...] = ()
    freeze: tuple[Principal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    tools: tuple[str, ...] = (ANYTHING,)
    agents: tuple[str, ...] = (ANYTHING,)
    kind: Kind | None = None  # None: all
    when: Condition | None = None
    budget: Budget | None = None
    reason: str | None = None  # told instead of our own sentence
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    version: str  # names its content
    defaults: Settings = field(default_factory=Settings)
    rules: tuple[Rule, ...] = ()
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)
    dailies: tuple[Daily, ...] = (Daily(),)  # when channels are told about the day before
    stages: Mapping[str, Stage] = field(default_factory=dict)
    owners: Owners = field(default_factory=Owners)
    rate: Rate | None = None  # asks of one agent
    pause_after: int | None = None  # refusals in a row, then the agent is paused
    collapse: bool = False  # whether identical pending calls share one card
    retention_s: int = 90 * 24 * 3600
    operators: Mapping[str, PersonId] = field(default_factory=dict)  # login name on a terminal → Slack user
    operators_channel: str | None = None
    audit_channel: str | None = None  # is told each day's checkpoint of the log; None: the operators' is
    masks: Masking = field(default_factory=Masking)  # what people see masked
    language: Language | None = None  # of its conditions; None where it has none

    @property
    def assurances(self) -> frozenset[Assurance]:
        """What a yes may take under some rule."""
        every = (self.defaults, *(rule.settings for rule in self.rules))
        wanted = {one.assurance for one in every if one.action is not Action.DENY}
        return frozenset(wanted | {level for _, level in self.defaults.assurance_for})

    def view(self, facts: Facts) -> View | None:
        """A call as this policy's conditions see it."""
        return None if self.language is None else self.language.view(dict(self.seen(facts)))

    def seen(self, facts: Facts) -> Iterator[tuple[str, object]]:
        """The variables of conditions. The clock's are left out where nobody told the time."""
        yield from {
            "tool": facts.tool,
            "args": facts.args,
            "agent": facts.agent,
            "kind": facts.kind.value,
        }.items()
        yield "risk", max(self.defaults.risk, facts.risk or Risk.LOW, key=list(Risk).index).value
        yield "confidence", 1.0 if facts.confidence is None else float(facts.confidence)
        yield "tags", list(facts.tags)
        yield "environment", facts.environment
        if facts.now is not None:
            yield "now", facts.now
            for name, calendar in self.calendars.items():
                yield name, calendar.is_open(facts.now)


# Without a file everything is asked, and anyone in the channel may decide.
DEFAULT = Policy(version="built-in")


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
    confidence: float | None = None
    tags: tuple[str, ...] = ()
    environment: str = "default"
    now: datetime | None = None  # None: what depends on the time is unclear
