"""What has happened to a request. Past tense; each has the `word` by which the audit log tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeAlias

from approvals.model import Actor, Args, Evidence, Fingerprint, Freeze, PersonId, RequestId, Step, Terms, Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    word: ClassVar[str] = "submitted"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    word: ClassVar[str] = "asked"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    word: ClassVar[str] = "allowed"
    by: Actor
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """By a rule: when it was submitted, or when its agent revised it to these args."""

    word: ClassVar[str] = "denied"
    by: Actor
    at: datetime
    text: str
    args: Args | None = None
    fingerprint: Fingerprint | None = None
    terms: Terms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """One yes of several that are needed. With `args` the voter changed the call; earlier votes are void."""

    word: ClassVar[str] = "voted"
    by: Actor
    person: PersonId
    at: datetime
    text: str | None
    groups: tuple[str, ...] = ()
    stands_for: tuple[PersonId, ...] = ()  # whose deputy this is
    args: Args | None = None
    fingerprint: Fingerprint | None = None
    alike: int = 0
    gone: tuple[PersonId, ...] = ()  # whose earlier yes counts no more
    bulk: str | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objected:
    """One no of several that it takes."""

    word: ClassVar[str] = "objected"
    by: Actor
    person: PersonId
    at: datetime
    text: str | None
    bulk: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The last yes that was needed, by a person or by the deadline's default."""

    word: ClassVar[str] = "approved"
    by: Actor
    at: datetime
    text: str | None
    alike: int = 0
    gone: tuple[PersonId, ...] = ()  # whose earlier yes counts no more
    bulk: str | None = None  # the one click on many rows of a digest that this is part of
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The last yes that was needed, to the call with other args; with `terms`, under those."""

    word: ClassVar[str] = "edited"
    by: Actor
    at: datetime
    text: str | None
    args: Args
    fingerprint: Fingerprint
    alike: int = 0
    terms: Terms | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirected:
    """A person changed the call, and the policy asks others about it, or more of them."""

    word: ClassVar[str] = "redirected"
    by: Actor
    at: datetime
    text: str | None
    args: Args
    fingerprint: Fingerprint
    terms: Terms
    vote: Vote | None  # their yes, if the new terms let it count


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    word: ClassVar[str] = "rejected"
    by: Actor
    at: datetime
    text: str | None
    alike: int = 0
    bulk: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    word: ClassVar[str] = "answered"
    by: Actor
    at: datetime
    text: str
    alike: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesRequested:
    word: ClassVar[str] = "changes_requested"
    by: Actor
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """It was let through past its normal path."""

    word: ClassVar[str] = "overridden"
    by: Actor
    at: datetime
    text: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The approval was taken back before it was used."""

    word: ClassVar[str] = "withdrawn"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    word: ClassVar[str] = "looked_at"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    word: ClassVar[str] = "extended"
    by: Actor
    at: datetime
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snoozed:
    word: ClassVar[str] = "snoozed"
    by: Actor
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """A step of the ladder that only pings."""

    word: ClassVar[str] = "reminded"
    by: Actor
    at: datetime
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """A step of the ladder that adds people or a channel, and may ping as well."""

    word: ClassVar[str] = "escalated"
    by: Actor
    at: datetime
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    word: ClassVar[str] = "revised"
    by: Actor
    at: datetime
    text: str | None
    args: Args
    fingerprint: Fingerprint
    terms: Terms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    word: ClassVar[str] = "expired"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    word: ClassVar[str] = "cancelled"
    by: Actor
    at: datetime
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeliverable:
    """It ended because nobody who may decide could be reached."""

    word: ClassVar[str] = "undeliverable"
    by: Actor
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    word: ClassVar[str] = "claimed"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    word: ClassVar[str] = "executed"
    by: Actor
    at: datetime
    text: str | None
    duration_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    word: ClassVar[str] = "failed"
    by: Actor
    at: datetime
    text: str | None
    duration_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed:
    word: ClassVar[str] = "lapsed"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A person looked at what had run without asking, and it is right."""

    word: ClassVar[str] = "confirmed"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """A person looked at what had run without asking, and something is wrong with it."""

    word: ClassVar[str] = "flagged"
    by: Actor
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoAsked:
    word: ClassVar[str] = "undo_asked"
    by: Actor
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    word: ClassVar[str] = "undone"
    by: Actor
    at: datetime
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoFailed:
    word: ClassVar[str] = "undo_failed"
    by: Actor
    at: datetime
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """An identical call came, and shares this one's card."""

    word: ClassVar[str] = "joined"
    by: Actor
    at: datetime
    twin: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """It no longer shares a card."""

    word: ClassVar[str] = "parted"
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A freeze took the approval away before it was used."""

    word: ClassVar[str] = "held"
    by: Actor
    at: datetime
    freeze: Freeze


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The approval was given back when the freeze ended."""

    word: ClassVar[str] = "released"
    by: Actor
    at: datetime
    held_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An attempt that was not let through."""

    word: ClassVar[str] = "refused"
    by: Actor
    at: datetime
    attempted: str
    text: str


Event: TypeAlias = (
    Submitted
    | Asked
    | Allowed
    | Denied
    | Voted
    | Objected
    | Approved
    | Edited
    | Redirected
    | Rejected
    | Answered
    | ChangesRequested
    | Overridden
    | Withdrawn
    | LookedAt
    | Extended
    | Snoozed
    | Reminded
    | Escalated
    | Revised
    | Expired
    | Cancelled
    | Undeliverable
    | Claimed
    | Executed
    | Failed
    | Lapsed
    | Confirmed
    | Flagged
    | UndoAsked
    | Undone
    | UndoFailed
    | Joined
    | Parted
    | Held
    | Released
    | Refused
)

OfReview: TypeAlias = Confirmed | Flagged | UndoAsked | Undone | UndoFailed
