"""The deputies that people have named, as Redis keeps them."""

from __future__ import annotations

from datetime import datetime

from redis.asyncio import Redis

from approvals import wire
from approvals.deputies import Absence
from approvals.model import Actor, Json, PersonId, Via
from approvals.registers import Note, Register


class Absences:
    """Sets and ends them; each is in the log."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._register = Register(redis, tenant, "absences")

    async def all(self) -> list[Absence]:
        """Every one that was named and not taken back.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        held = await self._register.read()
        return [wire.read(wire.ABSENCE, text) for text in held.texts.values()]

    async def now(self) -> datetime:
        """Redis's own clock."""
        return await self._register.now()

    async def leave(self, absence: Absence) -> None:
        """From now on the deputy stands in, whenever that person is away."""
        until = None if absence.until is None else absence.until.isoformat()
        detail: dict[str, Json] = {"deputy": absence.deputy, "until": until}
        by = Actor(id=f"slack:{absence.person}", name=absence.name)
        note = Note(event="away", by=by, via=Via.SLACK, detail=detail)
        await self._register.put(absence.person, wire.write(wire.ABSENCE, absence), note)

    async def come_back(self, person: PersonId, name: str) -> bool:
        """End it; False: they had named nobody."""
        by = Actor(id=f"slack:{person}", name=name)
        return await self._register.take(person, Note(event="back", by=by, via=Via.SLACK, detail={}))
