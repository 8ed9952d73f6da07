"""The agents' letter-boxes: an agent's door to Redis (`AgentInbox`), and how the service reads (`Inboxes`).

An agent's name is in its keys, never in its letters, and a Redis ACL keeps each agent to its own keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NoReturn

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError, WatchError
from redis.typing import KeyT, StreamIdT

from approvals import tracing, wire
from approvals.errors import Forged, InvalidCall, KeyReused, NotClaimed, NotSigned, Unavailable
from approvals.ids import is_id
from approvals.keys import is_written_as, key
from approvals.messages import (
    ClaimNotice,
    ForgedNotice,
    Letter,
    Outcome,
    OutcomeStatus,
    Permit,
    Submission,
    Ticket,
    UndoAsk,
)
from approvals.model import AgentName, Fingerprint, RequestId
from approvals.pulse import is_stale
from approvals.redis_door import BLOCK_S, StreamEntry, follow, moment, streams, translated
from approvals.signed import Trusted, check_outcome, check_permit
from approvals.trusted_keys import TrustedKeys

LETTER_BYTES = 1024 * 1024  # four times the largest args; what is longer was not written by us
KEY_KEPT_S = 90 * 24 * 3600
BELL_LENGTH = 100
WAKES_AT_ONCE = 1000  # as many as the scripts keep: where one was dropped unread, so many have come since
OUTCOMES_AT_ONCE = 1000

GROUP = "service"
ABANDONED_MS = 10_000  # a letter held longer than this belongs to a consumer that died
ROUND_S = 1.0  # between two looks at who is an agent and what was abandoned
_NAMED = re.compile(r'"id"\s*:\s*"(R-[0-9A-HJKMNP-TV-Z]{26})"')
UNATTENDED = (
    "was not claimed: no service has looked after this Redis for a minute, so it may be an older copy. Its"
    " leave is still there; try again once the service is back"
)
NOT_CLAIMED = "there is no leave to run it: never given, used already, taken back, or not used in time"


class AgentInbox:
    """One agent's door to Redis: letters in, outcomes and permits out. No scripts, and only its own keys."""

    def __init__(self, redis: Redis, tenant: str, agent: str, trusted: Trusted | None = None) -> None:
        self._redis, self._tenant, self._agent = redis, tenant, agent
        self._trusted = TrustedKeys(redis, tenant) if trusted is None else trusted
        self._agents = key(tenant, "agents")
        self._inbox = key(tenant, "inbox", agent)
        self._wake = key(tenant, "wake", agent)
        self._undo = key(tenant, "undo", agent)
        self._pulse = key(tenant, "pulse")
        self._has_rung = False
        self._told_forged: set[tuple[RequestId, str]] = set()

    async def put(self, submission: Submission, fingerprint: Fingerprint, key: str | None = None) -> Ticket:
        """Return once the request is durably in the inbox. The same `key` is the same request.

        Raises:
            KeyReused: the key came earlier with another tool or other args.
            InvalidCall: it is too large, or can't be written as JSON.
            Unavailable: Redis was away; to put it again with the same id is harmless.
        """
        first = submission.id if key is None else await self.first_with(key, submission.id, fingerprint)
        # Sent again under the first id too, in case that one's sender died between its key and its letter.
        await self.put_all([submission if first == submission.id else _readdressed(submission, first)])
        return Ticket(id=first, fingerprint=fingerprint, is_new=first == submission.id)

    async def put_all(self, submissions: Sequence[Submission]) -> None:
        """Put them all or none. Raises as `put`."""
        await self._send([self._traced(submission) for submission in submissions])

    def _traced(self, submission: Submission) -> Submission:
        trace = tracing.step("submit", self._tenant, submission.id, parent=submission.trace)
        return replace(submission, trace=trace)

    async def send(self, letter: Letter) -> None:
        """Put any letter. Raises as `put`."""
        await self._send([letter])

    async def outcome(self, request_id: RequestId) -> Outcome | None:
        return (await self.outcomes([request_id])).get(request_id)

    async def outcomes(self, request_ids: Iterable[RequestId]) -> dict[RequestId, Outcome]:
        """What has become of those that there is something to tell of.

        Raises:
            InvalidCall: one of them is no request id.
            Forged: an approval or an answer among them is not as the service signed it.
            Unavailable: Redis was away.
        """
        ids = list(request_ids)
        found: dict[RequestId, Outcome] = {}
        for start in range(0, len(ids), OUTCOMES_AT_ONCE):
            some = ids[start : start + OUTCOMES_AT_ONCE]
            with translated(self._redis):
                texts = await self._redis.mget([key(self._tenant, "outcome", self._agent, id) for id in some])
            for id, text in zip(some, texts, strict=True):
                if text is not None:
                    found[id] = await self._believed(id, wire.read(wire.OUTCOME, text))
        return found

    async def _believed(self, request_id: RequestId, outcome: Outcome) -> Outcome:
        """The outcome, if it is signed, or tells nobody to do anything."""
        if outcome.status not in (OutcomeStatus.APPROVED, OutcomeStatus.ANSWERED):
            return outcome
        try:
            if outcome.id != request_id:
                raise NotSigned("it is another request's")
            decision = await self._trusted.decision(outcome.signed)
            check_outcome(outcome, decision, self._tenant, self._agent)
        except NotSigned as forged:
            await self._tell_forged(request_id, "outcome", forged)
        return outcome

    async def _tell_forged(
        self, request_id: RequestId, what: Literal["outcome", "permit"], why: NotSigned
    ) -> NoReturn:
        """Let the service know, once and if it can be reached, and refuse in any case."""
        if (request_id, what) not in self._told_forged:
            with suppress(Unavailable):
                await self.send(ForgedNotice(id=request_id, what=what, why=str(why)))
                self._told_forged.add((request_id, what))
        raise Forged(f"{request_id}: its {what} is not believed, and nothing was run: {why}") from why

    async def claim(self, request_id: RequestId) -> Permit:
        """Take the permit, once, and tell the service in the same transaction.

        The notice must not be sent without the permit, and MULTI knows no conditions: hence the WATCH.

        Raises:
            NotClaimed: there is none.
            Forged: it is not as the service signed it; it is left there.
            Unavailable: Redis was away; the message says whether the permit may be gone.
        """
        permit_key = key(self._tenant, "permit", self._agent, request_id)
        notice = wire.write(wire.LETTER, ClaimNotice(id=request_id))
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                text, pulse, now = await _watched(pipe, permit_key, self._pulse)
                if text is None:
                    raise NotClaimed(f"{request_id}: {await self._why_not(request_id)}")
                if is_stale(pulse, now):
                    raise Unavailable(f"{request_id} {UNATTENDED}")
                permit = await self._checked(request_id, text, now)
                pipe.multi()  # type: ignore[no-untyped-call]  # redis-py left it so
                pipe.getdel(permit_key)
                pipe.sadd(self._agents, self._agent)
                pipe.xadd(self._inbox, {"letter": notice})
                try:
                    with translated(self._redis):
                        await pipe.execute()
                except (Unavailable, WatchError) as error:
                    # redis-py says WatchError of lost replies too; only these words mean that EXEC answered.
                    if str(error) == "Watched variable changed.":
                        raise NotClaimed(f"{request_id}: {NOT_CLAIMED}") from None
                    raise Unavailable(
                        f"{request_id} may or may not have been claimed, so it must not be run: {error}"
                    ) from error
        return permit

    async def _checked(self, request_id: RequestId, text: str | bytes, now: datetime) -> Permit:
        try:
            permit = wire.read(wire.PERMIT, text)
            if permit.id != request_id:
                raise NotSigned("it is another request's")
            decision = await self._trusted.decision(permit.signed)
            check_permit(permit, decision, self._tenant, self._agent, now)
        except wire.Unreadable as error:
            await self._tell_forged(request_id, "permit", NotSigned(f"it can't be read: {error}"))
        except NotSigned as forged:
            await self._tell_forged(request_id, "permit", forged)
        return permit

    async def _why_not(self, request_id: RequestId) -> str:
        outcome = await self.outcome(request_id)
        return outcome.held if outcome is not None and outcome.held is not None else NOT_CLAIMED

    async def last_wake(self) -> str:
        """Where the hints stand now: read it, then the outcomes, then `wakes` from here on."""
        with translated(self._redis):
            newest = await self._redis.xrevrange(self._wake, count=1)
        return str(newest[0][0]) if newest else "0-0"

    async def wakes(self, last_id: str, timeout_s: float) -> tuple[list[RequestId] | None, str]:
        """Wait for hints after `last_id`: whose outcomes to read again, and where to go on from.

        None: so many have come that some may be dropped by now, and everything is to be read again.

        Raises:
            Unavailable: Redis was away.
        """
        found = await follow(self._redis, self._wake, last_id, timeout_s=timeout_s, count=WAKES_AT_ONCE)
        ids = [RequestId(fields["id"]) for _, fields in found if "id" in fields]
        return None if len(found) == WAKES_AT_ONCE else ids, found[-1][0] if found else last_id

    async def undo_wakes(self, last_id: str, timeout_s: float) -> tuple[bool, str]:
        """Wait for hints after `last_id`: whether one is to look at `undos`, and where to go on from.

        Raises:
            Unavailable: Redis was away.
        """
        found = await follow(self._redis, self._wake, last_id, timeout_s=timeout_s, count=WAKES_AT_ONCE)
        is_hinted = len(found) == WAKES_AT_ONCE or any("undo" in fields for _, fields in found)
        return is_hinted, found[-1][0] if found else last_id

    async def undos(self) -> list[UndoAsk]:
        """What people want undone, and nobody has taken.

        Raises:
            Unreadable: one of them is not ours.
            Unavailable: Redis was away.
        """
        with translated(self._redis):
            texts = await self._redis.hvals(self._undo)
        return [wire.read(wire.UNDO, text) for text in texts]

    async def take_undo(self, request_id: RequestId) -> UndoAsk | None:
        """Take one of them: of all who try, one gets it.

        Raises:
            Unavailable: Redis was away, and perhaps it is taken; then a person asks again.
        """
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.hget(self._undo, request_id)
                pipe.hdel(self._undo, request_id)
                text, _ = await pipe.execute()
        return None if text is None else wire.read(wire.UNDO, text)

    async def first_with(self, name: str, request_id: RequestId, fingerprint: Fingerprint) -> RequestId:
        """The id that was given with this key first; `request_id`, if it is used now for the first time.

        Raises:
            KeyReused: it came earlier with another fingerprint.
            Unavailable: Redis was away.
        """
        hashed = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
        at = key(self._tenant, "key", self._agent, hashed)
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.set(at, f"{request_id} {fingerprint}", nx=True, ex=KEY_KEPT_S)
                pipe.get(at)
                _, stored = await pipe.execute()
        first, _, first_fingerprint = str(stored).partition(" ")
        if first_fingerprint != fingerprint:
            raise KeyReused(name, first)
        return RequestId(first)

    async def _send(self, letters: Sequence[Letter]) -> None:
        texts = [written(letter) for letter in letters]
        if not texts:
            return
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                pipe.sadd(self._agents, self._agent)
                for text in texts:
                    pipe.xadd(self._inbox, {"letter": text})
                if not self._has_rung:
                    pipe.xadd(key(self._tenant, "bell"), {"agent": self._agent}, maxlen=BELL_LENGTH)
                await pipe.execute()
        self._has_rung = True


