"""The keys that the service signs decisions with: made, rotated, retired, and told to agents."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from redis.asyncio import Redis

from approvals import wire
from approvals.dsse import Envelope, PublicKeys, SigningKey
from approvals.errors import ApprovalsError, InvalidCall, Unavailable
from approvals.keys import key
from approvals.model import Actor, Via
from approvals.redis_door import translated
from approvals.registers import Note, Register
from approvals.trusted_keys import ENDORSEMENT, PUBLIC_KEYS, PublicKey, endorsed

logger = logging.getLogger(__name__)

OVERLAP = timedelta(days=30)  # so long what a rotated key has signed is still believed
REFRESH_S = 30.0  # so long a worker may go on signing with the key before
PURPOSE = "signing"
_SERVICE = Actor(id="service", name="Countersign")


class CannotSign(ApprovalsError):
    """The signing keys can't be opened; the message says what to do."""


class Seal(Protocol):
    """What keeps the private halves from whoever can read Redis."""

    def seal(self, purpose: str, content: bytes) -> str: ...
    def open(self, purpose: str, sealed: str) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """One key as Redis keeps it, by its number."""

    key: str  # the public half
    sealed: str
    since: datetime
    endorsement: Envelope | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One key as operators see it."""

    number: int
    public: PublicKey


_KEPT: wire.Shape[KeptKey] = wire.Shape(KeptKey)


class SigningKeys:
    """All of a tenant's. The newest signs; its number is the highest."""

    def __init__(self, redis: Redis, tenant: str, vault: Seal) -> None:
        self._redis, self._tenant, self._vault = redis, tenant, vault
        self._register = Register(redis, tenant, "signing")
        self._public = key(tenant, "signing:public")
        self._current: SigningKey | None = None
        self._keys: PublicKeys = {}

    @property
    def current(self) -> SigningKey:
        """The one that signs now; `start` has opened it."""
        if self._current is None:
            raise CannotSign("the signing keys were not opened")
        return self._current

    @property
    def keys(self) -> PublicKeys:
        return self._keys

    def envelope(self, payload_type: str, payload: bytes) -> Envelope:
        return self.current.envelope(payload_type, payload)

    async def start(self) -> None:
        """Open them; the first process of all makes the first one.

        Raises:
            CannotSign: another secret has sealed them.
            Unavailable: Redis was away. So for all that follow.
        """
        kept = await self._kept()
        if not kept:  # the very first start, or Redis has lost everything: then we go on with what we have
            await self._add(1, self._current or SigningKey.made(), None, "signing_key_made", _SERVICE)
            kept = await self._kept()
        self._current = self._opened(kept[max(kept)])
        self._keys = self._current.keys
        for one in kept.values():  # what we can't open we never made, whoever wrote it there
            with suppress(CannotSign):
                self._keys = {**self._keys, **self._opened(one).keys}
        await self._tell()

    async def run(self) -> None:
        """Follow what other processes and operators change."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.start()
            except Unavailable as error:
                logger.warning("the signing keys can't be read: %s", error)
            except ApprovalsError:  # we go on with what was opened before
                logger.exception("the signing keys can't be opened")

    async def rotate(self, by: Actor, *, is_lost: bool = False) -> Listed:
        """Make the next one, which the one before endorses; `is_lost`: that can't be opened any more.

        Raises:
            CannotSign: the one before can't be opened, and `is_lost` wasn't said.
            InvalidCall: somebody else has rotated at the same moment.
        """
        kept, made = await self._kept(), SigningKey.made()
        newest = max(kept, default=0)
        word, endorsement = "signing_key_made", None
        if kept and not is_lost:
            before = self._opened(kept[newest])
            word, endorsement = (
                "signing_key_rotated",
                before.envelope(ENDORSEMENT, endorsed(self._tenant, made.public)),
            )
        if not await self._add(newest + 1, made, endorsement, word, by):
            raise InvalidCall("somebody else has just made a key; look at `countersign keys list`")
        await self.start()
        return next(each for each in await self.all() if each.public.key == made.public)

    async def retire(self, number: int, by: Actor) -> None:
        """Take one out: what it has signed is believed no longer, nor what it has endorsed.

        Raises:
            InvalidCall: there is none, or it is the one that signs.
        """
        kept = await self._kept()
        if number not in kept:
            raise InvalidCall(f"there is no key {number}")
        if number == max(kept):
            raise InvalidCall(f"key {number} is the one that signs: rotate first")
        note = Note(event="signing_key_retired", by=by, via=Via.CLI, detail=_told(number, kept[number].key))
        await self._register.take(str(number), note)
        await self._tell()

    async def all(self) -> list[Listed]:
        """Those that agents may believe, the oldest first."""
        kept, now = await self._kept(), await self._register.now()
        return [
            Listed(number=number, public=public)
            for number, public in _public(kept).items()
            if public.until is None or public.until > now
        ]

    async def _kept(self) -> dict[int, KeptKey]:
        texts = (await self._register.read()).texts
        return {int(number): wire.read(_KEPT, text) for number, text in texts.items() if number.isdecimal()}

    async def _add(
        self, number: int, made: SigningKey, endorsement: Envelope | None, event: str, by: Actor
    ) -> bool:
        kept = KeptKey(
            key=made.public,
            sealed=self._vault.seal(PURPOSE, made.private.private_bytes_raw()),
            since=await self._register.now(),
            endorsement=endorsement,
        )
        via = Via.SERVICE if by == _SERVICE else Via.CLI
        note = Note(event=event, by=by, via=via, detail=_told(number, made.public))
        return await self._register.put(str(number), wire.write(_KEPT, kept), note, only_new=True)

    def _opened(self, kept: KeptKey) -> SigningKey:
        try:
            key = SigningKey.of(self._vault.open(PURPOSE, kept.sealed))
        except (ApprovalsError, ValueError) as error:
            _refuse(error)
        if key.public != kept.key:
            _refuse(None)
        return key

    async def _tell(self) -> None:
        """Write the list for agents; it follows from what is kept, so whoever writes it writes the same."""
        text = wire.write(PUBLIC_KEYS, tuple(each.public for each in await self.all()))
        with translated(self._redis):
            if await self._redis.get(self._public) != text:
                await self._redis.set(self._public, text)


def _refuse(cause: Exception | None) -> NoReturn:
    raise CannotSign(
        "the keys that decisions are signed with were sealed with another secret. Give every process the"
        " APPROVALS_SECRET (or _FILE) that the first one had; if that is lost for good, make a new key with"
        " `countersign keys rotate --lost-secret`, and tell agents that pin the old one"
    ) from cause


def _public(kept: dict[int, KeptKey]) -> dict[int, PublicKey]:
    """The public halves by number; each ends so long after the next one began."""
    numbers = sorted(kept)
    found: dict[int, PublicKey] = {}
    for number, after in zip(numbers, [*numbers[1:], None], strict=True):
        one = kept[number]
        until = None if after is None else kept[after].since + OVERLAP
        found[number] = PublicKey(key=one.key, since=one.since, until=until, endorsement=one.endorsement)
    return found


def _told(number: int, public: str) -> dict[str, object]:
    return {"number": number, "key": public}
