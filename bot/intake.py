"""From the inbox to the store: take a letter, apply the policy, make it a request or a change of one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias, TypeVar

from approvals import tracing
from approvals.canonical import fingerprint
from approvals.commands import Cancel, Claim, Command, RecordRefusal, Report, ReportUndo, Revise
from approvals.errors import InvalidCall, RequestNotFound, RequestRefusal, Unavailable
from approvals.grant_book import GrantBook
from approvals.inbox import Inboxes, Taken
from approvals.messages import (
    RESULT_CHARS,
    Cancellation,
    Change,
    ClaimNotice,
    ForgedNotice,
    ReceiptNotice,
    Revision,
    Submission,
    UndoNotice,
)
from approvals.model import Action, Actor, Kind, Receipt, Request, Via
from approvals.policy import Facts, asks_otherwise
from approvals.stages import Stages
from approvals.store import Store
from bot.judging import Judge
from bot.levers import collapsing, granting
from bot.levers.staging import SELF
from bot.webhooks import CallbackCheck, no_callbacks

logger = logging.getLogger(__name__)

T = TypeVar("T")

Alarm: TypeAlias = Callable[[str], Awaitable[None]]

FORGED_CHARS = 300  # of an agent's words on what was wrong
PAUSE_S = 1.0
GIVE_BACK_S = 1.0
PATIENCE = 5  # deliveries of a letter that fails for a reason we don't know, before its agent is told so
EARLIER_S = (0.0, 0.02, 0.2)  # pauses in which another worker is done with the letter before, if it lives


async def nobody(_: str) -> None:
    """Where there are no operators to be told."""


class Intake:
    """Deals with one letter at a time. It is ticked off only after what it asks for is in the store."""

    def __init__(
        self,
        store: Store,
        inboxes: Inboxes,
        judge: Judge,
        grants: GrantBook,
        stages: Stages,
        *,
        environment: str,
        check_callback: CallbackCheck = no_callbacks,
        alarm: Alarm = nobody,
    ) -> None:
        self._store, self._inboxes = store, inboxes
        self._judge, self._grants, self._stages = judge, grants, stages
        self._environment, self._check_callback = environment, check_callback
        self._alarm = alarm

    async def run(self) -> None:
        """Deal with letters for ever. While Redis is away the loop waits for it."""
        while True:
            try:
                await self._deal_with_all(await self._inboxes.take())
            except Unavailable as error:
                logger.warning("the inbox can't be read: %s", error)
                await asyncio.sleep(PAUSE_S)

    async def _deal_with_all(self, taken: list[Taken]) -> None:
        try:
            for letters in _runs(taken):
                await self._deal_with(letters)
        except asyncio.CancelledError:  # we are to stop: others need not wait until our letters are old
            with suppress(TimeoutError, Unavailable):
                async with asyncio.timeout(GIVE_BACK_S):
                    await self._inboxes.give_back(taken)
            raise

    async def _deal_with(self, letters: list[Taken]) -> None:
        """Side by side, since each waits for the disk. Identical calls that share a card must find each
        other, and so come one by one.
        """
        if len(letters) == 1 or self._judge.collapses:
            for taken in letters:
                await self._deal_safely(taken, self.deal(taken))
            return
        deals = await self._deals(letters)
        async with asyncio.TaskGroup() as side_by_side:
            for taken, dealing in deals:
                side_by_side.create_task(self._deal_now_or_later(taken, dealing))

    async def _deals(self, letters: list[Taken]) -> list[tuple[Taken, Awaitable[object]]]:
        """What is left to do of each. Submissions are judged first, in their order, as budgets want it."""
        if not _is_new(letters[0]):
            return [(taken, self.deal(taken)) for taken in letters]
        await self._stages.refresh()
        now = await self._store.now()
        asked = [(taken, await self._deal_safely(taken, self._asked(taken, now))) for taken in letters]
        return [(taken, self._stored(taken, request)) for taken, request in asked if request is not None]

    async def _deal_now_or_later(self, taken: Taken, dealing: Awaitable[object]) -> None:
        try:
            await self._deal_safely(taken, dealing)
        except Unavailable as error:
            logger.warning("a letter comes again: %s", error, extra={"agent": taken.agent})

    async def _deal_safely(self, taken: Taken, dealing: Awaitable[T]) -> T | None:
        try:
            return await dealing
        except Unavailable:
            raise
        except Exception:  # one letter that we can't deal with must not stop all others
            logger.exception("a letter could not be dealt with", extra={"agent": taken.agent})
            if taken.deliveries >= PATIENCE:
                await self._store.refuse_letter(taken, "the service could not deal with it; its log says why")
            return None

    async def deal(self, taken: Taken) -> None:
        """Carry out one letter; doing it twice is harmless."""
        match taken.letter:
            case None:
                await self._store.refuse_letter(taken, f"the letter can't be read: {taken.problem}")
            case Submission():
                await self._submit(taken)
            case ForgedNotice():
                await self._forged(taken, taken.letter)
            case letter:
                await self._change(taken, letter)

    async def _submit(self, taken: Taken) -> None:
        await self._stages.refresh()
        request = await self._asked(taken, await self._store.now())
        if request is not None:
            await self._stored(taken, request)

    async def _asked(self, taken: Taken, now: datetime) -> Request | None:
        """The request that a submission makes; None: it makes none, and its agent is told why."""
        assert isinstance(taken.letter, Submission)  # noqa: S101 - told by whoever calls
        if taken.agent == SELF:
            why = f"no agent may be called {SELF}: that is the service itself"
            await self._store.refuse_letter(taken, why)
            return None
        try:
            return await self._request(taken, taken.letter, now)
        except InvalidCall as error:
            await self._store.refuse_letter(taken, str(error))
            return None

    async def _stored(self, taken: Taken, request: Request) -> None:
        try:
            if self._judge.collapses:
                await collapsing.create(self._store, request, partial(self._created, taken))
            else:
                await self._created(taken, request)
        except (InvalidCall, RequestNotFound) as error:
            await self._store.refuse_letter(taken, str(error))

    async def _created(self, taken: Taken, request: Request) -> Request:
        return await granting.create(self._store, self._grants, request, taken.ref)

    async def _request(self, taken: Taken, submission: Submission, now: datetime) -> Request:
        facts = Facts(
            kind=submission.kind,
            tool=submission.tool,
            args=submission.args,
            agent=taken.agent,
            risk=submission.risk,
            on_behalf_of=submission.on_behalf_of,
            deadline_s=submission.deadline_s,
            confidence=submission.confidence,
            tags=submission.tags,
            environment=self._environment,
            now=now,
        )
        if submission.callback_url is not None:
            await self._check_callback(taken.agent, submission.callback_url)
        terms = await self._judge.terms(facts, submission.id)
        return Request(
            id=submission.id,
            tenant=self._store.tenant,
            agent=taken.agent,
            kind=submission.kind,
            tool=submission.tool,
            args=submission.args,
            fingerprint=fingerprint(submission.tool, submission.args),
            terms=terms,
            created_at=now,
            deadline=None if terms.deadline_s is None else now + timedelta(seconds=terms.deadline_s),
            reason=submission.reason,
            on_behalf_of=submission.on_behalf_of,
            schema=submission.schema,
            tags=submission.tags,
            confidence=submission.confidence,
            batch=submission.batch,
            wished_risk=submission.risk,
            wished_deadline_s=submission.deadline_s,
            callback_url=submission.callback_url,
            receipt=_receipt(submission, now),
            trace=self._traced(taken, submission),
        )

    def _traced(self, taken: Taken, submission: Submission) -> str | None:
        """Tell how long it lay in the inbox and was judged."""
        tenant = self._store.tenant
        return tracing.step("intake", tenant, submission.id, parent=submission.trace, began=taken.sent_at)

    async def _change(self, taken: Taken, letter: Change) -> None:
        try:
            if not await self._carried_out(taken, letter):
                logger.info("a letter waits for an earlier one", extra={"agent": taken.agent})
        except (InvalidCall, RequestNotFound) as error:
            await self._store.refuse_letter(taken, str(error))
        except RequestRefusal as refusal:
            await self._record(taken, letter.letter, refusal)

    async def _carried_out(self, taken: Taken, letter: Change) -> bool:
        """Carry it out. False: not yet, since another worker is at a letter that came before it, and may die
        over that; then both come again. Whether there is one is looked up before each attempt.
        """
        for pause_s in (None, *EARLIER_S):
            is_first = False
            if pause_s is not None:
                await asyncio.sleep(pause_s)
                is_first = not await self._inboxes.has_earlier(taken)
            try:
                await self._store.change(letter.id, partial(self._command, taken, letter), letter=taken.ref)
            except (RequestNotFound, RequestRefusal):
                if is_first or taken.deliveries >= PATIENCE:
                    raise
            else:
                return True
        return False

    async def _forged(self, taken: Taken, letter: ForgedNotice) -> None:
        """An agent has found what we didn't sign: somebody else writes to this Redis."""
        told = {"agent": taken.agent, "request_id": letter.id}
        logger.error("an agent was given a forged %s, and did not use it", letter.what, extra=told)
        actor = Actor(id=f"agent:{taken.agent}", name=taken.agent)
        why = f"a forged {letter.what}: {letter.why[:FORGED_CHARS]}"
        with suppress(RequestNotFound):
            request, _ = await self._store.get(letter.id)
            if request.agent == taken.agent and taken.deliveries == 1:
                note = RecordRefusal(by=actor, attempted="claim", reason=why, via=Via.REDIS)
                await self._store.change(letter.id, note)
        await self._inboxes.ack(taken)
        await self._alarm(f"{taken.agent} was given {why}. It ran nothing; somebody else writes to Redis.")

    async def _command(self, taken: Taken, letter: Change, request: Request) -> Command:
        if request.agent != taken.agent:  # the same answer as for an id that never was
            raise RequestNotFound(letter.id)
        command = _command(letter, request)
        return await self._judged(command, request) if isinstance(command, Revise) else command

    async def _judged(self, command: Revise, request: Request) -> Revise:
        """A revised call goes through the policy anew: it may be denied, or be for others than before."""
        if fingerprint(request.tool, command.args) == request.fingerprint:
            return command
        await self._stages.refresh()
        terms = self._judge.again(request, command.args, await self._store.now())
        if terms is None or not (terms.action is Action.DENY or asks_otherwise(request.terms, terms)):
            return command
        return replace(command, terms=terms)

    async def _record(self, taken: Taken, attempted: str, refusal: RequestRefusal) -> None:
        """A letter that came too late belongs in the log; one that came twice doesn't."""
        if taken.deliveries > 1:
            await self._inboxes.ack(taken)
            return
        actor = Actor(id=f"agent:{taken.agent}", name=taken.agent)
        note = RecordRefusal(by=actor, attempted=attempted, reason=refusal.why, via=Via.REDIS)
        await self._store.change(refusal.request.id, note, letter=taken.ref)


def _receipt(submission: Submission, now: datetime) -> Receipt | None:
    """How a call went that had run when its agent told of it."""
    if submission.kind is not Kind.REVIEW:
        return None
    result = None if submission.result is None else submission.result[:RESULT_CHARS]
    return Receipt(ok=submission.ok, at=now, result=result)


def _runs(letters: Iterable[Taken]) -> Iterator[list[Taken]]:
    """What can be dealt with side by side: submissions that follow each other, or letters about one request
    each. What changes a request comes after all that came before it.
    """
    run: dict[object, Taken] = {}  # by the request that each is about
    for taken in letters:
        if run and (taken.request_id in run or _is_new(taken) != _is_new(next(iter(run.values())))):
            yield list(run.values())
            run = {}
        run[taken.request_id] = taken
    if run:
        yield list(run.values())


def _is_new(taken: Taken) -> bool:
    return isinstance(taken.letter, Submission)


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
