"""What people, agents and the clock may want of a request. Imperative; `machine.decide` answers each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from approvals.model import (
    Actor,
    Args,
    Decision,
    Fingerprint,
    Freeze,
    Person,
    PersonId,
    RequestId,
    Terms,
    Via,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """A person's yes to the call with the fingerprint `seen`; with `edited`, to that call with other args."""

    by: Person
    seen: Fingerprint
    note: str | None = None
    edited: Args | None = None
    alike: int = 0  # how many identical calls the card showed: it is meant for those too
    gone: frozenset[PersonId] = frozenset()  # who said yes before and may decide no longer
    bulk: str | None = None  # the one click on many rows of a digest that this is part of
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A person changes the call to one for which the policy wants other terms: those hold from then on."""

    by: Person
    voter: Person  # the same, with regard to the new terms: their yes counts if those let it
    seen: Fingerprint
    edited: Args
    terms: Terms
    note: str | None = None
    alike: int = 0
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    by: Person
    feedback: str | None = None
    alike: int = 0
    seen: Fingerprint | None = None  # None: whatever it asks for, it is not to run
    bulk: str | None = None
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A person answers a question, or answers instead of the tool."""

    by: Person
    text: str
    seen: Fingerprint | None = (
        None  # None: an answer written in the thread, where no button named what was shown
    )
    alike: int = 0
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChanges:
    by: Person
    feedback: str
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend:
    """A person wants more time for everybody."""

    by: Person
    seconds: int
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Snooze:
    """No reminders for a while."""

    by: Person
    seconds: int
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Break-glass: somebody whom the policy names lets it through past its normal path."""

    by: Person
    seen: Fingerprint
    reason: str
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """Whoever decided takes the approval back, before the agent has used it."""

    by: Person
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAt:
    """A person has seen that it ended without an answer, or past its normal path."""

    by: Person
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """A person has looked at what ran without asking: it is right."""

    by: Person
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A person has looked at what ran without asking: something is wrong with it."""

    by: Person
    text: str
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class AskUndo:
    """A person wants undone what ran without asking; its agent is asked to."""

    by: Person
    text: str
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """The next step of the ladder is due."""

    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Revise:
    """The agent puts other args in the place of what it asked; with `terms`, if the policy wants others."""

    args: Args
    reason: str | None = None
    terms: Terms | None = None
    via: Via = Via.REDIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The agent no longer wants it."""

    reason: str | None = None
    via: Via = Via.REDIS


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Nobody who may decide can be reached; the agent must learn so at once."""

    reason: str
    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The deadline has come. Where silence is a yes, it is one only to what `was_shown`."""

    was_shown: bool = False
    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """The approval has not been used in time."""

    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """An identical call came: this one's card stands for it as well."""

    twin: RequestId
    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """What people decided on the card that stands for it, with the args that they settled on."""

    decision: Decision
    args: Args
    terms: Terms | None = None  # under which it was decided, where the call that they settled on needs others
    via: Via = Via.SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """No other card stands for it any more: it needs one of its own."""

    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A freeze takes the approval away, for as long as it lasts."""

    freeze: Freeze
    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """No freeze reaches it any more: the approval is given back, with the time that it had left."""

    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """Redis was restored, or nobody looked after it: whether it was decided, or used, is not known."""

    by: Actor
    reason: str
    via: Via = Via.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The agent has taken the permit and is about to run the call."""

    via: Via = Via.REDIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The agent tells how the approved call went."""

    ok: bool
    result: str | None = None
    duration_ms: int | None = None
    via: Via = Via.REDIS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportUndo:
    """The agent tells whether it could undo what it was asked to."""

    ok: bool
    text: str | None = None
    via: Via = Via.REDIS


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRefusal:
    """An attempt was not let through; it belongs in the log, and changes nothing."""

    by: Actor  # a person, or the agent whose letter came too late
    attempted: str  # the verb: "approve", "reject", …
    reason: str
    via: Via = Via.SLACK


Command: TypeAlias = (
    Approve
    | Redirect
    | Reject
    | Answer
    | RequestChanges
    | Extend
    | Snooze
    | Override
    | TakeBack
    | LookAt
    | Confirm
    | Flag
    | AskUndo
    | Climb
    | Revise
    | Cancel
    | GiveUp
    | Expire
    | Lapse
    | Join
    | Follow
    | Part
    | Hold
    | Release
    | Void
    | Claim
    | Report
    | ReportUndo
    | RecordRefusal
)
