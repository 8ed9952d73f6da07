"""What a request is: the nouns that everything else speaks in. Values only: no rules, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NewType, TypeAlias, assert_never

from approvals.calendars import Calendar
from approvals.dsse import Envelope

RequestId = NewType("RequestId", str)  # "R-" and 26 letters of Crockford's base 32; unguessable
AgentName = NewType("AgentName", str)  # who asks; the service reads it off the Redis key, never off a message
PersonId = NewType("PersonId", str)  # a Slack user id, "U…" or "W…"
Principal = NewType("Principal", str)  # "channel", a PersonId, a user group "S…" or "@handle"
Fingerprint = NewType("Fingerprint", str)  # SHA-256 in hex of the canonical JSON of tool and args
Tenant = NewType("Tenant", str)

Json: TypeAlias = object  # any JSON value; `canonical.check` is the gate that makes it true
Args: TypeAlias = dict[str, Json]

ESCALATION_TOOL = "escalate"  # a question of a run that is stuck: to be guided, or taken over by a person
I_TAKE_OVER = "I take over"  # the one option of an escalation
QUESTION_TOOL = "ask"  # a question is a call of this tool: its args are question, context, options, free_text
CHANNEL = Principal("channel")  # the members of the channel that shows the request


class Kind(StrEnum):
    ACTION = "action"
    QUESTION = "question"
    REVIEW = "review"  # a call that has run already, without asking


class Status(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"
    EXECUTED = "executed"
    FAILED = "failed"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    ANSWERED = "answered"


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    def is_at_least(self, other: Risk) -> bool:
        return list(Risk).index(self) >= list(Risk).index(other)


Means: TypeAlias = Literal["sign-in", "passkey", "key"]


class Assurance(StrEnum):
    """How sure it must be who says yes: the session in Slack, a sign-in of its own, or their own key."""

    CLICK = "click"
    STEP_UP = "step-up"
    KEY = "key"

    @property
    def level(self) -> int:
        return list(Assurance).index(self) + 1


class Action(StrEnum):
    """What a rule says about a call."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"
    REVIEW = "review"  # it runs without asking, and people look at it afterwards

    @property
    def lets_through(self) -> bool:
        return self in (Action.ALLOW, Action.REVIEW)


class OnDeadline(StrEnum):
    EXPIRE = "expire"
    APPROVE = "approve"


class Via(StrEnum):
    """The door through which a command came."""

    SLACK = "slack"
    WEB = "web"  # the page on which people sign in for one decision
    HTTP = "http"
    CLI = "cli"
    REDIS = "redis"
    SERVICE = "service"


class Barred(StrEnum):
    """Why a person may decide nothing, whatever the rule says."""

    GUEST = "guest"
    EXTERNAL = "external"
    BOT = "bot"
    DEACTIVATED = "deactivated"
    UNKNOWN = "unknown"  # Slack couldn't be asked, or knows no such person: failures deny


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something, for the record (`id`) and for people (`name`)."""

    id: str  # "slack:U…", "agent:NAME", "policy:RULE", "timer", "operator:NAME"
    name: str
    through: str | None = None  # of a person: the approver front end on which they did it


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How somebody has shown, beyond a click, that it was they."""

    means: Means
    statement: str | None = None  # what they signed with a key of their own
    signature: str | None = None  # as `ssh-keygen -Y sign` writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who tries to decide, as Slack knew them a moment ago."""

    id: PersonId
    name: str
    principals: frozenset[Principal]  # which of the terms' approvers this person is one of, or stands in for
    lent: frozenset[Principal] = frozenset()  # those of them that this person has as a deputy only
    stands_for: tuple[PersonId, ...] = ()  # who lent them
    barred: Barred | None = None
    through: str | None = None  # the approver front end on which they do it
    assurance: Assurance = Assurance.CLICK  # how sure it is that it is they
    evidence: Evidence | None = None  # of that, where there is more than their word

    @property
    def actor(self) -> Actor:
        return Actor(id=f"slack:{self.id}", name=self.name, through=self.through)


