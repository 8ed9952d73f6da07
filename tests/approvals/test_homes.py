"""What the Home tab remembers: what people look at, what was published, what the log has told lately."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.audit import Entry
from approvals.homes import Look, Published
from approvals.keys import key
from approvals.model import PersonId
from approvals.open_homes import FULL, KEPT_S, OpenHomes
from approvals.recent import REMEMBERED, Recent
from approvals.redis_door import open_redis

KIM, LEE = PersonId("U0KIM"), PersonId("U0LEE")


@pytest.mark.parametrize("only", ["", "risk", "agent:0123456789ab", "tool:0123456789ab"])
def test_a_look_comes_back_as_it_was(only: str) -> None:
    look = Look(page=3, only=only)
    assert Look.unpacked(look.packed) == look


@given(st.text())
def test_anything_else_is_the_beginning_of_the_queue(text: str) -> None:
    assert Look.unpacked(text) == Look()
    assert Look.unpacked(f"1|0|{text}").only in ("", "risk", text)
    assert Published.unpacked(text) is None
    assert Look().at(-5) == Look()


def an_entry(seq: int, event: str, request: str, actor: str) -> Entry:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return Entry(seq=seq, at=at, tenant="t", request=request, event=event, actor=actor, via="slack")


def recent(*told: Any) -> Recent:
    made = Recent()
    for seq, each in enumerate(told, 1):
        made.add(an_entry(seq, *each))
    return made


def test_the_last_decisions_of_each_person_stand_once_the_newest_first() -> None:
    votes = [("voted", f"R-{number}", "slack:U0KIM") for number in range(REMEMBERED + 5)]
    made = recent(
        *votes,
        ("rejected", "R-6", "slack:U0KIM"),
        ("approved", "R-1", "slack:U0LEE"),
        ("expired", "R-2", "timer"),
    )
    assert made.decided_by("U0KIM") == ["R-6", *(f"R-{n}" for n in range(14, 6, -1)), "R-5"]
    assert made.decided_by("U0LEE") == ["R-1"]
    assert made.decided_by("U0MAX") == []


def test_an_agent_is_at_work_from_its_claim_to_its_receipt() -> None:
    began = [("claimed", "R-1", "agent:billing"), ("claimed", "R-2", "agent:billing")]
    assert recent(*began).at_work() == {"billing": 2}
    assert recent(*began, ("failed", "R-1", "agent:billing")).at_work() == {"billing": 1}


async def test_a_tab_is_taken_by_one_worker_at_a_time_when_it_may_be_drawn_again(
    redis_url: str, tenant: str
) -> None:
    async with open_redis(redis_url) as redis:
        one, other = OpenHomes(redis, tenant), OpenHomes(redis, tenant)
        await one.use(KIM, Look(page=2), wait_s=-1)
        await one.use(LEE, Look(), wait_s=60)
        await one.record(KIM, Published(seq=7, digest="ab", hash="1.x|y"))
        (home,) = await one.claim(10, 60)
        assert (home.person, home.look) == (KIM, Look(page=2))
        assert home.published == Published(seq=7, digest="ab", hash="1.x|y")
        assert await other.claim(10, 60) == []
        await one.wait([KIM], -1)
        assert [each.person for each in await other.claim(10, 60)] == [KIM]


async def test_who_has_been_away_for_a_day_is_forgotten(redis_url: str, tenant: str) -> None:
    async with open_redis(redis_url) as redis:
        homes, views = OpenHomes(redis, tenant), key(tenant, "homes:views")
        await homes.use(KIM, Look(), wait_s=-1)
        seconds = int(str(await redis.hget(views, KIM)).split()[0])
        await redis.hset(views, KIM, f"{seconds - KEPT_S - 5:.0f} {Look().packed}")
        assert await homes.claim(10, 60) == []
        assert await redis.exists(views, key(tenant, "homes")) == 0


async def test_all_workers_count_together_and_pause_together(redis_url: str, tenant: str) -> None:
    async with open_redis(redis_url) as redis:
        one, other = OpenHomes(redis, tenant), OpenHomes(redis, tenant)
        assert [await one.count(60), await other.count(60)] == [1, 2]
        assert await redis.ttl(key(tenant, "homes:rate")) > 0
        await one.pause(60)
        assert await other.count(60) > FULL
