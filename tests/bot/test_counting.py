"""What the service counts of itself: in every process, added up in Redis, and told to who watches over it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis
from slack_sdk.errors import SlackApiError

from approvals.backlog import risks
from approvals.commands import Approve, Cancel, RecordRefusal
from approvals.counts import Counts
from approvals.ids import new_id
from approvals.keys import key
from approvals.model import Actor, Risk, Via
from approvals.store import Store
from bot.api.measures import Measures
from bot.counting import CountedSlack, count
from bot.sandbox.server import Sandbox
from tests.builders import SIGNER, a_person, a_request, terms

ADA = Actor(id="slack:U0ADA", name="Ada")


@pytest.fixture
def counts(redis: Redis, tenant: str) -> Counts:
    return Counts(redis, tenant)


@pytest.fixture
def store(redis: Redis, tenant: str, counts: Counts) -> Store:
    store = Store(redis, tenant, SIGNER)
    store.heard = lambda entry, _: count(counts, entry)
    return store


async def _told(redis: Redis, tenant: str) -> dict[tuple[str, ...], float]:
    """Each sample of /metrics, by its name and labels."""
    text = (await Measures(redis, tenant).text()).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_decisions_are_counted_by_what_they_are_and_where_they_came_from(
    store: Store, counts: Counts, redis: Redis, tenant: str
) -> None:
    first, second, third = [await store.create(a_request(id=new_id(), tenant=tenant)) for _ in range(3)]
    for each in (first, second):
        await store.change(each.id, Approve(by=a_person(), seen=each.fingerprint, via=Via.SLACK))
    await store.change(third.id, Cancel())
    no = RecordRefusal(by=ADA, attempted="take back", reason="too late", via=Via.CLI)
    await store.change(third.id, no)
    await counts.flush()
    other = Counts(redis, tenant)  # another process
    other.add("decisions", "approved", "slack")
    await other.flush()
    told = await _told(redis, tenant)
    assert told["countersign_decisions_total", "approved", "slack"] == 3
    assert told["countersign_decisions_total", "cancelled", "redis"] == 1
    assert told["countersign_refused_total", "take_back", "cli"] == 1


async def test_what_waits_is_told_by_risk_and_beyond_a_thousand_as_unread(
    store: Store, redis: Redis, tenant: str
) -> None:
    for risk in (Risk.LOW, Risk.CRITICAL, Risk.CRITICAL):
        await store.create(a_request(id=new_id(), tenant=tenant, terms=terms(risk=risk)))
    found = await risks(redis, tenant)
    assert (found["low"], found["critical"], found["medium"], found["unread"]) == (1, 2, 0, 0)
    await redis.zadd(key(tenant, "pending"), {new_id(): 9e15 for _ in range(1000)})  # newer ones
    assert (await _told(redis, tenant))["countersign_pending", "unread"] == 3


async def test_each_call_of_slack_is_counted_by_how_it_ended(
    counts: Counts, redis: Redis, tenant: str
) -> None:
    async with Sandbox(rate_limits=False) as slack:
        client = CountedSlack(counts, token="xoxb-sandbox", base_url=slack.api_url, retry_handlers=[])
        slack.faults.next_calls("auth.test", "429", times=1, retry_after=1)
        with pytest.raises(SlackApiError):
            await client.auth_test()
        await client.auth_test()
    await counts.flush()
    told = await _told(redis, tenant)
    assert told["countersign_slack_calls_total", "auth.test", "ok"] == 1
    assert told["countersign_slack_calls_total", "auth.test", "ratelimited"] == 1


async def test_what_could_not_be_brought_to_redis_is_brought_later(
    counts: Counts, redis: Redis, tenant: str
) -> None:
    away = Counts(Redis.from_url("redis://127.0.0.1:1"), tenant)
    away.add("decisions", "approved", "slack")
    await away.flush()
    away._redis = redis
    await redis.set(key(tenant, "counts"), "somebody else's")
    await away.flush()
    await redis.delete(key(tenant, "counts"))
    await away.flush()
    assert (await counts.read())["decisions"] == {("approved", "slack"): 1}
