"""Who may use the HTTP API: a token for each agent and each approver front end, of which a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from redis.asyncio import Redis

from approvals import wire
from approvals.errors import Refusal
from approvals.gathering import Gathered
from approvals.keys import check, is_written_as, key
from approvals.model import Actor, AgentName, Via
from approvals.redis_door import moment, translated
from approvals.registers import Note, Register

SECRET_BYTES = 32
WINDOW_MS = 60_000
CALLS_A_MINUTE = 1200  # of one token, unless told when it was added
_PREFIX = "cs"  # a token is cs~NAME@TENANT~SECRET; no name holds a ~ or an @. Older ones name no tenant


class Role(StrEnum):
    """What a token is for."""

    AGENT = "agent"
    APPROVER_FRONT_END = "approver-front-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashed:
    """One token, as far as it is kept."""

    sha256: str
    until: datetime | None = None  # None: until it is rotated or revoked


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody who may use the API."""

    name: AgentName
    role: Role
    tokens: tuple[Hashed, ...]
    since: datetime
    calls_a_minute: int = CALLS_A_MINUTE


class NoSuchHolder(Refusal):
    """No token was ever added for that name, or it was revoked."""


class HolderExists(Refusal):
    """There is a token for that name; it can be rotated."""


_HOLDER: wire.Shape[Holder] = wire.Shape(Holder)


class AgentTokens:
    """Adds, rotates, revokes and recognises tokens; every change is in the log."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._tenant = redis, tenant
        self._register = Register(redis, tenant, "tokens")
        self._holders = Gathered(self._look_up)
        self._counted = Gathered(self._count)

    async def all(self) -> list[Holder]:
        """Everybody who has one, by name.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        texts = (await self._register.read()).texts
        return sorted((wire.read(_HOLDER, text) for text in texts.values()), key=lambda holder: holder.name)

    async def add(self, name: str, role: Role, by: Actor, *, calls_a_minute: int = CALLS_A_MINUTE) -> str:
        """Make a token for `name` and return it: nobody can be told it again.

        Raises:
            HolderExists: there is one.
            InvalidCall: nobody can be called that.
        """
        check("agent name", name)
        token = self._new_token(name)
        holder = Holder(
            name=AgentName(name),
            role=role,
            tokens=(Hashed(sha256=_hash(token)),),
            since=await self._register.now(),
            calls_a_minute=calls_a_minute,
        )
        if not await self._put(holder, "token_added", by, only_new=True):
            raise HolderExists(f"there is a token for {name!r}; rotate it, or revoke it first")
        return token

    async def rotate(self, name: str, by: Actor, *, overlap: timedelta = timedelta(0)) -> str:
        """Make another token for `name` and return it. The one before is good for as long as `overlap`.

        Raises:
            NoSuchHolder: there is none.
        """
        holder, token = await self._known(name), self._new_token(name)
        now = await self._register.now()
        old = [replace(each, until=min(each.until or now + overlap, now + overlap)) for each in holder.tokens]
        kept = tuple(each for each in old if each.until is not None and each.until > now)
        anew = replace(holder, tokens=(Hashed(sha256=_hash(token)), *kept))
        await self._put(anew, "token_rotated", by)
        return token

    async def revoke(self, name: str, by: Actor) -> None:
        """From now on no token of `name` is good.

        Raises:
            NoSuchHolder: there is none.
        """
        holder = await self._known(name)
        if not await self._register.take(_field(name), _note("token_revoked", holder, by)):
            raise NoSuchHolder(f"there is no token for {name!r}")

    async def holder_of(self, token: str) -> Holder | None:
        """Whose token this is; None: nobody's (any more)."""
        prefix = token.partition("~")[0]
        if prefix != _PREFIX or not is_written_as("agent name", _name_in(token)):
            return None
        return await self._holders.get(token)

    def _new_token(self, name: str) -> str:
        return f"{_PREFIX}~{name}@{self._tenant}~{secrets.token_urlsafe(SECRET_BYTES)}"

    async def calls(self, holder: Holder) -> tuple[int, float]:
        """Count one more call of this minute; returns how many those are, and in how many seconds it ends."""
        return await self._counted.get(holder.name)

    async def _look_up(self, tokens: list[str]) -> list[Holder | None]:
        fields = [_field(_name_in(token)) for token in tokens]
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hmget(key(self._tenant, "tokens"), fields)
                pipe.time()
                texts, time = await pipe.execute()
        return [_holder(token, text, moment(time)) for token, text in zip(tokens, texts, strict=True)]

    async def _count(self, names: list[AgentName]) -> list[tuple[int, float]]:
        calls = Counter(names)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                for name, count in calls.items():
                    counter = key(self._tenant, "calls", name)
                    pipe.set(counter, 0, px=WINDOW_MS, nx=True)
                    pipe.incrby(counter, count)
                    pipe.pttl(counter)
                found = await pipe.execute()
        left_s = {name: max(0, int(ms)) / 1000 for name, ms in zip(calls, found[2::3], strict=True)}
        counted = Counter(
            {name: int(all) - calls[name] for name, all in zip(calls, found[1::3], strict=True)}
        )
        answers = []
        for name in names:  # each is told its own place among them
            counted[name] += 1
            answers.append((counted[name], left_s[name]))
        return answers

    async def _known(self, name: str) -> Holder:
        text = await self._register.get(_field(name))
        if text is None:
            raise NoSuchHolder(f"there is no token for {name!r}")
        return wire.read(_HOLDER, text)

    async def _put(self, holder: Holder, event: str, by: Actor, *, only_new: bool = False) -> bool:
        text, note = wire.write(_HOLDER, holder), _note(event, holder, by)
        return await self._register.put(_field(holder.name), text, note, only_new=only_new)


def _holder(token: str, text: str | None, now: datetime) -> Holder | None:
    if text is None:
        return None
    holder, hashed = wire.read(_HOLDER, text), _hash(token)
    found = [each for each in holder.tokens if hmac.compare_digest(each.sha256, hashed)]
    if not found or (found[0].until is not None and found[0].until <= now):
        return None
    return holder


def tenant_in(token: str) -> str | None:
    """The tenant that a token says it is of; None: it says nothing of that."""
    return _whose(token).partition("@")[2] or None


def _name_in(token: str) -> str:
    return _whose(token).partition("@")[0]


def _whose(token: str) -> str:
    return token.partition("~")[2].partition("~")[0]


def _note(event: str, holder: Holder, by: Actor) -> Note:
    return Note(event=event, by=by, via=Via.CLI, detail={"name": holder.name, "role": holder.role.value})


def _field(name: str) -> str:
    return f"holder {name}"  # the register keeps a field of its own, whose name an agent could have


def _hash(token: str) -> str:
    """A plain hash will do: the secret is as long as the hash, so there is nothing to try out."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
