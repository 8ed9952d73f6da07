"""The secrets by which callbacks are signed, one for each agent: only the service and operators read them."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from redis.asyncio import Redis

from approvals import wire
from approvals.keys import check
from approvals.model import Actor, Via
from approvals.registers import Note, Register

SECRET_BYTES = 32  # the scheme wants 24 to 64
OVERLAP = timedelta(hours=24)
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    text: str
    until: datetime | None = None  # None: until it is rotated


_SECRETS: wire.Shape[tuple[Secret, ...]] = wire.Shape(tuple[Secret, ...])


class CallbackSecrets:
    """Makes, rotates and tells them; that it was made or rotated is in the log, and no secret is."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._register = Register(redis, tenant, "callbacks:secrets")

    async def of(self, agent: str) -> list[str]:
        """Those that calls to `agent` are signed with now, the newest first; none was ever made: [].

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        now = await self._register.now()
        return [each.text for each in await self._kept(agent) if each.until is None or each.until > now]

    async def newest(self, agent: str, by: Actor) -> str:
        """The one to verify by; made if there is none yet.

        Raises:
            InvalidCall: no agent can be called that.
        """
        check("agent name", agent)
        if not await self._kept(agent):
            await self._put(agent, (Secret(text=_new()),), "callback_secret_made", by, only_new=True)
        return (await self._kept(agent))[0].text

    async def rotate(self, agent: str, by: Actor) -> str:
        """Make another. For a day calls are signed with the one before as well.

        Raises:
            InvalidCall: no agent can be called that.
        """
        check("agent name", agent)
        now, made = await self._register.now(), Secret(text=_new())
        older = [replace(each, until=each.until or now + OVERLAP) for each in await self._kept(agent)]
        kept = (made, *(each for each in older if each.until and each.until > now))
        await self._put(agent, kept, "callback_secret_rotated", by)
        return made.text

    async def _kept(self, agent: str) -> tuple[Secret, ...]:
        text = await self._register.get(_field(agent))
        return () if text is None else wire.read(_SECRETS, text)

    async def _put(
        self, agent: str, kept: tuple[Secret, ...], event: str, by: Actor, *, only_new: bool = False
    ) -> None:
        note = Note(event=event, by=by, via=Via.CLI, detail={"agent": agent})
        await self._register.put(_field(agent), wire.write(_SECRETS, kept), note, only_new=only_new)


def _field(agent: str) -> str:
    return f"agent {agent}"  # the register keeps a field of its own, whose name an agent could have


def _new() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