async def _watched(
    pipe: Pipeline, permit_key: str, pulse_key: str
) -> tuple[str | bytes | None, str | None, datetime]:
    """The permit, which is watched from now on, the pulse that Redis was given last, and its clock."""
    try:
        await pipe.watch(permit_key)
        text, pulse = await pipe.mget(permit_key, pulse_key)
        return text, None if pulse is None else str(pulse), moment(await pipe.time())
    except WatchError as error:  # so redis-py tells of a line that breaks by now; nothing has been claimed
        raise Unavailable(f"the permit could not be read: {error}") from error


def _readdressed(submission: Submission, request_id: RequestId) -> Submission:
    return replace(submission, id=request_id)


def written(letter: Letter) -> str:
    """The letter as it is sent.

    Raises:
        InvalidCall: it is too large, or can't be written as JSON.
    """
    text = wire.write(wire.LETTER, letter)
    if (size := len(text.encode())) > LETTER_BYTES:
        raise InvalidCall(f"the letter is {size:,} bytes of JSON; at most {LETTER_BYTES:,} are accepted")
    return text


# -- the service's side -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRef:
    """Which letter: for taking it out of the inbox once it is dealt with."""

    agent: AgentName
    entry_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A letter that this consumer has to deal with, and then to acknowledge."""

    agent: AgentName  # whose key it lay under
    entry_id: str
    letter: Letter | None  # None: it can't be read, and `problem` says why
    raw: str
    problem: str | None = None
    deliveries: int = 1  # more than once: somebody died, or failed, over it

    @property
    def sent_at(self) -> datetime:
        """When Redis was given it."""
        return moment((0, int(self.entry_id.partition("-")[0]) * 1000))

    @property
    def ref(self) -> LetterRef:
        return LetterRef(agent=self.agent, entry_id=self.entry_id)

    @property
    def request_id(self) -> RequestId | None:
        """Which request it is about; of an unreadable letter as far as that can be made out."""
        if self.letter is not None:
            return self.letter.id
        try:
            found = json.loads(self.raw[:LETTER_BYTES])
        except (ValueError, RecursionError):  # broken, but its agent waits for an answer
            written = _NAMED.search(self.raw, 0, LETTER_BYTES)
            return RequestId(written[1]) if written else None
        named = found.get("id") if isinstance(found, dict) else None
        return RequestId(named) if isinstance(named, str) and is_id(named) else None


class Inboxes:
    """Every agent's inbox, read by one consumer of the group: each letter is with one consumer at a time."""

    def __init__(self, redis: Redis, tenant: str, consumer: str, *, abandoned_ms: int = ABANDONED_MS) -> None:
        self._redis, self._tenant, self._consumer = redis, tenant, consumer
        self._abandoned_ms = abandoned_ms
        self._bell = key(tenant, "bell")
        self._agents: dict[str, AgentName] = {}  # by the key of the inbox
        self._next_round = 0.0

    async def take(self, count: int = 32, block_ms: int = 2000) -> list[Taken]:
        """Wait up to `block_ms` for letters, `count` at most of each agent; none came: [].

        Raises:
            Unavailable: Redis was away.
        """
        with translated(self._redis):
            try:
                return await self._take(count, block_ms)
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
            self._next_round = 0.0  # Redis has lost the group, with its data: join it anew
            self._agents.clear()
            return await self._take(count, block_ms)

    async def ack(self, *letters: Taken) -> None:
        """Tick letters off: they are dealt with, and leave Redis.

        Raises:
            Unavailable: Redis was away; the letters may come again.
        """
        with translated(self._redis):
            async with self._redis.pipeline() as pipe:
                for taken in letters:
                    inbox = key(self._tenant, "inbox", taken.agent)
                    pipe.xack(inbox, GROUP, taken.entry_id)
                    pipe.xdel(inbox, taken.entry_id)
                await pipe.execute()

    async def give_back(self, letters: Iterable[Taken]) -> None:
        """Leave what is not ticked off to other consumers, at once.

        Raises:
            Unavailable: Redis was away; then they wait until it is old enough.
        """
        with translated(self._redis):
            async with self._redis.pipeline(transaction=False) as pipe:
                for taken in letters:
                    inbox, ids = key(self._tenant, "inbox", taken.agent), (taken.entry_id,)
                    pipe.xclaim(inbox, GROUP, self._consumer, 0, ids, idle=self._abandoned_ms, justid=True)
                await pipe.execute()

    async def has_earlier(self, taken: Taken) -> bool:
        """Whether some consumer has a letter of the same agent's that came before this one.

        Raises:
            Unavailable: Redis was away.
        """
        inbox = key(self._tenant, "inbox", taken.agent)
        with translated(self._redis):
            return bool(await self._redis.xpending_range(inbox, GROUP, "-", f"({taken.entry_id}", 1))

    async def _take(self, count: int, block_ms: int) -> list[Taken]:
        now = asyncio.get_running_loop().time()
        if now >= self._next_round:
            self._next_round = now + ROUND_S
            await self._join()
            if abandoned := await self._abandoned(count):
                return abandoned
        return await self._new(count, block_ms)

    async def _join(self) -> None:
        """Make the group on the inbox of everybody who has become an agent."""
        async with self._redis.pipeline(transaction=False) as pipe:
            # First the bell, then the look at who is there: so no ring falls between.
            pipe.xgroup_create(self._bell, GROUP, id="$", mkstream=True)
            pipe.smembers(key(self._tenant, "agents"))
            made, names = await pipe.execute(raise_on_error=False)
            _raise_unless_joined([made, names])
            agents = [AgentName(name) for name in names if is_written_as("agent name", name)]
            inboxes = {key(self._tenant, "inbox", agent): agent for agent in agents}
            for inbox in inboxes.keys() - self._agents.keys():
                pipe.xgroup_create(inbox, GROUP, id="0", mkstream=True)
            _raise_unless_joined(await pipe.execute(raise_on_error=False))
        self._agents = inboxes

    async def _abandoned(self, count: int) -> list[Taken]:
        """Take over what consumers left undone when they died."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for inbox in self._agents:
                pipe.xautoclaim(inbox, GROUP, self._consumer, self._abandoned_ms, count=count)
            replies = await pipe.execute()
            found = [
                (inbox, entry)
                for inbox, reply in zip(self._agents, replies, strict=True)
                for entry in reply[1]
                if entry[0] is not None  # Redis 6.2 tells of deleted entries too
            ]
            for inbox, (entry_id, _) in found:
                pipe.xpending_range(inbox, GROUP, entry_id, entry_id, 1)
            pending = await pipe.execute()
        return [
            _taken(self._agents[inbox], entry, known[0]["times_delivered"] if known else 1)
            for (inbox, entry), known in zip(found, pending, strict=True)
        ]

    async def _new(self, count: int, block_ms: int) -> list[Taken]:
        wanted: dict[KeyT, StreamIdT] = dict.fromkeys((self._bell, *self._agents), ">")
        block_ms = max(1, min(block_ms, round(BLOCK_S * 1000)))
        reply = await self._redis.xreadgroup(GROUP, self._consumer, wanted, count, block_ms)
        taken: list[Taken] = []
        for stream, found in streams(reply):
            if stream == self._bell:
                await self._redis.xack(self._bell, GROUP, *(entry_id for entry_id, _ in found))
                self._next_round = 0.0
            else:
                taken += [_taken(self._agents[stream], entry, 1) for entry in found]
        return taken


def _raise_unless_joined(replies: Iterable[object]) -> None:
    for reply in replies:
        if isinstance(reply, Exception) and "BUSYGROUP" not in str(reply):
            raise reply


def _taken(agent: AgentName, entry: StreamEntry, deliveries: int) -> Taken:
    entry_id, fields = entry
    raw = fields.get("letter", "")
    letter, problem = _read(raw)
    return Taken(
        agent=agent, entry_id=entry_id, letter=letter, raw=raw, problem=problem, deliveries=deliveries
    )


def _read(raw: str) -> tuple[Letter | None, str | None]:
    if len(raw) > LETTER_BYTES:
        return None, f"it is longer than {LETTER_BYTES:,} bytes"
    try:
        letter = wire.read(wire.LETTER, raw)
    except wire.Unreadable as unreadable:
        return None, str(unreadable)
    return (letter, None) if is_id(letter.id) else (None, "id: it is not a request id")
