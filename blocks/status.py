"""How a request stands, in sentences: who voted, how it ended, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import starmap

from approvals.durations import tell_duration
from approvals.masking import spoken
from approvals.model import (
    Actor,
    Assurance,
    Decision,
    Freeze,
    Kind,
    OnDeadline,
    Request,
    Status,
    TrailLine,
    Vote,
)
from approvals.quorum import missing
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
    """A sentence of ours, and the words of somebody that belong to it: as written, but for secrets."""

    line: Line
    said: str | None = None

    @property
    def words(self) -> str | None:
        return None if self.said is None else spoken(self.said)


def mark(request: Request, freeze: Freeze | None = None) -> str:
    """The sign before the headline; the sentence below it says the same in words."""
    if request.is_pending and freeze is not None:
        return "❄ "
    if request.decision is not None and request.decision.word == "overridden":
        return "⚠ "
    return _MARKS.get(request.status, "✓ ")


def story(request: Request, now: datetime, freeze: Freeze | None = None) -> list[Told]:
    """What a person needs to know of how it stands, in the order in which it happened."""
    if request.is_pending:
        frozen = [] if freeze is None else [_frozen(request, freeze)]
        return [*frozen, *_pending(request, now)]
    if request.decision is None:
        return [ran(request)]
    votes = [Told(_voted(request, vote), vote.note) for vote in request.votes[-VOTES:]]
    seen = [Told((Strong(name(request.looked_at.name)), " has looked at it."))] if request.looked_at else []
    return [*votes, ending(request, request.decision), *_afterwards(request, request.decision), *seen]


def _pending(request: Request, now: datetime) -> list[Told]:
    told = [*_votes(request), *_objections(request)]
    if request.terms.assurance is Assurance.STEP_UP:
        told.insert(0, Told((Strong("Approving takes a sign-in"), " of its own: the button leads there.")))
    if request.terms.assurance is Assurance.KEY:
        how = " with a key of one’s own: the button leads there."
        told.insert(0, Told((Strong("Approving takes a signature"), how)))
    if request.twins:
        count = Strong(f"{len(request.twins) + 1} identical calls")
        told.insert(0, Told((count, " wait; who decides this one decides all of them.")))
    if request.sent_back:
        back = request.sent_back
        by: Line = (Strong(name(back.by.name)), " asked for changes, ", _at(request, back.at))
        told.append(Told((*by, f". {name(request.agent)} has it now:"), back.feedback))
    if request.deadline is not None and now >= request.deadline:
        told.append(Told(("Its deadline has passed; nothing can be decided any more.",)))
    elif request.snoozed_until is not None and now < request.snoozed_until:
        told.append(Told(("Reminders wait until ", _at(request, request.snoozed_until), ".")))
    return told


def _frozen(request: Request, freeze: Freeze) -> Told:
    froze = f" froze {one_line(freeze.words, RULE_CHARS)}, "
    ends = "; nothing can be decided until it is thawed."
    return Told((Strong("Frozen: "), name(freeze.by.name), froze, _at(request, freeze.at), ends), freeze.why)


def _votes(request: Request) -> list[Told]:
    """Who said yes so far, and who is still missing: of so many people, or of each group."""
    terms, numbered = request.terms, list(enumerate(request.votes, 1))
    if terms.groups:
        wanted = missing(terms, request.votes)
        counts = (
            f"{group.needed - wanted.get(group.name, 0)} of {group.needed} {name(group.name)}"
            for group in terms.groups
        )
        return [
            Told((" · ".join(counts),)),
            *(Told(_voted(request, vote), vote.note) for vote in request.votes[-VOTES:]),
        ]
    if terms.quorum > 1 and not numbered:
        return [Told((f"0 of {terms.quorum} · it needs {terms.quorum} different people",))]
    return [
        Told((f"{number} of {terms.quorum} · ", *_voted(request, vote)), vote.note)
        for number, vote in numbered[-VOTES:]
    ]


def _voted(request: Request, vote: Vote) -> Line:
    by = Actor(id=f"slack:{vote.person}", name=vote.name, through=vote.through)
    did = f" {_approved(request, by)}{_through(by)}{_signed_in(request, by)}, "
    return (Strong(name(vote.name)), did, _at(request, vote.at))


def _approved(request: Request, by: Actor) -> str:
    """That somebody said yes; aloud, where it was to what is asked for on their own behalf."""
    return "approved their own request" if by.id == f"slack:{request.on_behalf_of}" else "approved"


def _through(by: Actor) -> str:
    """On which screen other than Slack they did it."""
    return "" if by.through is None else f" through {name(by.through)}"


def _signed_in(request: Request, by: Actor) -> str:
    """How sure it is that it was they, where the terms want more than a click."""
    if request.terms.assurance is Assurance.CLICK or not by.id.startswith("slack:"):
        return ""
    return ", signed with a key of their own" if request.terms.assurance is Assurance.KEY else ", signed in"


def _objections(request: Request) -> list[Told]:
    needed = request.terms.rejections
    return [
        Told(
            (
                f"{number} of {needed} rejections · ",
                Strong(name(no.name)),
                _through(Actor(id=no.person, name=no.name, through=no.through)),
                ", ",
                _at(request, no.at),
            ),
            no.note,
        )
        for number, no in list(enumerate(request.objections, 1))[-VOTES:]
    ]


def until(request: Request) -> Line:
    """By when, and what happens then if nobody has decided."""
    if request.deadline is None:
        return ("no deadline",)
    at = _at(request, request.deadline)
    if request.terms.on_deadline is OnDeadline.APPROVE and request.kind is Kind.ACTION:
        return ("goes ahead at ", at, " unless someone rejects it")
    return ("until ", at)


def ending(request: Request, decision: Decision) -> Told:
    """How it stopped being pending."""
    agent, at = name(request.agent), _at(request, decision.at)
    rule = one_line(request.terms.rule, RULE_CHARS)
    because = f": {one_line(request.terms.because, BECAUSE_CHARS)}"
    by = Strong(name(decision.by.name))
    through = _through(decision.by)
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
            return Told((by, f" answered{through} instead of letting it run, ", at, after), decision.text)
        case "cancelled":
            return Told((by, " cancelled it, ", at, after), decision.text)
        case "overridden":
            past = (Strong("Let through past its normal path"), " by ", by, ", ", at, after)
            return Told(past, decision.text)
        case "approved" | "edited":
            changed = " with changes" if decision.word == "edited" else ""
            did = f" {_approved(request, decision.by)}{changed}{through}{_signed_in(request, decision.by)}, "
            return Told((by, did, at, after), decision.text)
        case word:
            did = f" {one_line(word.replace('_', ' '), RULE_CHARS)}{through}, "
            return Told((by, did, at, after), decision.text)


def _afterwards(request: Request, decision: Decision) -> list[Told]:
    agent = Strong(name(request.agent))
    match request.status:
        case Status.APPROVED if request.hold is not None:
            hold = request.hold
            froze: Line = (Strong(name(hold.by.name)), f" froze {one_line(hold.words, RULE_CHARS)}, ")
            return [Told((*froze, _at(request, hold.at), "; until that is thawed ", agent, " can't run it."))]
        case Status.APPROVED if request.claim_by is not None:
            return [Told((agent, " may run it once, until ", _at(request, request.claim_by)))]
        case Status.EXECUTING if request.claimed_at is not None:
            return [Told((agent, " is running it, since ", _at(request, request.claimed_at)))]
        case Status.EXECUTED | Status.FAILED:
            return [ran(request)]
        case Status.LAPSED:
            return [Told((Strong("Never run:"), " the approval lapsed, ", _at(request, _last(request)), "."))]
        case Status.WITHDRAWN:
            return [_taken_back(request)]
        case _:
            return []


def ran(request: Request) -> Told:
    """How the call went, as its agent told."""
    agent, receipt = Strong(name(request.agent)), request.receipt
    if receipt is None:
        return Told((agent, " ran it"))
    took = () if receipt.duration_ms is None else (f" ({_seconds(receipt.duration_ms)})",)
    failed = () if receipt.ok else (", and it ", Strong("failed"))
    return Told((agent, " ran it, ", _at(request, receipt.at), *failed, *took), receipt.result)


def _taken_back(request: Request) -> Told:
    line = next((line for line in reversed(request.trail) if line.word == "withdrawn"), None)
    if line is None:
        return Told((Strong("Taken back"), " before it ran."))
    in_time = f", in time: {name(request.agent)} had not begun."
    return Told((Strong(name(line.by.name)), " took it back, ", _at(request, line.at), in_time))


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
    "redirected": "changed the call, which others decide now",
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
    "joined": "asked for the same again",
    "parted": "gave it a card of its own",
    "held": "took the approval away for now, by a freeze",
    "released": "gave the approval back",
    "claimed": "began to run it",
    "executed": "ran it",
    "failed": "ran it, and it failed",
    "lapsed": "ended the approval: it was never used",
    "confirmed": "looked at it afterwards: it is right",
    "flagged": "looked at it afterwards, and flagged it",
    "undo_asked": "wants it undone",
    "undone": "undid it",
    "undo_failed": "could not undo it",
}


def trail_lines(request: Request) -> list[Told]:
    """What happened, one sentence each, the oldest first."""
    did = " told of it" if request.kind is Kind.REVIEW else " asked"
    asked: Line = (_at(request, request.created_at), "  ", Strong(name(request.agent)), did)
    return [Told(asked), *starmap(_trail_line, ((request, line) for line in request.trail))]


def _trail_line(request: Request, line: TrailLine) -> Told:
    did = _DID.get(line.word, one_line(line.word.replace("_", " "), RULE_CHARS))
    if line.word in ("voted", "approved", "edited"):
        did = did.replace("approved", _approved(request, line.by))
    did += _through(line.by)
    return Told((_at(request, line.at), "  ", Strong(name(line.by.name)), f" {did}"), line.text)
