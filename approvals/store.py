"""The service's door to Redis: requests as they are kept, changed and logged. Rules are in machine.py."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from weakref import WeakValueDictionary

from redis.asyncio import Redis

from approvals import wire
from approvals.audit import GENESIS, Entry, entry_of, link
from approvals.brakes import freeze_on, stopped
from approvals.clock import next_due
from approvals.commands import Command
from approvals.errors import (
    AlreadyUsed,
    AmbiguousId,
    GrantSpent,
    NeverGiven,
    NotSigned,
    Refusal,
    RequestNotFound,
    Unavailable,
)
from approvals.events import (
    Answered,
    Approved,
    Edited,
    Event,
    Overridden,
    Refused,
    Rejected,
    UndoAsked,
    UndoFailed,
    Undone,
)
from approvals.evolution import evolve
from approvals.freezes import NOT_FROZEN, Freezes, Frozen, frozen
from approvals.gathering import Gathered
from approvals.grants import Use
from approvals.ids import ALPHABET, LETTERS, is_id
from approvals.inbox import GROUP, LetterRef, Taken
from approvals.keys import is_written_as, key
from approvals.machine import SERVICE, begin, decide, is_to_be_looked_at
from approvals.masking import Masker
from approvals.messages import (
    Outcome,
    OutcomeStatus,
    callback_of,
    is_auto,
    outcome_of,
    permit_of,
    undo_of,
)
from approvals.model import (
    Actor,
    Freeze,
    Json,
    Kind,
    Request,
    RequestId,
    ReviewState,
    Status,
    Tenant,
    Via,
)
from approvals.places import Posted
from approvals.redis_door import due_ms, follow, moment, ms, script, translated
from approvals.registers import held
from approvals.replicas import confirm
from approvals.signed import Signer, is_decided_anew, sign, sign_again

CHANGE_TIMEOUT_S = 2.0
PERMIT_GONE = -1  # what commit.lua answers
FREEZES_CHANGED, GRANT_SPENT = -1, -2  # what create.lua answers
FRESH_S = 0.05  # a clock read longer ago than this is read again before it decides about a deadline
LEASE_S = 10.0
ALIKE_KEPT_S = 24 * 3600  # calls that come further apart have cards of their own
REFUSED_KEPT_S = 90 * 24 * 3600  # the outcome of a letter that never became a request
PAGE = 1000  # audit entries that are held at once
OUT_OF_ORDER = timedelta(minutes=1)  # the log is in the order of commits, and its times are up to so far off
TYPED_LETTERS = 4  # of an id that a person must type at least
AMBIGUOUS = 10  # matches that are told
TYPED_CHARS = 200  # of what was typed that go into the log

Commanding: TypeAlias = Callable[[Request], Awaitable[Command]]

_READ_ALIKE = str.maketrans("OIL", "011")  # Crockford: what people read for a digit is that digit
_TYPED = re.compile(f"[{ALPHABET}]{{{TYPED_LETTERS},{LETTERS}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a command did: the request as it became, by which event, under which number of the log."""

    request: Request
    event: Event
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    request: Request
    head: str  # hash of the newest entry of its chain
    now: datetime
    frozen: Frozen

    @property
    def freeze(self) -> Freeze | None:
        return freeze_on(self.frozen.freezes, self.request.agent, self.request.tool)


