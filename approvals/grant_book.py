"""The grants of a tenant, as Redis keeps them, and how often each was used."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from approvals import wire
from approvals.grants import Grant, Used
from approvals.ids import ALPHABET
from approvals.keys import key
from approvals.model import Actor, Json, Via
from approvals.redis_door import translated
from approvals.registers import Note, Register

ID_LETTERS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """All grants, and the version of that."""

    version: str
    grants: tuple[Grant, ...]


def new_grant_id() -> str:
    return "G-" + "".join(secrets.choice(ALPHABET) for _ in range(ID_LETTERS))


class GrantBook:
    """Makes, tells and ends grants; each is in the log."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis = redis
        self._register = Register(redis, tenant, "grants")
        self._used = key(tenant, "grants:used")

    async def all(self) -> Granted:
        """Every grant, those that have ended included.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        held = await self._register.read()
        return Granted(
            version=held.version, grants=tuple(wire.read(wire.GRANT, text) for text in held.texts.values())
        )

    async def used(self) -> dict[str, Used]:
        """How much of each, by its id."""
        with translated(self._redis):
            found = await self._redis.hgetall(self._used)
        fields = {str(name): int(count) for name, count in found.items()}
        return {
            name: Used(count=count, total=fields.get(f"{name} sum", 0) / 1_000_000)
            for name, count in fields.items()
            if " " not in name
        }

    async def make(self, grant: Grant, now: datetime) -> None:
        """Put it into force; those whose time is over leave the book."""
        for other in (await self.all()).grants:
            if now >= other.until:
                await self._end(other, Note(event="grant_ended", by=other.by, via=Via.SERVICE, detail={}))
        detail: dict[str, Json] = {
            "grant": grant.id,
            "request": grant.request,
            "agent": grant.agent,
            "tool": grant.tool,
            "limits": {limit.arg: [limit.bound.value, limit.value] for limit in grant.limits},
            "uses": grant.uses,
            "until": grant.until.isoformat(),
            "total": None if grant.total_of is None else {grant.total_of: grant.total},
        }
        note = Note(event="granted", by=grant.by, via=Via.SLACK, detail=detail)
        await self._register.put(grant.id, wire.write(wire.GRANT, grant), note)

    async def revoke(self, grant: Grant, by: Actor) -> bool:
        """End it; False: it had ended."""
        return await self._end(grant, Note(event="revoked", by=by, via=Via.SLACK, detail={}))

    async def _end(self, grant: Grant, note: Note) -> bool:
        note.detail["grant"] = grant.id
        was_there = await self._register.take(grant.id, note)
        with translated(self._redis):
            await self._redis.hdel(self._used, grant.id, f"{grant.id} sum")
        return was_there
