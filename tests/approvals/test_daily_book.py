"""Daily threads in Redis: whose turn it is, and that nobody writes out of turn."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from redis.asyncio import Redis

from approvals.daily_book import KEPT_DAYS, DailyBook
from approvals.errors import Unavailable
from approvals.keys import key
from approvals.model import RequestId
from approvals.mornings import DailyThread, Reply
from approvals.places import Place, Posted
from approvals.redis_door import open_redis
from tests.builders import T0

DAY = date(2026, 11, 20)
THREAD = DailyThread(
    day=DAY,
    since=T0 - timedelta(days=1),
    until=T0,
    head=Posted(place=Place("head"), channel="C0OPS", ts="1699.22"),
    picture="F0DAY",
    replies=(Reply(posted=Posted(place=Place("since 0"), channel="C0OPS"), requests=(RequestId("R-1"),)),),
)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url)
    yield client
    await client.aclose()


async def test_one_at_a_time_has_the_turn(redis: Redis, tenant: str) -> None:
    one, other = DailyBook(redis, tenant), DailyBook(redis, tenant)
    async with one.turn() as is_ones, other.turn() as is_others:
        assert (is_ones, is_others) == (True, False)
    async with other.turn() as is_others:
        assert is_others


async def test_a_thread_is_read_as_it_was_put(redis: Redis, tenant: str) -> None:
    book = DailyBook(redis, tenant)
    async with book.turn():
        await book.put(THREAD)
        await book.put(replace(THREAD, is_told=True))
    assert await book.threads("C0OPS") == {DAY: replace(THREAD, is_told=True)}
    assert await book.threads("C0ELSE") == {}


async def test_who_has_lost_the_turn_writes_nothing(redis: Redis, tenant: str) -> None:
    book = DailyBook(redis, tenant)
    with pytest.raises(Unavailable):
        await book.put(THREAD)
    async with book.turn():
        await redis.set(key(tenant, "daily:turn"), "somebody else, since this one took too long")
        with pytest.raises(Unavailable):
            await book.put(THREAD)
    assert await book.threads("C0OPS") == {}
    assert await redis.exists(key(tenant, "daily:turn")), "another's turn was ended"


async def test_a_turn_ends_by_itself_when_its_worker_was_killed(redis: Redis, tenant: str) -> None:
    async with DailyBook(redis, tenant).turn():
        assert 0 < await redis.pttl(key(tenant, "daily:turn")) <= 30_000


async def test_old_days_are_forgotten(redis: Redis, tenant: str) -> None:
    book = DailyBook(redis, tenant)
    async with book.turn():
        for ago in (KEPT_DAYS + 2, 1, 0):
            await book.put(replace(THREAD, day=DAY - timedelta(days=ago)))
    assert set(await book.threads("C0OPS")) == {DAY, DAY - timedelta(days=1)}
