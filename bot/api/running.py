"""What an agent does over HTTP with what it has asked for: cancel, revise, claim, report, undo."""

from __future__ import annotations

from typing import Any, TypeVar

from approvals.canonical import fingerprint
from approvals.errors import InvalidCall, NotClaimed
from approvals.messages import (
    RESULT_CHARS,
    Cancellation,
    Letter,
    Permit,
    ReceiptNotice,
    Revision,
    UndoAsk,
    UndoNotice,
)
from approvals.submitting import own_args
from bot.api.answers import Accepted, Undos
from bot.api.operations import Answer, Call, Operation
from bot.api.problems import Trouble
from bot.api.reading import SUBJECTS, own
from bot.api.shapes import Cancel, Receipt, Reply, Revise, Undone

B = TypeVar("B")


async def _send(call: Call[B, None], letter: Letter) -> Answer:
    """Send a letter about one of one's own; for another agent's there is no such request."""
    await own(call)
    await call.door.inbox.send(letter)
    return Answer(status=202, value=Accepted(id=call.id))


async def _cancel(call: Call[Cancel, None]) -> Answer:
    return await _send(call, Cancellation(id=call.id, reason=call.body.reason))


async def _cancel_batch(call: Call[Cancel, None]) -> Answer:
    for id in await call.asked.batch(call.id):
        await call.door.inbox.send(Cancellation(id=id, reason=call.body.reason))
    return Answer(status=202, value=Accepted(id=call.id))


async def _revise(call: Call[Revise, None]) -> Answer:
    revision = Revision(id=call.id, args=own_args(call.body.args), reason=call.body.reason)
    return await _send(call, revision)


async def _reply(call: Call[Reply, None]) -> Answer:
    if not call.body.text.strip():
        raise InvalidCall("a reply needs words")
    return await _send(call, Revision(id=call.id, args=None, reason=call.body.text))


async def _claim(call: Call[None, None]) -> Answer:
    await own(call)
    permit = await call.door.inbox.claim(call.id)
    if fingerprint(permit.tool, permit.args) != permit.fingerprint:
        raise NotClaimed(f"{permit.id}: its permit is not for the call that people saw")
    return Answer(status=200, value=permit)


async def _receipt(call: Call[Receipt, None]) -> Answer:
    told = call.body
    duration_ms = None if told.duration_ms is None else round(told.duration_ms)
    notice = ReceiptNotice(id=call.id, ok=told.ok, result=_excerpt(told.result), duration_ms=duration_ms)
    return await _send(call, notice)


async def _undos(call: Call[None, None]) -> Answer:
    return Answer(status=200, value=Undos(undos=tuple(await call.door.inbox.undos())))


async def _take(call: Call[None, None]) -> Answer:
    taken = await call.door.inbox.take_undo(call.id)
    if taken is None:
        raise Trouble("not-taken", f"{call.id}: nobody wants it undone, or somebody else has taken it.")
    return Answer(status=200, value=taken)


async def _undone(call: Call[Undone, None]) -> Answer:
    return await _send(call, UndoNotice(id=call.id, ok=call.body.ok, text=_excerpt(call.body.text)))


def _excerpt(text: str | None) -> str | None:
    return text if text is None or len(text) <= RESULT_CHARS else f"{text[: RESULT_CHARS - 1]}…"


_LETTER = ("not-found", "too-large", "not-json", "invalid-call")


def _cancelling(subject: str) -> Operation[Cancel, None]:
    return Operation(
        method="POST",
        path=f"/v1/{subject}/{{id}}/cancel",
        name=f"cancel_{subject}",
        summary="Take it back; once it is decided this changes nothing",
        handle=_cancel_batch if subject == "batches" else _cancel,
        body=Cancel,
        is_body_optional=True,
        answers={202: Accepted},
        problems=_LETTER,
    )


def _replying(subject: str) -> Operation[Reply, None]:
    return Operation(
        method="POST",
        path=f"/v1/{subject}/{{id}}/reply",
        name=f"reply_{subject}",
        summary="Answer what a person asked back, and leave what is asked as it is",
        handle=_reply,
        body=Reply,
        answers={202: Accepted},
        problems=_LETTER,
    )


OPERATIONS: tuple[Operation[Any, Any], ...] = (
    *(_cancelling(subject.name) for subject in SUBJECTS if subject.name != "reviews"),
    _cancelling("batches"),
    Operation(
        method="POST",
        path="/v1/requests/{id}/revise",
        name="revise",
        summary="Ask for other args in the place of what was asked",
        handle=_revise,
        body=Revise,
        answers={202: Accepted},
        problems=_LETTER,
    ),
    *(_replying(subject.name) for subject in SUBJECTS if subject.name != "reviews"),
    Operation(
        method="POST",
        path="/v1/requests/{id}/claim",
        name="claim",
        summary="Take the leave to run it, once: run these args and no others",
        handle=_claim,
        answers={200: Permit},
        problems=("not-found", "not-claimed", "forged"),
    ),
    Operation(
        method="POST",
        path="/v1/requests/{id}/receipt",
        name="report",
        summary="Report how the approved call went",
        handle=_receipt,
        body=Receipt,
        answers={202: Accepted},
        problems=_LETTER,
    ),
    Operation(
        method="GET",
        path="/v1/undos",
        name="list_undos",
        summary="What people want undone and nobody has taken (the event `undo_asked` tells of it)",
        handle=_undos,
        answers={200: Undos},
    ),
    Operation(
        method="POST",
        path="/v1/undos/{id}/take",
        name="take_undo",
        summary="Take it, once: whoever takes it is the one who undoes it",
        handle=_take,
        answers={200: UndoAsk},
        problems=("not-found", "not-taken"),
    ),
    Operation(
        method="POST",
        path="/v1/undos/{id}/report",
        name="report_undone",
        summary="Report whether it could be undone",
        handle=_undone,
        body=Undone,
        answers={202: Accepted},
        problems=_LETTER,
    ),
)