class Store:
    """The requests of one tenant. Without a signer it can read and refuse, and decide nothing."""

    def __init__(
        self, redis: Redis, tenant: str, signer: Signer | None = None, masker: Masker | None = None
    ) -> None:
        self._redis, self.tenant, self._signer = redis, Tenant(tenant), signer
        self._masker = masker or Masker()
        self._audit, self._seq = key(tenant, "audit"), key(tenant, "audit:seq")
        self.freezes = Freezes(redis, tenant)
        self._reads: Gathered[RequestId, _Kept | None] = Gathered(self._read)
        self._turns: WeakValueDictionary[RequestId, asyncio.Lock] = WeakValueDictionary()
        self._turn_to_refuse = asyncio.Lock()
        self._create = script(redis, "create", is_told=True)
        self._commit = script(redis, "commit", is_told=True)
        self._claim = script(redis, "claim")
        self._refuse = script(redis, "refuse", is_told=True)
        self.guard: Callable[[], None] = lambda: None  # raises Unavailable where nothing is to be decided
        self.heard: Callable[[Entry, Request | None], None] = lambda entry, request: None  # what was logged

    async def now(self) -> datetime:
        """Redis's own clock, by which everything is judged."""
        with translated(self._redis):
            return moment(await self._redis.time())

    async def create(
        self,
        request: Request,
        *,
        letter: LetterRef | None = None,
        via: Via = Via.REDIS,
        use: Use | None = None,
    ) -> Request:
        """Store a request that was submitted, as the policy's answer leaves it, and take its letter out.

        One that is there already is returned as it is. `use`: what it takes of the grant that allows it.

        Raises:
            RequestNotFound: the id is another agent's; the letter is still to be refused.
            GrantSpent: the grant has changed, or has too little left.
            Unavailable: Redis was away; to create it again is harmless.
        """
        request = self._masker.asked(request)
        async with _bounded(f"{request.id} could not be created"):
            while True:
                is_to_run = request.terms.action.lets_through and request.kind is not Kind.REVIEW
                frozen = await self.freezes.now() if is_to_run else NOT_FROZEN
                freeze = freeze_on(frozen.freezes, request.agent, request.tool)
                asked = request if freeze is None else replace(request, terms=stopped(request.terms, freeze))
                if created := await self._created(asked, frozen, letter, via, None if freeze else use):
                    return created

    async def _created(
        self, request: Request, frozen: Frozen, letter: LetterRef | None, via: Via, use: Use | None
    ) -> Request | None:
        """The request, or None if it would be let through and what is frozen has changed."""
        self.guard()
        submitted, answer = begin(request)
        after = self._signed(None, evolve(request, answer), answer, Via.SERVICE)
        first = link(GENESIS, entry_of(request, request, submitted, via=via))
        second = link(first.hash, entry_of(request, after, answer, via=Via.SERVICE))
        names = ("ids", "shorts")
        with translated(self._redis):
            reply = await self._create(
                keys=[
                    *(*self._keys(after), *(key(self.tenant, name) for name in names)),
                    key(self.tenant, "inbox", request.agent),
                    *(key(self.tenant, name) for name in ("approved", "freezes", "grants", "grants:used")),
                    *(key(self.tenant, name) for name in ("twins", "reviews")),
                    key(self.tenant, "asked", request.agent),
                    *self._callback_keys(after),
                ],
                args=[
                    *(after.id, after.version, wire.write(wire.REQUEST, after)),
                    *(wire.write(wire.ENTRY, second), second.hash),
                    *_consequences(None, after, answer),
                    *(after.agent, wire.write(wire.ENTRY, first)),
                    *(letter.entry_id if letter else "", GROUP),
                    *(_approved(after), frozen.version),
                    *((use.grant, use.version) if use else ("", "0")),
                    *((use.uses, use.micros, use.limit_micros) if use else (0, 0, 0)),
                    *(_twin(after), _review(after), ms(after.created_at)),
                    _callback(None, after, answer),
                ],
            )
        if reply is None:
            raise RequestNotFound(request.id)
        if reply == [FREEZES_CHANGED]:
            return None
        if reply == [GRANT_SPENT]:
            raise GrantSpent
        is_new, short, *body = reply
        if not is_new:
            return stored(body[0], short)
        for entry in (first, second):
            self.heard(entry, after)
        return replace(after, short=short)

    async def get(self, request_id: RequestId) -> tuple[Request, datetime]:
        """The request, and Redis's clock, read together.

        Raises:
            RequestNotFound: there is no such request, or it has been forgotten.
            Unavailable: Redis was away.
        """
        kept = await self._kept(request_id)
        return kept.request, kept.now

    async def change(
        self, request_id: RequestId, command: Command | Commanding, *, letter: LetterRef | None = None
    ) -> Change:
        """Apply `command`, or what it says in view of the request as it is, and take its letter out.

        Deciding happens here and committing in Redis, so when two people click at once the slower one is
        decided again from what the faster one left behind.

        Raises:
            Refusal: the rules forbid it.
            RequestNotFound: there is no such request, or it has been forgotten.
            Unavailable: others kept winning, or Redis was away, for CHANGE_TIMEOUT_S.
        """
        async with _bounded(f"{request_id} could not be changed"):
            try:
                return await self._changed(request_id, command, letter)
            except Refusal:  # it tells how the request stands, and that must be safe to tell too
                with translated(self._redis):
                    await confirm(self._redis)
                raise

    async def _changed(
        self, request_id: RequestId, command: Command | Commanding, letter: LetterRef | None
    ) -> Change:
        if change := await self._try(request_id, command, letter):
            return change
        # Losers of this process take turns: forty who try again all at once lose 780 times between them.
        async with self._turns.setdefault(request_id, asyncio.Lock()):
            while True:
                if change := await self._try(request_id, command, letter):
                    return change

    async def refuse(self, typed_id: str, by: Actor, attempted: str, reason: str, via: Via) -> datetime:
        """Log that somebody tried something on what is no request; returns when.

        Raises:
            Unavailable: Redis was away.
        """
        return await self._log_refused(by, typed_id, attempted, reason, via)

    async def refuse_letter(self, taken: Taken, reason: str) -> None:
        """Log a letter that can't be followed, take it out, and tell its agent unless it has such a request.

        Raises:
            Unavailable: Redis was away; to refuse it again is harmless.
        """
        agent, request_id = taken.agent, taken.request_id
        keys = [key(self.tenant, "inbox", agent)]
        args: list[str | int] = [taken.entry_id, GROUP]
        if request_id is not None:
            outcome = Outcome(
                id=request_id,
                status=OutcomeStatus.REJECTED,
                decided_at=await self.now(),
                decided_by=SERVICE.id,
                decided_by_name=SERVICE.name,
                text=reason,
            )
            keys += [
                key(self.tenant, "request", request_id),
                key(self.tenant, "outcome", agent, request_id),
                key(self.tenant, "wake", agent),
            ]
            args += [request_id, agent, wire.write(wire.OUTCOME, outcome), REFUSED_KEPT_S * 1000]
        by = Actor(id=f"agent:{agent}", name=agent)
        attempted = taken.letter.letter if taken.letter else "letter"
        await self._log_refused(by, request_id or "", attempted, reason, Via.REDIS, keys, args)

    async def find(self, typed: str) -> RequestId:
        """The request whose id begins as typed: in any case, with or without `R-`, O for 0, I or L for 1.

        Raises:
            AmbiguousId: several do, and it is the short id of none of them.
            RequestNotFound: none does, or fewer than four letters were typed.
            Unavailable: Redis was away.
        """
        letters = typed.strip().upper().removeprefix("R-").translate(_READ_ALIKE)
        if not _TYPED.fullmatch(letters):
            raise RequestNotFound(typed)
        prefix = f"R-{letters}"
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hget(key(self.tenant, "shorts"), prefix)
                pipe.zrangebylex(key(self.tenant, "ids"), f"[{prefix}", f"[{prefix}~", 0, AMBIGUOUS)
                exact, ids = await pipe.execute()
                if exact is not None or len(ids) == 1:
                    return RequestId(exact or ids[0])
                if not ids:
                    raise RequestNotFound(typed)
                for id in ids:
                    pipe.hget(key(self.tenant, "request", id), "short")
                shorts = await pipe.execute()
        raise AmbiguousId(typed, tuple(short or id for short, id in zip(shorts, ids, strict=True)))

    async def pending(self, *, limit: int = 50, offset: int = 0) -> list[Request]:
        """What waits for people, the oldest first."""
        with translated(self._redis):
            ids = await self._redis.zrange(key(self.tenant, "pending"), offset, offset + limit - 1)
        return await self._bodies(ids)

    async def _bodies(self, ids: Iterable[object]) -> list[Request]:
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                for id in ids:
                    pipe.hmget(key(self.tenant, "request", str(id)), "body", "short")
                found = await pipe.execute()
        return [stored(body, short) for body, short in found if body is not None]

    async def get_many(self, ids: Iterable[RequestId]) -> dict[RequestId, Request]:
        """Those of the requests that are still kept."""
        return {request.id: request for request in await self._bodies(ids)}

    async def unseen(self, *, limit: int = 50) -> list[Request]:
        """What ended without people's regular yes or no, and nobody has looked at since; the oldest first."""
        with translated(self._redis):
            ids = await self._redis.zrange(key(self.tenant, "unseen"), 0, limit - 1)
        return await self._bodies(ids)

    async def reviews(self, *, limit: int = 50, offset: int = 0) -> list[Request]:
        """What ran without asking and nobody has looked at yet, the oldest first."""
        with translated(self._redis):
            ids = await self._redis.zrange(key(self.tenant, "reviews"), offset, offset + limit - 1)
        return await self._bodies(ids)

    async def approved(self, *, limit: int, offset: int = 0) -> list[Request]:
        """Whose approvals are not used yet, the oldest first."""
        with translated(self._redis):
            ids = await self._redis.zrange(key(self.tenant, "approved"), offset, offset + limit - 1)
        return await self._bodies(ids)

    async def lead(self, agent: str, fingerprint: str, request_id: RequestId) -> RequestId:
        """The request whose card stands for all calls like this; `request_id`, if there is none yet."""
        alike = key(self.tenant, "alike", agent, fingerprint)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.set(alike, request_id, nx=True, ex=ALIKE_KEPT_S)
                pipe.get(alike)
                return RequestId(str((await pipe.execute())[1]))

    async def lead_instead(self, agent: str, fingerprint: str, request_id: RequestId) -> None:
        """From now on this request's card stands for calls like it."""
        with translated(self._redis):
            await self._redis.set(key(self.tenant, "alike", agent, fingerprint), request_id, ex=ALIKE_KEPT_S)

    async def twins(self) -> list[RequestId]:
        """What waits and shares another's card."""
        with translated(self._redis):
            return [RequestId(str(id)) for id in await self._redis.smembers(key(self.tenant, "twins"))]

    async def streaks(self) -> dict[str, int]:
        """How many of each agent's requests people have rejected in a row."""
        with translated(self._redis):
            found = await self._redis.hgetall(key(self.tenant, "streaks"))
        return {str(agent): int(count) for agent, count in found.items()}

    async def end_streak(self, agent: str) -> None:
        """Begin to count anew."""
        with translated(self._redis):
            await self._redis.hdel(key(self.tenant, "streaks"), agent)

    async def count_pending(self) -> int:
        with translated(self._redis):
            return await self._redis.zcard(key(self.tenant, "pending"))

    async def due(self, limit: int) -> list[RequestId]:
        """Claim what the clock has something to say to; who fails at it leaves it to others after LEASE_S."""
        with translated(self._redis):
            ids = await self._claim(keys=[key(self.tenant, "due")], args=[limit, round(LEASE_S * 1000)])
        return [RequestId(id) for id in ids]

    async def forget(self, request_id: RequestId) -> None:
        """Delete everything about a request but its entries in the log. Harmless when it is gone.

        Raises:
            Unavailable: Redis was away.
        """
        request, cards = key(self.tenant, "request", request_id), key(self.tenant, "cards", request_id)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.hmget(request, "agent", "short", "version")
                pipe.hvals(cards)
                (agent, short, version), texts = await pipe.execute()
                shown = [message_key(self.tenant, wire.read(wire.POSTED, text)) for text in texts]
                theirs = [
                    key(self.tenant, name, agent, request_id) for name in ("outcome", "permit") if agent
                ]
                pipe.delete(request, cards, *filter(None, shown), *theirs)
                callbacks = [f"{request_id}-{each}" for each in range(1, int(version or 0) + 1)]
                if callbacks:
                    pipe.delete(*(key(self.tenant, "callback", id) for id in callbacks))
                    pipe.zrem(key(self.tenant, "callbacks"), *callbacks)
                    pipe.zrem(key(self.tenant, "callbacks:dead"), *callbacks)
                if agent:
                    pipe.hdel(key(self.tenant, "undo", agent), request_id)
                    pipe.zrem(key(self.tenant, "asked", agent), request_id)
                if short is not None:
                    pipe.hdel(key(self.tenant, "shorts"), short)
                for queue in ("ids", "pending", "due", "draw", "unseen", "approved", "reviews"):
                    pipe.zrem(key(self.tenant, queue), request_id)
                await pipe.execute()

    async def entries(self, first: int = 1, count: int = PAGE) -> list[Entry]:
        """The log from number `first` on.

        Raises:
            Unreadable: an entry is none of ours.
            Unavailable: Redis was away.
        """
        beside = key(self.tenant, "audit:beside")  # where something of them or near them was erased
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.xrange(self._audit, f"{first}-0", "+", count)
                pipe.zrangebyscore(beside, first, "+inf", 0, count, withscores=True)
                in_stream, moved = await pipe.execute()
        found = {_seq(id): (fields or {}).get("entry", "") for id, fields in in_stream}
        found |= {int(seq): text for text, seq in moved}
        return [replace(wire.read(wire.ENTRY, found[seq]), seq=seq) for seq in sorted(found)[:count]]

    async def log(self, first: int = 1) -> AsyncIterator[Entry]:
        """The whole log from number `first` on, a page at a time. Raises as `entries`."""
        while page := await self.entries(first):
            for entry in page:
                yield entry
            first = page[-1].seq + 1

    async def chain(self, request_id: RequestId) -> list[Entry]:
        """Everything that was logged of one request. Raises as `entries`."""
        return [entry async for entry in self.log() if entry.request == request_id]

    async def last_seq(self) -> int:
        """The number that the log gave out last; 0: none yet."""
        with translated(self._redis):
            return int(await self._redis.get(self._seq) or 0)

    async def first_seq_at(self, at: datetime) -> int:
        """A number from which on the log holds all that happened since `at`, and little of what was before.

        Raises as `entries`.
        """
        low, high = 1, await self.last_seq() + 1
        while low < high:
            middle = (low + high) // 2
            found = await self.entries(middle, 1)
            if found and found[0].at < at - OUT_OF_ORDER:
                low = found[0].seq + 1
            else:
                high = middle
        return low

    async def until_changed(self, last_seq: int, timeout_s: float) -> int:
        """Wait up to `timeout_s` for the log to grow beyond `last_seq`; returns how far it goes by then.

        Raises:
            Unavailable: Redis was away.
        """
        if await follow(self._redis, self._audit, f"{last_seq}-0", timeout_s=timeout_s, count=1):
            return await self.last_seq()
        return last_seq

    async def _try(
        self, request_id: RequestId, command: Command | Commanding, letter: LetterRef | None
    ) -> Change | None:
        """Apply `command`, or return None if somebody else was faster."""
        wanted, kept = await self._wanted(command, await self._kept(request_id))
        self.guard()
        event = decide(kept.request, wanted, now=kept.now, freeze=kept.freeze)
        event = self._masker.event(kept.request, event)
        evolved = self._masker.masked(kept.request, evolve(kept.request, event))
        after = self._signed(kept.request, evolved, event, wanted.via)
        entry = link(kept.head, entry_of(kept.request, after, event, via=wanted.via))
        seq = await self._committed(kept, after, event, entry, letter)
        if seq is None:
            return None
        self.heard(entry, after)
        return Change(request=after, event=event, seq=seq)

    def _signed(self, before: Request | None, after: Request, event: Event, via: Via) -> Request:
        """With its signature, if this version is an end, or leave to run that ends at another time.

        Raises:
            NeverGiven: the approval that would be given back is not one that we signed.
        """
        if not is_decided_anew(before, after):
            return after
        if self._signer is None:
            raise RuntimeError("a store without a signer can decide nothing")
        if not (before and before.status is Status.APPROVED and after.status is Status.APPROVED):
            return replace(after, signed=sign(self._signer, after, event, via))
        try:
            return replace(after, signed=sign_again(self._signer, after))
        except NotSigned as forged:
            raise NeverGiven(after, str(forged)) from forged

    async def _wanted(self, command: Command | Commanding, kept: _Kept) -> tuple[Command, _Kept]:
        """The command, with the request and the clock as they are by then: to look somebody up takes time."""
        if not callable(command):
            return command, kept
        clock = asyncio.get_running_loop()
        began = clock.time()
        wanted = await command(kept.request)
        return wanted, kept if clock.time() - began < FRESH_S else await self._kept(kept.request.id)

    async def _kept(self, request_id: RequestId) -> _Kept:
        kept = await self._reads.get(request_id) if is_id(request_id) else None
        if kept is None:
            raise RequestNotFound(request_id)
        return kept

    async def _read(self, ids: list[RequestId]) -> list[_Kept | None]:
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                for id in ids:
                    pipe.hmget(key(self.tenant, "request", id), "body", "short", "head")
                pipe.time()
                pipe.hgetall(key(self.tenant, "freezes"))
                *found, time, fields = await pipe.execute()
        now, freezes = moment(time), frozen(held(fields))
        return [
            None if body is None else _Kept(request=stored(body, short), head=head, now=now, frozen=freezes)
            for body, short, head in found
        ]

    async def _committed(
        self, kept: _Kept, after: Request, event: Event, entry: Entry, letter: LetterRef | None
    ) -> int | None:
        """The number of the entry, or None if somebody else was faster."""
        before = kept.request
        args = [
            *(after.id, before.version, wire.write(wire.REQUEST, after)),
            *(wire.write(wire.ENTRY, entry), entry.hash),
            *_consequences(before, after, event),
            ms(after.decision.at) if after.decision and is_to_be_looked_at(after) else "",
            *(_approved(after), kept.frozen.version),
            *(after.agent, _streak(event), _twin(after)),
            *(_review(after), _undo(after, event), _callback(before, after, event)),
            *(letter.entry_id if letter else "", GROUP),
        ]
        try:
            return await self._commit_once(after, args)
        except Unavailable:
            # Perhaps only the reply was lost: then this finds what was written.
            return await self._commit_once(after, args)

    async def _commit_once(self, after: Request, args: list[str | int]) -> int | None:
        names = ("unseen", "approved", "freezes", "streaks", "twins", "reviews")
        keys = [*self._keys(after), *(key(self.tenant, name) for name in names)]
        keys += [key(self.tenant, "undo", after.agent), *self._callback_keys(after)]
        keys.append(key(self.tenant, "inbox", after.agent))
        with translated(self._redis):
            seq: int | None = await self._commit(keys=keys, args=args)
        if seq == PERMIT_GONE:
            raise AlreadyUsed(after)
        return seq

    def _keys(self, request: Request) -> list[str]:
        """What a version of a request is written to: KEYS[1] to KEYS[9] of create and commit."""
        tenant, agent, id = self.tenant, request.agent, request.id
        return [
            key(tenant, "request", id),
            *(key(tenant, queue) for queue in ("pending", "due", "draw")),
            *(self._audit, self._seq),
            key(tenant, "outcome", agent, id),
            key(tenant, "permit", agent, id),
            key(tenant, "wake", agent),
        ]

    def _callback_keys(self, request: Request) -> list[str]:
        callback = key(self.tenant, "callback", f"{request.id}-{request.version}")
        return [key(self.tenant, "callbacks"), callback]

    async def _log_refused(
        self,
        by: Actor,
        typed: str,
        attempted: str,
        reason: str,
        via: Via,
        keys: Sequence[str] = (),
        args: Sequence[str | int] = (),
    ) -> datetime:
        """Chain an entry onto the tenant's own chain; `keys` and `args` are refuse.lua's from 4 on."""
        self.guard()
        head_key = key(self.tenant, "audit:head")
        said = self._masker.text(reason)
        detail: dict[str, Json] = {"by": by.name, "attempted": attempted, "reason": said}
        if by.through is not None:
            detail["through"] = by.through
        if typed:
            safe = self._masker.text(typed[:TYPED_CHARS])
            detail["typed"] = safe.encode(errors="backslashreplace").decode()
        entry = Entry(
            at=await self.now(),
            tenant=self.tenant,
            request="",
            event=Refused.word,
            actor=by.id,
            via=via,
            detail=detail,
        )
        async with _bounded("the refusal could not be logged"), self._turn_to_refuse:
            is_logged = None
            while is_logged is None:
                with translated(self._redis):
                    head = str(await self._redis.get(head_key) or GENESIS)
                    linked = link(head, entry)
                    is_logged = await self._refuse(
                        keys=[self._audit, self._seq, head_key, *keys],
                        args=[head, wire.write(wire.ENTRY, linked), linked.hash, *args],
                    )
        self.heard(entry, None)
        return entry.at


