"""Every script, run again because its reply was lost: the same answer, and one effect."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

import approvals
from approvals.budgets import Budgets
from approvals.cards import Cards
from approvals.checkpoint_book import CheckpointBook
from approvals.commands import Approve
from approvals.digest import Digest, Row, new_digest_id
from approvals.digests import Digests, Queue
from approvals.errors import Unavailable
from approvals.ids import new_id
from approvals.keys import key
from approvals.log_tree import LogTree
from approvals.model import Request, Via
from approvals.policy import Spend, Stage
from approvals.redis_door import open_redis, script, translated
from approvals.stages import Stages
from approvals.store import Store
from tests.builders import SIGNER, a_person, a_request
from tests.lossy_line import LossyLine

LUA = Path(approvals.__file__).parent / "lua"
SHAS = {path.stem: hashlib.sha1(path.read_bytes()).hexdigest() for path in LUA.glob("*.lua")}  # noqa: S324 - as Redis names scripts
SOON = datetime(2030, 1, 1, tzinfo=UTC)
QUEUE = Queue("refunds", "C0APPROVALS")
ANA = a_person().actor

Deed = Callable[[Redis, str, Request], Awaitable[object]]


async def change(redis: Redis, tenant: str, request: Request) -> object:
    yes = Approve(by=a_person(), seen=request.fingerprint)
    return await Store(redis, tenant, SIGNER).change(request.id, yes)


async def gather(redis: Redis, tenant: str, request: Request) -> object:
    return await Digests(redis, tenant).make(a_digest(tenant, request))


async def amend(redis: Redis, tenant: str, request: Request) -> object:
    digests, digest = Digests(redis, tenant), a_digest(tenant, request)
    await digests.make(digest)
    return await digests.save(digest, replace(digest, version=digest.version + 1))


async def done(redis: Redis, tenant: str, request: Request) -> object:
    return await Cards(redis, tenant).drawn(request.id, request.version)


async def refuse(redis: Redis, tenant: str, _: Request) -> object:
    return await Store(redis, tenant).refuse("R-NONE", ANA, "approve", "there is none", Via.SLACK)


async def erase(redis: Redis, tenant: str, request: Request) -> None:
    entries = await Store(redis, tenant).entries()
    await CheckpointBook(redis, tenant).erase(request.id, entries, ANA, "they asked for it")


async def spend(redis: Redis, tenant: str, request: Request) -> object:
    wanted = Spend(key="0" * 64, amount=5, count_limit=1, sum_limit=9, window_s=3600)
    return await Budgets(redis, tenant).take(wanted, request.id)


async def swap(redis: Redis, tenant: str, _: Request) -> object:
    with translated(redis):
        return await script(redis, "swap")(keys=[key(tenant, "installed")], args=["T0ACME", "", "sealed"])


def a_digest(tenant: str, request: Request) -> Digest:
    rows = (Row(request_id=request.id, fingerprint=request.fingerprint, is_ready=True),)
    return Digest(
        id=new_digest_id(),
        tenant=tenant,
        name="refunds",
        channel="C0APPROVALS",
        made_at=datetime.now(UTC),
        rows=rows,
    )


DEEDS: dict[str, Deed] = {
    "create": lambda redis, tenant, request: Store(redis, tenant, SIGNER).create(
        replace(request, id=new_id())
    ),
    "commit": change,
    "claim": lambda redis, tenant, _: Cards(redis, tenant).claim(10, 60),
    "done": done,
    "hold": lambda redis, tenant, request: Digests(redis, tenant).hold(request, QUEUE, SOON),
    "gather": gather,
    "amend": amend,
    "note": lambda redis, tenant, request: Stages(redis, tenant).set(
        "refund", Stage.APPROVAL, ANA, request.id
    ),
    "refuse": refuse,
    "spend": spend,
    "grow": lambda redis, tenant, _: LogTree(redis, tenant).grow(0, [bytes(32)] * 3),
    "erase": erase,
    "swap": swap,
}


def test_there_is_a_deed_for_every_script() -> None:
    assert DEEDS.keys() == SHAS.keys()


@pytest.mark.attack("D69")
@pytest.mark.parametrize("verb", DEEDS)
async def test_run_again_it_says_the_same_and_does_nothing_more(
    redis_url: str, tenant: str, verb: str
) -> None:
    async with open_redis(redis_url) as redis:
        request = await Store(redis, tenant, SIGNER).create(a_request(id=new_id(), tenant=tenant))
        await redis.script_load((LUA / f"{verb}.lua").read_text())
        untouched = await everything(redis, tenant)
        async with LossyLine(redis_url) as line, open_redis(line.url) as far:
            line.lose_reply_to(SHAS[verb].encode())
            with suppress(Unavailable):  # unless whoever asked has asked again
                await DEEDS[verb](far, tenant, request)
        assert line.has_lost
        once = await everything(redis, tenant)
        assert once != untouched
        first, second = await again(redis_url, line.lost), await again(redis_url, line.lost)
        assert first == second and not first.startswith(b"-")
        assert await everything(redis, tenant) == once
        if verb != "claim":  # what is leased is not given out twice: it comes again when the lease ends
            assert first not in (b":0\r\n", b"$-1\r\n", b"*-1\r\n")


async def everything(redis: Redis, tenant: str) -> dict[str, object]:
    """All that is kept of the tenant. (DUMP would not do: its compression is not always the same.)"""
    readers: dict[str, Callable[[str], Awaitable[object]]] = {
        "string": redis.get,
        "hash": redis.hgetall,
        "set": redis.smembers,
        "zset": lambda name: redis.zrange(name, 0, -1, withscores=True),
        "stream": lambda name: redis.xrange(name),
    }
    names = [str(name) async for name in redis.scan_iter(f"cs:{{{tenant}}}:*")]
    return {name: await readers[str(await redis.type(name))](name) for name in names}


async def again(redis_url: str, sent: bytes) -> bytes:
    """Send the very same bytes once more, as a client that repeats by itself would."""
    to = urlsplit(redis_url)
    reader, writer = await asyncio.open_connection(to.hostname, to.port)
    writer.write(sent + b"PING\r\n")
    async with asyncio.timeout(5):
        reply = (await reader.readuntil(b"+PONG\r\n")).removesuffix(b"+PONG\r\n")
    writer.close()
    await writer.wait_closed()
    return reply
