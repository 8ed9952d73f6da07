"""The life of a request. Every rule about what may follow what is in this file.

Two rules for the file: no I/O, no clock, no Slack (`now` is Redis's own, read together with the request); and
one command gives one event, which makes one version and one audit entry.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from approvals.canonical import fingerprint
from approvals.clock import CLAIM_GRACE
from approvals.commands import (
    Answer,
    Approve,
    AskUndo,
    Cancel,
    Claim,
    Climb,
    Command,
    Confirm,
    Expire,
    Extend,
    Flag,
    Follow,
    GiveUp,
    Hold,
    Join,
    Lapse,
    LookAt,
    Override,
    Part,
    RecordRefusal,
    Redirect,
    Reject,
    Release,
    Report,
    ReportUndo,
    RequestChanges,
    Revise,
    Snooze,
    TakeBack,
    Void,
)
from approvals.errors import (
    AlreadyObjected,
    AlreadyResolved,
    AlreadyReviewed,
    AlreadyUsed,
    AlreadyVoted,
    ArgumentsChanged,
    DeadlinePassed,
    Frozen,
    NeedsAssurance,
    NoOverrider,
    NotAnOption,
    NotClaimable,
    NotDue,
    NothingSaid,
    NothingToReview,
    NothingToSee,
    NotQualified,
    NotYours,
    NoUndoAsked,
    OwnOverride,
    OwnRequest,
    Refusal,
    TooMuch,
    WithAgent,
    WrongKind,
)
from approvals.events import (
    Allowed,
    Answered,
    Approved,
    Asked,
    Cancelled,
    ChangesRequested,
    Claimed,
    Confirmed,
    Denied,
    Edited,
    Escalated,
    Event,
    Executed,
    Expired,
    Extended,
    Failed,
    Flagged,
    Held,
    Joined,
    Lapsed,
    LookedAt,
    Objected,
    Overridden,
    Parted,
    Redirected,
    Refused,
    Rejected,
    Released,
    Reminded,
    Revised,
    Snoozed,
    Submitted,
    Undeliverable,
    UndoAsked,
    UndoFailed,
    Undone,
    Voted,
    Withdrawn,
)
from approvals.evolution import under
from approvals.ladder import next_step, next_step_at
from approvals.model import (
    Action,
    Actor,
    Assurance,
    Barred,
    Freeze,
    Kind,
    OnDeadline,
    Person,
    PersonId,
    Request,
    ReviewState,
    Status,
    Terms,
    Vote,
)
from approvals.questions import takes
from approvals.quorum import approvers_of, groups_of, is_met
from approvals.reviewing import UNDO_PATIENCE

TIMER = Actor(id="timer", name="the deadline")
LADDER = Actor(id="timer", name="the ladder")
SERVICE = Actor(id="service", name="Countersign")


def begin(request: Request) -> tuple[Event, Event]:
    """The first two events of a request: its agent submitted it, and the policy answered."""
    rule = _rule_of(request.terms)
    if request.terms.grant is not None:
        rule = Actor(id=f"grant:{request.terms.grant}", name=f"grant {request.terms.grant}")
    at, because = request.created_at, request.terms.because
    answer: Event
    match request.terms.action:
        case _ if request.kind is Kind.REVIEW:
            answer = _has_run(request)
        case Action.ASK:
            answer = Asked(by=rule, at=at)
        case Action.ALLOW | Action.REVIEW:
            answer = Allowed(by=rule, at=at, text=because)
        case Action.DENY:
            answer = Denied(by=rule, at=at, text=because)
        case _:
            assert_never(request.terms.action)
    return Submitted(by=agent_of(request), at=at), answer


def _has_run(request: Request) -> Event:
    """Nobody is asked about what is done: the first that is known of it is how it went."""
    receipt = request.receipt
    kind = Failed if receipt is not None and not receipt.ok else Executed
    text, duration_ms = (receipt.result, receipt.duration_ms) if receipt else (None, None)
    return kind(by=agent_of(request), at=request.created_at, text=text, duration_ms=duration_ms)


def decide(request: Request, command: Command, *, now: datetime, freeze: Freeze | None = None) -> Event:
    """Return the one event that `command` causes, without causing it.

    The deadline outranks people: a click that arrives late expires the request, even if the timer has not
    noticed yet. It does not outrank the agent that takes its request back, nor the news that nobody could be
    reached: where silence means yes, both must still end in a no. `freeze` is the one that reaches it now, if
    any: nobody decides then, and silence is no yes.

    Raises:
        Refusal: the rules forbid `command` at this point.
        InvalidCall: the args that `command` brings are not JSON that can be carried exactly.
    """
    match command:
        case RecordRefusal(by=actor, attempted=attempted, reason=reason):
            return Refused(by=actor, at=now, attempted=attempted, text=reason)
        case Claim():
            # The permit is gone from Redis, so the call runs, even if the timer was faster than this notice.
            _require_status(request, Status.APPROVED, Status.LAPSED)
            return Claimed(by=agent_of(request), at=now)
        case Report(ok=ok, result=result, duration_ms=duration_ms):
            _require_status(request, Status.EXECUTING)
            kind = Executed if ok else Failed
            return kind(by=agent_of(request), at=now, text=result, duration_ms=duration_ms)
        case Lapse() | Hold() | Release():
            return _unused(request, command, now)
        case Void():
            return _void(request, command, now)
        case TakeBack(by=person):
            return _take_back(request, person, now)
        case LookAt(by=person):
            return _look_at(request, person, now)
        case Confirm() | Flag() | AskUndo() | ReportUndo():
            return _afterwards(request, command, now)
        case Join() | Follow() | Part():
            return _among_twins(request, command, now, freeze)
        case _:
            return _decide_pending(request, command, now, freeze)


_ByPerson = Approve | Redirect | Reject | Answer | RequestChanges | Extend | Snooze
_OfTwins = Join | Follow | Part
_OfReview = Confirm | Flag | AskUndo
_OfUnused = Lapse | Hold | Release
_OfPending = _ByPerson | Override | Revise | Cancel | GiveUp | Climb | Expire


def check_person(request: Request, person: Person, *, now: datetime, freeze: Freeze | None = None) -> None:
    """Refuse what any decision of this person would be refused for now, without making one.

    Raises:
        Refusal: it is resolved, frozen or past its deadline, or this person may not decide it.
    """
    _require_pending(request)
    if request.deadline is not None and now >= request.deadline:
        raise DeadlinePassed(request)
    _require_approver(request, person)
    _require_thawed(request, freeze)


def may_count(request: Request, person: Person) -> bool:
    """Whether this person is one of those who may decide it, at whatever point it is."""
    try:
        _require_approver(request, person)
    except Refusal:
        return False
    return True


def _decide_pending(request: Request, command: _OfPending, now: datetime, freeze: Freeze | None) -> Event:
    _require_pending(request)
    is_late = request.deadline is not None and now >= request.deadline
    if is_late and _is_unseen_silence(request, command):
        return Expired(by=TIMER, at=now)
    if is_late and not isinstance(command, Cancel | GiveUp):
        return _at_deadline(request, now, freeze)
    match command:
        case Approve() | Redirect() | Reject() | Answer() | RequestChanges() | Extend() | Snooze():
            _require_approver(request, command.by)
            _require_thawed(request, None if isinstance(command, Extend | Snooze) else freeze)
            return _decide_by_person(request, command, now)
        case Override():
            _require_thawed(request, freeze)
            return _override(request, command, now)
        case Climb():
            _require_thawed(request, freeze)  # who can't decide isn't called
            return _climb(request, now)
        case Revise():
            return _revise(request, command, now)
        case Cancel(reason=reason):
            return Cancelled(by=agent_of(request), at=now, text=reason)
        case GiveUp(reason=reason):
            return Undeliverable(by=SERVICE, at=now, text=reason)
        case Expire():
            raise NotDue(request)
        case _:
            assert_never(command)


def _is_unseen_silence(request: Request, command: _OfPending) -> bool:
    """Whether it ends in a no although silence would be a yes: nobody could have seen it.

    Raises:
        DeadlinePassed: only the clock gives silence's yes, since it alone has looked whether it was shown.
    """
    if isinstance(command, Expire):
        return not command.was_shown
    if request.terms.on_deadline is OnDeadline.APPROVE and not isinstance(command, Cancel | GiveUp):
        raise DeadlinePassed(request)
    return False


def _decide_by_person(request: Request, command: _ByPerson, now: datetime) -> Event:  # noqa: C901  # a table
    match command:
        case Approve():
            return _approve(request, command, now)
        case Redirect():
            return _redirect(request, command, now)
        case Answer():
            return _answer(request, command, now)
        case Reject():
            return _reject(request, command, now)
        case Extend(by=person, seconds=seconds):
            left_s = request.terms.extend_s - request.extended_s
            if request.deadline is None or not 0 < seconds <= left_s:
                raise TooMuch(request, max(left_s, 0))
            return Extended(by=person.actor, at=now, seconds=seconds)
        case Snooze(by=person, seconds=seconds):
            until = now + timedelta(seconds=seconds)
            if seconds <= 0 or (request.deadline is not None and until >= request.deadline):
                left = request.deadline - now if request.deadline else timedelta(0)
                raise TooMuch(request, int(left.total_seconds()))
            return Snoozed(by=person.actor, at=now, until=until)
        case RequestChanges(by=person, feedback=feedback):
            _require_with_people(request)
            if not feedback.strip():
                raise NothingSaid(request)
            return ChangesRequested(by=person.actor, at=now, text=feedback)
        case _:
            assert_never(command)


def _at_deadline(request: Request, now: datetime, freeze: Freeze | None) -> Event:
    """Silence may be a yes only to a call that people could see, unchanged, for all of its time."""
    was_open = request.sent_back is None and request.changed_at is None and freeze is None
    was_open = was_open and request.terms.assurance is Assurance.CLICK
    if request.terms.on_deadline is OnDeadline.APPROVE and request.kind is Kind.ACTION and was_open:
        return Approved(
            by=TIMER, at=now, text="nobody objected before the deadline, and the policy allows it then"
        )
    return Expired(by=TIMER, at=now)


def _approve(request: Request, command: Approve, now: datetime) -> Event:
    """A vote is for exact args, so an edit starts the count again."""
    person = command.by
    if request.kind is not Kind.ACTION:
        raise WrongKind(request, "approve")
    _require_with_people(request)
    if command.seen != request.fingerprint:
        raise ArgumentsChanged(request)
    args = request.args if command.edited is None else command.edited
    new = fingerprint(request.tool, args)
    is_edit = new != request.fingerprint
    votes = () if is_edit else tuple(vote for vote in request.votes if vote.person not in command.gone)
    if any(person.id in (vote.person, *vote.stands_for) for vote in votes):
        raise AlreadyVoted(request, person)
    note = command.note or None
    if person.id == request.on_behalf_of and note is None:
        raise NothingSaid(request)  # the rule lets them approve their own request, but not without a reason
    _require_assurance(request, person)
    groups = groups_of(request.terms, person)
    vote = Vote(person=person.id, name=person.name, at=now, note=note, groups=groups, alike=command.alike)
    alike = min(each.alike for each in (*votes, vote))  # what all of them saw
    if not is_met(request.terms, (*votes, vote)):
        changed, digest = (args, new) if is_edit else (None, None)
        return Voted(
            by=person.actor,
            person=person.id,
            at=now,
            text=note,
            groups=groups,
            stands_for=person.stands_for,
            args=changed,
            fingerprint=digest,
            alike=command.alike,
            gone=_gone(request, command),
            bulk=command.bulk,
            evidence=person.evidence,
        )
    by, evidence = person.actor, person.evidence
    if is_edit:
        return Edited(by=by, at=now, text=note, args=args, fingerprint=new, alike=alike, evidence=evidence)
    gone, bulk = _gone(request, command), command.bulk
    return Approved(by=by, at=now, text=note, alike=alike, gone=gone, bulk=bulk, evidence=evidence)


def _gone(request: Request, command: Approve) -> tuple[PersonId, ...]:
    """Whose yes of before counts no more: they left, became guests, or are approvers no longer."""
    return tuple(vote.person for vote in request.votes if vote.person in command.gone)


def _redirect(request: Request, command: Redirect, now: datetime) -> Event:
    """The new terms hold for whoever changed the call too: their yes is one that it needs, or none."""
    person, note = command.voter, command.note or None
    if request.kind is not Kind.ACTION:
        raise WrongKind(request, "edit")
    _require_with_people(request)
    if command.seen != request.fingerprint:
        raise ArgumentsChanged(request)
    digest = fingerprint(request.tool, command.edited)
    vote: Vote | None = None
    is_sure = person.assurance.level >= command.terms.assurance.level
    if is_sure and may_count(under(request, command.terms, now), person):
        if person.id == request.on_behalf_of and note is None:
            raise NothingSaid(request)
        vote = Vote(
            person=person.id,
            name=person.name,
            at=now,
            note=note,
            groups=groups_of(command.terms, person),
            alike=command.alike,
            stands_for=person.stands_for,
            through=person.through,
        )
    if vote is not None and is_met(command.terms, (vote,)):
        return Edited(
            by=person.actor,
            at=now,
            text=note,
            args=command.edited,
            fingerprint=digest,
            alike=command.alike,
            terms=command.terms,
        )
    return Redirected(
        by=command.by.actor,
        at=now,
        text=note,
        args=command.edited,
        fingerprint=digest,
        terms=command.terms,
        vote=vote,
    )


def _revise(request: Request, command: Revise, now: datetime) -> Event:
    terms, digest = command.terms, fingerprint(request.tool, command.args)
    if terms is not None and terms.action is Action.DENY:
        return Denied(
            by=_rule_of(terms), at=now, text=terms.because, args=command.args, fingerprint=digest, terms=terms
        )
    return Revised(
        by=agent_of(request), at=now, text=command.reason, args=command.args, fingerprint=digest, terms=terms
    )


def _rule_of(terms: Terms) -> Actor:
    return Actor(id=f"policy:{terms.rule}", name=f"rule “{terms.rule}”")


def _reject(request: Request, command: Reject, now: datetime) -> Event:
    person, text, bulk = command.by, command.feedback or None, command.bulk
    if command.seen is not None and command.seen != request.fingerprint:
        raise ArgumentsChanged(request)
    others = [vote for vote in request.objections if vote.person != person.id]
    if len(others) + 1 >= request.terms.rejections:
        return Rejected(by=person.actor, at=now, text=text, alike=command.alike, bulk=bulk)
    if len(others) < len(request.objections):
        raise AlreadyObjected(request, person)
    return Objected(by=person.actor, person=person.id, at=now, text=text, bulk=bulk)


def _among_twins(request: Request, command: _OfTwins, now: datetime, freeze: Freeze | None) -> Event:
    """Identical calls that share a card. Their terms are the same: who decides one may decide the other."""
    _require_pending(request)
    if request.deadline is not None and now >= request.deadline:
        raise DeadlinePassed(request)
    match command:
        case Join(twin=twin):
            _require_with_people(request)
            if twin in request.twins or request.twin_of is not None or request.changed_at is not None:
                raise NotDue(request)
            return Joined(by=agent_of(request), at=now, twin=twin)
        case Follow():
            if request.twin_of is None:
                raise NotDue(request)
            _require_thawed(request, freeze)
            return _followed(request, command, now)
        case Part():
            if request.twin_of is None:
                raise NotDue(request)
            return Parted(by=SERVICE, at=now)
        case _:
            assert_never(command)


def _followed(request: Request, command: Follow, now: datetime) -> Event:
    decision, args, terms = command.decision, command.args, command.terms
    digest = fingerprint(request.tool, args)
    match decision.word:
        case "approved" | "edited" if digest == request.fingerprint:
            return Approved(by=decision.by, at=now, text=decision.text)
        case "approved" | "edited":
            by, text = decision.by, decision.text
            return Edited(by=by, at=now, text=text, args=args, fingerprint=digest, terms=terms)
        case "rejected":
            return Rejected(by=decision.by, at=now, text=decision.text)
        case "answered":
            return Answered(by=decision.by, at=now, text=decision.text or "")
        case _:
            raise NotDue(request)


def _override(request: Request, command: Override, now: datetime) -> Event:
    person = command.by
    _require_unbarred(request, person)
    if not (person.principals - person.lent) & frozenset(request.terms.override):
        raise NoOverrider(request, person)
    if request.kind is not Kind.ACTION:
        raise WrongKind(request, "override")
    if command.seen != request.fingerprint:
        raise ArgumentsChanged(request)
    if not command.reason.strip():
        raise NothingSaid(request)
    _require_assurance(request, person)
    return Overridden(by=person.actor, at=now, text=command.reason, evidence=person.evidence)


def _take_back(request: Request, person: Person, now: datetime) -> Event:
    """Whether it is in time is for Redis to say: the permit is there, or the agent has taken it."""
    if request.status in (Status.EXECUTING, Status.EXECUTED, Status.FAILED):
        raise AlreadyUsed(request)
    _require_status(request, Status.APPROVED)
    if request.hold is None and request.claim_by is not None and now >= request.claim_by:
        raise NotClaimable(request)  # nobody can use it any more; it lapses in a moment
    voters = {f"slack:{vote.person}" for vote in request.votes}
    if request.decision is None or person.actor.id not in voters | {request.decision.by.id}:
        raise NotYours(request, person)
    return Withdrawn(by=person.actor, at=now)


def _void(request: Request, command: Void, now: datetime) -> Event:
    if request.is_pending:
        return Cancelled(by=command.by, at=now, text=command.reason)
    _require_status(request, Status.APPROVED)
    return Withdrawn(by=command.by, at=now)


def _look_at(request: Request, person: Person, now: datetime) -> Event:
    """By who may decide it, or let it through; but an override is looked at by somebody else."""
    _require_unbarred(request, person)
    if not person.principals & (approvers_of(request) | frozenset(request.terms.override)):
        raise NotQualified(request, person)
    if not is_to_be_looked_at(request):
        raise NothingToSee(request)
    decision = request.decision
    if decision is not None and decision.word == Overridden.word and decision.by.id == person.actor.id:
        raise OwnOverride(request, person)
    return LookedAt(by=person.actor, at=now)


def is_to_be_looked_at(request: Request) -> bool:
    """Whether it ended without people's regular yes or no, and nobody has seen that yet."""
    word = request.decision.word if request.decision else ""
    return word in ("expired", "overridden") and request.looked_at is None


