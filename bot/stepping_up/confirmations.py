"""What waits for somebody's sign-in: their yes to exactly one call, for five minutes, usable once.

The link names a record in Redis, under the hash of its token; the record is sealed, so what is not ours
opens nothing.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from redis.asyncio import Redis

from approvals import wire
from approvals.canonical import fingerprint
from approvals.commands import Approve, Override
from approvals.keys import key
from approvals.model import Args, Fingerprint, Person, PersonId, Request, RequestId
from approvals.redis_door import moment, translated
from approvals.statements import Statement, sha256
from bot.payloads import Who
from bot.vault import SecretFault, Vault

LASTS = timedelta(minutes=5)
PURPOSE = "confirm"
TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A yes that is not given yet. Any change of the call, or of who decides it, voids it."""

    tenant: str
    request: RequestId
    fingerprint: Fingerprint  # of the call that the person was looking at
    turn: int  # under which terms
    person: PersonId
    verb: str
    made_at: datetime
    note: str | None = None
    edited: Args | None = None  # the call that they want instead
    alike: int = 0

    @property
    def until(self) -> datetime:
        return self.made_at + LASTS

    def fits(self, request: Request) -> bool:
        return request.is_pending and (request.fingerprint, request.turn) == (self.fingerprint, self.turn)

    def statement(self, request: Request, token: str) -> Statement:
        """What this person signs, if it takes a key of their own."""
        changed = None if self.edited is None else fingerprint(request.tool, self.edited)
        return Statement(
            tenant=self.tenant,
            request=self.request,
            tool=request.tool,
            fingerprint=changed or self.fingerprint,
            turn=self.turn,
            verb=self.verb,
            note_sha256=None if self.note is None else sha256(self.note),
            person=self.person,
            link=sha256(token),
            at=self.made_at,
        )

    def command(self, person: Person) -> Approve | Override:
        if self.verb == "override":
            return Override(by=person, seen=self.fingerprint, reason=self.note or "")
        return Approve(by=person, seen=self.fingerprint, edited=self.edited, note=self.note, alike=self.alike)


CONFIRMATION: wire.Shape[Confirmation] = wire.Shape(Confirmation)


class Confirmations:
    """Makes the links, and keeps what each is for until it is used."""

    def __init__(self, redis: Redis, tenant: str, vault: Vault, url: str) -> None:
        self._redis, self._tenant, self._vault, self._url = redis, tenant, vault, url

    async def make(self, who: Who, request: Request, verb: str, wanted: Approve | Override) -> str:
        """A link on which `who` can give that yes.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        made = Confirmation(
            tenant=self._tenant,
            request=request.id,
            fingerprint=wanted.seen,
            turn=request.turn,
            person=who.id,
            verb=verb,
            made_at=await self.now(),
        )
        if isinstance(wanted, Override):
            made = replace(made, note=wanted.reason)
        else:
            made = replace(made, note=wanted.note, edited=wanted.edited, alike=wanted.alike)
        sealed = self._vault.seal(PURPOSE, wire.write(CONFIRMATION, made).encode())
        with translated(self._redis):
            await self._redis.set(self._key(token), sealed, ex=int(LASTS.total_seconds()))
        return self.address(token)

    def address(self, token: str) -> str:
        return f"{self._url}/confirm/{self._tenant}/{token}"

    async def now(self) -> datetime:
        with translated(self._redis):
            return moment(await self._redis.time())

    async def look(self, token: str) -> Confirmation | None:
        """What a link is for; None: it is over, was used, or is none of ours."""
        if not _TOKEN.fullmatch(token):
            return None
        with translated(self._redis):
            return await self._opened(await self._redis.get(self._key(token)))

    async def take(self, token: str) -> Confirmation | None:
        """The same, and it can't be used again."""
        if not _TOKEN.fullmatch(token):
            return None
        with translated(self._redis):
            return await self._opened(await self._redis.getdel(self._key(token)))

    async def _opened(self, sealed: object) -> Confirmation | None:
        if sealed is None:
            return None
        try:
            found = wire.read(CONFIRMATION, self._vault.open(PURPOSE, str(sealed)))
        except (SecretFault, wire.Unreadable):
            return None
        is_ours = found.tenant == self._tenant and await self.now() < found.until
        return found if is_ours else None

    def _key(self, token: str) -> str:
        return key(self._tenant, "confirm", sha256(token))
