"""What people decided lately on requests like one that waits, for whoever has to decide it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from approvals.audit import Entry
from approvals.model import Request, RequestId
from approvals.store import Store

LOOKED_THROUGH = 2000  # entries of the log, at most
PAGE = 500
DECISIONS = frozenset({"approved", "edited", "rejected", "answered"})


async def past_decisions(store: Store, request: Request, *, limit: int = 5) -> list[Request]:
    """Requests of the same agent for the same tool that people have decided, the latest first.

    Raises:
        Unavailable: Redis was away.
    """
    found: dict[RequestId, Request] = {}
    async for page in _backwards(store):
        ids = [RequestId(entry.request) for entry in page if _is_like(entry, request)]
        kept = await store.get_many(ids)
        found |= {id: kept[id] for id in ids if id in kept and kept[id].agent == request.agent}
        if len(found) >= limit:
            break
    return list(found.values())[:limit]


def _is_like(entry: Entry, request: Request) -> bool:
    return (
        entry.event in DECISIONS
        and entry.actor.startswith("slack:")
        and entry.tool == request.tool
        and entry.request != request.id
    )


async def _backwards(store: Store) -> AsyncIterator[list[Entry]]:
    """The log's newest entries, in pages whose newest is first."""
    end = await store.last_seq() + 1
    oldest = max(1, end - LOOKED_THROUGH)
    while end > oldest:
        begin = max(oldest, end - PAGE)
        page = await store.entries(begin, end - begin)
        yield [entry for entry in reversed(page) if entry.seq < end]  # some may be trimmed
        end = begin
