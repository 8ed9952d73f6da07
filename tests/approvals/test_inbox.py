"""Letters arrive once at one consumer and are never lost; a permit is taken once; one key is one request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from approvals.commands import Approve
from approvals.errors import InvalidCall, KeyReused, NotClaimed, Unavailable
from approvals.ids import is_id, new_id
from approvals.inbox import LETTER_BYTES, AgentInbox, Inboxes, Taken
from approvals.keys import key
from approvals.messages import Cancellation, ClaimNotice, Permit, Ticket
from approvals.model import Fingerprint, Request, RequestId
from approvals.redis_door import open_redis
from approvals.store import Store
from tests.builders import SIGNER, TRUSTED, a_person, a_request, a_submission, terms
from tests.lossy_line import LossyLine

ONE, OTHER = Fingerprint("1" * 64), Fingerprint("2" * 64)


@pytest.fixture
def inboxes(redis: Redis, tenant: str) -> Inboxes:
    return Inboxes(redis, tenant, "one")


@pytest.fixture
def approved(redis: Redis, tenant: str) -> Callable[..., Awaitable[Request]]:
    """Makes a request of billing's that a person has approved; `use_within_s` is in its terms."""

    async def approve(**changes: int) -> Request:
        store = Store(redis, tenant, SIGNER)
        asked = a_request(id=new_id(), tenant=tenant, created_at=datetime.now(UTC), terms=terms(**changes))
        request = await store.create(asked)
        yes = Approve(by=a_person(), seen=request.fingerprint)
        return (await store.change(request.id, yes)).request

    return approve


async def everything(inboxes: Inboxes) -> list[Taken]:
    """All that lies there; the first look may find nothing but the bell."""
    return await inboxes.take(1000, 1) + await inboxes.take(1000, 1)


# -- putting ------------------------------------------------------------------------------------------


async def test_a_letter_arrives_under_its_agents_name(billing: AgentInbox, inboxes: Inboxes) -> None:
    submission = a_submission(args={"amount": 9.5, "of": [None, True, {"née": "✓"}]}, tags=("a", "b"))
    ticket = await billing.put(submission, ONE)
    assert ticket == Ticket(id=submission.id, fingerprint=ONE)
    [taken] = await everything(inboxes)
    assert (taken.letter, taken.agent, taken.deliveries) == (submission, "billing", 1)


async def test_a_batch_arrives_whole_and_in_order(billing: AgentInbox, inboxes: Inboxes) -> None:
    submissions = [a_submission(batch="b1") for _ in range(5)]
    await billing.put_all(submissions)
    await billing.put_all([])
    assert [taken.letter for taken in await everything(inboxes)] == submissions


@pytest.mark.attack("B34")
async def test_a_hundred_submits_with_one_key_are_one_request(billing: AgentInbox, inboxes: Inboxes) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(billing.put(a_submission(), ONE, "inv-881")) for _ in range(100)]
    tickets = [task.result() for task in tasks]
    assert len({ticket.id for ticket in tickets}) == 1
    assert sum(ticket.is_new for ticket in tickets) == 1
    assert {taken.request_id for taken in await everything(inboxes)} == {tickets[0].id}


async def test_a_key_used_for_another_call_is_refused(billing: AgentInbox, redis: Redis, tenant: str) -> None:
    first = await billing.put(a_submission(), ONE, "inv-881")
    with pytest.raises(KeyReused) as reused:
        await billing.put(a_submission(), OTHER, "inv-881")
    assert reused.value.request_id == first.id
    another = await AgentInbox(redis, tenant, "shipping", TRUSTED).put(a_submission(), OTHER, "inv-881")
    assert another.is_new


async def test_a_key_may_be_any_text(billing: AgentInbox) -> None:
    for name in ("", ":", "{x}", "\ud800", "k" * 10_000):
        assert (await billing.put(a_submission(), ONE, name)).is_new


async def test_what_json_cannot_carry_is_refused_before_it_is_sent(billing: AgentInbox, redis: Redis) -> None:
    for bad in ("\ud800", "x" * LETTER_BYTES):
        with pytest.raises(InvalidCall):
            await billing.put(a_submission(reason=bad), ONE)
    assert await redis.dbsize() == 0


@pytest.mark.attack("J18")
@pytest.mark.parametrize("name", ["", "Billing", "a:b", "a{b}", "é", "a\n", "-a", "a" * 64])
def test_an_agents_name_cannot_reach_into_anothers_keys(redis: Redis, tenant: str, name: str) -> None:
    with pytest.raises(InvalidCall):
        AgentInbox(redis, tenant, name, TRUSTED)
    with pytest.raises(InvalidCall):
        AgentInbox(redis, name.upper() + ":", "billing")


