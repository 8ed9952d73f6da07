"""The log of a house in which nothing runs: filled, signed, and put anew as whoever owns Redis could."""

from dataclasses import replace
from typing import Any

from approvals.audit import Entry, leaf, link
from approvals.checkpoint_book import CheckpointBook
from approvals.commands import Approve, Command, Reject
from approvals.keys import key
from approvals.log_tree import LogTree
from approvals.merkle import leaf_hash
from approvals.model import Args, Request, RequestId
from approvals.wire import ENTRY, write
from bot import loops
from bot.app import Service
from bot.audit.checkpoints import SIGNED_EVERY, Checkpoints
from tests.builders import a_person, a_request


def a_worker(house: Service) -> Checkpoints:
    assert house.slack is not None
    return loops.checkpoints(house, house.slack)


def book(house: Service) -> CheckpointBook:
    return CheckpointBook(house.redis, house.settings.tenant)


def tree(house: Service) -> LogTree:
    return LogTree(house.redis, house.settings.tenant)


async def signed(house: Service) -> int:
    """Sign a checkpoint over all that is there; returns its size."""
    worker = a_worker(house)
    newest = await book(house).newest()
    at = await house.store.now()
    await worker.look(at if newest is None else max(at, newest.at) + SIGNED_EVERY)
    after = await book(house).newest()
    assert after is not None
    assert after.size == await house.store.last_seq()
    return after.size


async def logged(house: Service, count: int) -> None:
    """So many requests more in the log, two entries each."""
    begin = await house.store.last_seq()
    for number in range(begin, begin + count):
        await asked(house, RequestId(f"R-{number:026d}"))


async def asked(house: Service, id: RequestId, **changes: Any) -> Request:
    return await house.store.create(a_request(id=id, tenant=house.store.tenant, **changes))


async def decided(house: Service, id: RequestId, *, yes: bool = True, args: Args | None = None) -> Request:
    """A request that Ana has approved, or rejected: three entries."""
    request = await asked(house, id, **({} if args is None else {"args": args}))
    ana = a_person()
    command: Command = Approve(by=ana, seen=request.fingerprint) if yes else Reject(by=ana, feedback="No.")
    return (await house.store.change(request.id, command)).request


async def put_anew(house: Service, entries: list[Entry]) -> None:
    """Write the log as somebody would who can write to all of Redis."""
    audit = key(house.store.tenant, "audit")
    await house.redis.delete(audit)
    for entry in entries:
        await house.redis.xadd(audit, {"entry": write(ENTRY, entry)}, id=f"{entry.seq}-0")


async def rewritten(house: Service, seq: int) -> list[Entry]:
    """The log with another actor in one entry, all chained anew so that every hash fits."""
    heads: dict[str, str] = {}
    found = []
    for entry in await house.store.entries():
        actor = "slack:U0EVE" if entry.seq == seq else entry.actor
        linked = link(heads.get(entry.request, ""), replace(entry, actor=actor))
        heads[entry.request] = linked.hash
        found.append(linked)
    return found


async def new_tree(house: Service) -> None:
    await house.redis.delete(key(house.store.tenant, "audit:tree"))
    entries = await house.store.entries()
    assert await tree(house).grow(0, [leaf_hash(leaf(entry)) for entry in entries])
