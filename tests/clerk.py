"""The service in small, for tests of the agent's side: it takes letters, and decides as it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from approvals.canonical import fingerprint
from approvals.commands import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Command,
    Expire,
    GiveUp,
    Reject,
    Report,
    ReportUndo,
    Revise,
)
from approvals.commands import RequestChanges as SendBack
from approvals.errors import Refusal
from approvals.inbox import Inboxes, Taken
from approvals.messages import (
    Cancellation,
    Change,
    ClaimNotice,
    ForgedNotice,
    Letter,
    ReceiptNotice,
    Revision,
    Submission,
    UndoNotice,
)
from approvals.model import (
    CHANNEL,
    Action,
    Args,
    Kind,
    Person,
    PersonId,
    Receipt,
    Request,
    RequestId,
    ReviewState,
    Status,
    Tenant,
    Terms,
)
from approvals.redis_door import open_redis
from approvals.signing_keys import SigningKeys
from approvals.store import Store
from tests.builders import VAULT

ADA = Person(id=PersonId("U0ADA"), name="Ada", principals=frozenset({CHANNEL}))
TERMS = Terms(
    rule="everything",
    policy="test",
    action=Action.ASK,
    because="the policy asks for everything",
    channel="C0APPROVALS",
    approvers=(CHANNEL,),
)
Habit = Callable[[Request], Command | None]


def yes(request: Request) -> Command:
    """The habit of a clerk who approves everything."""
    return Approve(by=ADA, seen=request.fingerprint)


class Clerk:
    """What `serving` runs. Every way to decide is a method; `habit` decides what comes in at once."""

    def __init__(
        self, store: Store, tenant: str, terms: Terms, habit: Habit | None, reviewed: Collection[str]
    ) -> None:
        self.store, self.terms, self.habit, self.reviewed = store, terms, habit, reviewed
        self.requests: dict[RequestId, Request] = {}
        self.letters: list[Letter] = []
        self._tenant = Tenant(tenant)
        self._changed = asyncio.Condition()

    async def arrived(self, count: int = 1) -> list[Request]:
        """The first `count` requests, once so many are there."""
        await self.until(lambda: len(self.requests) >= count)
        return list(self.requests.values())[:count]

    async def until_status(self, request_id: str, status: Status) -> Request:
        id = RequestId(request_id)
        await self.until(lambda: id in self.requests and self.requests[id].status is status)
        return self.requests[id]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(holds)

    async def approve(self, request_id: str, edited: Args | None = None) -> None:
        request, _ = await self.store.get(RequestId(request_id))
        await self.do(request.id, Approve(by=ADA, seen=request.fingerprint, edited=edited))

    async def reject(self, request_id: str, feedback: str | None = None) -> None:
        await self.do(request_id, Reject(by=ADA, feedback=feedback))

    async def answer(self, request_id: str, text: str) -> None:
        await self.do(request_id, Answer(by=ADA, text=text))

    async def send_back(self, request_id: str, feedback: str) -> None:
        await self.do(request_id, SendBack(by=ADA, feedback=feedback))

    async def expire(self, request_id: str) -> None:
        """For a clerk whose terms give no time."""
        await self.do(request_id, Expire())

    async def give_up(self, request_id: str, reason: str) -> None:
        await self.do(request_id, GiveUp(reason=reason))

    async def do(self, request_id: str, command: Command) -> None:
        change = await self.store.change(RequestId(request_id), command)
        await self._keep(change.request)

    async def handle(self, taken: Taken) -> None:
        letter = taken.letter
        assert letter is not None, taken.problem
        if isinstance(letter, Submission):
            request = await self.store.create(await self._asked(taken, letter), letter=taken.ref)
            await self._keep(request, letter)
            await self._decide_by_habit(request.id)
            return
        if isinstance(letter, ForgedNotice):
            async with self._changed:
                self.letters.append(letter)
                self._changed.notify_all()
            return
        with contextlib.suppress(Refusal):  # it came too late, which its agent learns from the outcome
            await self.do(letter.id, _command(letter, self.requests[letter.id]))
        async with self._changed:
            self.letters.append(letter)
            self._changed.notify_all()
        if isinstance(letter, Revision | ReceiptNotice):
            await self._decide_by_habit(letter.id)

    async def _decide_by_habit(self, request_id: RequestId) -> None:
        request = self.requests[request_id]
        is_open = request.is_pending or (request.review and request.review.state is ReviewState.OPEN)
        if is_open and self.habit and (command := self.habit(request)):
            await self.do(request.id, command)

    async def _asked(self, taken: Taken, letter: Submission) -> Request:
        now = await self.store.now()
        deadline_s = self.terms.deadline_s
        return Request(
            id=letter.id,
            tenant=self._tenant,
            agent=taken.agent,
            kind=letter.kind,
            tool=letter.tool,
            args=letter.args,
            fingerprint=fingerprint(letter.tool, letter.args),
            terms=replace(self.terms, action=Action.REVIEW) if letter.tool in self.reviewed else self.terms,
            created_at=now,
            deadline=None if deadline_s is None else now + timedelta(seconds=deadline_s),
            reason=letter.reason,
            on_behalf_of=letter.on_behalf_of,
            schema=letter.schema,
            tags=letter.tags,
            confidence=letter.confidence,
            batch=letter.batch,
            receipt=Receipt(ok=letter.ok, at=now, result=letter.result)
            if letter.kind is Kind.REVIEW
            else None,
        )

    async def _keep(self, request: Request, letter: Letter | None = None) -> None:
        async with self._changed:
            self.requests[request.id] = request
            if letter is not None:
                self.letters.append(letter)
            self._changed.notify_all()


def _command(letter: Change, request: Request) -> Command:
    match letter:
        case Revision(args=args, reason=reason):
            return Revise(args=request.args if args is None else args, reason=reason)
        case Cancellation(reason=reason):
            return Cancel(reason=reason)
        case ClaimNotice():
            return Claim()
        case ReceiptNotice(ok=ok, result=result, duration_ms=duration_ms):
            return Report(ok=ok, result=result, duration_ms=duration_ms)
        case UndoNotice(ok=ok, text=text):
            return ReportUndo(ok=ok, text=text)
        case _:
            assert_never(letter)


@asynccontextmanager
async def serving(
    url: str,
    tenant: str,
    *,
    habit: Habit | None = None,
    deadline_s: int = 3600,
    action: Action = Action.ASK,
    reviewed: Collection[str] = (),
) -> AsyncIterator[Clerk]:
    """A clerk at work on the inboxes of `tenant`. `reviewed`: tools that run unasked, to be looked at."""
    async with open_redis(url, tenant=tenant) as redis:
        terms = replace(TERMS, deadline_s=deadline_s, action=action)
        signing = SigningKeys(redis, tenant, VAULT)
        await signing.start()
        clerk = Clerk(Store(redis, tenant, signing), tenant, terms, habit, reviewed)
        inboxes = Inboxes(redis, tenant, "clerk")

        async def work() -> None:
            while True:
                for taken in await inboxes.take(block_ms=500):
                    await clerk.handle(taken)
                    await inboxes.ack(taken)

        async with asyncio.TaskGroup() as group:
            working = group.create_task(work())
            yield clerk
            working.cancel()
