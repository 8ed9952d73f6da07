"""Each end is signed once, as it was decided; and nothing else than what was signed is believed."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from redis.asyncio import Redis

from approvals import wire
from approvals.audit import verify
from approvals.commands import (
    Answer,
    Approve,
    Cancel,
    Command,
    Expire,
    GiveUp,
    Hold,
    Override,
    Reject,
    Release,
    TakeBack,
)
from approvals.dsse import SigningKey, read
from approvals.errors import Forged, NeverGiven, NotClaimed, NotSigned
from approvals.ids import new_id
from approvals.inbox import AgentInbox, Inboxes
from approvals.keys import key
from approvals.messages import ForgedNotice, Outcome, OutcomeStatus, Permit, outcome_of, permit_of
from approvals.model import CHANNEL, Action, Freeze, PersonId, Reach, Request, Status, Via
from approvals.signed import SignedDecision, check_outcome, check_permit, opened, sign
from approvals.store import Store
from tests.approvals.deciding import an_approval
from tests.builders import REFUND, SIGNER, T0, a_person, a_question, a_request, terms

ANA, KIM = a_person(), a_person(id=PersonId("U0KIM"), name="Kim Sato")
LESS = REFUND | {"amount": 900}
THIEF = SigningKey.made()


async def asked(store: Store, make: Callable[..., Request] = a_request, **changes: Any) -> Request:
    return await store.create(
        make(**{"id": new_id(), "tenant": store.tenant, "created_at": datetime.now(UTC)} | changes)
    )


async def receipts(store: Store, request: Request) -> list[SignedDecision]:
    """All that the log has of one request."""
    found = [(entry.detail or {}).get("receipt") for entry in await store.chain(request.id)]
    return [opened(read(json.dumps(each)), SIGNER.keys) for each in found if each is not None]


# -- what is signed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status", "decision", "by"),
    [
        (lambda seen: Approve(by=ANA, seen=seen), "approved", "approved", "slack:U0ANA"),
        (lambda seen: Approve(by=ANA, seen=seen, edited=LESS), "approved", "edited", "slack:U0ANA"),
        (lambda seen: Override(by=ANA, seen=seen, reason="down"), "approved", "overridden", "slack:U0ANA"),
        (lambda _: Reject(by=ANA, feedback="Too much."), "rejected", "rejected", "slack:U0ANA"),
        (lambda _: Answer(by=ANA, text="Done already."), "answered", "answered", "slack:U0ANA"),
        (lambda _: Cancel(reason="by hand"), "cancelled", "cancelled", "agent:billing"),
        (lambda _: GiveUp(reason="archived"), "cancelled", "undeliverable", "service"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_end_is_signed_once_and_the_log_alone_holds_it(
    store: Store, command: Callable[[Any], Command], status: str, decision: str, by: str
) -> None:
    request = await asked(store, terms=terms(override=(CHANNEL,)))
    after = (await store.change(request.id, command(request.fingerprint))).request
    [signed] = await receipts(store, request)
    told = (signed.status, signed.decision, signed.decided_by)
    assert told == (status, decision, by)
    assert signed == opened(after.signed, SIGNER.keys)
    assert (signed.tenant, signed.agent, signed.request) == (store.tenant, "billing", request.id)
    assert (signed.tool, signed.args, signed.fingerprint) == (after.tool, after.args, after.fingerprint)
    assert signed.asked_fingerprint == request.fingerprint
    assert verify([entry async for entry in store.log()]) is None


@pytest.mark.parametrize(
    ("action", "word"), [(Action.ALLOW, "allowed"), (Action.DENY, "denied"), (Action.REVIEW, "allowed")]
)
async def test_what_a_rule_decides_is_signed_too_and_by_nobody_s_click(
    store: Store, action: Action, word: str
) -> None:
    request = await asked(store, terms=terms(action=action))
    [signed] = await receipts(store, request)
    assert (signed.decision, signed.decided_by, signed.via) == (word, "policy:refunds", "service")
    assert signed.assurance is None and signed.votes == ()


async def test_silence_is_signed_as_silence(store: Store) -> None:
    request = await asked(store, terms=terms(deadline_s=0))
    await store.change(request.id, Expire())
    [signed] = await receipts(store, request)
    assert (signed.status, signed.decided_by) == ("expired", "timer")


async def test_all_who_agreed_stand_in_it_with_their_times_and_the_door_they_came_by(store: Store) -> None:
    request = await asked(store, terms=terms(quorum=2))
    await store.change(request.id, Approve(by=KIM, seen=request.fingerprint))
    assert await receipts(store, request) == []
    await store.change(request.id, Approve(by=ANA, seen=request.fingerprint, via=Via.CLI))
    [signed] = await receipts(store, request)
    assert [(vote.by, vote.name) for vote in signed.votes] == [
        ("slack:U0KIM", "Kim Sato"),
        ("slack:U0ANA", "Ana Duarte"),
    ]
    assert signed.votes[0].at < signed.votes[1].at == signed.decided_at
    assert signed.assurance is not None
    assert (signed.assurance.level, signed.assurance.means, signed.via) == (1, "terminal", "cli")


async def test_an_approval_that_is_taken_back_is_signed_as_such(store: Store) -> None:
    request = await asked(store)
    await store.change(request.id, Approve(by=ANA, seen=request.fingerprint))
    await store.change(request.id, TakeBack(by=ANA))
    assert [each.status for each in await receipts(store, request)] == ["approved", "withdrawn"]


async def test_what_a_thaw_gives_back_is_signed_again_with_more_time(
    store: Store, billing: AgentInbox
) -> None:
    request = await asked(store)
    await store.change(request.id, Approve(by=ANA, seen=request.fingerprint, via=Via.CLI))
    await store.change(request.id, Hold(freeze=Freeze(reach=Reach.ALL, by=KIM.actor, at=T0)))
    await store.change(request.id, Release())
    first, second = await receipts(store, request)
    assert first.expires_at and second.expires_at and first.expires_at < second.expires_at
    assert second == replace(first, expires_at=second.expires_at)
    assert (await billing.claim(request.id)).expires_at == second.expires_at


async def test_no_thaw_gives_leave_that_was_only_written_into_redis(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    freeze = Freeze(reach=Reach.ALL, by=KIM.actor, at=T0)
    request, real = await asked(store), await asked(store)
    approved = (await store.change(real.id, Approve(by=ANA, seen=real.fingerprint))).request
    for signed in (None, approved.signed):
        forged = replace(approved, id=request.id, version=request.version, hold=freeze, signed=signed)
        await redis.hset(key(tenant, "request", request.id), "body", wire.write(wire.REQUEST, forged))
        with pytest.raises(NeverGiven):
            await store.change(request.id, Release())
    with pytest.raises(NotClaimed):
        await billing.claim(request.id)


# -- what is believed ---------------------------------------------------------------------------------

REQUEST, EVENT = an_approval()
SIGNED = replace(REQUEST, signed=sign(SIGNER, REQUEST, EVENT, Via.SLACK))
ANSWER = "eu"


def the_permit(**changes: Any) -> Permit:
    permit = permit_of(SIGNED)
    assert permit is not None
    return replace(permit, **changes)


def the_outcome(**changes: Any) -> Outcome:
    outcome = outcome_of(SIGNED)
    assert outcome is not None
    return replace(outcome, **changes)


def believe(permit: Permit, *, tenant: str = "default", agent: str = "billing", now: datetime = T0) -> None:
    check_permit(permit, opened(permit.signed, SIGNER.keys), tenant, agent, now)


def test_what_was_signed_is_believed() -> None:
    believe(the_permit())
    outcome = the_outcome()
    check_outcome(outcome, opened(outcome.signed, SIGNER.keys), "default", "billing")


@pytest.mark.parametrize(
    "change",
    [
        {"id": new_id()},
        {"tool": "refund_all"},
        {"args": LESS},
        {"args": REFUND | {"amount": float("nan")}},
        {"fingerprint": "0" * 64},
        {"decided_by": "slack:U0KIM"},
        {"expires_at": T0 + timedelta(days=365)},
        {"signed": None},
        {"signed": sign(THIEF, REQUEST, EVENT, Via.SLACK)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_permit_that_says_anything_else_is_not(change: dict[str, Any]) -> None:
    with pytest.raises(NotSigned):
        believe(the_permit(**change))


@pytest.mark.attack("B42", "I111")
def test_a_permit_is_for_one_tenant_one_agent_and_some_time() -> None:
    for elsewhere in ({"tenant": "acme"}, {"agent": "deployer"}, {"now": T0 + timedelta(hours=1)}):
        with pytest.raises(NotSigned):
            believe(the_permit(), **elsewhere)


@pytest.mark.parametrize(
    "change",
    [
        {"id": new_id()},
        {"status": "answered"},
        {"args": LESS},
        {"args": None},
        {"fingerprint": None},
        {"edited": True},
        {"text": "go on"},
        {"decided_by": "slack:U0KIM"},
        {"decided_by_name": "Kim"},
        {"decided_at": T0 + timedelta(seconds=1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_outcome_that_says_anything_else_is_not(change: dict[str, Any]) -> None:
    outcome = the_outcome(**change)
    with pytest.raises(NotSigned):
        check_outcome(outcome, opened(outcome.signed, SIGNER.keys), "default", "billing")


def test_a_no_is_no_leave() -> None:
    request, event = an_approval()
    denied = replace(request, status=Status.REJECTED)
    with pytest.raises(NotSigned, match="says rejected"):
        believe(the_permit(signed=sign(SIGNER, replace(denied, id=REQUEST.id), event, Via.SLACK)))


@given(some.data())
def test_not_one_byte_of_a_permit_can_be_changed(data: some.DataObject) -> None:
    """Anywhere in what lies in Redis. What is no JSON, or reads the same, is no forgery."""
    text = wire.write(wire.PERMIT, the_permit())
    place = data.draw(some.integers(min_value=0, max_value=len(text) - 1))
    changed = text[:place] + data.draw(some.characters(codec="ascii")) + text[place + 1 :]
    try:
        permit = wire.read(wire.PERMIT, changed)
    except wire.Unreadable:
        return
    if permit != the_permit():
        with pytest.raises(NotSigned):
            believe(permit)


def test_only_an_approval_is_leave_whatever_else_was_signed() -> None:
    assert SIGNED.signed is not None
    told = json.loads(b64decode(SIGNED.signed.payload)) | {"status": "withdrawn"}
    signed = SIGNER.envelope("application/vnd.countersign.decision+json", json.dumps(told).encode())
    with pytest.raises(NotSigned, match="says withdrawn"):
        believe(the_permit(signed=signed))


@pytest.mark.attack("B41")
def test_a_payload_that_says_something_twice_is_refused() -> None:
    payload = b64decode(SIGNED.signed.payload) if SIGNED.signed else b""
    doubled = payload[:-1] + b',"tool":"refund"}'
    with pytest.raises(NotSigned, match="twice"):
        opened(SIGNER.envelope("application/vnd.countersign.decision+json", doubled), SIGNER.keys)


# -- an attacker who can write to Redis ---------------------------------------------------------------


@pytest.mark.attack("D66")
async def test_a_permit_that_was_put_there_by_hand_runs_nothing_and_is_told(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await asked(store)
    approved = replace(request, status=Status.APPROVED, decision=REQUEST.decision)
    at = key(tenant, "permit", "billing", request.id)
    for signed in (None, SIGNED.signed, sign(THIEF, approved, EVENT, Via.SLACK)):
        permit = the_permit(id=request.id, signed=signed)
        await redis.set(at, wire.write(wire.PERMIT, permit))
        with pytest.raises(Forged, match="nothing was run"):
            await billing.claim(request.id)
    assert await redis.exists(at), "a claim that is refused uses nothing up"
    taken = await Inboxes(redis, tenant, "one").take(block_ms=1)
    [notice] = [each.letter for each in taken if isinstance(each.letter, ForgedNotice)]
    assert (notice.id, notice.what) == (request.id, "permit")


@pytest.mark.attack("J1")
async def test_one_request_s_permit_and_outcome_are_not_another_s(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    allowed = await asked(store, terms=terms(action=Action.ALLOW))
    waiting = await asked(store)
    for name in ("permit", "outcome"):
        text = str(await redis.get(key(tenant, name, "billing", allowed.id)))
        await redis.set(key(tenant, name, "billing", waiting.id), text)
    with pytest.raises(Forged, match="another request"):
        await billing.claim(waiting.id)
    with pytest.raises(Forged, match="another request"):
        await billing.outcome(waiting.id)


@pytest.mark.attack("H106")
async def test_a_permit_from_before_decisions_were_signed_says_to_ask_again(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await asked(store, terms=terms(action=Action.ALLOW))
    at = key(tenant, "permit", "billing", request.id)
    old = json.loads(str(await redis.get(at)))
    del old["signed"]
    await redis.set(at, json.dumps(old))
    with pytest.raises(Forged, match="Ask again"):
        await billing.claim(request.id)


@pytest.mark.attack("B39")
async def test_an_expired_permit_that_is_kept_alive_is_refused_by_redis_s_clock(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await asked(store, terms=terms(use_within_s=-1))
    after = (await store.change(request.id, Approve(by=ANA, seen=request.fingerprint))).request
    permit = permit_of(after)
    assert permit is not None
    await redis.set(key(tenant, "permit", "billing", request.id), wire.write(wire.PERMIT, permit))
    with pytest.raises(Forged, match="had to be used by"):
        await billing.claim(request.id)


async def test_an_outcome_that_was_written_by_hand_is_believed_as_a_no_at_most(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    action, question = await asked(store), await asked(store, a_question)
    for request, status in ((action, OutcomeStatus.APPROVED), (question, OutcomeStatus.ANSWERED)):
        forged = the_outcome(id=request.id, status=status, text="eu", args=REFUND)
        await redis.set(key(tenant, "outcome", "billing", request.id), wire.write(wire.OUTCOME, forged))
        with pytest.raises(Forged):
            await billing.outcome(request.id)


async def test_an_answer_is_believed_as_it_was_given(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    question = await asked(store, a_question)
    await store.change(question.id, Answer(by=ANA, text="eu"))
    at = key(tenant, "outcome", "billing", question.id)
    outcome = await billing.outcome(question.id)
    assert outcome is not None and outcome.text == "eu"
    await redis.set(at, wire.write(wire.OUTCOME, replace(outcome, text="us")))
    with pytest.raises(Forged, match="words"):
        await billing.outcome(question.id)
