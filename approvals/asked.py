"""What one agent has asked for, read by the service: found again, listed, and seen before it is taken in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from redis.asyncio import Redis

from approvals import wire
from approvals.errors import InvalidCall, RequestNotFound
from approvals.gathering import Gathered
from approvals.ids import is_id
from approvals.inbox import KEY_KEPT_S
from approvals.keys import key
from approvals.messages import Letter, Submission
from approvals.model import AgentName, Request, RequestId
from approvals.redis_door import translated
from approvals.store import Store

PAGE = 200  # of the index that are looked through at once
MOST = 2000  # that are looked through for one page of a list
LETTERS = 1000  # that are looked through for one that is not taken in yet

_IDS: wire.Shape[tuple[RequestId, ...]] = wire.Shape(tuple[RequestId, ...])


class Asked:
    """The requests of one agent, and of no other."""

    def __init__(self, redis: Redis, store: Store, agent: AgentName) -> None:
        self._redis, self._store, self.agent = redis, store, agent
        self._index = key(store.tenant, "asked", agent)
        self._stored = Gathered(self._look_up)

    async def get(self, request_id: RequestId) -> Request | Submission:
        """The request; or its letter, as long as the service has not taken it in.

        Raises:
            RequestNotFound: there is none, or it is another agent's: nobody learns which.
            Unavailable: Redis was away. So for all that follow.
        """
        found = await self._stored.get(request_id) or await self._letter(request_id)
        found = found or await self._stored.get(request_id)  # it may have been taken in just between
        if found is None:
            raise RequestNotFound(request_id)
        return found

    async def page(
        self, after: RequestId | None, limit: int, wanted: Callable[[Request], bool]
    ) -> tuple[list[Request], RequestId | None]:
        """Up to `limit` that are wanted, from after one on, the newest first; and after which to go on.

        None: there are no more. At most MOST are looked through, so a page may be empty and not the last.

        Raises:
            InvalidCall: there is no such one to go on from.
        """
        start, found = await self._place_after(after), list[Request]()
        for _ in range(0, MOST, PAGE):
            with translated(self._redis):
                ids = [
                    RequestId(str(id)) for id in await self._redis.zrevrange(self._index, start, start + PAGE)
                ]
            kept = await self._store.get_many(ids[:PAGE])
            for id in ids[:PAGE]:
                start, after = start + 1, id
                if id in kept and wanted(kept[id]):
                    found.append(kept[id])
                if len(found) == limit:
                    return found, after if id != ids[-1] else None
            if len(ids) <= PAGE:
                return found, None
        return found, after

    async def _place_after(self, after: RequestId | None) -> int:
        if after is None:
            return 0
        with translated(self._redis):
            rank = await self._redis.zrevrank(self._index, after)
        if not isinstance(rank, int):
            raise InvalidCall("cursor: there is no such request any more; begin without one")
        return rank + 1

    async def keep_batch(self, batch_id: RequestId, ids: Sequence[RequestId]) -> tuple[RequestId, ...]:
        """Remember what a batch is made of, once; returns what it was made of first."""
        at, text = key(self._store.tenant, "batch", self.agent, batch_id), wire.write(_IDS, tuple(ids))
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.set(at, text, nx=True, ex=KEY_KEPT_S)
                pipe.get(at)
                _, kept = await pipe.execute()
        return wire.read(_IDS, str(kept))

    async def batch(self, batch_id: RequestId) -> tuple[RequestId, ...]:
        """What it is made of.

        Raises:
            RequestNotFound: there is no such batch of this agent.
        """
        with translated(self._redis):
            text = await self._redis.get(key(self._store.tenant, "batch", self.agent, batch_id))
        if text is None:
            raise RequestNotFound(batch_id)
        return wire.read(_IDS, text)

    async def _look_up(self, ids: list[RequestId]) -> list[Request | None]:
        kept = await self._store.get_many(id for id in ids if is_id(id))
        found = [kept.get(id) for id in ids]
        return [one if one is not None and one.agent == self.agent else None for one in found]

    async def _letter(self, request_id: RequestId) -> Submission | None:
        inbox = key(self._store.tenant, "inbox", self.agent)
        with translated(self._redis):
            found = await self._redis.xrevrange(inbox, count=LETTERS)
        for _, fields in found or []:
            text = str((fields or {}).get("letter", ""))
            letter = _read(text) if request_id in text else None
            if isinstance(letter, Submission) and letter.id == request_id:
                return letter
        return None


async def agents_of(redis: Redis, tenant: str, ids: Iterable[str]) -> dict[str, str]:
    """Whose requests these are, as far as they are kept.

    Raises:
        Unavailable: Redis was away.
    """
    wanted = list(ids)
    with translated(redis):
        async with redis.pipeline(transaction=False) as pipe:
            for id in wanted:
                pipe.hget(key(tenant, "request", id), "agent")
            found = await pipe.execute()
    return {id: str(agent) for id, agent in zip(wanted, found, strict=True) if agent is not None}


def _read(text: str) -> Letter | None:
    try:
        return wire.read(wire.LETTER, text)
    except wire.Unreadable:  # intake says so, where somebody learns of it
        return None
