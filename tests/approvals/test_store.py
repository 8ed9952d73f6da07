"""The store keeps each request once, ends it once, and logs everything, also where replies are lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from approvals import wire
from approvals.audit import Entry, verify
from approvals.cards import Cards
from approvals.commands import (
    Approve,
    Cancel,
    Claim,
    Expire,
    Lapse,
    RecordRefusal,
    Reject,
    RequestChanges,
    Revise,
    TakeBack,
)
from approvals.errors import AlreadyResolved, AlreadyUsed, AmbiguousId, Refusal, RequestNotFound, Unavailable
from approvals.events import Expired
from approvals.ids import new_id
from approvals.inbox import AgentInbox, Inboxes
from approvals.keys import key
from approvals.messages import Cancellation, OutcomeStatus
from approvals.model import Action, AgentName, PersonId, Request, RequestId, Status, Via
from approvals.places import Place, Posted
from approvals.redis_door import open_redis
from approvals.store import Store
from bot.redis_server import RedisServer
from tests.builders import SIGNER, TRUSTED, a_person, a_request, a_submission, terms
from tests.lossy_line import LossyLine

ANA = a_person().actor
DECISIONS = {"approved", "edited", "rejected", "answered", "expired", "cancelled", "allowed", "denied"}


def new(tenant: str, **changes: Any) -> Request:
    """A request of its own id, made now."""
    return a_request(**{"id": new_id(), "tenant": tenant, "created_at": datetime.now(UTC)} | changes)


async def whole_log(store: Store) -> list[Entry]:
    return [entry async for entry in store.log()]


# -- creating -----------------------------------------------------------------------------------------


async def test_a_new_request_waits_for_people_and_is_to_be_drawn(
    store: Store, redis: Redis, tenant: str
) -> None:
    request = await store.create(new(tenant))
    assert (await store.get(request.id))[0] == request
    assert request.version == 2 and request.short == request.id[:6]
    assert await store.pending() == [request] and await store.count_pending() == 1
    assert await Cards(redis, tenant).backlog() == 1
    assert [entry.event for entry in await store.chain(request.id)] == ["submitted", "asked"]


async def test_creating_twice_creates_once(store: Store, tenant: str) -> None:
    request = new(tenant)
    first = await store.create(request)
    assert await store.create(replace(request, tool="another")) == first
    assert await store.last_seq() == 2


async def test_creating_takes_the_letter_out(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    await billing.send(a_submission())
    [taken] = await Inboxes(redis, tenant, "one").take()
    await store.create(new(tenant), letter=taken.ref)
    assert await redis.xlen(key(tenant, "inbox", "billing")) == 0
    assert await Inboxes(redis, tenant, "two", abandoned_ms=0).take(block_ms=1) == []


async def test_a_change_takes_the_letter_out_that_wants_it_and_a_refusal_leaves_it(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await store.create(new(tenant))
    await billing.send(Cancellation(id=request.id))
    [taken] = await Inboxes(redis, tenant, "one").take()
    with pytest.raises(Refusal):
        await store.change(request.id, Claim(), letter=taken.ref)
    assert await redis.xlen(key(tenant, "inbox", "billing")) == 1
    await store.change(request.id, Cancel(), letter=taken.ref)
    assert await redis.xlen(key(tenant, "inbox", "billing")) == 0
    assert await Inboxes(redis, tenant, "two", abandoned_ms=0).take(block_ms=1) == []


async def test_the_letter_that_asks_a_second_time_is_taken_out_too(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await store.create(new(tenant))
    await billing.send(a_submission(id=request.id))
    [taken] = await Inboxes(redis, tenant, "one").take()
    assert await store.create(new(tenant, id=request.id), letter=taken.ref) == request
    assert await redis.xlen(key(tenant, "inbox", "billing")) == 0


async def test_what_a_rule_allows_has_its_permit_at_once_and_is_shown_to_nobody(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await store.create(new(tenant, terms=terms(action=Action.ALLOW)))
    outcome = await billing.outcome(request.id)
    assert outcome is not None and outcome.status is OutcomeStatus.APPROVED
    assert await billing.wakes("0-0", 1) == ([request.id], await billing.last_wake())
    assert (await billing.claim(request.id)).args == request.args
    assert await store.count_pending() == 0 and await Cards(redis, tenant).backlog() == 0


async def test_what_a_rule_denies_is_rejected_at_once(store: Store, billing: AgentInbox, tenant: str) -> None:
    request = await store.create(new(tenant, terms=terms(action=Action.DENY)))
    outcome = await billing.outcome(request.id)
    assert outcome is not None and outcome.status is OutcomeStatus.REJECTED
    assert await store.count_pending() == 0


async def test_fifty_ids_that_begin_alike_have_fifty_short_ids(store: Store, tenant: str) -> None:
    alike = (f"R-{'7K2MXY'[: 4 + n % 3]}{new_id()[2:]}"[:28] for n in range(50))
    requests = [new(tenant, id=RequestId(id)) for id in alike]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(store.create(request)) for request in requests]
    shorts = {task.result().short for task in tasks}
    assert len(shorts) == 50
    for task in tasks:
        assert await store.find(task.result().short) == task.result().id


async def test_an_agent_cannot_use_the_id_of_another_agents_request(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await store.create(new(tenant))
    thief = AgentInbox(redis, tenant, "thief", TRUSTED)
    await thief.send(a_submission(id=request.id))
    [taken] = await Inboxes(redis, tenant, "one").take()
    with pytest.raises(RequestNotFound):
        await store.create(new(tenant, id=request.id, agent=AgentName("thief")), letter=taken.ref)
    assert (await store.get(request.id))[0] == request
    await store.refuse_letter(taken, "the id is taken")
    refused = (await whole_log(store))[-1]
    assert (refused.event, refused.actor, refused.request) == ("refused", "agent:thief", "")
    told = await thief.outcome(request.id)
    assert told is not None and told.status is OutcomeStatus.REJECTED
    assert await billing.outcome(request.id) is None
    assert await redis.xlen(key(tenant, "inbox", "thief")) == 0


# -- changing -----------------------------------------------------------------------------------------


async def test_forty_clicks_at_once_have_one_winner_and_one_decision(store: Store, tenant: str) -> None:
    request = await store.create(new(tenant))

    async def click(number: int) -> bool:
        person = a_person(id=PersonId(f"U{number}"))
        yes = Approve(by=person, seen=request.fingerprint)
        try:
            await store.change(request.id, yes if number % 2 else Reject(by=person))
        except AlreadyResolved:
            await store.change(
                request.id, RecordRefusal(by=person.actor, attempted="click", reason="too late")
            )
            return False
        return True

    async with asyncio.TaskGroup() as group:
        clicks = [group.create_task(click(number)) for number in range(40)]
    assert sum(task.result() for task in clicks) == 1
    log = await whole_log(store)
    assert [entry.seq for entry in log] == list(range(1, 43))
    assert len([entry for entry in log if entry.event in DECISIONS]) == 1
    assert verify(log, last_seq=await store.last_seq()) is None
    assert (await store.get(request.id))[0].version == 42


@pytest.mark.attack("D69")
async def test_a_commit_whose_reply_was_lost_is_found_and_not_doubled(
    redis: Redis, redis_url: str, tenant: str, store: Store
) -> None:
    await store.change((await store.create(new(tenant))).id, Cancel())  # so that Redis knows the script
    request = await store.create(new(tenant))
    async with LossyLine(redis_url) as line, open_redis(line.url) as far:
        line.lose_reply_to(b"EVALSHA")
        yes = Approve(by=a_person(), seen=request.fingerprint)
        change = await Store(far, tenant, SIGNER).change(request.id, yes)
        assert line.has_lost
    assert change.seq == await store.last_seq() == 6
    assert (await store.get(request.id))[0] == change.request
    assert await redis.xlen(key(tenant, "wake", "billing")) == 2


async def test_creating_again_after_the_reply_was_lost_creates_once(
    redis_url: str, tenant: str, store: Store
) -> None:
    request = new(tenant)
    async with LossyLine(redis_url) as line, open_redis(line.url) as far:
        line.lose_reply_to(request.id.encode())
        with pytest.raises(Unavailable):
            await Store(far, tenant, SIGNER).create(request)
    assert (await store.create(request)).version == 2
    assert await store.last_seq() == 2


async def test_a_change_is_two_round_trips(redis_url: str, tenant: str) -> None:
    async with LossyLine(redis_url) as line, open_redis(line.url) as far:
        store = Store(far, tenant, SIGNER)
        first, second = await store.create(new(tenant)), await store.create(new(tenant))
        await store.change(first.id, Cancel())  # and now Redis knows the scripts
        sent = line.sent
        await store.change(second.id, Approve(by=a_person(), seen=second.fingerprint))
        assert line.sent - sent == 2


async def test_a_command_may_be_made_in_view_of_the_request(store: Store, tenant: str) -> None:
    request = await store.create(new(tenant))

    async def yes(request: Request) -> Approve:
        return Approve(by=a_person(), seen=request.fingerprint)

    assert (await store.change(request.id, yes)).request.status is Status.APPROVED


async def test_what_has_been_drawn_is_to_be_drawn_again_when_it_changes(
    store: Store, redis: Redis, tenant: str
) -> None:
    request, cards = await store.create(new(tenant)), Cards(redis, tenant)
    assert await cards.drawn(request.id, request.version)
    await store.change(request.id, Reject(by=a_person()))
    assert await cards.backlog() == 1


async def test_attempts_on_what_was_taken_back_are_logged(store: Store, tenant: str) -> None:
    request = await store.create(new(tenant))
    await store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
    await store.change(request.id, TakeBack(by=a_person()))
    await store.change(request.id, RecordRefusal(by=ANA, attempted="approve", reason="it was taken back"))
    assert [entry.event for entry in await store.chain(request.id)][-2:] == ["withdrawn", "refused"]


async def test_a_deadline_that_passes_while_somebody_is_looked_up_counts(store: Store, tenant: str) -> None:
    deadline = await store.now() + timedelta(milliseconds=700)
    request = await store.create(new(tenant, deadline=deadline))

    async def slowly(seen: Request) -> Approve:
        async with asyncio.timeout(5):
            while await store.now() < deadline:
                pass
        return Approve(by=a_person(), seen=seen.fingerprint)

    assert isinstance((await store.change(request.id, slowly)).event, Expired)


async def test_an_approval_that_the_agent_has_taken_is_not_taken_back(
    store: Store, billing: AgentInbox, tenant: str
) -> None:
    """The agent's notice of it still lies in the inbox."""
    request = await store.create(new(tenant))
    await store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
    await billing.claim(request.id)
    with pytest.raises(AlreadyUsed):
        await store.change(request.id, TakeBack(by=a_person()))
    assert (await store.get(request.id))[0].status is Status.APPROVED


