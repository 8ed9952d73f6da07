"""What people set from Slack and the service looks up: hashes in Redis whose every change is in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from redis.asyncio import Redis

from approvals import wire
from approvals.audit import GENESIS, Entry, link
from approvals.errors import Unavailable
from approvals.keys import key
from approvals.model import Actor, Json, Via
from approvals.redis_door import moment, script, translated

NOTE_TIMEOUT_S = 2.0
VERSION = "version"  # the field that counts the changes; no other field has this name

Name: TypeAlias = Literal[
    "freezes",
    "grants",
    "absences",
    "stages",
    "preferences",
    "proposals",
    "tokens",
    "callbacks:secrets",
    "signing",
    "approver:keys",
    "audit:kept",
    "epoch",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """All that a register holds, as one moment knew it."""

    version: str = "0"
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The entry of the log that a change makes."""

    event: str
    by: Actor
    via: Via
    detail: dict[str, Json]


class Register:
    """One such hash of a tenant."""

    def __init__(self, redis: Redis, tenant: str, name: Name) -> None:
        self._redis, self._tenant = redis, tenant
        self._key = key(tenant, name)
        self._note = script(redis, "note", is_told=True)

    async def now(self) -> datetime:
        """Redis's own clock."""
        with translated(self._redis):
            return moment(await self._redis.time())

    async def read(self) -> Held:
        """All of it.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        with translated(self._redis):
            return held(await self._redis.hgetall(self._key))

    async def get(self, name: str) -> str | None:
        """What stands under `name`."""
        with translated(self._redis):
            text = await self._redis.hget(self._key, name)
        return None if text is None else str(text)

    async def put(self, name: str, text: str, note: Note, *, only_new: bool = False) -> bool:
        """Set what stands under `name`, and log it, both or neither; False: `only_new`, and it was set."""
        return await self._noted(name, text, note, "1" if only_new else "")

    async def renew(self, name: str, text: str, note: Note) -> bool:
        """Set anew what stands under `name`, and log it; False: nothing stands there any more."""
        return await self._noted(name, text, note, "0")

    async def take(self, name: str, note: Note) -> bool:
        """Take out what stands under `name`, and log it; False: nothing stood there to be taken out."""
        return await self._noted(name, "", note)

    async def _noted(self, name: str, text: str, note: Note, new: str = "") -> bool:
        names = ("audit", "audit:seq", "audit:head")
        keys = [*(key(self._tenant, each) for each in names), self._key]
        entry = Entry(
            at=await self.now(),
            tenant=self._tenant,
            request="",
            event=note.event,
            actor=note.by.id,
            via=note.via,
            detail={"by": note.by.name, **note.detail},
        )
        try:
            async with asyncio.timeout(NOTE_TIMEOUT_S):
                while True:
                    with translated(self._redis):
                        linked = link(str(await self._redis.get(keys[2]) or GENESIS), entry)
                        args = [linked.previous, wire.write(wire.ENTRY, linked), linked.hash]
                        args += [name, text, new]
                        done: int | None = await self._note(keys=keys, args=args)
                    if done is not None:
                        return bool(done)
        except TimeoutError as error:
            raise Unavailable(f"{name} could not be set within {NOTE_TIMEOUT_S:.0f} s") from error


def held(fields: Mapping[bytes | str, bytes | str]) -> Held:
    """What such a hash says."""
    texts = {str(name): str(text) for name, text in fields.items()}
    return Held(version=texts.pop(VERSION, "0"), texts=texts)
