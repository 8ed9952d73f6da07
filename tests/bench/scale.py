"""Very many requests that wait: what each takes of Redis, deciding one, serving again after a restart."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from approvals import Approvals
from approvals.commands import Approve
from approvals.ids import new_id
from approvals.keys import key
from approvals.model import RequestId
from bot.sandbox.server import Sandbox
from tests.bench.child import a_child
from tests.bench.ground import CHANNEL_ID, TENANT, Ground, a_ground, one_by_one
from tests.bench.report import Cost
from tests.bench.times import Times
from tests.bench.walks import Wall
from tests.builders import REFUND, a_person
from tests.running import until

AT_ONCE = 1000  # copied by one script
ROUNDS = 5  # in which few and many take turns
TS = "1.000000"  # of the first card
WRITTEN_S = 300.0  # until Redis has rewritten its file

# Write what is kept of one request again, under other ids: the store itself would take an hour for a million.
_COPY = """\
local commands = cjson.decode(ARGV[1])
for index = 2, #ARGV do
  local own = {id = ARGV[index], short = ARGV[index]:sub(1, 8), ts = ARGV[index]:sub(12)}
  for _, command in ipairs(commands) do
    local said = {}
    for place, word in ipairs(command) do
      said[place] = word:gsub("<(%l+)>", own)
    end
    redis.call(unpack(said))
  end
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many wait."""

    kept: int = 1_000_000
    few: int = 1000
    decided: int = 500  # of each
    restarted: int = 100_000


FULL = Size()
QUICK = Size(kept=50, few=10, decided=5, restarted=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What was measured of so many."""

    size: Size
    memory_bytes: float  # of each, the audit log not counted
    card_bytes: float  # of that, for where its card is
    few: Times  # to decide one
    many: Times
    serving_s: float  # from the start of Redis to the first click that is acknowledged
    redis_s: float  # of that, until Redis answers


async def measure(directory: Path, size: Size) -> Scale:
    """Measure all of it, on Redis servers of its own."""
    async with a_ground(directory / "few") as few, a_ground(directory / "many") as many:
        await _fill(few, size.few)
        memory, card = await _fill(many, size.kept)
        rounds = [
            (await _decided(few, size.decided // ROUNDS), await _decided(many, size.decided // ROUNDS))
            for _ in range(ROUNDS)
        ]
    async with a_ground(directory / "restarted") as ground:
        await _fill(ground, size.restarted)
        redis_s, serving_s = await _served_again(ground)
    return Scale(
        size=size,
        memory_bytes=memory,
        card_bytes=card,
        few=Times.joined(each for each, _ in rounds),
        many=Times.joined(each for _, each in rounds),
        serving_s=serving_s,
        redis_s=redis_s,
    )


async def _fill(ground: Ground, count: int) -> tuple[float, float]:
    """Have `count` pending, like one that the store has written. What each takes, and its card of that."""
    await ground.fill(1)
    commands = await _commands(ground.redis)
    await ground.redis.config_set("appendonly", "no")
    copy, before = ground.redis.register_script(_COPY), await ground.memory_bytes()
    for first in range(1, count, AT_ONCE):
        ids = [new_id() for _ in range(min(AT_ONCE, count - first))]
        await copy(args=[json.dumps(commands), *ids])
    weight = (await ground.memory_bytes() - before) / (count - 1)
    await ground.redis.config_set("appendonly", "yes")
    await until(ground.is_quiet, timeout_s=WRITTEN_S)
    cards = [key(TENANT, "cards", await _first(ground.redis)), key(TENANT, "message", CHANNEL_ID, TS)]
    return weight, sum([int(await ground.redis.memory_usage(name, samples=0) or 0) for name in cards])


async def _commands(redis: Redis) -> list[list[str]]:
    """What writes all that is kept of the only request there is, but for the log, for an `<id>`."""
    id = await _first(redis)
    short = str(await redis.hget(key(TENANT, "request", id), "short"))
    return [
        [word.replace(id, "<id>").replace(short, "<short>").replace(TS, "<ts>") for word in command]
        async for name in redis.scan_iter(count=1000)
        for command in await _command(redis, str(name))
        if any(id in word for word in command)
    ]


async def _command(redis: Redis, name: str) -> list[list[str]]:
    """What writes a key."""
    match await redis.type(name):
        case "hash":
            items = (await redis.hgetall(name)).items()
            written = [["HSET", name, str(field), str(value)] for field, value in items]
        case "zset":
            found = redis.zscan_iter(name)
            written = [["ZADD", name, f"{score:.0f}", str(member)] async for member, score in found]
        case "string":
            written = [["SET", name, str(await redis.get(name))]]
        case _:
            written = []
    ttl = int(await redis.ttl(name))
    return [*written, ["EXPIRE", name, str(ttl)]] if ttl > 0 else written


async def _first(redis: Redis) -> RequestId:
    return RequestId(str((await redis.zrange(key(TENANT, "pending"), 0, 0))[0]))


async def _decided(ground: Ground, count: int) -> Times:
    """Decide so many, one by one."""
    seconds = []
    for request in await ground.store.pending(limit=count):
        began = time.perf_counter()
        await ground.store.change(request.id, Approve(by=a_person(), seen=request.fingerprint))
        seconds.append(time.perf_counter() - began)
    return Times(tuple(seconds))


async def _served_again(ground: Ground) -> tuple[float, float]:
    """Redis is killed and the service ended; both are started again, and somebody clicks."""
    async with Sandbox(rate_limits=False) as slack:
        env, wall = one_by_one(slack, ground.url), Wall(slack)
        async with (
            a_child("service", slack, env),
            Approvals.connect(ground.url, agent="billing", tenant=TENANT) as approvals,
        ):
            ticket = await approvals.submit("refund", REFUND)
            card, _ = await wall.card(ticket.id)
        await slack.until(lambda: slack.connections == 0)
        await ground.server.kill()
        began = time.perf_counter()
        await ground.server.restart()
        answers = time.perf_counter()
        async with a_child("service", slack, env):
            clicked = await slack.person("U0ANA").press("Approve", card)
            assert clicked.ok, clicked
            return answers - began, time.perf_counter() - began


def costs(scale: Scale) -> list[Cost]:
    size, few, many = scale.size, scale.few, scale.many
    return [
        Cost(
            what=f"GiB of {size.kept:,} pending requests, without the log",
            value=scale.memory_bytes * size.kept / 2**30,
            digits=2,
            note=f"{scale.memory_bytes:.0f} bytes each, {scale.card_bytes:.0f} of them where its card is;"
            " aim: 1.2 GiB",
        ),
        Cost(
            what=f"Decide p99 with {size.kept:,} pending, × of {size.few:,}",
            value=many.p99_ms / few.p99_ms,
            digits=2,
            note=f"aim: at most 1.2; {many.p50_ms:.2f} and {many.p99_ms:.2f} ms,"
            f" beside {few.p50_ms:.2f} and {few.p99_ms:.2f}",
        ),
        Cost(
            what=f"Seconds until {size.restarted:,} pending are served again",
            value=scale.serving_s,
            digits=1,
            note=f"aim: 10, until a click is acknowledged; Redis was killed, and answered after"
            f" {scale.redis_s:.1f} s",
        ),
    ]