async def test_an_approval_gives_one_permit_until_it_must_be_used(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await store.create(new(tenant))
    await store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
    left_ms = await redis.pttl(key(tenant, "permit", "billing", request.id))
    assert 0 < left_ms <= request.terms.use_within_s * 1000
    await billing.claim(request.id)
    await store.change(request.id, RecordRefusal(by=ANA, attempted="reject", reason="too late"))
    assert not await redis.exists(key(tenant, "permit", "billing", request.id))
    claimed = await store.change(request.id, Claim())
    assert claimed.request.status is Status.EXECUTING


async def test_an_approval_that_lapses_takes_its_permit_back(store: Store, redis: Redis, tenant: str) -> None:
    used_within = terms(use_within_s=-10)
    request = await store.create(new(tenant, terms=used_within))
    await store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
    await redis.set(key(tenant, "permit", "billing", request.id), "as if Redis were slow to expire it")
    assert await store.due(10) == [request.id]
    await store.change(request.id, Lapse())
    assert not await redis.exists(key(tenant, "permit", "billing", request.id))


async def test_a_revision_takes_the_outcome_back(store: Store, billing: AgentInbox, tenant: str) -> None:
    request = await store.create(new(tenant))
    await store.change(request.id, RequestChanges(by=a_person(), feedback="less"))
    sent_back = await billing.outcome(request.id)
    assert sent_back is not None and sent_back.status is OutcomeStatus.CHANGES_REQUESTED
    await store.change(request.id, Revise(args={"customer": "c_42", "amount": 9}))
    assert await billing.outcome(request.id) is None
    assert await store.count_pending() == 1


async def test_what_has_ended_no_longer_waits(store: Store, tenant: str) -> None:
    request = await store.create(new(tenant))
    await store.change(request.id, Cancel())
    assert await store.pending() == []


async def test_a_refused_attempt_is_logged_and_draws_nothing(store: Store, redis: Redis, tenant: str) -> None:
    request = await store.create(new(tenant))
    cards = Cards(redis, tenant)
    assert await cards.drawn(request.id, request.version)
    await store.change(request.id, RecordRefusal(by=ANA, attempted="approve", reason="a guest"))
    assert await cards.backlog() == 0
    assert (await store.chain(request.id))[-1].event == "refused"


async def test_unknown_and_misspelt_ids_are_not_found(store: Store) -> None:
    for nothing in (new_id(), RequestId(""), RequestId("R-7K2M"), RequestId("../../x")):
        with pytest.raises(RequestNotFound):
            await store.get(nothing)
        with pytest.raises(RequestNotFound):
            await store.change(nothing, Cancel())


@pytest.mark.attack("I107")
async def test_requests_of_another_tenant_are_not_found(store: Store, redis: Redis, tenant: str) -> None:
    theirs = await Store(redis, f"{tenant}2", SIGNER).create(new(f"{tenant}2"))
    with pytest.raises(RequestNotFound):
        await store.get(theirs.id)
    with pytest.raises(RequestNotFound):
        await store.find(theirs.id)


# -- finding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["R-7K10", "r-7k10", "7K10", " 7kLo ", "7kio", "7K10ABCD", "R-7K10ABCD"])
async def test_an_id_is_found_however_it_is_typed(store: Store, tenant: str, typed: str) -> None:
    request = new(tenant, id=RequestId("R-7K10ABCD" + "0" * 18))
    await store.create(request)
    assert await store.find(typed) == request.id
    assert await store.find(request.id) == request.id


@pytest.mark.parametrize("typed", ["", "R-", "7K1", "7K1!", "*", "7K11", "7K10" * 8, "[7K1", "7K10\n; drop"])
async def test_what_fits_nothing_is_not_found(store: Store, tenant: str, typed: str) -> None:
    await store.create(new(tenant, id=RequestId("R-7K10ABCD" + "0" * 18)))
    with pytest.raises(RequestNotFound):
        await store.find(typed)


async def test_a_prefix_of_several_means_the_one_that_has_it_as_its_short_id(
    store: Store, tenant: str
) -> None:
    first = await store.create(new(tenant, id=RequestId("R-7K2MAAAA" + "0" * 18)))
    second = await store.create(new(tenant, id=RequestId("R-7K2MAABB" + "0" * 18)))
    assert (first.short, second.short) == ("R-7K2M", "R-7K2MAAB")
    assert await store.find("7k2m") == first.id
    assert await store.find("7k2maab") == second.id
    with pytest.raises(AmbiguousId) as ambiguous:
        await store.find("7K2MAA")
    assert ambiguous.value.shorts == ("R-7K2M", "R-7K2MAAB")


# -- time ---------------------------------------------------------------------------------------------


async def test_what_is_due_is_claimed_by_one_of_many(store: Store, redis: Redis, tenant: str) -> None:
    for _ in range(10):
        await store.create(new(tenant, terms=terms(deadline_s=0)))
    await store.create(new(tenant))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(Store(redis, tenant, SIGNER).due(3)) for _ in range(8)]
    claimed = [id for task in tasks for id in task.result()]
    assert len(claimed) == len(set(claimed)) == 10


