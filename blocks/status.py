"""How a request stands, in sentences: who voted, how it ended, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import starmap

from approvals.durations import tell_duration
from approvals.model import Decision, Kind, OnDeadline, Request, Status, TrailLine
from blocks.pieces import Line, Moment, Strong
from blocks.text import name, one_line

RULE_CHARS = 80
VOTES = 5  # the newest; the trail has all
BECAUSE_CHARS = 300
_MARKS = {
    Status.PENDING: "",
    Status.REJECTED: "✗ ",
    Status.EXPIRED: "◷ ",
    Status.CANCELLED: "⊘ ",
    Status.LAPSED: "◌ ",
    Status.WITHDRAWN: "◌ ",
    Status.FAILED: "⚠ ",
}  # anything else went well so far: ✓


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence of ours, and the words of somebody that belong to it (as they were written)."""

    line: Line
    words: str | None = None


def mark(request: Request) -> str:
    """The sign before the headline; the sentence below it says the same in words."""
    return _MARKS.get(request.status, "✓ ")


def story(request: Request, now: datetime) -> list[Told]:
    """What a person needs to know of how it stands, in the order in which it happened."""
    if request.is_pending:
        return _pending(request, now)
    if request.decision is None:
        return []
    votes = [
        Told((Strong(name(vote.name)), " approved, ", _at(request, vote.at)), vote.note)
        for vote in request.votes[-VOTES:]
    ]
    return [*votes, _ending(request, request.decision), *_afterwards(request, request.decision)]


def _pending(request: Request, now: datetime) -> list[Told]:
    quorum, told = request.terms.quorum, []
    for number, vote in list(enumerate(request.votes, 1))[-VOTES:]:
        line: Line = (
            f"{number} of {quorum} · ",
            Strong(name(vote.name)),
            " approved, ",
            _at(request, vote.at),
        )
        told.append(Told(line, vote.note))
    if quorum > 1 and not told:
        told.append(Told((f"0 of {quorum} · it needs {quorum} different people",)))
    if request.sent_back:
        back = request.sent_back
        by: Line = (Strong(name(back.by.name)), " asked for changes, ", _at(request, back.at))
        told.append(Told((*by, f". {name(request.agent)} has it now:"), back.feedback))
    if request.deadline is not None and now >= request.deadline:
        told.append(Told(("Its deadline has passed; nothing can be decided any more.",)))
    return told


def until(request: Request) -> Line:
    """By when, and what happens then if nobody has decided."""
    if request.deadline is None:
        return ("no deadline",)
    at = _at(request, request.deadline)
    if request.terms.on_deadline is OnDeadline.APPROVE and request.kind is Kind.ACTION:
        return ("goes ahead at ", at, " unless someone rejects it")
    return ("until ", at)


def _ending(request: Request, decision: Decision) -> Told:
    agent, at = name(request.agent), _at(request, decision.at)
    rule = one_line(request.terms.rule, RULE_CHARS)
    because = f": {one_line(request.terms.because, BECAUSE_CHARS)}"
    by = Strong(name(decision.by.name))
    after = f" (after {tell_duration((decision.at - request.created_at).total_seconds())})"
    match decision.word:
        case "allowed":
            return Told((Strong("Allowed"), f" by rule “{rule}”, ", at, because))
        case "denied":
            return Told((Strong("Denied"), f" by rule “{rule}”, ", at, because))
        case "expired":
            return Told((Strong("Expired"), " at ", at, f": nobody answered. {agent} was told so."))
        case "undeliverable":
            told = f": nobody who may decide could be reached. {agent} was told so."
            return Told((Strong("Cancelled"), ", ", at, told), decision.text)
        case "approved" if decision.by.id == "timer":
            return Told((Strong("Approved"), " by its rule at the deadline, ", at, ": nobody objected."))
        case "answered" if request.kind is Kind.ACTION:
            return Told((by, " answered instead of letting it run, ", at, after), decision.text)
        case "cancelled":
            return Told((by, " cancelled it, ", at, after), decision.text)
        case word:
            did = (
                _DID[word]
                if word in ("edited", "overridden")
                else one_line(word.replace("_", " "), RULE_CHARS)
            )
            return Told((by, f" {did}, ", at, after), decision.text)


def _afterwards(request: Request, decision: Decision) -> list[Told]:
    agent = Strong(name(request.agent))
    match request.status:
        case Status.APPROVED if request.claim_by is not None:
            return [Told((agent, " may run it once, until ", _at(request, request.claim_by)))]
        case Status.EXECUTING if request.claimed_at is not None:
            return [Told((agent, " is running it, since ", _at(request, request.claimed_at)))]
        case Status.EXECUTED | Status.FAILED if request.receipt is not None:
            receipt = request.receipt
            took = () if receipt.duration_ms is None else (f" ({_seconds(receipt.duration_ms)})",)
            failed = () if receipt.ok else (", and it ", Strong("failed"))
            return [Told((agent, " ran it, ", _at(request, receipt.at), *failed, *took), receipt.result)]
        case Status.LAPSED:
            return [Told((Strong("Never run:"), " the approval lapsed, ", _at(request, _last(request)), "."))]
        case Status.WITHDRAWN:
            return [Told((Strong("Taken back"), " before it ran, ", _at(request, _last(request)), "."))]
        case _:
            return []


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:.1f} s" if duration_ms < 60_000 else tell_duration(duration_ms / 1000)


def _last(request: Request) -> datetime:
    return request.trail[-1].at if request.trail else request.created_at


def _at(request: Request, at: datetime) -> Moment:
    return Moment(at, near=request.created_at)


# -- the trail ----------------------------------------------------------------------------------------

_DID = {
    "asked": "asks people",
    "allowed": "allowed it",
    "denied": "denied it",
    "voted": "approved (one of several)",
    "approved": "approved",
    "edited": "approved with changes",
    "rejected": "rejected",
    "answered": "answered",
    "changes_requested": "asked for changes",
    "revised": "revised the call",
    "expired": "ended it: nobody answered",
    "cancelled": "cancelled it",
    "undeliverable": "ended it: nobody could be reached",
    "objected": "rejected (one of several)",
    "overridden": "let it through past its normal path",
    "withdrawn": "took the approval back",
    "looked_at": "has looked at it",
    "extended": "gave it more time",
    "snoozed": "put off reminders",
    "reminded": "reminded people",
    "escalated": "brought more people in",
    "claimed": "began to run it",
    "executed": "ran it",
    "failed": "ran it, and it failed",
    "lapsed": "ended the approval: it was never used",
}


def trail_lines(request: Request) -> list[Told]:
    """What happened, one sentence each, the oldest first."""
    asked: Line = (_at(request, request.created_at), "  ", Strong(name(request.agent)), " asked")
    return [Told(asked), *starmap(_trail_line, ((request, line) for line in request.trail))]


def _trail_line(request: Request, line: TrailLine) -> Told:
    did = _DID.get(line.word, one_line(line.word.replace("_", " "), RULE_CHARS))
    return Told((_at(request, line.at), "  ", Strong(name(line.by.name)), f" {did}"), line.text)
