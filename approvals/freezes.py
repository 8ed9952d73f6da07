"""The freezes of a tenant, as Redis keeps them. Which of them reaches a call is for brakes.py to say."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from approvals import wire
from approvals.model import Actor, Freeze, Via
from approvals.registers import Held, Note, Register


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Everything that is frozen, and the version of that: whoever lets a call run names what they knew."""

    version: str
    freezes: tuple[Freeze, ...]


NOT_FROZEN = Frozen(version="0", freezes=())


class Freezes:
    """Sets and lifts freezes; each is in the log."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._register = Register(redis, tenant, "freezes")

    async def now(self) -> Frozen:
        """All that is frozen.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        return frozen(await self._register.read())

    async def freeze(self, freeze: Freeze, via: Via, *, only_new: bool = False) -> bool:
        """From now on no approval is given for what it reaches; False: `only_new`, and it was frozen."""
        detail = {"what": freeze.words} | ({"reason": freeze.why} if freeze.why else {})
        note = Note(event="frozen", by=freeze.by, via=via, detail=dict(detail))
        return await self._register.put(
            _field(freeze), wire.write(wire.FREEZE, freeze), note, only_new=only_new
        )

    async def thaw(self, freeze: Freeze, by: Actor, via: Via) -> bool:
        """End it; False: it had ended."""
        note = Note(event="thawed", by=by, via=via, detail={"what": freeze.words})
        return await self._register.take(_field(freeze), note)


def frozen(held: Held) -> Frozen:
    """What the register says.

    Raises:
        Unreadable: an entry is none of ours. Nothing is let through then.
    """
    return Frozen(
        version=held.version, freezes=tuple(wire.read(wire.FREEZE, text) for text in held.texts.values())
    )


def _field(freeze: Freeze) -> str:
    return f"{freeze.reach}:{freeze.name}"