def _afterwards(request: Request, command: _OfReview | ReportUndo, now: datetime) -> Event:
    if not isinstance(command, ReportUndo):
        return _review(request, command, now)
    review = request.review
    if review is None or review.undo is None or review.undo.ok is not None:
        raise NoUndoAsked(request)
    return (Undone if command.ok else UndoFailed)(by=agent_of(request), at=now, text=command.text)


def _review(request: Request, command: _OfReview, now: datetime) -> Event:
    """By who could have decided it, had they been asked."""
    _require_approver(request, command.by)
    review = request.review
    if review is None:
        raise NothingToReview(request)
    if not isinstance(command, Confirm) and not command.text.strip():
        raise NothingSaid(request)
    by = command.by.actor
    match command:
        case Confirm() | Flag() if review.state is not ReviewState.OPEN:
            raise AlreadyReviewed(request)
        case Confirm():
            return Confirmed(by=by, at=now)
        case Flag(text=text):
            return Flagged(by=by, at=now, text=text)
        case AskUndo(text=text):
            if not may_be_undone(request, now):
                raise AlreadyReviewed(request)
            return UndoAsked(by=by, at=now, text=text)
        case _:
            assert_never(command)


def may_be_undone(request: Request, now: datetime) -> bool:
    """Whether its agent may be asked to undo it: once; again if it could not, or hasn't answered for long.

    An agent that took the ask and died has perhaps undone it. So a person must ask again, and not we.
    """
    review = request.review
    if review is None or review.state not in (ReviewState.OPEN, ReviewState.FLAGGED):
        return False
    undo = review.undo
    return undo is None or undo.ok is False or now >= undo.at + UNDO_PATIENCE


