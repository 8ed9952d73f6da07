"""Whether Redis is still the one that it was: the epoch that it is in, the pulse that the service gives it.

A copy that was restored has the pulse of its own time, which is old by now. So nobody needs to be told of a
restore for nothing to be run again: agents use no leave while the pulse is old, and the service takes back
what was approved before it gives the next one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from redis.asyncio import Redis

from approvals import wire
from approvals.errors import Unavailable
from approvals.keys import key
from approvals.model import Actor, Via
from approvals.redis_door import moment, ms, translated
from approvals.registers import Note, Register

_CURRENT = "current"


class NotContinued(Unavailable):
    """What Redis holds does not go on from what the service has seen of it; nothing is decided there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What is the same for as long as Redis loses nothing; a new one follows those that were lost."""

    id: str
    follows: tuple[str, ...] = ()
    mac: str = ""  # by which the service knows its own, so that no other database passes for the next one


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How this Redis stands at one moment."""

    epoch: Epoch | None  # None: it was never looked after
    pulse: str  # ms since the epoch of clocks, as it stands there; "" without one
    now: datetime
    seq: int  # of the newest entry of the log
    hash: str  # of that entry; "" if it is not there
    known: str  # the hash of the entry that was asked for; "" if it is not there (any more)


_EPOCH: wire.Shape[Epoch] = wire.Shape(Epoch)


class Epochs:
    """The epoch and the pulse of one tenant."""

    def __init__(self, redis: Redis, tenant: str, mac: Callable[[str, str], str]) -> None:
        self._redis, self._tenant, self._mac = redis, tenant, mac
        self._epoch, self._pulse = key(tenant, "epoch"), key(tenant, "pulse")
        self._register = Register(redis, tenant, "epoch")

    async def standing(self, known_seq: int = 0) -> Standing:
        """All of it, read at one moment; with the hash of the entry `known_seq`.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        audit = key(self._tenant, "audit")
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.hget(self._epoch, _CURRENT)
                pipe.get(self._pulse)
                pipe.get(key(self._tenant, "audit:seq"))
                pipe.xrevrange(audit, count=1)
                pipe.xrange(audit, f"{known_seq}-0", f"{known_seq}-0")
                pipe.time()
                text, pulse, seq, newest, known, now = await pipe.execute()
        return Standing(
            epoch=None if text is None else _read(text),
            pulse=pulse or "",
            now=moment(now),
            seq=int(seq or 0),
            hash=_hash(newest),
            known=_hash(known),
        )

    async def begin(self) -> None:
        """The first epoch of a Redis that has none; of all who begin it at once, one does."""
        with translated(self._redis):
            await self._redis.hsetnx(self._epoch, _CURRENT, _written(self._made(())))

    async def renew(self, follows: tuple[str, ...], by: Actor, detail: dict[str, object]) -> None:
        """From now on another one, by an operator's word; it is in the log."""
        note = Note(event="restored", by=by, via=Via.CLI, detail=detail)
        await self._register.put(_CURRENT, _written(self._made(follows)), note)

    async def beat(self, now: datetime) -> str:
        """Give it its pulse; returns what stands there now."""
        pulse = str(ms(now))
        with translated(self._redis):
            await self._redis.set(self._pulse, pulse)
        return pulse

    def is_ours(self, epoch: Epoch) -> bool:
        """Whether the service has made it."""
        return epoch.mac == self._mac("epoch", self._said(epoch.id, epoch.follows))

    def _made(self, follows: tuple[str, ...]) -> Epoch:
        id = secrets.token_hex(16)
        return Epoch(id=id, follows=follows, mac=self._mac("epoch", self._said(id, follows)))

    def _said(self, id: str, follows: tuple[str, ...]) -> str:
        return " ".join((self._tenant, id, *follows))


def _read(text: str) -> Epoch:
    """An epoch; what can't be read is one that nobody has made."""
    try:
        found = json.loads(text)
        return Epoch(id=found["id"], follows=tuple(found["follows"]), mac=found["mac"])
    except (ValueError, TypeError, KeyError):
        return Epoch(id="")


def _written(epoch: Epoch) -> str:
    return json.dumps(asdict(epoch))


def _hash(found: list[tuple[str, dict[str, str] | None]]) -> str:
    if not found or not found[0][1]:
        return ""
    try:
        return wire.read(wire.ENTRY, found[0][1].get("entry", "")).hash
    except wire.Unreadable:
        return "unreadable"
