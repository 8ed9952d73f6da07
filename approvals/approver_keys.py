"""The keys of their own by which approvers are known: SSH keys that sign a yes, and passkeys.

Each is sealed for its person: whoever can write to Redis, but has not the service's secret, adds none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from redis.asyncio import Redis

from approvals import wire
from approvals.errors import ApprovalsError, InvalidCall, NotSigned
from approvals.model import Actor, PersonId, Request, Via, Vote
from approvals.registers import Note, Register
from approvals.signing_keys import Seal
from approvals.sshsig import SshKey, read_key
from approvals.statements import signed_with

logger = logging.getLogger(__name__)

MOST = 10  # of one person


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverKey:
    """One key of one person."""

    kind: Literal["ssh", "passkey"]
    name: str  # SHA256:… as `ssh-keygen -l` tells it; of a passkey likewise, of its id
    key: str  # the public half
    since: datetime
    comment: str = ""
    credential: str = ""  # the id of a passkey
    uses: int = 0  # what a passkey has counted


_KEY: wire.Shape[ApproverKey] = wire.Shape(ApproverKey)


class ApproverKeys:
    """All of a tenant's. That one came or went is in the log."""

    def __init__(self, redis: Redis, tenant: str, vault: Seal) -> None:
        self._tenant, self._vault = tenant, vault
        self._register = Register(redis, tenant, "approver:keys")

    async def now(self) -> datetime:
        return await self._register.now()

    async def all(self) -> Mapping[PersonId, list[ApproverKey]]:
        """By person, the oldest first. What another secret sealed, or nobody, is passed over.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        found: dict[PersonId, list[ApproverKey]] = {}
        for field, sealed in (await self._register.read()).texts.items():
            try:
                one = wire.read(_KEY, self._vault.open(self._purpose(field), sealed))
            except ApprovalsError:
                logger.warning("a key of %s was not registered by this service", field.partition(" ")[0])
                continue
            found.setdefault(PersonId(field.partition(" ")[0]), []).append(one)
        return {person: sorted(found[person], key=lambda one: one.since) for person in sorted(found)}

    async def of(self, person: PersonId) -> list[ApproverKey]:
        return list((await self.all()).get(person, []))

    async def add(self, person: PersonId, one: ApproverKey, by: Actor, via: Via) -> None:
        """Register it.

        Raises:
            InvalidCall: somebody has it already, or this person has too many.
        """
        every = await self.all()
        holder = next((who for who, keys in every.items() if one.name in {each.name for each in keys}), None)
        if holder is not None:
            raise InvalidCall(f"{one.name} is a key of {holder} already")
        if len(every.get(person, [])) >= MOST:
            raise InvalidCall(f"{person} has {MOST} keys already: remove one first")
        field = _field(person, one.name)
        sealed = self._sealed(field, one)
        told: dict[str, object] = {"person": person, "kind": one.kind, "name": one.name, "key": one.key}
        note = Note(event="approver_key_added", by=by, via=via, detail=told)
        if not await self._register.put(field, sealed, note, only_new=True):
            raise InvalidCall(f"{one.name} is there, sealed with another secret: remove it first")

    async def count(self, person: PersonId, one: ApproverKey, uses: int) -> None:
        """Keep what a passkey has counted; one that was removed meanwhile stays removed."""
        field = _field(person, one.name)
        sealed = self._sealed(field, replace(one, uses=uses))
        by, told = Actor(id=f"slack:{person}", name=person), {"person": person, "name": one.name}
        note = Note(event="approver_key_used", by=by, via=Via.WEB, detail={**told, "uses": uses})
        await self._register.renew(field, sealed, note)

    async def remove(self, person: PersonId, name: str, by: Actor) -> None:
        """From now on it counts for nothing.

        Raises:
            InvalidCall: this person has no such key.
        """
        told: dict[str, object] = {"person": person, "name": name}
        note = Note(event="approver_key_removed", by=by, via=Via.CLI, detail=told)
        if not await self._register.take(_field(person, name), note):
            raise InvalidCall(f"{person} has no key {name}: look at `countersign approver-keys list`")

    def _sealed(self, field: str, one: ApproverKey) -> str:
        return self._vault.seal(self._purpose(field), wire.write(_KEY, one).encode())

    def _purpose(self, field: str) -> str:
        return f"approver key {self._tenant} {field}"


def ssh_key(text: str, now: datetime) -> ApproverKey:
    """What a `.pub` file holds. Raises InvalidCall: it is none, or of a kind that is not taken."""
    key, comment = read_key(text)
    return ApproverKey(kind="ssh", name=key.name, key=key.line, since=now, comment=comment[:80])


def is_of(key: SshKey, keys: list[ApproverKey]) -> bool:
    return any(each.kind == "ssh" and each.key == key.line for each in keys)


def is_signed(request: Request, vote: Vote, keys: list[ApproverKey]) -> bool:
    """Whether one of `keys` has signed that vote for the call as it stands."""
    about = {"tenant": request.tenant, "request": request.id, "tool": request.tool}
    try:
        key = signed_with(vote.evidence, **about, fingerprint=request.fingerprint, person=vote.person)
    except NotSigned:
        return False
    return is_of(key, keys)


def _field(person: PersonId, name: str) -> str:
    return f"{person} {name}"
