"""What crosses between an agent and the service: letters into the inbox, outcomes and permits out of it.

An agent's name is in none of them: it is read off the Redis key, which only that agent may write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from approvals.dsse import Envelope
from approvals.model import (
    Action,
    AgentName,
    Args,
    Fingerprint,
    Freeze,
    Json,
    Kind,
    PersonId,
    Request,
    RequestId,
    Risk,
    Status,
)

TEXT_CHARS = 16_000  # of one free text of an agent; a longer one is refused before it is sent
RESULT_CHARS = 500  # of a receipt: an excerpt for people, not the data


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """An agent wants something."""

    letter: Literal["submission"] = "submission"
    id: RequestId
    tool: str
    args: Args
    kind: Kind = Kind.ACTION
    reason: str | None = None
    on_behalf_of: PersonId | None = None
    risk: Risk | None = None  # the agent may raise what the policy says, never lower it
    confidence: float | None = None
    tags: tuple[str, ...] = ()
    schema: dict[str, Json] | None = None
    deadline_s: int | None = None  # an agent may shorten the policy's deadline, never lengthen it
    batch: str | None = None
    callback_url: str | None = None  # where it is to be called when there is something to tell it
    ok: bool = True  # of a review, which has run: how that went
    result: str | None = None
    trace: str | None = None  # the `traceparent` of what its agent is at, if that traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    letter: Literal["revision"] = "revision"
    id: RequestId
    args: Args | None  # None: they stay as they are, and `reason` answers what a person has asked back
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    letter: Literal["cancellation"] = "cancellation"
    id: RequestId
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNotice:
    """The permit was taken: written in the same transaction that took it."""

    letter: Literal["claim"] = "claim"
    id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptNotice:
    letter: Literal["receipt"] = "receipt"
    id: RequestId
    ok: bool
    result: str | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoNotice:
    """How it went to undo what a person wanted undone."""

    letter: Literal["undo"] = "undo"
    id: RequestId
    ok: bool
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgedNotice:
    """What was there for its agent is not what the service signed; it was not used."""

    letter: Literal["forged"] = "forged"
    id: RequestId
    what: Literal["outcome", "permit"]
    why: str


Change: TypeAlias = Revision | Cancellation | ClaimNotice | ReceiptNotice | UndoNotice
Letter: TypeAlias = Submission | Change | ForgedNotice


class OutcomeStatus(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CHANGES_REQUESTED = "changes_requested"  # not an end: `wait` raises it, and never returns it


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request, as its agent gets it."""

    id: RequestId
    status: OutcomeStatus
    decided_at: datetime
    decided_by: str  # an actor: "slack:U…", "policy:RULE", "timer", "agent:NAME", "service"
    decided_by_name: str = ""
    args: Args | None = None  # approved: the args to use, which a person may have edited
    fingerprint: Fingerprint | None = None
    edited: bool = False
    text: str | None = None  # the note, the feedback, the answer, or the reason
    undeliverable: bool = False
    round: int = 0  # changes_requested: how often it has been sent back
    held: str | None = None  # approved, but not to be used for now: why
    signed: Envelope | None = None  # the decision; an approval or an answer without it is not believed
    trace: str | None = None  # the request's `traceparent`, for who traces; nothing else hangs on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to run exactly one call, once. Whoever takes it out of Redis has used it."""

    id: RequestId
    tool: str
    args: Args
    fingerprint: Fingerprint
    decided_by: str
    expires_at: datetime
    signed: Envelope | None = None  # the decision; the rest is believed as far as this says the same


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoAsk:
    """A person wants undone what has run. Whoever takes it out of Redis is the one who does it."""

    id: RequestId
    tool: str
    args: Args  # that ran
    result: str | None  # as its receipt told
    text: str  # what is wrong, in that person's words
    asked_by: str  # their name
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A call that an agent gets, which need not be running to learn of it."""

    agent: AgentName
    url: str
    type: str  # "request.approved", …; "undo.requested"
    at: datetime
    data: Outcome | UndoAsk


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What `submit` returns: the request is durably in the inbox."""

    id: RequestId
    fingerprint: Fingerprint
    is_new: bool = True  # False: the same key had been submitted before