def stored(body: str, short: str) -> Request:
    """A request as its hash in Redis holds it: what is typed for it was settled when it was written first."""
    request = wire.read(wire.REQUEST, body)
    return request if request.short == short else replace(request, short=short)


def message_key(tenant: str, posted: Posted) -> str | None:
    """Where it is kept which request a message shows; what has no timestamp, such as a file, has no key."""
    if posted.ts is None or not is_written_as("timestamp", posted.ts):
        return None
    return key(tenant, "message", posted.channel, posted.ts)


def _seq(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])


def _consequences(before: Request | None, after: Request, event: Event) -> list[str | int]:
    """What a new version means for everything beside it: ARGV[6] to ARGV[12] of create and commit."""
    due = next_due(after)
    is_drawn = not is_auto(after) and not isinstance(event, Refused) and after.twin_of is None
    return [
        ms(after.created_at) if after.is_pending else "",
        "" if due is None else due_ms(due),
        "1" if is_drawn else "",
        _outcome(before, after),
        max(1, after.terms.retention_s * 1000),  # Redis has no word for nought
        _permit(before, after),
        "" if after.claim_by is None else ms(after.claim_by),
    ]


def _outcome(before: Request | None, after: Request) -> str:
    outcome = outcome_of(after)
    if before is not None and outcome == outcome_of(before):
        return ""
    return "-" if outcome is None else wire.write(wire.OUTCOME, outcome)


