"""A client follows the primary of a Sentinel, and in a Cluster the node that has its tenant's keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from approvals import Approvals
from approvals.errors import Unavailable
from approvals.inbox import Inboxes
from approvals.redis_door import open_redis, place, translated
from approvals.signing_keys import SigningKeys
from approvals.store import Store
from tests.builders import VAULT
from tests.clerk import TERMS, Clerk, serving, yes
from tests.redis_fleet import Node, clustered, until, watched

TENANTS = ("acme", "hooli", "umbrella")  # in three different primaries


async def runs_a_call(url: str, tenant: str) -> None:
    """Ask, be approved, claim and report: scripts, pipelines, a WATCH and blocking reads."""
    async with (
        serving(url, tenant, habit=yes),
        Approvals.connect(url, agent="billing", tenant=tenant) as agent,
    ):
        ticket = await agent.submit("refund", {"amount": 940}, key="inv-881")
        assert (await agent.wait(ticket.id, timeout=10)).status == "approved"
        assert (await agent.claim(ticket.id)).args == {"amount": 940}
        await agent.receipt(ticket.id, ok=True)


async def bears(deed: Callable[[], Awaitable[object]]) -> None:
    """Do it again while Redis is away, as whoever uses it does."""

    async def done() -> bool:
        try:
            await deed()
        except Unavailable:
            return False
        return True

    await until(done, "it is done")


async def test_everything_works_through_a_sentinel(tmp_path: Path) -> None:
    async with watched(tmp_path, sentinels=1) as (url, primary, _), open_redis(url) as redis:
        await runs_a_call(url, "acme")
        assert await port_of(redis) == primary.port
        assert place(redis) == url.removeprefix("redis+sentinel://").removesuffix("/house")


@pytest.mark.long
async def test_who_waits_through_a_planned_failover_goes_on_with_the_new_primary(tmp_path: Path) -> None:
    async with watched(tmp_path, sentinels=1) as (url, primary, replica), open_redis(url) as redis:
        await waits_through(url, "acme", lambda: fails_over(url, primary))
        assert await port_of(redis) == replica.port


async def test_a_node_that_is_no_primary_any_more_is_left_by_all_connections_at_once(tmp_path: Path) -> None:
    async with watched(tmp_path, sentinels=1) as (url, primary, replica), open_redis(url) as redis:
        pool = redis.connection_pool
        for connection in [await pool.get_connection() for _ in range(3)]:  # type: ignore[no-untyped-call]  # redis-py
            await pool.release(connection)
        await replica.do("REPLICAOF", "NO", "ONE")
        await primary.do("REPLICAOF", "127.0.0.1", replica.port)
        with pytest.raises(Unavailable), translated(redis):
            await redis.set("a", 1)
        again = [await pool.get_connection() for _ in range(3)]  # type: ignore[no-untyped-call]  # redis-py
        assert [each._epoch for each in again] == [1, 1, 1]
        await pool.disconnect()


async def test_in_a_cluster_each_tenant_is_with_the_node_that_has_its_slot_and_moves_with_it(
    tmp_path: Path,
) -> None:
    async with clustered(tmp_path) as cluster:
        owners = {tenant: await cluster.owner(tenant) for tenant in TENANTS}
        assert len({owner.port for owner in owners.values()}) == len(TENANTS)
        for tenant, owner in owners.items():
            await runs_a_call(cluster.url, tenant)
            async with open_redis(cluster.url, tenant=tenant) as redis:
                assert await port_of(redis) == owner.port
        target = owners["hooli"]
        await waits_through(cluster.url, "acme", lambda: cluster.migrate("acme", target))
        assert await cluster.owner("acme") is target
        async with open_redis(cluster.url, tenant="acme") as redis:
            assert await port_of(redis) == target.port


async def waits_through(url: str, tenant: str, trouble: Callable[[], Awaitable[None]]) -> None:
    """An agent waits while its Redis moves, and runs what is approved afterwards; both keep their clients."""
    async with (
        open_redis(url, tenant=tenant) as redis,
        Approvals.connect(url, agent="billing", tenant=tenant) as agent,
        asyncio.TaskGroup() as tasks,
    ):
        keys = SigningKeys(redis, tenant, VAULT)
        await keys.start()
        clerk = Clerk(Store(redis, tenant, keys), tenant, TERMS, None, ())
        ticket = await agent.submit("refund", {"amount": 940})
        waiting = tasks.create_task(agent.wait(ticket.id, timeout=20))
        inboxes = Inboxes(redis, tenant, "clerk")
        for taken in await inboxes.take():
            if taken.request_id == ticket.id:
                await clerk.handle(taken)
        await trouble()
        await bears(lambda: clerk.approve(ticket.id))
        assert (await waiting).status == "approved"
        assert (await agent.claim(ticket.id)).args == {"amount": 940}


async def fails_over(url: str, primary: Node) -> None:
    """The Sentinel makes the replica the primary, and the primary its replica."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    async with Redis(port=port, decode_responses=True, protocol=2) as sentinel:
        await sentinel.execute_command("SENTINEL", "FAILOVER", "house")  # type: ignore[no-untyped-call]  # redis-py

    async def is_replica() -> bool:
        return "slave" in await primary.do("ROLE")

    await until(is_replica, "the primary is a replica")  # until then it takes writes that are lost


async def port_of(redis: Redis) -> int:
    return int((await redis.info("server"))["tcp_port"])