TAKEN_BACK = "the approval was taken back before it was used"

_STATUSES = {
    Status.APPROVED: OutcomeStatus.APPROVED,
    # What was approved stays so for an agent that asks again, after a restart say; only its permit is gone.
    Status.EXECUTING: OutcomeStatus.APPROVED,
    Status.EXECUTED: OutcomeStatus.APPROVED,
    Status.FAILED: OutcomeStatus.APPROVED,
    Status.LAPSED: OutcomeStatus.APPROVED,
    Status.REJECTED: OutcomeStatus.REJECTED,
    Status.ANSWERED: OutcomeStatus.ANSWERED,
    Status.EXPIRED: OutcomeStatus.EXPIRED,
    Status.CANCELLED: OutcomeStatus.CANCELLED,
    Status.WITHDRAWN: OutcomeStatus.CANCELLED,
}


def outcome_of(request: Request) -> Outcome | None:
    """The outcome that the request's present state gives its agent; None: nothing to tell yet."""
    if request.is_pending and request.sent_back is not None:
        return Outcome(
            id=request.id,
            status=OutcomeStatus.CHANGES_REQUESTED,
            decided_at=request.sent_back.at,
            decided_by=request.sent_back.by.id,
            decided_by_name=request.sent_back.by.name,
            text=request.sent_back.feedback,
            round=request.round,
        )
    status = _STATUSES.get(request.status)
    if status is None or request.decision is None:
        return None
    is_yes = status is OutcomeStatus.APPROVED
    return Outcome(
        id=request.id,
        status=status,
        decided_at=request.decision.at,
        decided_by=request.decision.by.id,
        decided_by_name=request.decision.by.name,
        args=request.args if is_yes else None,
        fingerprint=request.fingerprint if is_yes else None,
        edited=is_yes and request.asked_args is not None,
        text=TAKEN_BACK if request.status is Status.WITHDRAWN else request.decision.text,
        undeliverable=request.decision.word == "undeliverable",
        round=request.round,
        held=None if request.hold is None or request.status is not Status.APPROVED else _held(request.hold),
        signed=request.signed,
        trace=request.trace,
    )


def _held(freeze: Freeze) -> str:
    at = freeze.at.strftime("%Y-%m-%d %H:%M UTC")
    return f"{freeze.by.name} froze {freeze.words} at {at}, so it can't be claimed until that is thawed"


def permit_of(request: Request) -> Permit | None:
    """The permit that an approved action gives; None for everything else.

    Only the commit that approves, or gives it back after a freeze, may write it: by the time of any other its
    agent may have taken it.
    """
    if request.status is not Status.APPROVED or request.decision is None or request.hold is not None:
        return None
    if request.claim_by is None:
        return None
    return Permit(
        id=request.id,
        tool=request.tool,
        args=request.args,
        fingerprint=request.fingerprint,
        decided_by=request.decision.by.id,
        expires_at=request.claim_by,
        signed=request.signed,
    )


def undo_of(request: Request) -> UndoAsk | None:
    """What its agent is asked to undo, as long as it has not answered."""
    undo = request.review.undo if request.review else None
    if undo is None or undo.ok is not None:
        return None
    return UndoAsk(
        id=request.id,
        tool=request.tool,
        args=request.args,
        result=request.receipt.result if request.receipt else None,
        text=undo.text,
        asked_by=undo.by.name,
        asked_at=undo.at,
    )


def callback_of(request: Request, told: Outcome | UndoAsk, at: datetime) -> Callback | None:
    """The call that tells its agent so; None: it wants none."""
    if request.callback_url is None:
        return None
    word = f"request.{told.status}" if isinstance(told, Outcome) else "undo.requested"
    return Callback(agent=request.agent, url=request.callback_url, type=word, at=at, data=told)


def is_auto(request: Request) -> bool:
    """A rule decided it: nobody is asked, and nothing is shown."""
    return request.terms.action is not Action.ASK
