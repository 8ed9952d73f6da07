"""Requests of the service's own, which the policy's owners approve, such as those that promote a tool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from redis.asyncio import Redis

from approvals.canonical import fingerprint
from approvals.errors import Forged, NotClaimed, Unavailable
from approvals.ids import new_id
from approvals.inbox import AgentInbox
from approvals.messages import Permit, ReceiptNotice
from approvals.model import Action, Actor, AgentName, Args, Kind, PersonId, Request, RequestId, Risk, Terms
from approvals.policy import Policy, Stage
from approvals.signed import Trusted
from approvals.stages import Stages
from approvals.store import Store

logger = logging.getLogger(__name__)

SELF = AgentName("countersign")  # the service, where it asks for itself; no agent may call itself so
SET_STAGE = "set_stage"
RULE = "stages"
DEADLINE_S = 2 * 24 * 3600
WAIT_S = 3.0
PAUSE_S = 1.0
MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of an approved request of ours, for its card."""

    ok: bool
    told: str


Deed: TypeAlias = Callable[[Args, Actor, RequestId], Awaitable[Done]]


async def propose(
    store: Store, policy: Policy, person: PersonId, tool: str, stage: Stage, before: str, *, channel: str
) -> Request:
    """Ask the policy's owners whether `tool` may do that. Whoever proposes it does not count."""
    return await ask_owners(
        store,
        policy,
        person,
        SET_STAGE,
        {"tool": tool, "stage": stage.value, "before": before},
        rule=RULE,
        because="what a tool may do at all is for the policy's owners to say",
        risk=Risk.HIGH if stage is Stage.AUTONOMOUS else Risk.MEDIUM,
        channel=channel,
    )


async def ask_owners(
    store: Store,
    policy: Policy,
    person: PersonId,
    tool: str,
    args: Args,
    *,
    rule: str,
    because: str,
    risk: Risk,
    channel: str,
    reason: str | None = None,
) -> Request:
    """Ask them whether the service shall do that, on behalf of `person`, who does not count."""
    now = await store.now()
    terms = Terms(
        rule=rule,
        policy=policy.version,
        action=Action.ASK,
        because=because,
        channel=policy.operators_channel or channel,
        approvers=policy.owners.policy,
        deadline_s=DEADLINE_S,
        risk=risk,
        retention_s=policy.retention_s,
    )
    request = Request(
        id=new_id(),
        tenant=store.tenant,
        agent=SELF,
        kind=Kind.ACTION,
        tool=tool,
        args=args,
        fingerprint=fingerprint(tool, args),
        terms=terms,
        created_at=now,
        deadline=now + timedelta(seconds=DEADLINE_S),
        on_behalf_of=person,
        reason=reason,
    )
    return await store.create(request)


def staging(stages: Stages) -> Deed:
    """What is done when the owners have approved a stage."""

    async def stage(args: Args, by: Actor, request: RequestId) -> Done:
        tool, wanted = args.get("tool"), args.get("stage")
        if not isinstance(tool, str) or wanted not in list(Stage):
            return Done(ok=False, told="an edit had left no tool, or no stage of the three")
        await stages.set(tool, Stage(str(wanted)), by, request)
        return Done(ok=True, told=f"{tool} is {wanted} now")

    return stage


class Staging:
    """Carries out what was approved. Any number of workers may: a permit is claimed once."""

    def __init__(self, redis: Redis, store: Store, deeds: Mapping[str, Deed], trusted: Trusted) -> None:
        self._store, self._deeds = store, deeds  # by tool
        self._inbox = AgentInbox(redis, store.tenant, SELF, trusted)

    async def run(self) -> None:
        """Do so for ever, beginning with what a crash has left."""
        while True:
            try:
                await self._follow()
            except Unavailable as error:
                logger.warning("what was approved can't be carried out: %s", error)
            except Exception:  # one request that can't be carried out must not stop the others
                logger.exception("what was approved can't be carried out")
            await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        last = await self._inbox.last_wake()
        for request in await self._store.approved(limit=MOST):
            if request.agent == SELF:
                await self._carry_out(request.id)
        while True:
            ids, last = await self._inbox.wakes(last, WAIT_S)
            if ids is None:  # begin anew
                return
            for request_id in ids:
                await self._carry_out(request_id)

    async def _carry_out(self, request_id: RequestId) -> None:
        try:
            permit = await self._inbox.claim(request_id)
        except (NotClaimed, Forged):
            return  # it was not approved, or another worker is at it; of a forgery the inbox has told
        done = await self._done(permit)
        await self._inbox.send(ReceiptNotice(id=request_id, ok=done.ok, result=done.told))

    async def _done(self, permit: Permit) -> Done:
        deed = self._deeds.get(permit.tool)
        if deed is None:
            return Done(ok=False, told="this version of the service doesn't know how to do that")
        return await deed(permit.args, Actor(id=permit.decided_by, name=permit.decided_by), permit.id)
