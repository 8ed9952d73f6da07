"""The whole house while its Redis moves: a replica that is away, a Sentinel's failover, a Cluster's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from approvals import Approvals
from approvals.audit import verify
from approvals.errors import NotClaimed
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.redis_fleet import clustered, follows, raw, replicated, until, watched
from tests.running import a_connected_bot, environment, the_card
from tests.stories.watching import REFUND, whispered

ANA = "U0ANA"


@pytest.mark.attack("D64")
@pytest.mark.long
async def test_a_click_counts_once_the_replica_has_it_and_whoever_clicks_again_is_told_that_it_does(
    slack: Sandbox, tmp_path: Path, tenant: str
) -> None:
    async with replicated(tmp_path) as (primary, replica):
        env = environment(slack, primary.url, tenant, APPROVALS_DURABILITY="replicated")
        async with (
            a_connected_bot(slack, env),
            Approvals.connect(primary.url, agent="billing", tenant=tenant, replicas=1) as approvals,
        ):
            ticket = await approvals.submit("refund", REFUND)
            card, ana = await the_card(slack), slack.person(ANA)
            replica.freeze()
            assert not (await ana.press("Approve", card)).ok
            await whispered(slack, ANA, "again")
            replica.thaw()
            assert (await ana.press("Approve", card)).ok
            assert (await approvals.wait(ticket.id, timeout=5)).decided_by == f"slack:{ANA}"
            assert (await approvals.claim(ticket.id)).args == REFUND


@pytest.mark.long
async def test_a_sentinel_fails_over_and_everything_that_waits_goes_on(
    slack: Sandbox, tmp_path: Path, tenant: str
) -> None:
    async with watched(tmp_path) as (url, primary, replica):

        async def takes_over() -> bool:
            return "master" in await replica.do("ROLE")

        async def kill() -> None:
            primary.kill()
            await until(takes_over, "the replica takes over")
            await primary.start()  # which finds itself a replica
            await until(lambda: follows(replica), "who was the primary follows")

        await goes_on(slack, url, tenant, kill)


@pytest.mark.attack("D63")
@pytest.mark.long
async def test_a_cluster_fails_over_and_everything_that_waits_goes_on(
    slack: Sandbox, tmp_path: Path, tenant: str
) -> None:
    async with clustered(tmp_path) as cluster:
        owner = await cluster.owner(tenant)
        replica = await cluster.replica_of(owner)

        async def serves() -> bool:
            is_whole = "cluster_state:ok" in await raw(replica, "CLUSTER", "INFO")
            return is_whole and await cluster.owner(tenant, but=owner) is replica

        async def kill() -> None:
            owner.kill()
            await until(serves, "the replica takes over")
            await owner.start()
            await until(lambda: follows(replica), "who was the primary follows")

        await goes_on(slack, cluster.url, tenant, kill)


async def goes_on(slack: Sandbox, url: str, tenant: str, trouble: Callable[[], Awaitable[None]]) -> None:
    """Requests are decided before and after the trouble; all are run once, and the log holds."""
    env = environment(slack, url, tenant, APPROVALS_DURABILITY="replicated")
    async with (
        a_connected_bot(slack, env) as service,
        Approvals.connect(url, agent="billing", tenant=tenant, patience="1m") as approvals,
        asyncio.TaskGroup() as tasks,
    ):
        calls = [REFUND | {"customer": name} for name in ("anvil", "birch", "clove", "dover")]
        tickets = [await approvals.submit("refund", call) for call in calls]
        cards = [await the_card(slack, str(call["customer"])) for call in calls]
        waiting = [tasks.create_task(approvals.wait(ticket.id, timeout=60)) for ticket in tickets]
        for card in cards[:2]:
            assert (await slack.person(ANA).press("Approve", card)).ok
        await trouble()
        for card in cards[2:]:
            await until(partial(_pressed, slack, card), "the click is taken")
        for ticket, call, waits in zip(tickets, calls, waiting, strict=True):
            assert (await waits).decided_by == f"slack:{ANA}"
            assert (await approvals.claim(ticket.id)).args == call
            with pytest.raises(NotClaimed):
                await approvals.claim(ticket.id)
        entries = [entry async for entry in service.store.log()]
        assert verify(entries, last_seq=await service.store.last_seq()) is None
        assert [entry.event for entry in entries].count("approved") == len(tickets)


async def _pressed(slack: Sandbox, card: Message) -> bool:
    """What a person does who sees that it failed: the same again."""
    return (await slack.person(ANA).press("Approve", card)).ok
