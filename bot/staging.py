"""Promoting and demoting tools: a request of the service's own, which the policy's owners approve."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from redis.asyncio import Redis

from approvals.canonical import fingerprint
from approvals.errors import NotClaimed, Unavailable
from approvals.ids import new_id
from approvals.inbox import AgentInbox
from approvals.messages import Permit, ReceiptNotice
from approvals.model import Action, Actor, AgentName, Args, Kind, PersonId, Request, RequestId, Risk, Terms
from approvals.policy import Policy, Stage
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


async def propose(
    store: Store, policy: Policy, person: PersonId, tool: str, stage: Stage, before: str, *, channel: str
) -> Request:
    """Ask the policy's owners whether `tool` may do that. Whoever proposes it does not count."""
    now, args = await store.now(), _args(tool, stage, before)
    terms = Terms(
        rule=RULE,
        policy=policy.version,
        action=Action.ASK,
        because="what a tool may do at all is for the policy's owners to say",
        channel=policy.operators_channel or channel,
        approvers=policy.owners.policy,
        deadline_s=DEADLINE_S,
        risk=Risk.HIGH if stage is Stage.AUTONOMOUS else Risk.MEDIUM,
        retention_s=policy.retention_s,
    )
    request = Request(
        id=new_id(),
        tenant=store.tenant,
        agent=SELF,
        kind=Kind.ACTION,
        tool=SET_STAGE,
        args=args,
        fingerprint=fingerprint(SET_STAGE, args),
        terms=terms,
        created_at=now,
        deadline=now + timedelta(seconds=DEADLINE_S),
        on_behalf_of=person,
    )
    return await store.create(request)


def _args(tool: str, stage: Stage, before: str) -> Args:
    return {"tool": tool, "stage": stage.value, "before": before}


class Staging:
    """Carries out what was approved. Any number of workers may: a permit is claimed once."""

    def __init__(self, redis: Redis, store: Store, stages: Stages) -> None:
        self._store, self._stages = store, stages
        self._inbox = AgentInbox(redis, store.tenant, SELF)

    async def run(self) -> None:
        """Do so for ever, beginning with what a crash has left."""
        while True:
            try:
                await self._follow()
            except Unavailable as error:
                logger.warning("no stage can be set: %s", error)
            except Exception:  # one request that can't be carried out must not stop the others
                logger.exception("no stage can be set")
            await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        last = await self._inbox.last_wake()
        for request in await self._store.approved(limit=MOST):
            if request.agent == SELF:
                await self._carry_out(request.id)
        while True:
            ids, last = await self._inbox.wakes(last, WAIT_S)
            for request_id in ids:
                await self._carry_out(request_id)

    async def _carry_out(self, request_id: RequestId) -> None:
        try:
            permit = await self._inbox.claim(request_id)
        except NotClaimed:
            return  # it was not approved, or another worker is at it
        told = await self._set(permit)
        is_set = told is not None
        result = told or "an edit had left no tool, or no stage of the three"
        await self._inbox.send(ReceiptNotice(id=request_id, ok=is_set, result=result))

    async def _set(self, permit: Permit) -> str | None:
        tool, wanted = permit.args.get("tool"), permit.args.get("stage")
        if permit.tool != SET_STAGE or not isinstance(tool, str) or wanted not in list(Stage):
            return None
        stage = Stage(str(wanted))
        await self._stages.set(tool, stage, Actor(id=permit.decided_by, name=permit.decided_by), permit.id)
        return f"{tool} is {stage} now"
