"""What people have set for themselves, as Redis keeps it."""

from __future__ import annotations

from datetime import datetime

from redis.asyncio import Redis

from approvals import wire
from approvals.model import Actor, Json, PersonId, Via
from approvals.preferences import Preferences
from approvals.registers import Note, Register


class PreferenceBook:
    """Reads and sets them; each change is in the log."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._register = Register(redis, tenant, "preferences")

    async def all(self) -> dict[PersonId, Preferences]:
        """Those of everybody who has ever set any.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        held = await self._register.read()
        return {PersonId(who): wire.read(wire.PREFERENCES, text) for who, text in held.texts.items()}

    async def now(self) -> datetime:
        """Redis's own clock."""
        return await self._register.now()

    async def set(self, wanted: Preferences) -> None:
        """From now on this is what that person wants."""
        detail: dict[str, Json] = {
            "where": wanted.where.value,
            "at": [f"{at:%H:%M}" for at in wanted.at],
            "quiet": [f"{at:%H:%M}" for at in wanted.quiet or ()],
            "days_off": list(wanted.days_off),
            "pings": wanted.pings,
        }
        by = Actor(id=f"slack:{wanted.person}", name=wanted.name)
        note = Note(event="preferred", by=by, via=Via.SLACK, detail=detail)
        await self._register.put(wanted.person, wire.write(wire.PREFERENCES, wanted), note)
