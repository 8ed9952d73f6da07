"""Which proposed rules people have answered, and which the policy's owners accepted, as Redis keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from redis.asyncio import Redis

from approvals import wire
from approvals.model import Actor, RequestId, Via
from approvals.registers import Note, Register
from approvals.trust import Proposal

QUIET = timedelta(days=30)  # for so long an answer holds, unless the numbers have doubled

Answer: TypeAlias = Literal["proposed", "dismissed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was answered to a proposal: it went to the owners, or not now."""

    answer: Answer
    at: datetime
    approvals: int  # behind it, at that time

    def silences(self, proposal: Proposal, now: datetime) -> bool:
        """Whether the proposal isn't made again yet."""
        return now - self.at < QUIET and len(proposal.candidate.requests) < 2 * self.approvals


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A rule to be pasted into the policy file, which alone puts it in force."""

    name: str
    rule: str  # as TOML
    place: str
    by: Actor
    at: datetime
    request: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    heard: dict[str, Heard]  # by the proposal's id
    accepted: tuple[Accepted, ...]  # the oldest first


_HEARD: wire.Shape[Heard] = wire.Shape(Heard)
_ACCEPTED: wire.Shape[Accepted] = wire.Shape(Accepted)


class ProposalBook:
    """Keeps them; each change is in the log."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._register = Register(redis, tenant, "proposals")

    async def all(self) -> Known:
        """All that is known.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        texts = (await self._register.read()).texts
        accepted = [
            wire.read(_ACCEPTED, text) for name, text in texts.items() if name.startswith("accepted ")
        ]
        return Known(
            heard={
                name.removeprefix("heard "): wire.read(_HEARD, text)
                for name, text in texts.items()
                if name.startswith("heard ")
            },
            accepted=tuple(sorted(accepted, key=lambda each: each.at)),
        )

    async def hear(self, proposal: Proposal, answer: Answer, by: Actor) -> None:
        """Keep what was answered."""
        heard = Heard(
            answer=answer, at=await self._register.now(), approvals=len(proposal.candidate.requests)
        )
        note = Note(event=f"rule_{answer}", by=by, via=Via.SLACK, detail={"rule": proposal.name})
        await self._register.put(f"heard {proposal.id}", wire.write(_HEARD, heard), note)

    async def accept(self, name: str, rule: str, place: str, by: Actor, request: RequestId) -> None:
        """Keep a rule that the policy's owners approved by `request`."""
        accepted = Accepted(
            name=name, rule=rule, place=place, by=by, at=await self._register.now(), request=request
        )
        note = Note(
            event="rule_accepted", by=by, via=Via.SERVICE, detail={"rule": rule, "request": str(request)}
        )
        await self._register.put(f"accepted {request}", wire.write(_ACCEPTED, accepted), note)
