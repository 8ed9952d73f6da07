"""What changed is drawn by one drawer at a time, and ticked off only when nothing changed since."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from approvals.cards import Cards, Place, Posted
from approvals.commands import Cancel
from approvals.errors import RequestNotFound
from approvals.ids import new_id
from approvals.keys import key
from approvals.model import Request
from approvals.store import Store
from tests.builders import a_request

CHANNEL = Place("C0APPROVALS")
CARD = Posted(place=CHANNEL, channel="C0APPROVALS", ts="1699.22", version=2, state="drawn")


@pytest.fixture
def cards(redis: Redis, tenant: str) -> Cards:
    return Cards(redis, tenant)


@pytest.fixture
async def request_(store: Store, tenant: str) -> Request:
    return await store.create(a_request(id=new_id(), tenant=tenant, created_at=datetime.now(UTC)))


async def test_each_request_is_drawn_by_one_of_many(store: Store, cards: Cards, tenant: str) -> None:
    for _ in range(20):
        await store.create(a_request(id=new_id(), tenant=tenant, created_at=datetime.now(UTC)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(cards.claim(5, 10)) for _ in range(8)]
    claimed = [id for task in tasks for id in task.result()]
    assert len(claimed) == len(set(claimed)) == 20
    assert await cards.backlog() == 20


async def test_what_was_drawn_is_ticked_off(cards: Cards, request_: Request) -> None:
    assert await cards.claim(5, 10) == [request_.id]
    assert await cards.drawn(request_.id, request_.version)
    assert await cards.drawn(request_.id, request_.version)
    assert await cards.backlog() == 0 and await cards.idle_s(30) == 30


async def test_what_its_drawer_left_is_drawn_by_another(cards: Cards, request_: Request) -> None:
    assert await cards.claim(5, 0) == [request_.id]
    assert await cards.claim(5, 10) == [request_.id]
    assert await cards.claim(5, 10) == []


async def test_a_change_while_it_is_drawn_is_drawn_next(
    store: Store, cards: Cards, request_: Request
) -> None:
    [drawing] = await cards.claim(5, 10)
    changed = (await store.change(drawing, Cancel())).request
    assert await cards.claim(5, 10) == []  # by nobody else meanwhile
    assert not await cards.drawn(drawing, request_.version)
    assert await cards.claim(5, 10) == [drawing]
    assert await cards.drawn(drawing, changed.version)


async def test_a_place_that_is_added_while_it_is_drawn_is_drawn_next(cards: Cards, request_: Request) -> None:
    [drawing] = await cards.claim(5, 10)
    thread = Place("C0APPROVALS/1.2")
    await cards.add_place(drawing, thread, "C0APPROVALS", "1.2")
    assert not await cards.drawn(drawing, request_.version)
    assert await cards.claim(5, 10) == [drawing]
    await cards.record(drawing, Posted(place=thread, channel="C0APPROVALS", thread_ts="1.2", ts="3.4"))
    assert await cards.drawn(drawing, request_.version)


async def test_a_place_that_is_there_stays_as_it_is(cards: Cards, request_: Request) -> None:
    await cards.record(request_.id, CARD)
    assert await cards.add_place(request_.id, CHANNEL, "C0APPROVALS") == {CHANNEL: CARD}


async def test_an_attempt_is_known_before_its_message(cards: Cards, request_: Request) -> None:
    attempt = Posted(place=CHANNEL, channel="C0APPROVALS", attempt="n1", attempted_at=datetime.now(UTC))
    await cards.intend(request_.id, attempt)
    found, now, posted = await cards.of(request_.id)
    assert (found, posted) == (request_, {CHANNEL: attempt})
    assert now.tzinfo is not None
    assert not await cards.drawn(request_.id, request_.version)


async def test_a_message_leads_to_its_request_while_it_is_shown(cards: Cards, request_: Request) -> None:
    await cards.record(request_.id, CARD)
    assert await cards.shown_by("C0APPROVALS", "1699.22") == request_.id
    await cards.forget_place(request_.id, CHANNEL)
    await cards.forget_place(request_.id, CHANNEL)
    assert await cards.shown_by("C0APPROVALS", "1699.22") is None
    assert await cards.posted(request_.id) == {}


async def test_a_file_is_a_place_and_no_message(cards: Cards, request_: Request) -> None:
    file = Posted(place=Place("C0APPROVALS#file:1"), channel="C0APPROVALS", ts="file")
    await cards.record(request_.id, file)
    assert await cards.posted(request_.id) == {file.place: file}


async def test_what_is_postponed_is_left_alone_by_all(
    cards: Cards, request_: Request, redis: Redis, tenant: str
) -> None:
    await cards.postpone(request_.id, 60)
    assert await cards.claim(5, 10) == []
    assert 50 < await cards.idle_s(100) <= 60
    assert await cards.idle_s(1) == 1
    await cards.postpone(request_.id, 0)
    assert await cards.claim(5, 10) == [request_.id]
    await cards.drawn(request_.id, request_.version)
    await cards.postpone(request_.id, 0)  # too late to matter
    assert await redis.zcard(key(tenant, "draw")) == 0


async def test_what_was_forgotten_is_drawn_no_more(store: Store, cards: Cards, request_: Request) -> None:
    await store.forget(request_.id)
    with pytest.raises(RequestNotFound):
        await cards.of(request_.id)
    await cards.add_place(request_.id, CHANNEL, "C0APPROVALS")
    assert await cards.drawn(request_.id, request_.version)
    await cards.add_place(request_.id, CHANNEL, "C0APPROVALS")
    await cards.drop(request_.id)
    assert await cards.backlog() == 0