async def test_a_deadline_is_due_and_expires_the_request(
    store: Store, billing: AgentInbox, tenant: str
) -> None:
    request = await store.create(new(tenant, terms=terms(deadline_s=0)))
    assert await store.due(10) == [request.id]
    await store.change(request.id, Expire())
    outcome = await billing.outcome(request.id)
    assert outcome is not None and outcome.status is OutcomeStatus.EXPIRED
    assert await store.due(10) == []


async def test_forgetting_leaves_nothing_but_the_log(store: Store, redis: Redis, tenant: str) -> None:
    request = await store.create(new(tenant))
    place = Posted(place=Place("C1"), channel="C1", ts="1.2")
    await Cards(redis, tenant).record(request.id, place)
    await store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
    await store.forget(request.id)
    await store.forget(request.id)
    kept = {str(name) async for name in redis.scan_iter(f"cs:{{{tenant}}}:*")}
    assert kept == {key(tenant, "audit"), key(tenant, "audit:seq"), key(tenant, "wake", "billing")}
    with pytest.raises(RequestNotFound):
        await store.find(request.id)


# -- the log ------------------------------------------------------------------------------------------


async def test_an_attempt_on_nothing_is_logged_on_a_chain_of_its_own(store: Store, tenant: str) -> None:
    await store.create(new(tenant))
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(store.refuse("R-ZZ\ud800", ANA, "approve", "no such request", Via.SLACK))
    log = await whole_log(store)
    assert [entry.event for entry in log[2:]] == ["refused"] * 10
    assert verify(log, last_seq=12) is None


