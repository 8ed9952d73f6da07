"""When the retention of what has ended is over, Redis knows nothing of it but the log."""

from typing import Any

import pytest
from redis.asyncio import Redis

from approvals import Approvals
from approvals.keys import key
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import the_card, until
from tests.stories.watching import REFUND

# docs/redis.md: the log, what wakes agents, which request a key of `submit` stands for, bursts (10 s).
STAYS = ("audit", "wake", "key", "arrivals")


@pytest.fixture
def policy() -> str:
    return 'version = 1\n\n[defaults]\nretention = "1s"\nburst = 0\n'


@pytest.mark.usefixtures("bot")
async def test_nothing_is_left_of_requests_whose_retention_is_over(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str, tenant: str
) -> None:
    ana = slack.person("U0ANA")
    run = await approvals.submit("refund", REFUND, key="inv-881")
    assert (await ana.press("Approve", await the_card(slack, "c_42"))).ok
    await approvals.wait(run.id, timeout=20)
    await approvals.claim(run.id)
    await approvals.receipt(run.id, ok=True, result="re_1")
    gone = await approvals.submit("refund", REFUND | {"customer": "c_17"})
    await the_card(slack, "c_17")
    await approvals.cancel(gone.id)
    async with Redis.from_url(redis_url, decode_responses=True) as redis:

        async def nothing_left() -> bool:
            return not await _naming(redis, tenant, run.id, gone.id)

        await until(nothing_left)
    assert {entry.request for entry in await bot.store.entries()} >= {run.id, gone.id}


async def _naming(redis: Redis, tenant: str, *ids: str) -> list[str]:
    """Every key that names one of them, or holds its name."""
    found = []
    async for name in redis.scan_iter(f"cs:{{{tenant}}}:*"):
        kind = str(name).removeprefix(key(tenant, "pending").removesuffix("pending")).split(":")[0]
        told = f"{name} {await _content(redis, name)}"
        if kind not in STAYS and any(id in told for id in ids):
            found.append(str(name))
    return found


async def _content(redis: Redis, name: str) -> Any:
    match await redis.type(name):
        case "hash":
            return await redis.hgetall(name)
        case "set":
            return await redis.smembers(name)
        case "zset":
            return await redis.zrange(name, 0, -1)
        case "stream":
            return await redis.xrange(name)
        case _:
            return await redis.get(name)
