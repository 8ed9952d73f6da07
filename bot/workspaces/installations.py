"""Where the app is installed, with its tokens: sealed in Redis, one record for each workspace."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from redis.asyncio import Redis

from approvals import wire
from approvals.keys import key
from approvals.model import Tenant
from approvals.redis_door import moment, script, translated
from bot.vault import SecretFault, Vault

logger = logging.getLogger(__name__)

WORKSPACES = Tenant("workspaces")  # under whose name lies what belongs to none of them
LEASE_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BotToken:
    """What the app acts with in a workspace."""

    token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None  # None: never


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The app in one workspace, or in all of an Enterprise Grid at once."""

    id: Tenant  # the workspace's, or the Grid's; it is the tenant's name
    name: str
    since: datetime
    by: str  # who let it in
    bot: BotToken | None  # None: it was removed


_INSTALLATION: wire.Shape[Installation] = wire.Shape(Installation)


@dataclass(frozen=True, slots=True)
class Kept:
    """An installation as it was read: it can be changed for as long as it is still so."""

    installation: Installation
    sealed: str


class Installations:
    """Reads and changes them. Each is sealed for its own id, so that none can be put in another's place."""

    def __init__(self, redis: Redis, vault: Vault) -> None:
        self._redis, self._vault = redis, vault
        self._swap = script(redis, "swap", is_told=True)
        self._key = key(WORKSPACES, "installed")
        self._unreadable: dict[Tenant, str] = {}  # those that were told of

    async def now(self) -> datetime:
        """Redis's own clock.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        with translated(self._redis):
            return moment(await self._redis.time())

    async def all(self) -> dict[Tenant, Kept]:
        """Those that this service's secret opens."""
        with translated(self._redis):
            texts = await self._redis.hgetall(self._key)
        found = {Tenant(str(id)): self._opened(Tenant(str(id)), str(sealed)) for id, sealed in texts.items()}
        return {id: kept for id, kept in found.items() if kept is not None}

    async def get(self, id: Tenant) -> Kept | None:
        """One of them."""
        sealed = await self._sealed(id)
        return self._opened(id, sealed) if sealed else None

    async def put(self, installation: Installation) -> None:
        """Somebody let the app in: from now on this is so, whatever was before."""
        while not await self._change(await self._sealed(installation.id), installation):
            pass

    async def change(self, kept: Kept, installation: Installation) -> bool:
        """Put another in its place; False: it isn't what was read any more."""
        return await self._change(kept.sealed, installation)

    async def forget(self, kept: Kept) -> bool:
        """Know no longer that it ever was; False: it isn't what was read any more."""
        with translated(self._redis):
            return bool(await self._swap(keys=[self._key], args=[kept.installation.id, kept.sealed, ""]))

    async def lease(self, id: Tenant) -> bool:
        """Whether the caller alone may refresh its token now; nobody else for half a minute."""
        with translated(self._redis):
            turn = key(WORKSPACES, "refreshing", id)
            return bool(await self._redis.set(turn, "", nx=True, px=LEASE_MS))

    async def _sealed(self, id: Tenant) -> str:
        with translated(self._redis):
            return str(await self._redis.hget(self._key, id) or "")

    async def _change(self, seen: str, installation: Installation) -> bool:
        text = self._vault.seal(_purpose(installation.id), wire.write(_INSTALLATION, installation).encode())
        with translated(self._redis):
            return bool(await self._swap(keys=[self._key], args=[installation.id, seen, text]))

    def _opened(self, id: Tenant, sealed: str) -> Kept | None:
        try:
            return Kept(wire.read(_INSTALLATION, self._vault.open(_purpose(id), sealed)), sealed)
        except (SecretFault, wire.Unreadable) as error:
            if self._unreadable.get(id) != sealed:
                logger.error("the installation in %s can't be read: %s", id, error)
                self._unreadable[id] = sealed
            return None


def _purpose(id: Tenant) -> str:
    return f"installation {id}"
