"""Whose key is whose, as the service keeps it: nobody else adds one, and each change is in the log."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from approvals.approver_keys import MOST, ApproverKey, ApproverKeys, is_of, ssh_key
from approvals.errors import InvalidCall
from approvals.keys import key
from approvals.model import Actor, PersonId, Via
from approvals.sshsig import read_key
from approvals.store import Store
from bot.vault import Vault
from tests.builders import T0, VAULT
from tests.ssh_keys import Key

ANA, LEE, OPS = PersonId("U0ANA"), PersonId("U0LEE"), Actor(id="operator:ops", name="ops")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        yield redis


@pytest.fixture
def keys(redis: Redis, tenant: str) -> ApproverKeys:
    return ApproverKeys(redis, tenant, VAULT)


def an_ssh_key(one: Key | None = None) -> ApproverKey:
    return ssh_key((one or Key()).line, T0)


async def test_a_key_counts_from_when_it_is_added_until_it_is_removed(
    keys: ApproverKeys, redis: Redis, tenant: str
) -> None:
    hers = Key()
    public, _ = read_key(hers.line)
    await keys.add(ANA, an_ssh_key(hers), OPS, Via.CLI)
    assert is_of(public, await keys.of(ANA)) and not is_of(public, await keys.of(LEE))
    await keys.remove(ANA, public.name, OPS)
    assert await keys.all() == {}
    with pytest.raises(InvalidCall, match="has no key"):
        await keys.remove(ANA, public.name, OPS)
    entries = [(each.event, each.actor) for each in await Store(redis, tenant).entries()]
    assert entries == [("approver_key_added", OPS.id), ("approver_key_removed", OPS.id)]


async def test_a_key_is_one_person_s_and_nobody_has_too_many(keys: ApproverKeys) -> None:
    shared = an_ssh_key()
    await keys.add(ANA, shared, OPS, Via.CLI)
    for person in (ANA, LEE):
        with pytest.raises(InvalidCall, match="a key of U0ANA already"):
            await keys.add(person, shared, OPS, Via.CLI)
    for _ in range(MOST - 1):
        await keys.add(ANA, an_ssh_key(), OPS, Via.CLI)
    with pytest.raises(InvalidCall, match="remove one first"):
        await keys.add(ANA, an_ssh_key(), OPS, Via.CLI)


async def test_what_this_service_has_not_sealed_for_them_is_no_key_of_theirs(
    keys: ApproverKeys, redis: Redis, tenant: str
) -> None:
    one, register = an_ssh_key(), key(tenant, "approver:keys")
    await ApproverKeys(redis, tenant, Vault("x" * 40)).add(ANA, one, OPS, Via.CLI)
    await redis.hset(register, "U0LEE SHA256:plain", '{"kind": "ssh"}')
    assert await keys.all() == {}
    with pytest.raises(InvalidCall, match="another secret"):
        await keys.add(ANA, one, OPS, Via.CLI)
    await keys.remove(ANA, one.name, OPS)
    await keys.add(ANA, one, OPS, Via.CLI)
    moved = str(await redis.hget(register, f"U0ANA {one.name}"))
    await redis.hset(register, f"U0LEE {one.name}", moved)
    assert list(await keys.all()) == [ANA]
    assert list(await ApproverKeys(redis, f"{tenant}b", VAULT).all()) == []


async def test_a_passkey_that_was_removed_is_not_brought_back_by_its_last_use(keys: ApproverKeys) -> None:
    one = ApproverKey(kind="passkey", name="SHA256:x", key="k", credential="c", since=T0)
    await keys.add(ANA, one, OPS, Via.WEB)
    await keys.count(ANA, one, 7)
    assert [each.uses for each in await keys.of(ANA)] == [7]
    await keys.remove(ANA, one.name, OPS)
    await keys.count(ANA, one, 8)
    assert await keys.of(ANA) == []