class Remind(StrEnum):
    """Where people are reminded."""

    THREAD = "thread"
    DM = "dm"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a ladder: what happens when nobody has decided for so long."""

    after_s: int  # since it was asked
    remind: Remind | None = None
    add: tuple[Principal, ...] = ()  # who may decide as well from then on
    channel: str | None = None  # where it is shown as well from then on


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A part of a quorum: so many of these people, each counted for one group only."""

    name: str
    principals: tuple[Principal, ...]
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the policy yields for one request; frozen into it: editing the file changes nothing pending."""

    rule: str
    policy: str  # version of the policy: the hash of its content
    action: Action
    because: str  # a plain sentence for the card and the audit log
    channel: str
    approvers: tuple[Principal, ...]
    quorum: int = 1
    deadline_s: int | None = 3600  # None: never
    on_deadline: OnDeadline = OnDeadline.EXPIRE
    risk: Risk = Risk.MEDIUM
    use_within_s: int = 3600
    ping: tuple[Principal, ...] | None = None  # those of the approvers who are called; None: all of them
    groups: tuple[Group, ...] = ()  # if any, they and not `quorum` say who must agree
    rejections: int = 1  # how many end it
    self_approval: bool = False
    guests: bool = False
    assurance: Assurance = Assurance.CLICK  # of each yes; a no is taken by a click
    ladder: tuple[Step, ...] = ()  # in the order of time
    quiet: Calendar | None = None  # no pings outside of it
    extend_s: int = 0  # the most that people may add to the deadline
    override: tuple[Principal, ...] = ()  # who may let it through past its normal path
    retention_s: int = 90 * 24 * 3600
    grant: str | None = None  # by which it goes through without being asked
    digest: str | None = None  # the policy's digest that it is held for, instead of a card of its own
    burst: int = 0  # more than so many at once for one channel become a digest; 0: never
    sample: float = 1.0  # the share of what is up for review that people are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's yes to exactly the request's present args."""

    person: PersonId
    name: str
    at: datetime
    note: str | None = None
    groups: tuple[str, ...] = ()  # of the quorum, for one of which it counts
    alike: int = 0  # how many calls like it the card showed
    stands_for: tuple[PersonId, ...] = ()  # whose deputy voted, with what they had lent
    through: str | None = None  # the approver front end on which they did
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBack:
    """A person wants changes; the request stays open with its agent until it is revised or ended."""

    by: Actor
    at: datetime
    feedback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a request stopped being pending."""

    word: str  # the audit log's: approved, edited, rejected, answered, expired, cancelled, allowed, denied, …
    by: Actor
    at: datetime
    text: str | None = None  # a note, the feedback, the answer, or the reason
    alike: int = 0  # for how many of its twins, the first ones, it was meant as well
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the agent reports after it ran an approved call."""

    ok: bool
    at: datetime
    result: str | None = None  # short, the agent's words
    duration_ms: int | None = None


class ReviewState(StrEnum):
    OPEN = "open"
    CONFIRMED = "confirmed"
    FLAGGED = "flagged"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """A person wants undone what has run, and what the agent made of that."""

    by: Actor
    at: datetime
    text: str
    ok: bool | None = None  # None: not answered yet
    answered_at: datetime | None = None
    answer: str | None = None  # the agent's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A call that ran without asking is up for a look afterwards."""

    opened_at: datetime
    state: ReviewState = ReviewState.OPEN
    by: Actor | None = None  # who looked
    at: datetime | None = None
    text: str | None = None  # what is wrong with it
    undo: Undo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailLine:
    """One line of the thread under the card."""

    at: datetime
    word: str
    by: Actor
    text: str | None = None


