"""Which keys a process believes that check decisions: the agent's side of signing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from approvals import wire
from approvals.canonical import encode
from approvals.dsse import Envelope, PublicKeys, named, unambiguous, verified
from approvals.errors import InvalidCall, NotSigned
from approvals.keys import key
from approvals.model import Json
from approvals.redis_door import translated
from approvals.signed import SignedDecision, opened

ENDORSEMENT = "application/vnd.countersign.key+json"
REREAD_S = 300.0  # so long a key may be believed that was taken out of the list meanwhile
KEYS = 64  # of the list that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A line of the list that the service keeps for agents."""

    key: str
    since: datetime
    until: datetime | None = None  # None: it signs now
    endorsement: Envelope | None = None  # by which the one before names it its successor


@dataclass(frozen=True, slots=True, kw_only=True)
class Endorsed:
    """What an endorsement says."""

    tenant: str
    key: str


PUBLIC_KEYS: wire.Shape[tuple[PublicKey, ...]] = wire.Shape(tuple[PublicKey, ...])
_ENDORSED: wire.Shape[Endorsed] = wire.Shape(Endorsed)


def endorsed(tenant: str, public: str) -> bytes:
    """What is signed to name the next key."""
    told: dict[str, Json] = {"tenant": tenant, "key": public}
    return encode(told)


@dataclass(slots=True)
class Anchors:
    """What trust begins with: keys that were told, or else those that this process saw first."""

    pinned: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named(self.pinned)  # a wrong one is told at once


class TrustedKeys:
    """Opens decisions by the keys that follow from the anchors."""

    def __init__(self, redis: Redis, tenant: str, anchors: Anchors | None = None) -> None:
        self._redis, self._tenant = redis, tenant
        self._anchors = Anchors() if anchors is None else anchors
        self._pinned: PublicKeys = named(self._anchors.pinned)
        self._keys = self._pinned
        self._looked_at: float | None = None

    async def decision(self, envelope: Envelope | None) -> SignedDecision:
        """What was signed.

        Raises:
            NotSigned: no trusted key has signed it as it stands.
            Unavailable: Redis was away.
        """
        if envelope is not None and not self._knows(envelope):
            await self._look()
        return opened(envelope, self._keys)

    def _knows(self, envelope: Envelope) -> bool:
        now = asyncio.get_running_loop().time()
        is_fresh = self._looked_at is not None and now - self._looked_at < REREAD_S
        is_pinned = any(each.keyid in self._pinned for each in envelope.signatures)
        return is_pinned or (is_fresh and any(each.keyid in self._keys for each in envelope.signatures))

    async def _look(self) -> None:
        """Read the list, and believe of it what follows from the anchors."""
        with translated(self._redis):
            text = await self._redis.get(key(self._tenant, "signing:public"))
        listed = _listed(text)
        anchors = self._anchors
        if not anchors.pinned and not anchors.seen:
            anchors.seen = tuple(each.key for each in listed)
        there = {each.key for each in listed}
        believed = [*anchors.pinned, *(each for each in anchors.seen if each in there)]
        self._keys = _following(listed, believed, self._tenant)
        self._looked_at = asyncio.get_running_loop().time()


def _listed(text: str | bytes | None) -> tuple[PublicKey, ...]:
    if text is None:
        return ()
    try:
        found = wire.read(PUBLIC_KEYS, text)[:KEYS]
        named([each.key for each in found])
    except (wire.Unreadable, InvalidCall):
        return ()
    return found


def _following(listed: Iterable[PublicKey], anchors: Iterable[str], tenant: str) -> PublicKeys:
    """The anchors, and whatever key a believed one has endorsed."""
    believed = dict.fromkeys(anchors)
    left = [each for each in listed if each.key not in believed]
    while found := [each for each in left if _is_endorsed(each, named(list(believed)), tenant)]:
        believed |= dict.fromkeys(each.key for each in found)
        left = [each for each in left if each not in found]
    return named(list(believed))


def _is_endorsed(one: PublicKey, by: PublicKeys, tenant: str) -> bool:
    if one.endorsement is None:
        return False
    try:
        payload = verified(one.endorsement, ENDORSEMENT, by)
        unambiguous(payload)
        said = wire.read(_ENDORSED, payload)
    except (NotSigned, wire.Unreadable):
        return False
    return said == Endorsed(tenant=tenant, key=one.key)
