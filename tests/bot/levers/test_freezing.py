"""A freeze against a real Redis: no permit slips past it, and what it took away comes back as it was."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from approvals import NotClaimed
from approvals.audit import verify
from approvals.cards import Cards
from approvals.commands import Approve, Claim, Climb, Expire, TakeBack
from approvals.errors import Frozen
from approvals.evolution import evolve
from approvals.inbox import AgentInbox
from approvals.keys import key
from approvals.machine import decide
from approvals.model import Action, Freeze, OnDeadline, Reach, Remind, Request, Status, Step, Via
from approvals.store import Store
from bot.levers.freezing import Freezing, Swept
from tests.builders import T0, a_person, a_request, terms

ANA = a_person()


def a_freeze(reach: Reach = Reach.ALL, name: str = "") -> Freeze:
    return Freeze(reach=reach, name=name, by=ANA.actor, at=T0)


def yes(request: Request) -> Approve:
    return Approve(by=ANA, seen=request.fingerprint)


async def swept(store: Store) -> Swept:
    return await Freezing(store, Cards(store._redis, store.tenant)).sweep(await store.freezes.now())


async def frozen(store: Store, freeze: Freeze) -> None:
    await store.freezes.freeze(freeze, Via.SLACK)
    await swept(store)


async def thawed(store: Store, freeze: Freeze) -> None:
    assert await store.freezes.thaw(freeze, ANA.actor, Via.SLACK)
    await swept(store)


@pytest.mark.attack("H101")
async def test_no_approval_that_races_a_freeze_leaves_a_permit(
    store: Store, redis: Redis, tenant: str
) -> None:
    requests = [await store.create(a_request(tenant=tenant)) for _ in range(30)]
    approved: list[Request] = []

    async def approve(request: Request) -> None:
        try:
            approved.append((await store.change(request.id, yes(request))).request)
        except Frozen:
            return

    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            group.create_task(approve(request))
            if number == 15:
                group.create_task(frozen(store, a_freeze()))
    await swept(store)
    assert [name async for name in redis.scan_iter(match=key(tenant, "audit")[:-5] + "permit:*")] == []
    held = [(await store.get(request.id))[0] for request in approved]
    assert all(request.hold is not None for request in held)
    assert verify([entry async for entry in store.log()], last_seq=await store.last_seq()) is None


async def test_a_permit_decided_before_a_freeze_is_not_written_after_it(
    store: Store, billing: AgentInbox, tenant: str
) -> None:
    """The freeze comes between the reading of the request and the commit."""
    request = await store.create(a_request(tenant=tenant))

    async def slowly(seen: Request) -> Approve:
        await store.freezes.freeze(a_freeze(), Via.SLACK)
        return yes(seen)

    with pytest.raises(Frozen):
        await store.change(request.id, slowly)
    with pytest.raises(NotClaimed):
        await billing.claim(request.id)


async def test_freezes_of_one_moment_are_all_logged_in_one_chain(store: Store) -> None:
    async with asyncio.TaskGroup() as all_at_once:
        for number in range(10):
            all_at_once.create_task(store.freezes.freeze(a_freeze(Reach.TOOL, f"tool{number}"), Via.SLACK))
    log = [entry async for entry in store.log()]
    assert len(log) == len((await store.freezes.now()).freezes) == 10
    assert verify(log) is None


async def test_what_a_rule_allows_is_not_created_past_a_freeze(store: Store, tenant: str) -> None:
    """The freeze comes between the reading of what is frozen and the script."""
    asked = a_request(tenant=tenant, terms=terms(action=Action.ALLOW))
    before = await store.freezes.now()
    await store.freezes.freeze(a_freeze(), Via.SLACK)
    assert await store._created(asked, before, None, Via.REDIS, None) is None
    assert (await store.create(asked)).is_pending


async def test_a_held_approval_comes_back_with_the_time_it_had_left(
    store: Store, billing: AgentInbox, tenant: str
) -> None:
    request = await store.create(a_request(tenant=tenant))
    before = (await store.change(request.id, yes(request))).request
    freeze = a_freeze(Reach.TOOL, "ref*")
    await frozen(store, freeze)
    with pytest.raises(NotClaimed, match="Ana Duarte froze tool ref"):
        await billing.claim(request.id)
    await thawed(store, freeze)
    after = (await store.get(request.id))[0]
    assert before.claim_by is not None
    assert after.claim_by is not None
    assert after.claim_by - before.claim_by == timedelta(seconds=after.held_s) > timedelta()
    assert (await billing.claim(request.id)).expires_at == after.claim_by


async def test_what_was_claimed_before_the_freeze_has_begun_and_is_counted(
    store: Store, billing: AgentInbox, tenant: str
) -> None:
    request = await store.create(a_request(tenant=tenant))
    await store.change(request.id, yes(request))
    await billing.claim(request.id)
    await store.freezes.freeze(a_freeze(), Via.SLACK)
    done = await swept(store)
    assert (done.held, done.begun) == (0, 1)
    assert (await store.change(request.id, Claim())).request.status is Status.EXECUTING


async def test_a_freeze_stops_what_it_reaches_only(store: Store, tenant: str) -> None:
    await frozen(store, a_freeze(Reach.AGENT, "deployer"))
    await frozen(store, a_freeze(Reach.TOOL, "deploy"))
    request = await store.create(a_request(tenant=tenant))
    assert (await store.change(request.id, yes(request))).request.status is Status.APPROVED


async def test_what_a_rule_allows_is_asked_while_it_is_frozen(store: Store, tenant: str) -> None:
    await frozen(store, a_freeze(Reach.AGENT, "billing"))
    request = await store.create(a_request(tenant=tenant, terms=terms(action=Action.ALLOW)))
    assert request.is_pending
    assert "Ana Duarte froze agent billing" in request.terms.because
    with pytest.raises(Frozen):
        await store.change(request.id, yes(request))


async def test_a_held_approval_can_be_taken_back(store: Store, billing: AgentInbox, tenant: str) -> None:
    request = await store.create(a_request(tenant=tenant))
    await store.change(request.id, yes(request))
    await frozen(store, a_freeze())
    assert (await store.change(request.id, TakeBack(by=ANA))).request.status is Status.WITHDRAWN
    await thawed(store, a_freeze())
    with pytest.raises(NotClaimed):
        await billing.claim(request.id)


def test_a_ladder_stands_still_while_frozen_and_no_step_is_left_out() -> None:
    ladder = (Step(after_s=60, remind=Remind.THREAD), Step(after_s=120, remind=Remind.DM))
    request, late = a_request(created_at=T0, terms=terms(ladder=ladder)), T0 + timedelta(minutes=5)
    with pytest.raises(Frozen):
        decide(request, Climb(), now=late, freeze=a_freeze())
    for _ in ladder:
        request = evolve(request, decide(request, Climb(), now=late))
    assert [ping.where for ping in request.pings] == [Remind.THREAD, Remind.DM]


async def test_what_a_crash_left_shown_as_frozen_is_drawn_again(
    redis: Redis, store: Store, tenant: str
) -> None:
    cards = Cards(redis, tenant)
    request, other = [await store.create(a_request(tenant=tenant)) for _ in range(2)]
    await cards.shown_frozen(request.id)
    for each in (request, other):
        await cards.drawn(each.id, each.version)
    await swept(store)  # by another process, which knows nothing of the freeze that is over
    assert await cards.claim(5, 10) == [request.id]
    await cards.drawn(request.id, request.version)
    await swept(store)
    assert await cards.claim(5, 10) == []


def test_silence_is_no_yes_while_it_is_frozen() -> None:
    request = a_request(created_at=T0, terms=terms(on_deadline=OnDeadline.APPROVE))
    late = T0 + timedelta(hours=2)
    assert evolve(request, decide(request, Expire(was_shown=True), now=late)).status is Status.APPROVED
    stopped = decide(request, Expire(was_shown=True), now=late, freeze=a_freeze())
    assert evolve(request, stopped).status is Status.EXPIRED