def _climb(request: Request, now: datetime) -> Event:
    step, at = next_step(request), next_step_at(request)
    if step is None or at is None or now < at:
        raise NotDue(request)
    kind = Escalated if step.add or step.channel else Reminded
    return kind(by=LADDER, at=now, step=step)


def _answer(request: Request, command: Answer, now: datetime) -> Event:
    _require_with_people(request)
    if command.seen is not None and command.seen != request.fingerprint:
        raise ArgumentsChanged(request)
    if not command.text.strip():
        raise NothingSaid(request)
    if not takes(request, command.text):
        raise NotAnOption(request, command.text)
    return Answered(by=command.by.actor, at=now, text=command.text, alike=command.alike)


def _unused(request: Request, command: _OfUnused, now: datetime) -> Event:
    """What becomes of an approval that nobody has used yet."""
    match command:
        case Lapse():
            return _lapse(request, now)
        case Hold(freeze=reaching):
            return _hold(request, reaching, now)
        case Release():
            return _release(request, now)
        case _:
            assert_never(command)


def _lapse(request: Request, now: datetime) -> Event:
    _require_status(request, Status.APPROVED)
    if request.hold is not None or request.claim_by is None or now < request.claim_by + CLAIM_GRACE:
        raise NotDue(request)
    return Lapsed(by=TIMER, at=now)


