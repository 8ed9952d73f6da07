"""A Redis with a replica, of the class `replicated`: cut off from each other, then the first is lost.

What was acknowledged is with the replica, which takes over; what only the lost one had, nobody was told of.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bot.redis_server import RedisServer
from tests.proof.figures import Figures
from tests.proof.kills import END_S, LOOK_S, Field, a_field, figures_of
from tests.proof.relay import Tunnel

CALLS = 60
FAILOVERS, PARTITIONS, BOT_KILLS = 4, 2, 3
PARTED_S = 2.0  # during which people click, and are to be told that it is not safe yet


class Pair:
    """Two servers; which of them is the primary changes. All who write come through `front`."""

    def __init__(self, first: RedisServer, second: RedisServer) -> None:
        self.primary, self._replica = first, second
        self.front = Tunnel(lambda: ("127.0.0.1", self.primary.port))
        self._between = Tunnel(lambda: ("127.0.0.1", self.primary.port))

    async def __aenter__(self) -> Pair:
        await self.front.__aenter__()
        await self._between.__aenter__()
        await self._follow()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._between.__aexit__(None, None, None)
        await self.front.__aexit__(None, None, None)

    async def part(self) -> None:
        """The replica hears nothing for a while."""
        self._between.stop()
        await asyncio.sleep(PARTED_S)
        self._between.go_on()

    async def fail_over(self) -> None:
        """Cut off from its replica it goes on for a while, and is lost; what it had alone is gone."""
        self._between.stop()
        await asyncio.sleep(PARTED_S)
        await self.primary.kill()
        self.front.drop()
        self._between.drop()
        await _do(self._replica, "REPLICAOF", "NO", "ONE")
        self.primary, self._replica = self._replica, self.primary
        self._between.go_on()
        await self._replica.restart()  # and forgets what it alone had, as it follows now
        await self._follow()

    async def _follow(self) -> None:
        await _do(self._replica, "REPLICAOF", "127.0.0.1", str(self._between.port))
        async with asyncio.timeout(END_S), Redis.from_url(self._replica.url) as redis:
            while (await redis.info("replication")).get("master_link_status") != "up":  # noqa: ASYNC110 - it calls nobody
                await asyncio.sleep(LOOK_S)


async def _do(server: RedisServer, *command: str) -> Any:
    async with Redis.from_url(server.url) as redis:
        return await redis.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py left it so


async def failed_over(seed: int) -> Figures:
    """One course, to its end."""
    with tempfile.TemporaryDirectory(prefix="failover-") as name:
        directory = Path(name)
        async with (
            RedisServer(directory / "first", appendfsync="always") as first,
            RedisServer(directory / "second", appendfsync="always") as second,
            Pair(first, second) as pair,
            a_field(
                directory,
                pair.front.url,
                seed,
                CALLS,
                APPROVALS_DURABILITY="replicated",
                APPROVALS_REPLICAS="1",
            ) as field,
        ):
            await _strike(field, pair)
            await field.ended()
            return figures_of("failover", field, await field.books(), seed)


async def _strike(field: Field, pair: Pair) -> None:
    await field.strike_all(
        {
            "failover": (FAILOVERS, pair.fail_over),
            "partition": (PARTITIONS, pair.part),
            "bot": (BOT_KILLS, field.kill_bot),
        }
    )


def run(scale: int) -> list[Figures]:
    return [asyncio.run(failed_over(20261121 + number)) for number in range(scale)]
