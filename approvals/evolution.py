"""What each event leaves of a request. `machine.decide` finds the event; nothing is refused here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from approvals.canonical import fingerprint
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
from approvals.ladder import may_call
from approvals.model import (
    Decision,
    Evidence,
    PersonId,
    Ping,
    Receipt,
    Remind,
    Request,
    SentBack,
    Status,
    Step,
    Terms,
    TrailLine,
    Vote,
)
from approvals.reviewing import looked_at, opened

TRAIL_LINES = 50  # the card's thread shows the newest; the audit log has all
TRAIL_TEXT_CHARS = 1_000  # of each line: every change rewrites the whole request


def evolve(request: Request, event: Event) -> Request:
    """Return the request as `event` leaves it: the next version, with its line of the trail."""
    after = replace(_apply(request, event), version=request.version + 1)
    if isinstance(event, Refused | Submitted):
        return after
    text: str | None = getattr(event, "text", None)
    line = TrailLine(at=event.at, word=event.word, by=event.by, text=text and text[:TRAIL_TEXT_CHARS])
    return replace(after, trail=(*request.trail, line)[-TRAIL_LINES:])


def _apply(request: Request, event: Event) -> Request:  # noqa: C901  # one line an event: the table of the machine
    match event:
        case Submitted() | Asked() | Refused():
            return request
        case Approved(gone=gone):
            return _resolved(_counting(request, gone), Status.APPROVED, event)
        case Allowed() | Overridden():
            return _resolved(request, Status.APPROVED, event)
        case Denied():
            return _resolved(_with_reason(_with_args(request, event), event.terms), Status.REJECTED, event)
        case Rejected():
            return _resolved(request, Status.REJECTED, event)
        case Answered():
            return _resolved(request, Status.ANSWERED, event)
        case Expired():
            return _resolved(request, Status.EXPIRED, event)
        case Cancelled() | Undeliverable():
            return _resolved(request, Status.CANCELLED, event)
        case Edited():
            edited = under(_with_args(request, event), event.terms, event.at)
            return _resolved(edited, Status.APPROVED, event)
        case Redirected():
            redirected = under(_with_args(request, event), event.terms, event.at)
            return replace(redirected, votes=(event.vote,) if event.vote else (), twins=())
        case Voted():
            vote = _vote(event, event.groups)
            edited = _counting(request if event.args is None else _with_args(request, event), event.gone)
            others = _without(edited.objections, event.person)  # whoever says yes takes their no back
            return replace(edited, votes=(*edited.votes, vote), objections=others)
        case Objected():
            others = _without(request.votes, event.person)
            return replace(request, votes=others, objections=(*request.objections, _vote(event)))
        case Extended():
            return _extended(request, event)
        case Snoozed():
            return replace(request, snoozed_until=event.until)
        case Reminded() | Escalated():
            return _climbed(request, event)
        case Withdrawn():
            return replace(request, status=Status.WITHDRAWN)
        case LookedAt():
            return replace(request, looked_at=event.by)
        case ChangesRequested():
            back = SentBack(by=event.by, at=event.at, feedback=event.text)
            return replace(request, sent_back=back, round=request.round + 1)
        case Revised():
            # The agent asks anew: what people had voted for, or edited, was another call.
            reason = request.reason if event.text is None else event.text
            revised = under(_with_args(request, event), event.terms, event.at)
            return replace(revised, asked_args=None, sent_back=None, reason=reason, twins=())
        case Claimed():
            return replace(request, status=Status.EXECUTING, claimed_at=event.at)
        case Executed():
            return _reported(request, Status.EXECUTED, event)
        case Failed():
            return _reported(request, Status.FAILED, event)
        case Lapsed():
            return replace(request, status=Status.LAPSED)
        case Confirmed() | Flagged() | UndoAsked() | Undone() | UndoFailed():
            return replace(request, review=looked_at(request, event))
        case Joined():
            return replace(request, twins=(*request.twins, event.twin))
        case Parted():
            return replace(request, twin_of=None)
        case Held():
            return replace(request, hold=event.freeze)
        case Released():
            return replace(request, hold=None, held_s=request.held_s + event.held_s)
        case _:
            assert_never(event)


def _vote(event: Voted | Objected, groups: tuple[str, ...] = ()) -> Vote:
    by = event.by
    vote = Vote(
        person=event.person, name=by.name, at=event.at, note=event.text, groups=groups, through=by.through
    )
    if isinstance(event, Objected):
        return vote
    return replace(vote, alike=event.alike, stands_for=event.stands_for, evidence=event.evidence)


def _without(votes: tuple[Vote, ...], person: PersonId) -> tuple[Vote, ...]:
    return tuple(vote for vote in votes if vote.person != person)


def _counting(request: Request, gone: tuple[PersonId, ...]) -> Request:
    return replace(request, votes=tuple(vote for vote in request.votes if vote.person not in gone))


def _extended(request: Request, event: Extended) -> Request:
    deadline = None if request.deadline is None else request.deadline + timedelta(seconds=event.seconds)
    return replace(request, deadline=deadline, extended_s=request.extended_s + event.seconds)


def _climbed(request: Request, event: Reminded | Escalated) -> Request:
    step, where = event.step, _where_to_ping(event.step)
    pings = (Ping(step=request.climbed, where=where, at=event.at, turn=request.turn),) if where else ()
    return replace(
        request,
        climbed=request.climbed + 1,
        added=tuple(dict.fromkeys((*request.added, *step.add))),
        channels=tuple(dict.fromkeys((*request.channels, *((step.channel,) if step.channel else ())))),
        pings=(*request.pings, *pings),
    )


def _where_to_ping(step: Step) -> Remind | None:
    """People who are added are told so, unless the card that comes into another channel tells them."""
    if step.remind is None and step.add and step.channel is None:
        return Remind.THREAD
    return step.remind


def under(request: Request, terms: Terms | None, at: datetime) -> Request:
    """The request as if it were asked under `terms` now; None: those it has stay."""
    if terms is None:
        return request
    asked = replace(
        request,
        terms=terms,
        deadline=None if terms.deadline_s is None else at + timedelta(seconds=terms.deadline_s),
        turn=request.turn + 1,
        redirected_at=at,
        votes=(),
        objections=(),
        climbed=0,
        added=(),
        channels=(),
        pings=(),
        snoozed_until=None,
        extended_s=0,
    )
    if not may_call(asked):
        return asked  # the first step of its ladder calls when the hours for it begin
    return replace(asked, climbed=1, pings=(Ping(step=0, where=Remind.THREAD, at=at, turn=asked.turn),))


def _with_reason(request: Request, terms: Terms | None) -> Request:
    """Ended by a rule after people were asked: it tells of that rule, and stays one that people see."""
    if terms is None:
        return request
    told = replace(request.terms, rule=terms.rule, policy=terms.policy, because=terms.because)
    return replace(request, terms=told)


def _with_args(request: Request, event: Edited | Redirected | Voted | Revised | Denied) -> Request:
    if event.args is None or event.fingerprint is None:
        return request
    asked = request.args if request.asked_args is None else request.asked_args
    is_edit = fingerprint(request.tool, asked) != event.fingerprint  # or an edit put back what was asked
    return replace(
        request,
        args=event.args,
        fingerprint=event.fingerprint,
        asked_args=asked if is_edit else None,
        changed_at=event.at,
        votes=(),
    )


def _resolved(request: Request, status: Status, event: Event) -> Request:
    text, alike = getattr(event, "text", None), getattr(event, "alike", 0)
    evidence: Evidence | None = getattr(event, "evidence", None)
    decision = Decision(word=event.word, by=event.by, at=event.at, text=text, alike=alike, evidence=evidence)
    return replace(request, status=status, decision=decision)


def _reported(request: Request, status: Status, event: Executed | Failed) -> Request:
    receipt = Receipt(
        ok=status is Status.EXECUTED, at=event.at, result=event.text, duration_ms=event.duration_ms
    )
    return replace(request, status=status, receipt=receipt, review=opened(request, event.at))
