"""Asking over HTTP: requests, reviews, questions, escalations, and batches of requests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from approvals.canonical import fingerprint
from approvals.ids import new_id
from approvals.messages import RESULT_CHARS, Submission, Ticket
from approvals.model import ESCALATION_TOOL, QUESTION_TOOL, Fingerprint, Kind
from approvals.submitting import Options, escalation_args, key_of, question_args, submission
from bot.api.answers import NewBatchSent
from bot.api.operations import Answer, Call, Operation
from bot.api.shapes import NewBatch, NewEscalation, NewQuestion, NewRequest, NewReview

B = TypeVar("B")


async def _request(call: Call[NewRequest, None]) -> Answer:
    return await _put(call, "requests", _wanted(call.body))


def _wanted(asked: NewRequest) -> Submission:
    return submission(asked.tool, asked.args, **_options(asked))


async def _review(call: Call[NewReview, None]) -> Answer:
    told = call.body
    result = None if told.result is None else told.result[:RESULT_CHARS]
    one = submission(told.tool, told.args, kind=Kind.REVIEW, ok=told.ok, result=result, **_options(told))
    return await _put(call, "reviews", one)


async def _question(call: Call[NewQuestion, None]) -> Answer:
    asked = call.body
    args = question_args(
        *(asked.question, asked.options, asked.context, asked.free_text), many=asked.many, schema=asked.schema
    )
    one = submission(QUESTION_TOOL, args, kind=Kind.QUESTION, **_options(asked))
    return await _put(call, "questions", one)


async def _escalation(call: Call[NewEscalation, None]) -> Answer:
    stuck = call.body
    args = escalation_args(stuck.summary, stuck.context, stuck.transcript_url)
    one = submission(ESCALATION_TOOL, args, kind=Kind.QUESTION, **_options(stuck))
    return await _put(call, "escalations", one)


def _options(body: NewRequest | NewReview | NewQuestion | NewEscalation) -> Options:
    """What may be said of any request; the fields have the same names."""
    named = {name: getattr(body, name) for name in Options.__annotations__ if hasattr(body, name)}
    return cast(Options, named)


async def _put(call: Call[B, None], where: str, one: Submission) -> Answer:
    one = replace(one, trace=_trace(call))
    ticket = await call.door.inbox.put(one, fingerprint(one.tool, one.args), key_of(call.key))
    location = {"Location": f"/v1/{where}/{ticket.id}"}
    return Answer(status=201 if ticket.is_new else 200, value=ticket, headers=location)


async def _batch(call: Call[NewBatch, None]) -> Answer:
    each, key, new = [_wanted(one) for one in call.body.requests], key_of(call.key), new_id()
    calls = [fingerprint(one.tool, one.args) for one in each]
    first = new if key is None else await call.door.inbox.first_with(key, new, _of_all(calls))
    # Sent again under the first ids too, in case that one's sender died between its key and its letters.
    ids = await call.asked.keep_batch(first, [one.id for one in each])
    together = first if len(each) > 1 else None  # one alone is a request like any other
    sent = [
        replace(one, id=id, batch=together, reason=one.reason or call.body.reason, trace=_trace(call))
        for one, id in zip(each, ids, strict=True)
    ]
    await call.door.inbox.put_all(sent)
    is_new = first == new
    tickets = (Ticket(id=id, fingerprint=one, is_new=is_new) for id, one in zip(ids, calls, strict=True))
    value = NewBatchSent(id=first, tickets=tuple(tickets))
    headers = {"Location": f"/v1/batches/{first}"}
    return Answer(status=201 if is_new else 200, value=value, headers=headers)


def _trace(call: Call[B, None]) -> str | None:
    """What its agent is at (https://www.w3.org/TR/trace-context/), where it says so."""
    return call.request.headers.get("traceparent")


def _of_all(calls: Sequence[Fingerprint]) -> Fingerprint:
    """Names what a batch asks for: these calls, in this order."""
    return Fingerprint(hashlib.sha256(" ".join(calls).encode()).hexdigest())


_TICKET = {201: Ticket, 200: Ticket}
_ASKING = ("key-reused", "too-large", "not-json", "invalid-call")

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    Operation(
        method="POST",
        path="/v1/requests",
        name="submit",
        summary="Ask for approval of a call; 200: the same key had asked for it before",
        handle=_request,
        body=NewRequest,
        answers=_TICKET,
        takes_key=True,
        problems=_ASKING,
    ),
    Operation(
        method="POST",
        path="/v1/questions",
        name="ask",
        summary="Ask people a question",
        handle=_question,
        body=NewQuestion,
        answers=_TICKET,
        takes_key=True,
        problems=_ASKING,
    ),
    Operation(
        method="POST",
        path="/v1/escalations",
        name="escalate",
        summary="Hand a run that is stuck to people",
        handle=_escalation,
        body=NewEscalation,
        answers=_TICKET,
        takes_key=True,
        problems=_ASKING,
    ),
    Operation(
        method="POST",
        path="/v1/reviews",
        name="review",
        summary="Tell of a call that has run already, so that people can look at it",
        handle=_review,
        body=NewReview,
        answers=_TICKET,
        takes_key=True,
        problems=_ASKING,
    ),
    Operation(
        method="POST",
        path="/v1/batches",
        name="submit_batch",
        summary="Ask for approval of several calls: all are sent, or none; 200: the same key had sent them",
        handle=_batch,
        body=NewBatch,
        answers={201: NewBatchSent, 200: NewBatchSent},
        takes_key=True,
        problems=_ASKING,
    ),
)
