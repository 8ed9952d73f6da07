"""A span of the log is found in few reads, and counted as it is read."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from approvals.commands import Cancel
from approvals.keys import key
from approvals.redis_door import open_redis
from approvals.stats import Only
from approvals.store import Store
from bot.daily import statistics
from tests.builders import SIGNER, T0, a_request

HOUR = timedelta(hours=1)
HOURS = 40


@pytest.fixture
async def store(redis_url: str, tenant: str) -> AsyncIterator[Store]:
    async with open_redis(redis_url) as redis:
        yield Store(redis, tenant, SIGNER)


async def a_request_an_hour(store: Store) -> None:
    for hour in range(HOURS):
        await store.create(a_request(created_at=T0 + hour * HOUR))


@pytest.mark.parametrize("hour", [-5, 0, 1, 17, HOURS - 1, HOURS + 5])
async def test_the_beginning_of_a_span_is_found(store: Store, hour: int) -> None:
    await a_request_an_hour(store)
    seq = await store.first_seq_at(T0 + hour * HOUR)
    assert seq == 1 + 2 * max(0, min(hour, HOURS))  # each request has two entries


async def test_entries_a_little_out_of_order_are_not_missed(store: Store) -> None:
    for seconds in (0, 3600, 3590, 3590, 3590, 3585, 7200):  # commits overtake one another by seconds
        await store.create(a_request(created_at=T0 + timedelta(seconds=seconds)))
    since = T0 + timedelta(seconds=3595)
    entries = await store.entries(await store.first_seq_at(since))
    assert {entry.at for entry in entries if entry.at >= since} == {T0 + HOUR, T0 + 2 * HOUR}


async def test_what_was_trimmed_off_the_log_is_passed_over(store: Store, redis_url: str, tenant: str) -> None:
    await a_request_an_hour(store)
    async with open_redis(redis_url) as redis:
        await redis.xtrim(key(tenant, "audit"), minid="31-0", approximate=False)
    assert (await statistics.of(store, T0, T0 + 20 * HOUR)).counts.asked == 5
    assert await store.first_seq_at(T0 + 17 * HOUR) == 35


async def test_an_empty_log_begins_at_its_beginning(store: Store, tenant: str) -> None:
    assert await store.first_seq_at(T0) == 1
    assert (await statistics.of(store, T0, T0 + HOUR)).is_empty


@pytest.mark.parametrize(
    ("since", "until", "asked"),
    [(T0, T0 + HOURS * HOUR, HOURS), (T0 + 10 * HOUR, T0 + 20 * HOUR, 10), (T0 - 9 * HOUR, T0, 0)],
)
async def test_just_the_span_is_counted(store: Store, since: datetime, until: datetime, asked: int) -> None:
    await a_request_an_hour(store)
    assert (await statistics.of(store, since, until)).counts.asked == asked


async def test_what_ends_in_the_span_is_its_agents_though_asked_before(store: Store) -> None:
    now = await store.now()
    request = await store.create(a_request(created_at=now - 2 * HOUR))
    await store.change(request.id, Cancel())
    found = await statistics.of(store, now, now + HOUR, Only(agent="billing"))
    assert (found.counts.asked, found.counts.cancelled) == (0, 1)