@pytest.mark.attack("J18")
async def test_an_id_cannot_reach_into_anothers_keys(billing: AgentInbox) -> None:
    for bad in (RequestId("x"), RequestId(f"x:{new_id()}")):
        with pytest.raises(InvalidCall):
            await billing.outcome(bad)
        with pytest.raises(InvalidCall):
            await billing.claim(bad)


# -- taking -------------------------------------------------------------------------------------------


async def test_each_letter_goes_to_one_of_many_consumers(redis: Redis, tenant: str) -> None:
    for name in ("billing", "shipping", "ops"):
        await AgentInbox(redis, tenant, name, TRUSTED).put_all([a_submission() for _ in range(20)])
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(everything(Inboxes(redis, tenant, consumer))) for consumer in ("a", "b", "c")
        ]
    ids = [taken.request_id for task in tasks for taken in task.result()]
    assert len(ids) == len(set(ids)) == 60


async def test_a_waiting_service_hears_of_an_agent_that_is_new(
    billing: AgentInbox, inboxes: Inboxes, redis: Redis, tenant: str
) -> None:
    await billing.send(Cancellation(id=new_id()))
    await everything(inboxes)
    async with asyncio.TaskGroup() as group:
        wait = group.create_task(inboxes.take(10, 3000))
        await AgentInbox(redis, tenant, "shipping", TRUSTED).send(Cancellation(id=new_id()))
    [taken] = wait.result() or await inboxes.take(10, 3000)
    assert taken.agent == "shipping"


async def test_what_a_dead_consumer_left_goes_to_another(
    billing: AgentInbox, inboxes: Inboxes, redis: Redis, tenant: str
) -> None:
    await billing.put_all([a_submission() for _ in range(3)])
    left = await everything(inboxes)
    await inboxes.ack(left[0])
    again = await Inboxes(redis, tenant, "two", abandoned_ms=0).take(10, 1)
    assert [taken.entry_id for taken in again] == [taken.entry_id for taken in left[1:]]
    assert {taken.deliveries for taken in again} == {2}
    assert await Inboxes(redis, tenant, "three").take(10, 1) == []


async def test_a_letter_that_is_ticked_off_is_gone(
    billing: AgentInbox, inboxes: Inboxes, redis: Redis, tenant: str
) -> None:
    await billing.put(a_submission(), ONE)
    taken = await everything(inboxes)
    await inboxes.ack(*taken)
    await inboxes.ack(*taken)
    await inboxes.ack()
    assert await redis.xlen(key(tenant, "inbox", "billing")) == 0
    assert await Inboxes(redis, tenant, "two", abandoned_ms=0).take(10, 1) == []


GARBAGE = [
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'{"letter":"submission"}',
    b'{"letter":"poem","id":"R-00000000000000000000000000"}',
    b'{"letter":"submission","id":"R-00000000000000000000000000","tool":7,"args":{}}',
    b'{"letter":"submission","id":"R-00000000000000000000000000","tool":"t","args":[]}',
    b'{"letter":"submission","id":"R-00000000000000000000000000","tool":"\xff","args":{}}',
    b'{"letter":"submission","id":"R-00000000000000000000000000","tool":"\\ud800","args":{}}',
    b'{"letter":"cancellation","id":"R-7K2M"}',
    b'{"letter":"cancellation","id":"R-00000000000000000000000000:x"}',
    b"[" * 100_000,
    b" " * (LETTER_BYTES + 1),
]


@pytest.mark.parametrize("raw", GARBAGE, ids=range(len(GARBAGE)))
async def test_a_letter_that_is_garbage_says_why_and_stops_no_other(
    billing: AgentInbox, inboxes: Inboxes, redis: Redis, tenant: str, raw: bytes
) -> None:
    await redis.xadd(key(tenant, "inbox", "billing"), {"letter": raw})
    await billing.send(Cancellation(id=new_id()))
    bad, good = await everything(inboxes)
    assert bad.letter is None and bad.problem
    assert bad.request_id is None or is_id(bad.request_id)
    assert good.letter is not None


