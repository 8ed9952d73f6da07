"""Reading over HTTP what one has asked for, and waiting for what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from approvals.errors import RequestNotFound
from approvals.masking import shown_args, spoken, spoken_value
from approvals.messages import Outcome, Submission, outcome_of
from approvals.model import ESCALATION_TOOL, Kind, Request, RequestId, Status
from approvals.questions import answer_to, is_taken_over
from approvals.waiting import Waiting as Waits
from bot.api.answers import Batch, Page, Shown
from bot.api.operations import Answer, Call, Operation
from bot.api.shapes import Many, One, Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A part of what an agent asks for, with addresses of its own."""

    name: str
    kind: Kind | None = None  # None: of every kind
    is_escalation: bool = False

    def covers(self, one: Request | Shown) -> bool:
        """Whether it may be found here. What was never made a request is of no kind, and found anywhere."""
        if None in (self.kind, one.kind):
            return True
        return one.kind is self.kind and (one.tool == ESCALATION_TOOL) == self.is_escalation


SUBJECTS = (
    Subject(name="requests"),
    Subject(name="reviews", kind=Kind.REVIEW),
    Subject(name="questions", kind=Kind.QUESTION),
    Subject(name="escalations", kind=Kind.QUESTION, is_escalation=True),
)


def shown(request: Request, *, for_people: bool = False) -> Shown:
    """A request as its agent may see it; or as those may who decide, who see its secrets masked."""
    outcome, answer = outcome_of(request), answer_to(request)
    if for_people:
        outcome = None if outcome is None else _masked(outcome, request)
        answer = spoken_value(answer)
    return Shown(
        id=request.id,
        status=request.status,
        kind=request.kind,
        tool=request.tool,
        args=shown_args(request) if for_people else request.args,
        fingerprint=request.fingerprint,
        short=request.short,
        agent=request.agent,
        reason=request.reason,
        on_behalf_of=request.on_behalf_of,
        risk=request.terms.risk,
        confidence=request.confidence,
        tags=request.tags,
        schema=request.schema,
        batch=request.batch,
        created_at=request.created_at,
        deadline=request.deadline,
        votes=len(request.votes),
        because=request.terms.because if for_people else None,
        review=request.review.state.value if request.review else None,
        answer=answer,
        taken_over=is_taken_over(request),
        outcome=outcome,
    )


def _masked(outcome: Outcome, request: Request) -> Outcome:
    args = None if outcome.args is None else shown_args(request)
    return replace(outcome, args=args, text=None if outcome.text is None else spoken(outcome.text))


async def own(call: Call[Any, Any], request_id: RequestId | None = None) -> Request | Submission:
    """What this agent has asked for by that name.

    Raises:
        RequestNotFound: nothing. Whether another agent has is not told.
    """
    return await call.asked.get(call.id if request_id is None else request_id)


async def as_it_stands(call: Call[Any, Any], request_id: RequestId) -> Shown:
    """One of one's own, also while its letter is on its way, and where no request was made of it."""
    try:
        found = await own(call, request_id)
    except RequestNotFound:
        outcome = await call.door.inbox.outcome(request_id)
        if outcome is None:
            raise
        return Shown(id=request_id, status=Status(outcome.status), outcome=outcome)
    if isinstance(found, Request):
        return shown(found)
    return Shown(
        id=found.id,
        status="submitted",
        kind=found.kind,
        tool=found.tool,
        args=found.args,
        reason=found.reason,
        on_behalf_of=found.on_behalf_of,
        confidence=found.confidence,
        tags=found.tags,
        schema=found.schema,
        batch=found.batch,
    )


def _one(subject: Subject) -> Callable[[Call[None, One]], Awaitable[Answer]]:
    async def one(call: Call[None, One]) -> Answer:
        found = await as_it_stands(call, call.id)
        if not subject.covers(found):
            raise RequestNotFound(call.id)
        if call.query.wait:
            await _until(call.door.waiting, call.id, call.query.wait, call.query.after_round)
            found = await as_it_stands(call, call.id)
        return Answer(status=200, value=found)

    return one


async def _until(waiting: Waits, id: RequestId, seconds: float, after_round: int = 0) -> None:
    await waiting.until(id, timeout_s=seconds, after_round=after_round)


def _many(subject: Subject) -> Callable[[Call[None, Many]], Awaitable[Answer]]:
    async def many(call: Call[None, Many]) -> Answer:
        query = call.query

        def is_wanted(request: Request) -> bool:
            return subject.covers(request) and query.status in (None, request.status)

        cursor = None if query.cursor is None else RequestId(query.cursor)
        found, further = await call.asked.page(cursor, query.limit, is_wanted)
        return Answer(status=200, value=Page(requests=tuple(map(shown, found)), next=further))

    return many


async def _batch(call: Call[None, Waiting]) -> Answer:
    ids = await call.asked.batch(call.id)
    if call.query.wait:
        async with asyncio.TaskGroup() as waits:
            for id in ids:
                waits.create_task(_until(call.door.waiting, id, call.query.wait))
    each = tuple([await as_it_stands(call, id) for id in ids])
    is_decided = all(one.outcome is not None for one in each)
    return Answer(status=200, value=Batch(id=call.id, is_decided=is_decided, requests=each))


def _of(subject: Subject) -> tuple[Operation[Any, Any], Operation[Any, Any]]:
    return (
        Operation(
            method="GET",
            path=f"/v1/{subject.name}/{{id}}",
            name=f"get_{subject.name}",
            summary="How one of them stands; with `wait`, as soon as there is an outcome",
            handle=_one(subject),
            query=One,
            answers={200: Shown},
            problems=("not-found",),
        ),
        Operation(
            method="GET",
            path=f"/v1/{subject.name}",
            name=f"list_{subject.name}",
            summary="What this agent has asked for, the newest first",
            handle=_many(subject),
            query=Many,
            answers={200: Page},
            problems=("invalid-call",),
        ),
    )


OPERATIONS: tuple[Operation[Any, Any], ...] = (
    *(operation for subject in SUBJECTS for operation in _of(subject)),
    Operation(
        method="GET",
        path="/v1/batches/{id}",
        name="get_batches",
        summary="How a batch stands; with `wait`, as soon as all of it has outcomes",
        handle=_batch,
        query=Waiting,
        answers={200: Batch},
        problems=("not-found",),
    ),
)
