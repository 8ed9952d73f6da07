"""Who is believed: the first key, made once, and whom a believed one has endorsed. Nobody else is."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from approvals import signing_keys, wire
from approvals.dsse import Envelope, SigningKey
from approvals.errors import InvalidCall, NotSigned
from approvals.keys import key
from approvals.model import Actor, Status, Via
from approvals.signed import sign
from approvals.signing_keys import CannotSign, SigningKeys
from approvals.store import Store
from approvals.trusted_keys import PUBLIC_KEYS, Anchors, PublicKey, TrustedKeys
from bot.vault import Vault
from tests.approvals.deciding import an_approval
from tests.builders import T0, VAULT

ROOT = Actor(id="operator:root", name="root")
THIEF = SigningKey.made()


@pytest.fixture
async def keys(redis: Redis, tenant: str) -> SigningKeys:
    keys = SigningKeys(redis, tenant, VAULT)
    await keys.start()
    return keys


def signed_by(keys: SigningKeys | SigningKey) -> Envelope:
    request, event = an_approval()
    return sign(keys, request, event, Via.SLACK)


async def listed(redis: Redis, tenant: str) -> tuple[PublicKey, ...]:
    return wire.read(PUBLIC_KEYS, str(await redis.get(key(tenant, "signing:public"))))


async def test_of_many_first_starts_one_makes_the_key_and_all_have_it(redis: Redis, tenant: str) -> None:
    many = [SigningKeys(redis, tenant, VAULT) for _ in range(8)]
    async with asyncio.TaskGroup() as group:
        for each in many:
            group.create_task(each.start())
    assert len({each.current.public for each in many}) == 1
    assert [entry.event async for entry in Store(redis, tenant).log()] == ["signing_key_made"]


async def test_what_agents_can_read_holds_no_private_half(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    assert [each.key for each in await listed(redis, tenant)] == [keys.current.public]
    kept = await redis.hgetall(key(tenant, "signing"))
    private = keys.current.private.private_bytes_raw()
    assert private.hex() not in json.dumps(kept) and private not in json.dumps(kept).encode()


async def test_another_secret_opens_nothing_and_says_what_to_do(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    other = SigningKeys(redis, tenant, Vault("not the secret that the first process had"))
    with pytest.raises(CannotSign, match="APPROVALS_SECRET"):
        await other.start()
    with pytest.raises(CannotSign, match="--lost-secret"):
        await other.rotate(ROOT)
    made = await other.rotate(ROOT, is_lost=True)
    assert made.public.endorsement is None and other.current.public == made.public.key


async def test_an_agent_believes_whom_it_saw_first_and_whom_that_one_endorsed(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    agent, before = TrustedKeys(redis, tenant), signed_by(keys)
    await agent.decision(before)
    await keys.rotate(ROOT)
    await keys.rotate(ROOT)
    assert (await agent.decision(signed_by(keys))).status == Status.APPROVED
    assert (await agent.decision(before)).status == Status.APPROVED


@pytest.mark.attack("J22")
@pytest.mark.parametrize("is_pinned", [True, False], ids=["pinned", "seen"])
async def test_an_agent_believes_nobody_who_only_wrote_himself_into_redis(
    keys: SigningKeys, redis: Redis, tenant: str, is_pinned: bool
) -> None:
    agent = TrustedKeys(redis, tenant, Anchors(pinned=(keys.current.public,) if is_pinned else ()))
    await agent.decision(signed_by(keys))
    mine = THIEF.envelope("application/vnd.countersign.key+json", b"{}")
    for endorsement in (None, mine):
        line = PublicKey(key=THIEF.public, since=T0, endorsement=endorsement)
        lines = (*await listed(redis, tenant), line)
        await redis.set(key(tenant, "signing:public"), wire.write(PUBLIC_KEYS, lines))
        with pytest.raises(NotSigned, match="no key that is trusted"):
            await agent.decision(signed_by(THIEF))


async def test_who_pins_a_key_believes_no_other_first_sight(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    lines = (PublicKey(key=THIEF.public, since=T0),)
    await redis.set(key(tenant, "signing:public"), wire.write(PUBLIC_KEYS, lines))
    pinning = TrustedKeys(redis, tenant, Anchors(pinned=(keys.current.public,)))
    assert (await pinning.decision(signed_by(keys))).status == Status.APPROVED
    with pytest.raises(NotSigned):
        await pinning.decision(signed_by(THIEF))


@pytest.mark.attack("I111")
async def test_an_endorsement_counts_for_its_tenant_alone(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    await keys.rotate(ROOT)
    agent = TrustedKeys(redis, f"{tenant}2", Anchors(pinned=((await listed(redis, tenant))[0].key,)))
    await redis.set(key(f"{tenant}2", "signing:public"), str(await redis.get(key(tenant, "signing:public"))))
    with pytest.raises(NotSigned):
        await agent.decision(signed_by(keys))


async def test_a_retired_key_is_believed_no_longer(keys: SigningKeys, redis: Redis, tenant: str) -> None:
    before = signed_by(keys)
    with pytest.raises(InvalidCall, match="rotate first"):
        await keys.retire(1, ROOT)
    await keys.rotate(ROOT)
    await keys.retire(1, ROOT)
    await keys.start()
    with pytest.raises(NotSigned):
        await TrustedKeys(redis, tenant).decision(before)
    assert keys.keys.keys() == {keys.current.name}
    with pytest.raises(InvalidCall, match="no key 1"):
        await keys.retire(1, ROOT)


async def test_a_running_agent_drops_a_retired_key_and_keeps_whom_it_had_met(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    agent, late, before = TrustedKeys(redis, tenant), TrustedKeys(redis, tenant), signed_by(keys)
    await late.decision(before)
    await keys.rotate(ROOT)
    await agent.decision(signed_by(keys))
    await keys.retire(1, ROOT)
    await keys.rotate(ROOT)
    assert (await agent.decision(signed_by(keys))).status == Status.APPROVED
    for one, signed in ((agent, before), (late, signed_by(keys))):
        with pytest.raises(NotSigned, match="no key that is trusted"):
            await one.decision(signed)


async def test_a_rotated_key_leaves_the_list_after_thirty_days(
    keys: SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keys.rotate(ROOT)
    assert [each.number for each in await keys.all()] == [1, 2]
    monkeypatch.setattr(signing_keys, "OVERLAP", timedelta(0))
    assert [each.number for each in await keys.all()] == [2]


async def test_the_service_believes_no_key_that_its_secret_does_not_open(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    kept = json.loads(str(await redis.hget(key(tenant, "signing"), "1")))
    await redis.hset(key(tenant, "signing"), "0", json.dumps(kept | {"key": THIEF.public}))
    await keys.start()
    assert keys.keys.keys() == {keys.current.name}


async def test_two_who_rotate_at_once_make_one_key_or_are_told(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    other = SigningKeys(redis, tenant, VAULT)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_rotated(each)) for each in (keys, other)]
    assert sum(task.result() for task in tasks) == len(await keys.all()) - 1


async def _rotated(keys: SigningKeys) -> bool:
    try:
        await keys.rotate(ROOT)
    except InvalidCall:
        return False
    return True


@pytest.mark.attack("D65")
async def test_where_redis_has_lost_everything_the_service_goes_on_with_its_key(
    keys: SigningKeys, redis: Redis, tenant: str
) -> None:
    before = keys.current.public
    await redis.flushall()
    await keys.start()
    assert [each.key for each in await listed(redis, tenant)] == [before]