def _permit(before: Request | None, after: Request) -> str:
    """Given when it becomes approved, or a freeze ends, and never else: the agent may have taken it since."""
    was_approved = before is not None and before.status is Status.APPROVED
    was_held = before is not None and before.hold is not None
    if after.status is Status.APPROVED:
        if was_approved and not was_held:
            return "" if after.hold is None else "!"
        permit = permit_of(after)
        return "" if permit is None else wire.write(wire.PERMIT, permit)
    if after.status is Status.WITHDRAWN and was_approved and not was_held:
        return "!"  # unless the agent was faster
    return "-" if before is None or was_approved else ""


def _twin(request: Request) -> str:
    return "1" if request.is_pending and request.twin_of is not None else ""


def _streak(event: Event) -> str:
    """Whether a person's decision makes the agent's rejections in a row one more, or ends them."""
    if not event.by.id.startswith("slack:"):
        return ""
    if isinstance(event, Rejected):
        return "1"
    return "0" if isinstance(event, Approved | Edited | Answered | Overridden) else ""


def _approved(request: Request) -> int | str:
    is_unused = request.status is Status.APPROVED and request.kind is Kind.ACTION
    return ms(request.decision.at) if is_unused and request.decision else ""


def _review(request: Request) -> int | str:
    review = request.review
    return ms(review.opened_at) if review and review.state is ReviewState.OPEN else ""


def _undo(request: Request, event: Event) -> str:
    """What the agent is asked to undo, and no more once it has answered."""
    asked = undo_of(request)
    if isinstance(event, UndoAsked) and asked is not None:
        return wire.write(wire.UNDO, asked)
    return "-" if isinstance(event, Undone | UndoFailed) else ""


def _callback(before: Request | None, after: Request, event: Event) -> str:
    """The call that its agent gets, if there is anything new to tell."""
    told = undo_of(after) if isinstance(event, UndoAsked) else outcome_of(after)
    if told is None or (before is not None and told == outcome_of(before)):
        return ""
    callback = callback_of(after, told, event.at)
    return "" if callback is None else wire.write(wire.CALLBACK, callback)


@asynccontextmanager
async def _bounded(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(CHANGE_TIMEOUT_S):
            yield
    except TimeoutError as error:
        raise Unavailable(f"{what} within {CHANGE_TIMEOUT_S:.0f} s") from error