def _hold(request: Request, freeze: Freeze, now: datetime) -> Event:
    """Whether it is in time is for Redis to say, as with a take-back."""
    _require_status(request, Status.APPROVED)
    if request.hold is not None or request.claim_by is None or now >= request.claim_by:
        raise NotDue(request)
    return Held(by=freeze.by, at=now, freeze=freeze)


def _release(request: Request, now: datetime) -> Event:
    _require_status(request, Status.APPROVED)
    if request.hold is None or request.decision is None:
        raise NotDue(request)
    since = max(request.hold.at, request.decision.at)
    return Released(by=SERVICE, at=now, held_s=(now - since).total_seconds())


def _require_approver(request: Request, person: Person) -> None:
    _require_unbarred(request, person)
    if person.id == request.on_behalf_of and not request.terms.self_approval:
        raise OwnRequest(request, person)
    if not person.principals & approvers_of(request):
        raise NotQualified(request, person)


def _require_unbarred(request: Request, person: Person) -> None:
    if person.barred and not (person.barred is Barred.GUEST and request.terms.guests):
        raise NotQualified(request, person, person.barred)


def _require_assurance(request: Request, person: Person) -> None:
    if person.assurance.level < request.terms.assurance.level:
        raise NeedsAssurance(request, person)


def _require_thawed(request: Request, freeze: Freeze | None) -> None:
    if freeze is not None:
        raise Frozen(request, freeze)


def _require_pending(request: Request) -> None:
    if not request.is_pending:
        raise AlreadyResolved(request)


def _require_with_people(request: Request) -> None:
    if request.sent_back is not None:
        raise WithAgent(request)


def _require_status(request: Request, *allowed: Status) -> None:
    if request.status not in allowed:
        raise NotClaimable(request)


def agent_of(request: Request) -> Actor:
    return Actor(id=f"agent:{request.agent}", name=request.agent)