async def test_a_letter_that_cannot_be_followed_is_answered_once(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    await redis.sadd(key(tenant, "agents"), "billing")
    lost = new_id()
    for text in (f'{{"letter":"submission","id":"{lost}"}}', "garbage"):
        await redis.xadd(key(tenant, "inbox", "billing"), {"letter": text})
    for taken in await Inboxes(redis, tenant, "one").take():
        assert taken.letter is None and taken.problem
        await store.refuse_letter(taken, taken.problem)
    outcome = await billing.outcome(lost)
    assert outcome is not None and outcome.status is OutcomeStatus.REJECTED
    assert await redis.xlen(key(tenant, "inbox", "billing")) == 0
    assert [entry.event for entry in await whole_log(store)] == ["refused", "refused"]


async def test_a_bad_letter_about_a_pending_request_does_not_end_it(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    request = await store.create(new(tenant))
    await redis.xadd(key(tenant, "inbox", "billing"), {"letter": f'{{"letter":"x","id":"{request.id}"}}'})
    await redis.sadd(key(tenant, "agents"), "billing")
    [taken] = await Inboxes(redis, tenant, "one").take()
    assert taken.problem
    await store.refuse_letter(taken, taken.problem)
    assert await billing.outcome(request.id) is None


async def test_the_first_refusal_of_a_letter_is_the_one_that_its_agent_is_told(
    store: Store, billing: AgentInbox, redis: Redis, tenant: str
) -> None:
    id = new_id()
    for _ in range(2):
        await billing.send(a_submission(id=id))
    inboxes = Inboxes(redis, tenant, "one")
    for number, taken in enumerate(await inboxes.take()):
        await store.refuse_letter(taken, f"reason {number}")
    outcome = await billing.outcome(id)
    assert outcome is not None and outcome.text == "reason 0"


async def tampered(redis: Redis, tenant: str, texts: list[str]) -> None:
    """Put another log in the place of the one there is."""
    await redis.delete(key(tenant, "audit"))
    for number, text in enumerate(texts, start=1):
        await redis.xadd(key(tenant, "audit"), {"entry": text}, id=f"{number}-0")


async def test_a_tampered_log_does_not_verify(store: Store, redis: Redis, tenant: str) -> None:
    request = await store.create(new(tenant))
    await store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
    await store.refuse("R-NONE", ANA, "approve", "no such request", Via.CLI)
    log = await whole_log(store)
    assert verify(log, last_seq=await store.last_seq()) is None
    texts = [wire.write(wire.ENTRY, entry) for entry in log]

    await tampered(redis, tenant, [text.replace("U0ANA", "U0EVE") for text in texts])
    assert str(verify(await whole_log(store))) == "entry 3 was changed: its hash does not fit its content"
    await redis.xdel(key(tenant, "audit"), "3-0")
    assert str(verify(await whole_log(store))) == "entry 3 is missing"
    await tampered(redis, tenant, texts[:-1])
    assert str(verify(await whole_log(store), last_seq=await store.last_seq())) == "entry 4 is missing"


async def test_a_wait_for_changes_is_woken(store: Store, tenant: str) -> None:
    async with asyncio.TaskGroup() as group:
        wait = group.create_task(store.until_changed(0, 5))
        await store.create(new(tenant))
    assert await store.until_changed(wait.result() - 1, 0) == 2
    assert await store.until_changed(2, 0) == 2


# -- Redis comes and goes -----------------------------------------------------------------------------


@pytest.mark.attack("D63")
async def test_a_redis_that_restarts_has_lost_its_scripts_and_nothing_else(
    tmp_path: Path, tenant: str
) -> None:
    async with RedisServer(tmp_path, appendfsync="always") as server, open_redis(server.url) as redis:
        store = Store(redis, tenant, SIGNER)
        request = await store.create(new(tenant))
        await server.kill()
        with pytest.raises(Unavailable) as unavailable:
            await store.get(request.id)
        assert f"127.0.0.1:{server.port}" in str(unavailable.value)
        with pytest.raises(Unavailable):
            await store.change(request.id, Cancel())
        await server.restart()
        change = await store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
        assert change.seq == 3
        assert verify(await whole_log(store), last_seq=3) is None


@pytest.mark.attack("D63")
async def test_a_redis_that_has_no_room_is_unavailable_and_nothing_is_half_written(
    redis: Redis, store: Store, tenant: str
) -> None:
    request = await store.create(new(tenant))
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable):
            await store.change(request.id, Cancel())
    finally:
        await redis.config_set("maxmemory", "0")
    assert (await store.get(request.id))[0] == request
    assert await store.last_seq() == 2


@pytest.mark.attack("G94")
async def test_a_log_that_cannot_be_appended_to_stops_the_change(
    store: Store, redis: Redis, tenant: str
) -> None:
    request = await store.create(new(tenant))
    await redis.set(key(tenant, "audit:seq"), 1)
    with pytest.raises(Exception, match="equal or smaller"):
        await store.change(request.id, Cancel())
    assert (await store.get(request.id))[0] == request


def test_refusals_are_what_rules_raise() -> None:
    assert issubclass(RequestNotFound, Refusal) and not issubclass(Unavailable, Refusal)
