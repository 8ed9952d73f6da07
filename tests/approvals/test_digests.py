"""What is held becomes one digest, once, whoever gathers it; what changes in it is drawn again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from approvals.cards import Cards
from approvals.digest import Digest, Row, new_digest_id
from approvals.digests import Digests, Queue
from approvals.errors import DigestNotFound
from approvals.ids import new_id
from approvals.model import Request, RequestId
from approvals.places import Posted, digests_in, is_somewhere
from approvals.store import Store
from tests.builders import SIGNER, a_request, terms

REFUNDS, FLOOD = Queue("refunds", "C0APPROVALS"), Queue("burst", "C0APPROVALS")
SOON = datetime.now(UTC) - timedelta(seconds=1)
LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def digests(redis: Redis, tenant: str) -> Digests:
    return Digests(redis, tenant)


@pytest.fixture
def cards(redis: Redis, tenant: str) -> Cards:
    return Cards(redis, tenant)


@pytest.fixture
async def three(redis: Redis, tenant: str) -> list[Request]:
    store = Store(redis, tenant, SIGNER)
    return [await store.create(a_request(id=new_id(), tenant=tenant, terms=terms(burst=2))) for _ in range(3)]


def a_digest(requests: list[Request], tenant: str, **changes: Any) -> Digest:
    rows = tuple(Row(request_id=each.id, fingerprint=each.fingerprint, is_ready=True) for each in requests)
    made = Digest(
        id=new_digest_id(),
        tenant=tenant,
        name="refunds",
        channel="C0APPROVALS",
        made_at=datetime.now(UTC),
        rows=rows,
    )
    return replace(made, **changes)


async def ids_held(digests: Digests, queue: Queue = REFUNDS) -> set[RequestId]:
    return set(await digests.held(queue, 100))


async def test_what_a_rule_holds_waits_until_it_is_due(digests: Digests, three: list[Request]) -> None:
    for request in three:
        assert await digests.hold(request, REFUNDS, LATER)
    assert await digests.due(8) == []
    assert await ids_held(digests) == {request.id for request in three}


async def test_it_is_due_when_so_many_wait(digests: Digests, three: list[Request]) -> None:
    for request in three[:2]:
        await digests.hold(request, REFUNDS, LATER, when=3)
    assert await digests.due(8) == []
    await digests.hold(three[2], REFUNDS, LATER, when=3)
    assert await digests.due(8) == [REFUNDS]


async def test_the_earliest_due_time_of_all_that_is_held_counts(
    digests: Digests, three: list[Request]
) -> None:
    await digests.hold(three[0], REFUNDS, SOON)
    await digests.hold(three[1], REFUNDS, LATER)
    assert await digests.due(8) == [REFUNDS]


async def test_only_what_exceeds_the_burst_is_held(digests: Digests, three: list[Request]) -> None:
    found = [await digests.hold(request, FLOOD, SOON) for request in three]
    assert found == [False, False, True]
    assert await ids_held(digests, FLOOD) == {three[2].id}


async def test_holding_the_same_request_twice_holds_it_once(
    digests: Digests, cards: Cards, three: list[Request]
) -> None:
    for _ in range(2):
        assert await digests.hold(three[0], REFUNDS, LATER)
    assert await ids_held(digests) == {three[0].id}
    assert any(map(is_somewhere, await cards.posted(three[0].id)))


async def test_many_who_gather_make_one_digest(
    digests: Digests, cards: Cards, three: list[Request], tenant: str
) -> None:
    for request in three:
        await digests.hold(request, REFUNDS, SOON)
    made = [a_digest(three, tenant) for _ in range(8)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(digests.make(each, REFUNDS)) for each in made]
    assert sum(task.result() for task in tasks) == 1
    assert await ids_held(digests) == set()
    for request in three:
        assert len(digests_in(await cards.posted(request.id))) == 1


async def test_making_the_same_digest_again_after_a_lost_reply_changes_nothing(
    digests: Digests, three: list[Request], tenant: str
) -> None:
    for request in three:
        await digests.hold(request, REFUNDS, SOON)
    digest = a_digest(three, tenant)
    assert [await digests.make(digest, REFUNDS) for _ in range(2)] == [True, True]
    assert await digests.get(digest.id) == digest


async def test_what_comes_later_is_held_for_the_next_one(
    digests: Digests, three: list[Request], tenant: str
) -> None:
    for request in three:
        await digests.hold(request, REFUNDS, SOON)
    await digests.make(a_digest(three[:2], tenant), REFUNDS)
    assert await ids_held(digests) == {three[2].id}
    assert await digests.due(8) == [REFUNDS]


async def test_what_ended_while_it_was_held_is_let_go(
    digests: Digests, three: list[Request], tenant: str
) -> None:
    await digests.hold(three[0], REFUNDS, SOON)
    await digests.make(a_digest([], tenant), REFUNDS, let_go=[three[0].id])
    assert await ids_held(digests) == set()
    assert await digests.due(8) == []


async def test_of_two_who_change_a_digest_one_is_told_so(
    digests: Digests, three: list[Request], tenant: str
) -> None:
    digest = a_digest(three, tenant)
    await digests.make(digest)
    turned = replace(digest, page=1, version=2)
    assert await digests.save(digest, turned)
    assert await digests.save(digest, turned)  # the same, again: its reply was lost
    assert not await digests.save(digest, replace(digest, page=2, version=2))
    assert await digests.get(digest.id) == turned


async def test_it_is_to_be_drawn_again_if_it_was_stirred_meanwhile(
    digests: Digests, cards: Cards, three: list[Request], tenant: str
) -> None:
    digest = a_digest(three, tenant)
    await digests.make(digest)
    assert str(digest.id) in map(str, await cards.claim(8, 10))
    kept = await digests.of(digest.id)
    await digests.record(digest.id, replace(kept.posted, ts="1699.22"))
    await digests.stir([digest.id])
    assert not await digests.drawn(digest.id, kept.version)
    assert await digests.drawn(digest.id, (await digests.of(digest.id)).version)


async def test_a_deleted_message_is_posted_anew(digests: Digests, three: list[Request], tenant: str) -> None:
    digest = a_digest(three, tenant)
    await digests.make(digest)
    await digests.record(
        digest.id,
        Posted(place=(await digests.of(digest.id)).posted.place, channel="C0APPROVALS", ts="1699.22"),
    )
    assert await digests.shown_by("C0APPROVALS", "1699.22") == digest.id
    await digests.lose("C0APPROVALS", "1699.22")
    assert (await digests.of(digest.id)).posted.ts is None
    assert await digests.shown_by("C0APPROVALS", "1699.22") is None


@pytest.mark.parametrize("id", ["D-1", "R-" + "0" * 26, "", "D-" + "0" * 26])
async def test_a_digest_that_never_was_is_not_found(digests: Digests, id: str) -> None:
    with pytest.raises(DigestNotFound):
        await digests.get(id)  # type: ignore[arg-type]
