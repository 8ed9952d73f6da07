"""Budgets: exact whoever takes from them at the same time, and once for each request."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from approvals.budgets import Budgets
from approvals.ids import new_id
from approvals.keys import key
from approvals.policy import Spend
from approvals.redis_door import open_redis

KEY = "0" * 64
WRITERS = 64


def a_spend(amount: int = 0, *, count: int | None = None, limit: int | None = None) -> Spend:
    return Spend(key=KEY, amount=amount, count_limit=count, sum_limit=limit, window_s=3600)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def budgets(redis: Redis, tenant: str) -> Budgets:
    return Budgets(redis, tenant)


async def taken_by_many(budgets: Budgets, spend: Spend) -> int:
    async with asyncio.TaskGroup() as tasks:
        tries = [tasks.create_task(budgets.take(spend, new_id())) for _ in range(WRITERS)]
    return sum(each.result() for each in tries)


async def test_sixty_four_at_once_take_exactly_the_count(budgets: Budgets) -> None:
    assert await taken_by_many(budgets, a_spend(count=20)) == 20


async def test_sixty_four_at_once_take_exactly_the_sum(redis: Redis, tenant: str, budgets: Budgets) -> None:
    assert await taken_by_many(budgets, a_spend(100_001, limit=1_000_000)) == 9
    assert await redis.hget(key(tenant, "spent:sums", KEY), "") == "900009"


async def test_the_same_request_takes_once_however_often_it_comes(budgets: Budgets) -> None:
    request_id = new_id()
    for _ in range(3):
        assert await budgets.take(a_spend(count=1), request_id)
    assert not await budgets.take(a_spend(count=1), new_id())


async def test_what_is_refused_takes_nothing(budgets: Budgets) -> None:
    assert not await budgets.take(a_spend(11, limit=10), new_id())
    assert await budgets.take(a_spend(10, limit=10), new_id())
    assert await budgets.take(a_spend(0, limit=10), new_id())
    assert not await budgets.take(a_spend(1, limit=10), new_id())


async def test_what_was_taken_comes_back_when_the_window_has_passed(
    redis: Redis, tenant: str, budgets: Budgets
) -> None:
    first = new_id()
    assert await budgets.take(a_spend(10, count=1, limit=10), first)
    long_ago = 1_000_000
    await redis.zadd(key(tenant, "spent", KEY), {first: long_ago})
    assert await budgets.take(a_spend(10, count=1, limit=10), new_id())
    assert await redis.hget(key(tenant, "spent:sums", KEY), "") == "10"
    assert not await redis.hexists(key(tenant, "spent:sums", KEY), first)


async def test_the_largest_sums_are_added_exactly(redis: Redis, tenant: str, budgets: Budgets) -> None:
    billion = 10**15
    assert await budgets.take(a_spend(billion - 1, limit=billion), new_id())
    assert await budgets.take(a_spend(1, limit=billion), new_id())
    assert not await budgets.take(a_spend(1, limit=billion), new_id())
    assert await redis.hget(key(tenant, "spent:sums", KEY), "") == str(billion)


async def test_a_budget_is_forgotten_when_nobody_uses_it(redis: Redis, tenant: str, budgets: Budgets) -> None:
    await budgets.take(a_spend(1), new_id())
    for name in ("spent", "spent:sums"):
        assert 0 < await redis.pttl(key(tenant, name, KEY)) <= 3_600_000
