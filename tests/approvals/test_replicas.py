"""With replicas, done means that they have it: a real primary and replica, frozen, killed and promoted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from approvals.audit import verify
from approvals.commands import Approve
from approvals.errors import AlreadyResolved, InvalidCall, NotClaimed, Refusal, Unavailable
from approvals.ids import new_id
from approvals.inbox import AgentInbox
from approvals.model import Request, Status
from approvals.redis_door import open_redis
from approvals.replicas import NotReplicated, replicas_of
from approvals.signing_keys import SigningKeys
from approvals.store import Store
from tests.builders import VAULT, a_person, a_request, a_submission
from tests.redis_fleet import Node, replicated

TENANT = "acme"


@dataclass(frozen=True, slots=True)
class Pair:
    primary: Node
    replica: Node
    redis: Redis
    store: Store

    @asynccontextmanager
    async def promoted(self) -> AsyncIterator[Redis]:
        """The primary is gone for good, and the replica serves."""
        self.primary.kill()
        self.replica.thaw()
        await self.replica.do("REPLICAOF", "NO", "ONE")
        async with open_redis(self.replica.url, tenant=TENANT) as redis:
            yield redis


async def a_store(redis: Redis) -> Store:
    """The service's, which signs what is decided."""
    keys = SigningKeys(redis, TENANT, VAULT)
    await keys.start()
    return Store(redis, TENANT, keys)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with (
        replicated(tmp_path) as (primary, replica),
        open_redis(primary.url, tenant=TENANT, replicas=1) as redis,
    ):
        yield Pair(primary, replica, redis, await a_store(redis))


def new() -> Request:
    return a_request(id=new_id(), tenant=TENANT, created_at=datetime.now(UTC))


def yes(request: Request) -> Approve:
    return Approve(by=a_person(), seen=request.fingerprint)


@pytest.mark.attack("D64")
async def test_what_was_told_as_decided_survives_the_primary(pair: Pair) -> None:
    decided = [await pair.store.create(new()) for _ in range(20)]
    for request in decided:
        await pair.store.change(request.id, yes(request))
    async with pair.promoted() as redis:
        after = Store(redis, TENANT)
        found = await after.get_many(request.id for request in decided)
        assert [found[request.id].status for request in decided] == [Status.APPROVED] * len(decided)
        assert verify([entry async for entry in after.log()], last_seq=await after.last_seq()) is None


async def test_nothing_is_told_as_decided_while_the_replica_is_away_and_the_same_click_again_tells_it(
    pair: Pair,
) -> None:
    request = await pair.store.create(new())
    pair.replica.freeze()
    with pytest.raises(NotReplicated, match="0 of 1 replicas"):
        await pair.store.change(request.id, yes(request))
    with pytest.raises(Unavailable):  # it is written, and even that is not told yet
        await pair.store.change(request.id, yes(request))
    pair.replica.thaw()
    with pytest.raises(Refusal) as told:
        await pair.store.change(request.id, yes(request))
    assert isinstance(told.value, AlreadyResolved)
    async with pair.promoted() as redis:
        assert (await Store(redis, TENANT).get(request.id))[0].status is Status.APPROVED


async def test_a_script_that_redis_has_forgotten_is_loaded_again(pair: Pair) -> None:
    await pair.primary.do("SCRIPT", "FLUSH")
    assert (await pair.store.create(new())).is_pending


async def test_a_claim_counts_once_the_replica_has_it(pair: Pair) -> None:
    inbox = AgentInbox(pair.redis, TENANT, "billing")
    first, second = await pair.store.create(new()), await pair.store.create(new())
    for request in (first, second):
        await pair.store.change(request.id, yes(request))
    await inbox.claim(first.id)
    pair.replica.freeze()
    with pytest.raises(Unavailable, match="must not be run"):
        await inbox.claim(second.id)
    async with pair.promoted() as redis:
        with pytest.raises(NotClaimed):
            await AgentInbox(redis, TENANT, "billing").claim(first.id)


async def test_a_letter_counts_as_sent_once_the_replica_has_it(pair: Pair) -> None:
    inbox = AgentInbox(pair.redis, TENANT, "billing")
    await inbox.send(a_submission())
    pair.replica.freeze()
    with pytest.raises(NotReplicated):
        await inbox.send(a_submission())


async def test_a_plain_client_waits_for_nobody(pair: Pair) -> None:
    pair.replica.freeze()
    async with open_redis(pair.primary.url) as redis:
        assert (await Store(redis, TENANT).create(new())).is_pending


@pytest.mark.parametrize("text", ["-1", "two", "17"])
def test_a_number_of_replicas_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidCall, match="APPROVALS_REPLICAS"):
        replicas_of(text)
