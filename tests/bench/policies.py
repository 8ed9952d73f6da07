"""What a policy's answer costs beside bare CEL; and budgets and quorums that many want at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from cel_expr_python import cel  # type: ignore[import-untyped]  # it has stubs, but no py.typed
from redis.asyncio import Redis

from approvals.budgets import Budgets
from approvals.commands import Approve
from approvals.errors import AlreadyResolved
from approvals.ids import new_id
from approvals.model import AgentName, Args, Kind, PersonId, RequestId, Status
from approvals.policy import Facts, Spend, parse, terms_for
from approvals.policy.deciding import spend_key
from approvals.redis_door import open_redis
from approvals.store import Store
from tests.bench.ground import TENANT, Ground
from tests.bench.times import Times
from tests.builders import a_person, a_request, terms

RULES = (10, 100, 1000)
WRITERS = 64
REPLICAS = 4  # as many connections, each with a store of its own
QUORUM = WRITERS // 2  # who come later find it decided
ARGS: Args = {"customer": "c_42", "amount": 940, "currency": "USD"}
WHEN = "args.amount > {} && args.currency == 'USD'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """How long the answer took that only the last of so many rules gives."""

    rules: int
    times: Times
    loaded_s: float  # the whole file, read and checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Contended:
    """What WRITERS did at once; that it came out exactly has been checked."""

    per_s: float
    done: int
    granted: int


def decisions(count: int) -> list[Decided]:
    """Judge one call under each policy. Every rule is for its tool, and every condition is evaluated."""
    return [_decided(rules, count) for rules in RULES]


def _decided(rules: int, count: int) -> Decided:
    text = ["version = 1"]
    for number in range(rules):
        amount = 10_000 - number if number < rules - 1 else 0
        text.append(f'[[rule]]\nname = "rule {number}"\ntools = ["refund"]\nwhen = "{WHEN.format(amount)}"')
    began = time.perf_counter()
    policy = parse("\n".join(text))
    loaded_s = time.perf_counter() - began
    facts = Facts(
        kind=Kind.ACTION, tool="refund", args=ARGS, agent=AgentName("billing"), now=datetime.now(UTC)
    )
    assert terms_for(policy, facts).rule == f"rule {rules - 1}"
    times = _timed(lambda: terms_for(policy, facts), max(count // rules, 20))
    return Decided(rules=rules, times=times, loaded_s=loaded_s)


def bare_cel(count: int) -> Times:
    """One such condition, compiled before, with nothing around it: a call is handed over and evaluated."""
    environment = cel.NewEnv(variables={"args": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
    program = environment.compile(WHEN.format(5000))
    assert program.eval(environment.Activation({"args": ARGS})).value() is False
    return _timed(lambda: program.eval(environment.Activation({"args": ARGS})).value(), count)


def _timed(work: Callable[[], object], count: int) -> Times:
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return Times(tuple(seconds))


# -- many at once -------------------------------------------------------------------------------------


async def budget(ground: Ground, count: int) -> Contended:
    """WRITERS take from one budget that half of them exhaust, `count` times each."""
    wanted, limit = WRITERS * count, WRITERS * count // 2
    spend = Spend(
        key=spend_key("bench", new_id()),
        amount=3,
        count_limit=None,
        sum_limit=3 * limit,
        window_s=3600,
    )
    async with _connections(ground) as connections:
        budgets = [Budgets(redis, TENANT) for redis in connections]

        async def take(writer: int) -> int:
            mine = budgets[writer % REPLICAS]
            return sum([await mine.take(spend, new_id()) for _ in range(count)])

        granted, seconds = await _at_once(take)
    assert granted == limit, f"{granted} were granted, {limit} there were"
    return Contended(per_s=wanted / seconds, done=wanted, granted=granted)


async def quorum(ground: Ground, count: int) -> Contended:
    """WRITERS approve each of `count` requests at once, of whom half are needed."""
    made = []
    for _ in range(count):
        request = a_request(tenant=TENANT, terms=terms(quorum=QUORUM))
        made.append((await ground.store.create(request)).id)
    async with _connections(ground) as connections:
        stores = [Store(redis, TENANT, ground.signing) for redis in connections]

        async def approve(writer: int) -> int:
            return sum([await _approved(stores[writer % REPLICAS], id, writer) for id in made])

        granted, seconds = await _at_once(approve)
    await ground.draw_nothing()
    for id in made:
        request, _ = await ground.store.get(id)
        voters = {vote.person for vote in request.votes}
        assert (request.status, len(voters), len(request.votes)) == (Status.APPROVED, QUORUM - 1, QUORUM - 1)
    assert granted == QUORUM * count
    return Contended(per_s=WRITERS * count / seconds, done=WRITERS * count, granted=granted)


async def _approved(store: Store, request_id: RequestId, writer: int) -> bool:
    by = a_person(id=PersonId(f"U0{writer:04d}"), name=f"Writer {writer}")
    try:
        request, _ = await store.get(request_id)
        await store.change(request_id, Approve(by=by, seen=request.fingerprint))
    except AlreadyResolved:
        return False
    return True


async def _at_once(work: Callable[[int], Coroutine[None, None, int]]) -> tuple[int, float]:
    """What all writers were granted together, and how long they took."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as writers:
        tasks = [writers.create_task(work(writer)) for writer in range(WRITERS)]
    return sum(task.result() for task in tasks), time.perf_counter() - began


@asynccontextmanager
async def _connections(ground: Ground) -> AsyncIterator[list[Redis]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_redis(ground.url)) for _ in range(REPLICAS)]
