"""Identical calls that wait share one card, and what people decide on it is decided for each of them.

Each stays a request of its own, with its own deadline, log and outcome. A card stands for as many as it
showed: those that came after it was drawn get another. When the call on it is changed so that others are to
decide it, or its agent revises it, it is another request's no longer: the others get cards of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from approvals.commands import Follow, Join, Part
from approvals.errors import AlreadyResolved, Refusal, RequestNotFound, Unavailable
from approvals.model import Action, Assurance, Kind, Request, RequestId
from approvals.store import Store

logger = logging.getLogger(__name__)

TICK_S = 0.5
FOLLOWED = ("approved", "edited", "rejected", "answered")


async def create(store: Store, request: Request, created: Callable[[Request], Awaitable[Request]]) -> Request:
    """Store a request by `created`; if one like it waits, on its card. Raises as `Store.create`."""
    is_plain = request.terms.action is Action.ASK and request.kind is Kind.ACTION
    if not is_plain or request.terms.assurance is Assurance.KEY:  # a signature names one request
        return await created(request)
    leader_id = await store.lead(request.agent, request.fingerprint, request.id)
    if leader_id == request.id:
        return await created(request)
    leader = await _found(store, leader_id)
    if leader is None or not _is_alike(leader, request):
        await store.lead_instead(request.agent, request.fingerprint, request.id)
        return await created(request)
    twin = await created(replace(request, twin_of=leader_id))
    if twin.is_pending and twin.twin_of is not None:
        await settle(store, twin.id)
    return twin


async def run(store: Store) -> None:
    """Let twins follow for ever. Any number of workers may; to do it twice is harmless."""
    while True:
        try:
            for twin_id in await store.twins():
                await settle(store, twin_id)
        except Unavailable as error:
            logger.warning("twins can't follow: %s", error)
        except Exception:  # one that can't follow must not stop the loop, nor the service
            logger.exception("twins can't follow")
        await asyncio.sleep(TICK_S)


async def settle(store: Store, twin_id: RequestId) -> None:
    """Let one twin join its leader's card, follow its decision, or have a card of its own."""
    twin = await _found(store, twin_id)
    if twin is None or not twin.is_pending or twin.twin_of is None:
        return
    leader = await _found(store, twin.twin_of)
    try:
        if leader is None:
            await _part(store, twin)
        elif not leader.is_pending:
            await _follow(store, twin, leader)
        elif leader.sent_back is not None or leader.turn > 0 or _is_revised(leader, twin):
            await _part(store, twin)
        elif twin.id not in leader.twins:
            await store.change(leader.id, Join(twin=twin.id))
    except AlreadyResolved:
        return  # decided a moment ago: the next look finds it so
    except Refusal:
        if leader is not None and leader.is_pending and twin.id not in leader.twins:
            await _part(store, twin)


async def _follow(store: Store, twin: Request, leader: Request) -> None:
    decision = leader.decision
    was_meant = decision is not None and twin.id in leader.twins[: decision.alike]
    if decision is not None and was_meant and decision.word in FOLLOWED:
        terms = leader.terms if leader.turn > 0 else None
        await store.change(twin.id, Follow(decision=decision, args=leader.args, terms=terms))
    else:
        await _part(store, twin)


async def _part(store: Store, twin: Request) -> None:
    await store.lead_instead(twin.agent, twin.fingerprint, twin.id)
    with suppress(Refusal):  # it has ended meanwhile
        await store.change(twin.id, Part())


def _is_alike(leader: Request, request: Request) -> bool:
    """Whether the same people would decide the same call, for the same person and the same reason to ask."""
    same = (leader.agent, leader.fingerprint, leader.terms, leader.on_behalf_of, leader.schema)
    is_untouched = leader.is_pending and leader.sent_back is None and leader.changed_at is None
    is_first = leader.twin_of is None
    theirs = (request.agent, request.fingerprint, request.terms, request.on_behalf_of, request.schema)
    return is_untouched and is_first and same == theirs


def _is_revised(leader: Request, twin: Request) -> bool:
    return leader.asked_args is None and leader.fingerprint != twin.fingerprint


async def _found(store: Store, request_id: RequestId) -> Request | None:
    try:
        return (await store.get(request_id))[0]
    except RequestNotFound:
        return None
