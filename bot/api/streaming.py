"""The stream of events: server-sent, and resumed where it broke off."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiohttp import web

from approvals.agent_tokens import Holder, Role
from approvals.errors import Unavailable
from bot.api.answers import Happening
from bot.api.events import Tail
from bot.api.operations import Call, Operation, holder_of
from bot.api.problems import Trouble
from bot.api.shapes import From, adapter

HEARTBEAT_S = 15.0
STREAM_S = 3600.0  # then the client comes again, from where it was
WRITE_S = 10.0  # that a client may take for what it is sent
RETRY_MS = 1000
_SEQ = re.compile(r"[0-9]{1,16}")


async def _events(call: Call[None, From]) -> web.StreamResponse:
    tail = call.parts.tail
    seq = _place(call)
    if seq is None:
        seq = await tail.end()
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(call.request)
    await _tell(call, response, tail, seq)
    return response


def _place(call: Call[None, From]) -> int | None:
    last = call.request.headers.get("Last-Event-ID")
    if last is None:
        return call.query.after
    if not _SEQ.fullmatch(last):
        raise Trouble("malformed", "Last-Event-ID is the id of an event, a number")
    return int(last)


async def _tell(call: Call[None, From], response: web.StreamResponse, tail: Tail, seq: int) -> None:
    """Send events until the client goes, the token is revoked, or the hour is over."""
    clock = asyncio.get_running_loop()
    end, checked_at = clock.time() + STREAM_S, clock.time()
    try:
        await _write(response, f"retry: {RETRY_MS}\n\n")
        while not tail.is_closed and clock.time() < end:
            if clock.time() - checked_at >= HEARTBEAT_S:
                await holder_of(call.parts, call.request)
                checked_at = clock.time()
            heard = await tail.after(seq)
            told = [one.happening for one in heard if _is_for(call.holder, one.happening)]
            seq = heard[-1].seq if heard else seq
            await _write(response, "".join(_event(one) for one in told if one is not None))
            if not heard and not await tail.until_grown(seq, HEARTBEAT_S):
                await _write(response, ": still here\n\n")
    except (Unavailable, Trouble, TimeoutError, ConnectionError):
        return  # the answer has begun, so all that can be told is its end: the client comes again


def _is_for(holder: Holder, happening: Happening | None) -> bool:
    if happening is None:
        return False
    return holder.role is Role.APPROVER_FRONT_END or happening.agent == holder.name


def _event(happening: Happening) -> str:
    data = adapter(Happening).dump_json(happening).decode()
    return f"id: {happening.seq}\nevent: {happening.event}\ndata: {data}\n\n"


async def _write(response: web.StreamResponse, text: str) -> None:
    if text:
        async with asyncio.timeout(WRITE_S):
            await response.write(text.encode())


OPERATIONS: tuple[Operation[Any, Any], ...] = (
    Operation(
        method="GET",
        path="/v1/events",
        name="events",
        summary="What happens to one's own requests (approver front ends: to all), as it happens",
        handle=_events,
        query=From,
        answers={200: str},
        also=(Role.APPROVER_FRONT_END,),
    ),
)