class Reach(StrEnum):
    """What a freeze stops."""

    ALL = "all"
    AGENT = "agent"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Everything that it reaches is stopped until somebody thaws it."""

    reach: Reach
    name: str = ""  # of the agent, or a glob of tools
    by: Actor
    at: datetime
    why: str | None = None

    @property
    def words(self) -> str:
        match self.reach:
            case Reach.ALL:
                return "everything"
            case Reach.AGENT:
                return f"agent {self.name}"
            case Reach.TOOL:
                return f"tool {self.name}"
            case _:
                assert_never(self.reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A reminder that is to be posted, once."""

    step: int  # of the ladder
    where: Remind
    at: datetime
    turn: int = 0  # the request's, by then


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A secret in a call, and what people see in its place."""

    at: str  # JSON pointer (RFC 6901) into the args
    shown: str
    start: int | None = None  # from which character of the text there; None: it is the whole value
    end: int | None = None
    is_name: bool = False  # the secret stands in the last name of the pointer, not in the value there


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing that an agent wants, and everything that has happened to it."""

    id: RequestId
    tenant: Tenant
    agent: AgentName
    kind: Kind
    tool: str
    args: Args  # what would run if it were approved now
    fingerprint: Fingerprint  # of tool and args
    terms: Terms
    created_at: datetime
    deadline: datetime | None
    reason: str | None = None  # the agent's words
    on_behalf_of: PersonId | None = None
    schema: dict[str, Json] | None = None  # JSON Schema of args: the form people edit
    tags: tuple[str, ...] = ()
    confidence: float | None = None
    batch: str | None = None
    wished_risk: Risk | None = None  # what the agent said of its own accord, apart from the terms
    wished_deadline_s: int | None = None
    callback_url: str | None = None  # where its agent is called when there is something to tell it
    status: Status = Status.PENDING
    version: int = 1  # counts the events of this request; the first is that it was submitted
    short: str = ""  # its shortest prefix that was unique when it was created: what people see and type
    asked_args: Args | None = None  # what the agent asked for, where a person's edit differs from it
    masks: tuple[Mask, ...] = ()  # what of args people see masked
    asked_masks: tuple[Mask, ...] = ()  # and of asked_args
    changed_at: datetime | None = None  # when the call was last edited or revised
    turn: int = 0  # how often a changed call has brought it under other terms
    redirected_at: datetime | None = None  # when that was last so
    votes: tuple[Vote, ...] = ()
    objections: tuple[Vote, ...] = ()  # rejections, where it takes several to end it
    climbed: int = 0  # how many steps of the ladder are done
    added: tuple[Principal, ...] = ()  # who may decide as well by now
    channels: tuple[str, ...] = ()  # where it is shown as well by now
    pings: tuple[Ping, ...] = ()
    snoozed_until: datetime | None = None
    extended_s: int = 0  # how much people have added to the deadline
    looked_at: Actor | None = None  # who has seen that it ended without people's regular yes or no
    sent_back: SentBack | None = None
    round: int = 0  # how often it has been sent back
    decision: Decision | None = None
    signed: Envelope | None = None  # that decision, as agents check it
    twin_of: RequestId | None = None  # the request whose card stands for this identical one as well
    twins: tuple[RequestId, ...] = ()  # for which this one's card stands as well
    hold: Freeze | None = None  # its approval can't be used while this freeze lasts
    held_s: float = 0  # for how long earlier freezes have kept its approval
    claimed_at: datetime | None = None
    receipt: Receipt | None = None
    review: Review | None = None
    trail: tuple[TrailLine, ...] = ()
    trace: str | None = None  # the `traceparent` of its trace, if anybody traces

    @property
    def is_pending(self) -> bool:
        return self.status is Status.PENDING

    @property
    def asked_at(self) -> datetime:
        """Since when people are asked under its present terms."""
        return self.redirected_at or self.created_at

    @property
    def claim_by(self) -> datetime | None:
        """When an approval that nobody has used lapses."""
        if self.decision is None:
            return None
        return self.decision.at + timedelta(seconds=self.terms.use_within_s + self.held_s)
