"""A restored copy, an emptied Redis, another database: nothing is run again, and nothing is decided there."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from approvals import Approvals
from approvals.errors import NotClaimed, Unavailable
from approvals.keys import key
from approvals.pulse import STALE
from bot import settings
from bot.app import Service
from bot.redis_server import RedisServer
from bot.sandbox.server import Sandbox
from bot.terminal.restored import go_on
from tests.running import a_connected_bot, environment, the_card, until
from tests.stories.watching import REFUND

OLD_MS = 2 * int(STALE.total_seconds() * 1000)


@pytest.fixture
async def slack() -> AsyncIterator[Sandbox]:
    """One that doesn't wait long for the answers that it is not to get."""
    async with Sandbox(rate_limits=False, ack_timeout_s=2.0) as sandbox:
        yield sandbox


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path / "redis", appendfsync="always") as server:
        yield server


async def _restore(server: RedisServer, copy: Path) -> None:
    """Put the copy in the place of what is there, and let the time pass that a restore takes."""
    await server.kill()
    for file in server.directory.glob("appendonly*"):
        file.unlink() if file.is_file() else shutil.rmtree(file)
    shutil.copytree(copy, server.directory, dirs_exist_ok=True)
    await server.restart()


def _backup(server: RedisServer, to: Path) -> Path:
    shutil.copytree(server.directory, to, ignore=shutil.ignore_patterns("lock", "redis.log"))
    return to


async def _grow_old(url: str, tenant: str) -> None:
    """As if the pulse had been given two minutes earlier."""
    async with Redis.from_url(url, decode_responses=True) as redis:
        if pulse := await redis.get(key(tenant, "pulse")):
            await redis.set(key(tenant, "pulse"), int(pulse) - OLD_MS)


async def _approved(slack: Sandbox, approvals: Approvals) -> str:
    ticket = await approvals.submit("refund", REFUND)
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack))).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    return ticket.id


async def test_a_restored_backup_never_runs_an_approval_again_though_nobody_was_told(
    slack: Sandbox, tenant: str, server: RedisServer, tmp_path: Path
) -> None:
    async with Approvals.connect(server.url, agent="billing", tenant=tenant) as approvals:
        async with a_connected_bot(slack, environment(slack, server.url, tenant)):
            used = await _approved(slack, approvals)
        await _grow_old(server.url, tenant)
        copy = _backup(server, tmp_path / "backup")
        await approvals.receipt(used, ok=True)
    async with Approvals.connect(server.url, agent="billing", tenant=tenant) as approvals:
        await _restore(server, copy)
        with pytest.raises(Unavailable, match="older copy"):
            await approvals.claim(used)
        another_machine = environment(slack, server.url, tenant)
        async with a_connected_bot(slack, another_machine):
            with pytest.raises(NotClaimed):
                await approvals.claim(used)
            outcome = await approvals.get(used)
            assert outcome is not None and outcome.status == "cancelled"


async def test_a_log_that_is_behind_is_not_served_until_an_operator_says_so(
    slack: Sandbox, tenant: str, server: RedisServer, tmp_path: Path
) -> None:
    env = environment(slack, server.url, tenant)
    async with (
        Approvals.connect(server.url, agent="billing", tenant=tenant) as approvals,
        a_connected_bot(slack, env) as bot,
    ):
        waiting = await approvals.submit("refund", REFUND)
        card = await the_card(slack)
        copy = _backup(server, tmp_path / "backup")
        assert (await slack.person("U0ANA").press("Approve", card)).ok
        await approvals.claim(waiting.id)
        await until(lambda: _has_seen(bot, 5))
        await _restore(server, copy)
        await until(lambda: _is_refused(bot))
        ana = slack.person("U0ANA")
        assert not (await ana.press("Approve", card)).ok
        await slack.until(lambda: any("older copy" in each.shown for each in ana.ephemerals()))
        read = settings.read(env, needs="workspace")
        assert bot.vault is not None and bot.continuity is not None
        refusing, bot.store.guard = bot.store.guard, lambda: None  # as the command's own process has none
        told = await go_on(bot.redis, read, bot.vault, bot.store)
        bot.store.guard = refusing
        assert told["cancelled"] == 1
        await until(lambda: _is_served(bot))
        assert (await approvals.wait(waiting.id, timeout=20)).status == "cancelled"
        anew = await approvals.submit("close_ticket", {"ticket": "T-17"})
        assert (await ana.press("Approve", await the_card(slack, "T-17"))).ok
        assert (await approvals.claim(anew.id)).args == {"ticket": "T-17"}


@pytest.mark.attack("D65")
async def test_an_emptied_redis_is_noticed_and_nothing_is_decided_there(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    async with a_connected_bot(slack, environment(slack, redis_url, tenant)) as bot:
        await approvals.submit("refund", REFUND)
        card = await the_card(slack)
        await bot.redis.flushall()
        await until(lambda: _is_refused(bot))
        assert not (await slack.person("U0ANA").press("Approve", card)).ok
        assert bot.continuity is not None and "countersign restored" in str(bot.continuity.fault)
        assert await bot.store.last_seq() == 0


async def test_another_database_is_not_taken_for_the_same_after_a_restart(
    slack: Sandbox, redis_url: str, tenant: str
) -> None:
    env = environment(slack, redis_url, tenant)
    async with a_connected_bot(slack, env):
        pass
    async with a_connected_bot(slack, env | {"REDIS_URL": redis_url.removesuffix("/0") + "/1"}) as bot:
        await until(lambda: _is_refused(bot))
    async with a_connected_bot(slack, env) as bot:
        await until(lambda: _is_served(bot))


async def test_a_redis_that_was_only_away_goes_on_with_its_approvals(
    slack: Sandbox, tenant: str, server: RedisServer
) -> None:
    async with (
        Approvals.connect(server.url, agent="billing", tenant=tenant) as approvals,
        a_connected_bot(slack, environment(slack, server.url, tenant)),
    ):
        approved = await _approved(slack, approvals)
        await server.kill()
        await server.restart()
        assert (await approvals.claim(approved)).args == REFUND


async def test_a_counter_that_was_deleted_by_hand_is_noticed(
    slack: Sandbox, redis_url: str, tenant: str
) -> None:
    async with a_connected_bot(slack, environment(slack, redis_url, tenant)) as bot:
        await until(lambda: _has_seen(bot, 1))
        await bot.redis.delete(key(tenant, "audit:seq"))
        await until(lambda: _is_refused(bot))
        await bot.redis.set(key(tenant, "audit:seq"), 1)
        await until(lambda: _is_served(bot))


async def _has_seen(bot: Service, seq: int) -> bool:
    continuity = bot.continuity
    return continuity is not None and continuity._seen is not None and continuity._seen.seq >= seq


async def _is_refused(bot: Service) -> bool:
    return bot.continuity is not None and bot.continuity.fault is not None


async def _is_served(bot: Service) -> bool:
    return bot.continuity is not None and bot.continuity.fault is None
