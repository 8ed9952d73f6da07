"""Approver front ends: other screens than Slack, on which people decide whom they have authenticated.

Who may decide is looked up and judged exactly as for a click; the log says that it came over HTTP, and
through which front end.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from approvals.agent_tokens import Role
from approvals.commands import Answer as Respond
from approvals.commands import Approve, Reject, RequestChanges
from approvals.errors import InvalidCall, RequestNotFound, Unavailable
from approvals.masking import put_back
from approvals.model import Fingerprint, Person, PersonId, Request, Terms, Via
from approvals.submitting import own_args
from blocks.ids import Seen
from bot.api.answers import Page, Recorded, Shown
from bot.api.operations import Answer, Call, Operation
from bot.api.problems import Trouble
from bot.api.reading import shown
from bot.api.shapes import NewDecision
from bot.desk import Decides, Desk, Verdict
from bot.payloads import Who
from bot.plain import plain
from bot.redirecting import Redirecting

VERBS = {"request_changes": "request changes"}


async def _decidable(call: Call[None, None]) -> Answer:
    queue = await _desk(call).visible(_who(call), only_decidable=True)
    found = tuple(shown(request, for_people=True) for request in queue.requests)
    return Answer(status=200, value=Page(requests=found, next=None))


async def _one(call: Call[None, None]) -> Answer:
    verdict = await _desk(call).read(_who(call), call.id, via=Via.HTTP)
    if verdict.request is None:
        raise RequestNotFound(call.id)
    return Answer(status=200, value=shown(verdict.request, for_people=True))


async def _decide(call: Call[NewDecision, None]) -> Answer:
    desk, said = _desk(call), call.body
    verb = VERBS.get(said.decision, said.decision)
    who, seen = _who(call, said.person), Seen(request_id=call.id, fingerprint=Fingerprint(said.fingerprint))
    _check(said)
    request = _let_through(seen, await desk.admit(who, seen, verb, via=Via.HTTP))
    if said.args is not None:
        args = put_back(said.args, request)
        said = replace(said, args=args)
        redirecting = Redirecting(desk, call.parts.judge, call.parts.stages)
        terms = await redirecting.terms(request, args)
        if terms is not None:
            return await _redirected(redirecting, who, seen, request, terms, said)
    verdict = await desk.decide(who, call.id, verb, partial(_command, said), via=Via.HTTP)
    return _recorded(seen, verdict)


def _command(said: NewDecision, person: Person, request: Request) -> Decides:
    seen = Fingerprint(said.fingerprint)
    match said.decision:
        case "approve":
            return Approve(by=person, seen=seen, note=said.note)
        case "edit":
            return Approve(by=person, seen=seen, note=said.note, edited=said.args)
        case "reject":
            return Reject(by=person, seen=seen, feedback=said.note)
        case "respond":
            return Respond(by=person, seen=seen, text=said.note or "")
        case "request_changes":
            return RequestChanges(by=person, feedback=said.note or "")


async def _redirected(
    redirecting: Redirecting, who: Who, seen: Seen, request: Request, terms: Terms, said: NewDecision
) -> Answer:
    """Others decide the changed call, or nobody can."""
    if why := await redirecting.denied(who, request, terms, via=Via.HTTP):
        raise Trouble("refused", why)
    assert said.args is not None  # noqa: S101 - what was judged
    verdict = await redirecting.redirect(who, seen, request, said.args, terms, note=said.note, via=Via.HTTP)
    return _recorded(seen, verdict)


def _recorded(seen: Seen, verdict: Verdict) -> Answer:
    after = _let_through(seen, verdict)
    event = after.trail[-1].word  # a second click of the same person has caused none
    told = Recorded(id=after.id, status=after.status, event=event, words=plain(verdict.words))
    return Answer(status=200, value=told)


def _check(said: NewDecision) -> None:
    if said.decision == "edit" and said.args is None:
        raise InvalidCall("edit: say in args what is to be approved instead")
    if said.args is not None:
        own_args(said.args)
        if said.decision != "edit":
            raise InvalidCall(f"{said.decision}: args are for edit")


def _let_through(seen: Seen, verdict: Verdict) -> Request:
    request = verdict.request
    if request is None:
        raise RequestNotFound(seen.request_id)
    if verdict.refusal is not None:
        is_as_it_was = request.is_pending and seen.fits(request)
        raise Trouble("refused" if is_as_it_was else "conflict", plain(verdict.refusal))
    return request


def _desk(call: Call[Any, Any]) -> Desk:
    if call.parts.desk is None:
        raise Unavailable("deciding needs SLACK_BOT_TOKEN: it is checked in Slack who somebody is")
    return call.parts.desk


def _who(call: Call[Any, Any], person: str | None = None) -> Who:
    name = call.request.match_info["person"] if person is None else person
    return Who(id=PersonId(name), team=None, through=call.holder.name)


OPERATIONS: tuple[Operation[Any, Any], ...] = (
    Operation(
        method="GET",
        path="/v1/people/{person}/requests",
        name="list_decidable",
        summary="What this person could decide now, the oldest first",
        handle=_decidable,
        role=Role.APPROVER_FRONT_END,
        answers={200: Page},
        problems=("not-found",),
    ),
    Operation(
        method="GET",
        path="/v1/people/{person}/requests/{id}",
        name="get_for_person",
        summary="One request, if this person may see it",
        handle=_one,
        role=Role.APPROVER_FRONT_END,
        answers={200: Shown},
        problems=("not-found",),
    ),
    Operation(
        method="POST",
        path="/v1/requests/{id}/decisions",
        name="decide",
        summary="Decide for a person whom you have authenticated, checked as a click of theirs would be",
        handle=_decide,
        role=Role.APPROVER_FRONT_END,
        body=NewDecision,
        answers={200: Recorded},
        problems=("refused", "not-found", "conflict", "too-large", "not-json", "invalid-call"),
    ),
)