async def test_a_letter_without_a_letter_in_it_is_garbage_too(
    billing: AgentInbox, inboxes: Inboxes, redis: Redis, tenant: str
) -> None:
    await redis.sadd(key(tenant, "agents"), "billing", "Not A Name", "a:b")
    await redis.xadd(key(tenant, "inbox", "billing"), {"else": "x"})
    [bad] = await everything(inboxes)
    assert bad.letter is None


@pytest.mark.attack("H106")
async def test_fields_of_a_newer_agent_are_passed_over(
    billing: AgentInbox, inboxes: Inboxes, redis: Redis, tenant: str
) -> None:
    text = json.dumps({"letter": "cancellation", "id": new_id(), "mood": "blue"})
    await redis.sadd(key(tenant, "agents"), "billing")
    await redis.xadd(key(tenant, "inbox", "billing"), {"letter": text})
    [taken] = await everything(inboxes)
    assert isinstance(taken.letter, Cancellation)


@pytest.mark.attack("D65")
async def test_a_redis_that_lost_its_data_is_joined_anew(
    billing: AgentInbox, inboxes: Inboxes, redis: Redis
) -> None:
    await billing.put(a_submission(), ONE)
    await everything(inboxes)
    await redis.flushall()
    await billing.put(a_submission(), ONE)
    assert len(await everything(inboxes)) == 1


# -- claiming -----------------------------------------------------------------------------------------


async def test_of_twenty_claims_at_once_one_has_the_permit(
    billing: AgentInbox, inboxes: Inboxes, approved: Callable[..., Awaitable[Request]]
) -> None:
    request = await approved()

    async def claim() -> Permit | None:
        try:
            return await billing.claim(request.id)
        except NotClaimed:
            return None

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(claim()) for _ in range(20)]
    [permit] = [task.result() for task in tasks if task.result()]
    assert permit is not None and permit.args == request.args
    assert [taken.letter for taken in await everything(inboxes)] == [ClaimNotice(id=request.id)]


@pytest.mark.attack("B39")
async def test_an_approval_that_was_not_used_in_time_cannot_be(
    billing: AgentInbox, inboxes: Inboxes, approved: Callable[..., Awaitable[Request]]
) -> None:
    request = await approved(use_within_s=-1)
    with pytest.raises(NotClaimed):
        await billing.claim(request.id)
    assert await everything(inboxes) == []


@pytest.mark.attack("B42")
async def test_a_permit_cannot_be_taken_under_another_name(
    redis: Redis, tenant: str, approved: Callable[..., Awaitable[Request]]
) -> None:
    request = await approved()
    with pytest.raises(NotClaimed):
        await AgentInbox(redis, tenant, "thief", TRUSTED).claim(request.id)


@pytest.mark.attack("B40")
async def test_a_claim_whose_reply_is_lost_counts_as_used(
    redis_url: str, tenant: str, billing: AgentInbox, approved: Callable[..., Awaitable[Request]]
) -> None:
    request = await approved()
    async with LossyLine(redis_url) as line, open_redis(line.url) as far:
        line.lose_reply_to(b"GETDEL")
        with pytest.raises(Unavailable, match="must not be run"):
            await AgentInbox(far, tenant, "billing", TRUSTED).claim(request.id)
    with pytest.raises(NotClaimed):
        await billing.claim(request.id)


@pytest.mark.parametrize("word", [b"WATCH", b"$4\r\nMGET\r\n", b"TIME"])
async def test_a_claim_that_never_reached_redis_can_be_made_again(
    redis_url: str, tenant: str, billing: AgentInbox, approved: Callable[..., Awaitable[Request]], word: bytes
) -> None:
    request = await approved()
    async with LossyLine(redis_url) as line, open_redis(line.url) as far:
        line.lose_reply_to(word)
        with pytest.raises(Unavailable) as away:
            await AgentInbox(far, tenant, "billing", TRUSTED).claim(request.id)
    assert "must not be run" not in str(away.value)
    assert (await billing.claim(request.id)).id == request.id


# -- waiting ------------------------------------------------------------------------------------------


async def test_an_agent_is_woken_and_reads_what_became_of_it(
    billing: AgentInbox, approved: Callable[..., Awaitable[Request]]
) -> None:
    start = await billing.last_wake()
    async with asyncio.TaskGroup() as group:
        wait = group.create_task(billing.wakes(start, 5))
        request = await approved()
    woken, last = wait.result()
    assert woken == [request.id]
    assert await billing.wakes(last, 0) == ([], last)
    outcomes = await billing.outcomes([new_id(), *woken])
    assert outcomes[request.id].args == request.args and len(outcomes) == 1
