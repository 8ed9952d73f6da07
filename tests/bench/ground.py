"""What everything is measured on: a private Redis that fsyncs every write, and requests that wait in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from approvals.canonical import encode
from approvals.cards import Cards, Place, Posted
from approvals.keys import key
from approvals.model import Args, Request, RequestId, Tenant
from approvals.redis_door import open_redis
from approvals.signing_keys import SigningKeys
from approvals.store import Store
from bot.redis_server import RedisServer
from bot.sandbox.server import Sandbox
from tests.builders import VAULT, a_request, terms
from tests.running import environment, until

TENANT = Tenant("bench")
CHANNEL = "#approvals"
CHANNEL_ID = "C0APPROVALS"
ARGS_BYTES = 512
AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One Redis, with the doors that the service has to it."""

    server: RedisServer
    redis: Redis
    signing: SigningKeys
    store: Store
    cards: Cards

    @property
    def url(self) -> str:
        return self.server.url

    async def one_more(self) -> Request:
        """A request that waits for a click, and is drawn nowhere."""
        request = await self.store.create(a_request(tenant=TENANT))
        await self.draw_nothing()
        return request

    async def fill(self, count: int) -> None:
        """Have `count` more requests pending, as they are once their cards are posted; ARGS_BYTES of args."""
        numbers = iter(range(count))

        async def some() -> None:
            for number in numbers:
                request = await self.store.create(_with_args(number))
                ts = f"{number + 1}.000000"
                posted = Posted(place=Place(CHANNEL_ID), channel=CHANNEL_ID, ts=ts, version=request.version)
                await self.cards.record(
                    request.id, replace(posted, fingerprint=request.fingerprint, state="0" * 16)
                )

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(some())
        await self.draw_nothing()
        # So many at once make Redis rewrite its file, which slows whatever comes meanwhile.
        await until(self.is_quiet, timeout_s=300)

    async def waiting(self, count: int) -> list[RequestId]:
        """The ids of `count` requests that are pending, of which so many are made as there aren't."""
        pending = key(TENANT, "pending")
        await self.fill(count - await self.redis.zcard(pending))
        return [RequestId(str(id)) for id in await self.redis.zrange(pending, 0, count - 1)]

    async def draw_nothing(self) -> None:
        """Take everything off the list of what is to be drawn, as if it had been."""
        await self.redis.delete(key(TENANT, "draw"))

    async def is_quiet(self) -> bool:
        """Whether Redis isn't rewriting its file."""
        told = await self.redis.info("persistence")
        return not told["aof_rewrite_in_progress"] and not told["aof_rewrite_scheduled"]

    async def memory_bytes(self) -> int:
        return int((await self.redis.info("memory"))["used_memory"])

    async def log_bytes(self) -> int:
        return int(await self.redis.memory_usage(key(TENANT, "audit"), samples=0) or 0)

    async def cpu_s(self) -> float:
        """What Redis has used of the processor."""
        told = await self.redis.info("cpu")
        return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])

    async def trips(self) -> int:
        """How often Redis has read what a client sent."""
        return int((await self.redis.info("stats"))["total_reads_processed"])

    async def commands(self) -> int:
        """How many commands Redis has carried out, those within scripts included."""
        told: dict[str, Any] = await self.redis.info("commandstats")
        return sum(int(each["calls"]) for each in told.values())


@asynccontextmanager
async def a_ground(directory: Path) -> AsyncIterator[Ground]:
    """An empty ground. The service's own default of Redis, and the promise, is appendfsync always."""
    async with RedisServer(directory, appendfsync="always") as server, open_redis(server.url) as redis:
        signing = SigningKeys(redis, TENANT, VAULT)
        await signing.start()
        store, cards = Store(redis, TENANT, signing), Cards(redis, TENANT)
        yield Ground(server=server, redis=redis, signing=signing, store=store, cards=cards)


def one_by_one(slack: Sandbox, redis_url: str, **more: str) -> dict[str, str]:
    """The environment of a service that gives each request a card, however many come at once."""
    policy = str(Path(__file__).parent / "one_by_one.toml")
    return environment(slack, redis_url, TENANT, APPROVALS_POLICY=policy, **more)


def _with_args(number: int) -> Request:
    args: Args = {"customer": f"c_{number:06d}", "amount": 940, "note": ""}
    args["note"] = "x" * (ARGS_BYTES - len(encode(args)))
    return a_request(tenant=TENANT, args=args, terms=terms(deadline_s=7 * 24 * 3600))
