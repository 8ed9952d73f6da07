"""What an agent holds: ask, wait, claim, report."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, ParamSpec, Self, TypeVar, Unpack, assert_never, overload

from redis.asyncio import Redis

from approvals import keys, tracing
from approvals.background import Background
from approvals.batch import Batch
from approvals.canonical import fingerprint
from approvals.doors import RunShelf, Session, stand_in
from approvals.errors import (
    Answered,
    Cancelled,
    ChangesRequested,
    Expired,
    InvalidCall,
    NotApproved,
    NotClaimed,
    Rejected,
    StillPending,
    TakenOver,
    Undeliverable,
)
from approvals.gate import GateOptions, gated
from approvals.inbox import AgentInbox
from approvals.messages import (
    RESULT_CHARS,
    Cancellation,
    Outcome,
    OutcomeStatus,
    Permit,
    ReceiptNotice,
    Revision,
    Submission,
    Ticket,
    UndoAsk,
    UndoNotice,
)
from approvals.model import ESCALATION_TOOL, I_TAKE_OVER, QUESTION_TOOL, Args, Json, Kind, RequestId
from approvals.placeholders import batched
from approvals.questions import answer
from approvals.redis_door import open_redis
from approvals.replicas import replicas_of
from approvals.runs import Runs
from approvals.submitting import (
    REPLY_CHARS,
    About,
    Options,
    Span,
    escalation_args,
    key_of,
    own_args,
    own_id,
    question_args,
    seconds_of,
    submission,
    text_of,
)
from approvals.trusted_keys import Anchors, TrustedKeys
from approvals.undoing import Undoer, asked, undoing
from approvals.waiting import Waiting

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE = "1m"  # how long a wait bears that Redis is away, unless told


@dataclass(frozen=True, slots=True)
class _Connected:
    """What belongs to one event loop: its connections, and the waits on them."""

    redis: Redis
    inbox: AgentInbox
    waiting: Waiting
    runs: Runs

    async def close(self) -> None:
        self.waiting.close()
        await self.redis.aclose()


class Approvals:
    """An agent's connection. It may be made anywhere and used from any event loop: it connects when used."""

    def __init__(
        self,
        url: str,
        agent: str,
        tenant: str,
        patience_s: float,
        replicas: int = 0,
        public_keys: Sequence[str] = (),
    ) -> None:
        keys.check("agent name", agent)
        keys.check("tenant name", tenant)
        open_redis(url, tenant=tenant)  # connects to nothing; a bad address is told here
        self.agent, self.tenant = agent, tenant
        self.background = Background(f"approvals of {agent}")  # for functions that aren't async
        self._url, self._patience_s, self._replicas = url, patience_s, replicas
        self._anchors = Anchors(pinned=tuple(public_keys))
        self._sessions: dict[asyncio.AbstractEventLoop, _Connected] = {}
        self.undoers: dict[str, Undoer] = {}  # by tool; the gates enter them
        self._revised: dict[RequestId, int] = {}  # in which round this agent has answered what people wanted

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        *,
        agent: str | None = None,
        tenant: str | None = None,
        patience: Span = PATIENCE,
        replicas: int | None = None,
        public_keys: Sequence[str] | None = None,
    ) -> Self:
        """Connect as `agent`. What isn't told comes from REDIS_URL, APPROVALS_AGENT, APPROVALS_TENANT.

        `patience` is how long a wait bears that Redis is away. What is sent, and a claim, count as done once
        `replicas` replicas of Redis have them (unless told: APPROVALS_REPLICAS, or none). Approvals are
        believed that one of `public_keys` has signed, or one that these endorse (unless told:
        APPROVALS_PUBLIC_KEY, with commas between them, or those that Redis names when first needed).

        Raises:
            InvalidCall: something is missing, or isn't written as such things are.
        """
        url = url or os.environ.get("REDIS_URL")
        agent = agent or os.environ.get("APPROVALS_AGENT")
        if not url:
            raise InvalidCall("where is Redis? Say connect('redis://…'), or set REDIS_URL")
        if not agent:
            raise InvalidCall("who asks? Say connect(…, agent='billing'), or set APPROVALS_AGENT")
        tenant = tenant or os.environ.get("APPROVALS_TENANT") or "default"
        if replicas is None:
            replicas = replicas_of(os.environ.get("APPROVALS_REPLICAS"))
        if public_keys is None:
            told = os.environ.get("APPROVALS_PUBLIC_KEY") or ""
            public_keys = [each.strip() for each in told.split(",") if each.strip()]
        patience_s = seconds_of("patience", patience) or 0.0
        return cls(url, agent, tenant, patience_s, replicas or 0, public_keys)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close everything that it has opened, in whichever event loop."""
        await self._close_session()
        if self._sessions or self.background.is_running:
            await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Do so from where no event loop runs; those that run elsewhere close theirs when they get to it."""
        if self.background.is_running:
            self.background.run(self._close_session())
            self.background.close()
        while self._sessions:
            loop, session = self._sessions.popitem()
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(session.close(), loop)

    # -- asking ---------------------------------------------------------------------------------------

    async def submit(self, tool: str, args: Args, **options: Unpack[Options]) -> Ticket:
        """Ask, and return once the request is durably in the inbox, also while the service is away.

        Raises:
            InvalidCall: it can't be asked for as it is; the message says where.
            KeyReused: the same key came earlier with another tool or other args.
            Unavailable: Redis was away; with a key it is safe to ask again.
        """
        key = key_of(options.get("key"))
        one = submission(tool, args, **options)
        return await self._session.inbox.put(one, fingerprint(tool, one.args), key)

    async def review(
        self,
        tool: str,
        args: Args,
        *,
        result: object = None,
        ok: bool = True,
        **options: Unpack[Options],
    ) -> Ticket:
        """Tell of a call that has run already, so that people can look at it. There is nothing to wait for.

        Raises:
            InvalidCall, KeyReused, Unavailable: as `submit`.
        """
        key = key_of(options.get("key"))
        told = None if result is None else _excerpt(str(result))
        one = submission(tool, args, kind=Kind.REVIEW, ok=ok, result=told, **options)
        return await self._session.inbox.put(one, fingerprint(tool, one.args), key)

    async def submit_all(self, submissions: Sequence[Submission]) -> None:
        """Send them all or none: what a batch does when it ends."""
        await self._session.inbox.put_all(submissions)

    async def request(
        self,
        tool: str,
        args: Args,
        *,
        timeout: Span | None = None,  # noqa: ASYNC109  # when it ends the request stays open, and says so
        **options: Unpack[Options],
    ) -> Outcome:
        """Ask, and return once it is approved; the outcome has the args to use.

        Raises:
            Rejected, Expired, Cancelled, Undeliverable, Answered, ChangesRequested: it must not run.
            StillPending: nobody has decided within `timeout`.
            InvalidCall, KeyReused, Unavailable: as `submit`.
        """
        ticket = await self.submit(tool, args, **options)
        outcome = await self.wait(ticket.id, timeout)
        self.require_approved(outcome)
        return outcome

    def require_approved(self, outcome: Outcome) -> None:
        """Raises NotApproved: it is anything else."""
        if outcome.status is not OutcomeStatus.APPROVED:
            raise not_approved(outcome)

    @overload
    async def ask(  # type: ignore[overload-overlap]  # the last is for options that come from elsewhere
        self,
        question: str,
        *,
        context: str | None = None,
        schema: dict[str, Json],
        timeout: Span | None = None,  # noqa: ASYNC109  # likewise
        **about: Unpack[About],
    ) -> dict[str, Json]: ...
    @overload
    async def ask(
        self,
        question: str,
        options: Sequence[str],
        context: str | None = None,
        *,
        many: Literal[True],
        timeout: Span | None = None,  # noqa: ASYNC109  # likewise
        **about: Unpack[About],
    ) -> list[str]: ...
    @overload
    async def ask(
        self,
        question: str,
        options: Sequence[str] | None = None,
        context: str | None = None,
        free_text: bool | None = None,
        *,
        timeout: Span | None = None,  # noqa: ASYNC109  # likewise
        **about: Unpack[Options],
    ) -> str: ...
    async def ask(
        self,
        question: str,
        options: Sequence[str] | None = None,
        context: str | None = None,
        free_text: bool | None = None,
        *,
        many: bool = False,
        timeout: Span | None = None,  # noqa: ASYNC109  # likewise
        **about: Unpack[Options],
    ) -> object:
        """Ask people a question, and return the option they chose or what they wrote.

        Without options it is answered in words; with options and `free_text=True` in either way; with `many`
        some of the options are chosen: a list; with a JSON `schema` a form is filled in: a dict.

        Raises:
            TakenOver: a person goes on in the agent's place; it must stop.
            ChangesRequested: a person asks back: `reply`, and `answer` once more.
            Rejected, Expired, Cancelled, Undeliverable, StillPending, InvalidCall, Unavailable: as `request`.
        """
        key, schema = key_of(about.get("key")), about.get("schema")
        args = question_args(question, options, context, free_text, many=many, schema=schema)
        one = submission(QUESTION_TOOL, args, kind=Kind.QUESTION, **about)
        ticket = await self._session.inbox.put(one, fingerprint(QUESTION_TOOL, one.args), key)
        text = await self.answer(ticket.id, timeout)
        return answer(text, is_json=many or schema is not None)

    async def answer(self, request_id: str, timeout: Span | None = None) -> str:  # noqa: ASYNC109  # likewise
        """Wait for the answer to a question that was asked before; lists and dicts come as JSON.

        Raises: as `ask`.
        """
        outcome = await self.wait(request_id, timeout)
        if outcome.status is not OutcomeStatus.ANSWERED or outcome.text is None:
            raise not_approved(outcome)
        if outcome.text == I_TAKE_OVER:
            by = outcome.decided_by_name or outcome.decided_by
            raise TakenOver(f"{by} has taken over: leave {outcome.id} to them", outcome)
        return outcome.text

    async def reply(self, request_id: str, text: str) -> None:
        """Answer what a person has asked back, or wants changed, and leave the request as it is.

        Raises:
            InvalidCall: there are no words, or too many for a card.
            Unavailable: Redis was away.
        """
        if not (text_of("text", text, REPLY_CHARS) or "").strip():
            raise InvalidCall("a reply needs words")
        await self._revise(own_id(request_id), None, text)

    async def escalate(
        self,
        summary: str,
        context: str | None = None,
        transcript_url: str | None = None,
        *,
        timeout: Span | None = None,  # noqa: ASYNC109  # likewise
        **about: Unpack[Options],
    ) -> str:
        """Hand a stuck run to people: what should they know, and where can they read all of it?

        Returns the guidance that a person wrote, to go on with.

        Raises:
            TakenOver: a person goes on in the agent's place; it must stop.
            Rejected, Expired, Cancelled, Undeliverable, StillPending, InvalidCall, Unavailable: as `request`.
        """
        key = key_of(about.get("key"))
        args = escalation_args(summary, context, transcript_url)
        one = submission(ESCALATION_TOOL, args, kind=Kind.QUESTION, **about)
        ticket = await self._session.inbox.put(one, fingerprint(ESCALATION_TOOL, one.args), key)
        return await self.answer(ticket.id, timeout)

    def batch(self, reason: str | None = None) -> Batch:
        """Collect requests in `async with approvals.batch() as batch:`, to be sent all or none."""
        return Batch(self, reason)

    async def review_and_execute(
        self,
        calls: Sequence[Callable[[], object]],
        *,
        reason: str | None = None,
        timeout: Span | None = None,  # noqa: ASYNC109  # likewise
    ) -> list[object]:
        """Ask for all of them together, run those that are approved, and return what came of each, in order.

        `calls` take no arguments, and call gated functions: `[partial(refund, "c_42", 940), …]`. What came of
        one is as `Batch.wait_for_approvals` tells it, or what it has returned without needing approval.

        Raises:
            Unavailable: Redis was away.
        """
        async with self.batch(reason) as batch:
            returned = [await _result_of(call()) for call in calls]
        return batched(returned, await batch.wait_for_approvals(timeout))

    # -- waiting --------------------------------------------------------------------------------------

    async def wait(self, request_id: str, timeout: Span | None = None) -> Outcome:  # noqa: ASYNC109  # likewise
        """Return what became of it, whenever that was, and whichever process had asked. Claims nothing.

        Raises:
            StillPending: nobody has decided within `timeout`.
            ChangesRequested: a person wants changes that this client hasn't made yet.
            Forged: what says that it is approved, or answered, is not as the service signed it.
            Unavailable: Redis stayed away.
        """
        id, began = own_id(request_id), datetime.now(UTC)
        outcome = await self._session.waiting.until(
            id, timeout_s=seconds_of("timeout", timeout), after_round=self._revised.get(id, 0)
        )
        if outcome is None:
            raise StillPending(id)
        woken_from = max(began, outcome.decided_at)
        tracing.step("wake", self.tenant, id, parent=outcome.trace, began=woken_from)
        if outcome.status is OutcomeStatus.CHANGES_REQUESTED:
            raise not_approved(outcome)
        self._revised.pop(id, None)
        return outcome

    async def get(self, request_id: str) -> Outcome | None:
        """What became of it so far; None: nothing yet, or it isn't known here."""
        return await self._session.inbox.outcome(own_id(request_id))

    # -- running --------------------------------------------------------------------------------------

    async def claim(self, request_id: str) -> Permit:
        """Take the leave to run it, once: of all who try, one gets it. Run its args and no others.

        Raises:
            NotClaimed: there is no leave (any more).
            Forged: it is not as the service signed it.
            Unavailable: Redis was away; the message says whether the leave may be gone.
        """
        permit = await self._session.inbox.claim(own_id(request_id))
        if fingerprint(permit.tool, permit.args) != permit.fingerprint:
            raise NotClaimed(f"{permit.id}: its permit is not for the call that people saw")
        return permit

    async def receipt(
        self, request_id: str, ok: bool, result: str | None = None, duration_ms: int | None = None
    ) -> None:
        """Report how the approved call went; of `result` people see the beginning.

        Raises:
            Unavailable: Redis was away.
        """
        excerpt = None if result is None else _excerpt(str(result))
        notice = ReceiptNotice(id=own_id(request_id), ok=ok, result=excerpt, duration_ms=duration_ms)
        await self._session.inbox.send(notice)

    async def revise(self, request_id: str, args: Args, reason: str | None = None) -> None:
        """Ask for other args in the place of what was asked; whoever had voted is asked again.

        Raises:
            InvalidCall: they can't be asked for.
            Unavailable: Redis was away.
        """
        await self._revise(own_id(request_id), own_args(args), text_of("reason", reason))

    async def _revise(self, id: RequestId, args: Args | None, reason: str | None) -> None:
        before = await self._session.inbox.outcome(id)
        await self._session.inbox.send(Revision(id=id, args=args, reason=reason))
        if before is not None:
            self._revised[id] = before.round

    async def cancel(self, request_id: str, reason: str | None = None) -> None:
        """Take it back; once it is decided this changes nothing. `wait` tells which came first.

        Raises:
            Unavailable: Redis was away.
        """
        letter = Cancellation(id=own_id(request_id), reason=text_of("reason", reason))
        await self._session.inbox.send(letter)

    # -- undoing --------------------------------------------------------------------------------------

    def undoing(self) -> AbstractAsyncContextManager[None]:
        """`async with approvals.undoing():` undoes what people want undone, by the `undo=` of `required`.

        Each ask is taken by one process, once. What has begun when the block ends is done first.
        """
        return undoing(self._session.inbox, self, self.undoers)

    async def run_undos(self) -> None:
        """Do so until cancelled."""
        async with self.undoing():
            await asyncio.Event().wait()

    async def undos(self, timeout: Span | None = None) -> list[UndoAsk]:  # noqa: ASYNC109  # likewise
        """Wait until people want something undone, and take it: it is handed out once, so do it and report.

        Without `undo=` functions. When `timeout` ends there is nothing: [].

        Raises:
            Unavailable: Redis was away.
        """
        return await asked(self._session.inbox, seconds_of("timeout", timeout))

    async def report_undone(self, request_id: str, ok: bool, text: str | None = None) -> None:
        """Report whether it could be undone; of `text` people see the beginning.

        Raises:
            Unavailable: Redis was away.
        """
        told = None if text is None else _excerpt(str(text))
        await self._session.inbox.send(UndoNotice(id=own_id(request_id), ok=ok, text=told))

    @property
    def runs(self) -> RunShelf:
        """The runs of an agent framework that wait for people: what the adapters put by."""
        return self._session.runs

    # -- the gate -------------------------------------------------------------------------------------

    @overload
    def required(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def required(
        self, function: None = None, /, **options: Unpack[GateOptions]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def required(
        self, function: Callable[P, R] | None = None, /, **options: Unpack[GateOptions]
    ) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
        """Let a function, async or not, run only once it is approved, with the args that were approved.

        Its calls raise as `request` and `claim` do, and what the function itself raises.

        Raises:
            InvalidCall: the function's parameters can't be a form, or an option doesn't fit them.
        """
        if function is not None:
            return gated(function, self, **options)
        return lambda function: gated(function, self, **options)

    # -- its insides ----------------------------------------------------------------------------------

    @property
    def _session(self) -> Session:
        return stand_in(self.tenant, self.agent) or self._connected()

    def _connected(self) -> _Connected:
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            for other in [other for other in self._sessions if other.is_closed()]:
                self._sessions.pop(other, None)
            redis = open_redis(self._url, tenant=self.tenant, replicas=self._replicas)
            redis.connection_pool.connection_kwargs["client_name"] = f"countersign:{self.agent}"
            trusted = TrustedKeys(redis, self.tenant, self._anchors)
            inbox = AgentInbox(redis, self.tenant, self.agent, trusted)
            waiting = Waiting(inbox, self._patience_s)
            self._sessions[loop] = _Connected(redis, inbox, waiting, Runs(redis, self.tenant, self.agent))
        return self._sessions[loop]

    async def _close_session(self) -> None:
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()


def not_approved(outcome: Outcome) -> NotApproved:
    """The error that tells `outcome`, which is no approval, to an agent."""
    by = outcome.decided_by_name or outcome.decided_by
    words = f": {outcome.text}" if outcome.text else ""
    match outcome.status:
        case OutcomeStatus.REJECTED:
            return Rejected(f"{outcome.id} was rejected by {by}{words}", outcome)
        case OutcomeStatus.ANSWERED:
            return Answered(f"{outcome.id} was answered by {by} instead of being run{words}", outcome)
        case OutcomeStatus.EXPIRED:
            return Expired(f"{outcome.id} expired: nobody answered in time, which is not a no", outcome)
        case OutcomeStatus.CANCELLED if outcome.undeliverable:
            return Undeliverable(f"{outcome.id} reached nobody who may decide{words}", outcome)
        case OutcomeStatus.CANCELLED:
            return Cancelled(f"{outcome.id} was cancelled{words}", outcome)
        case OutcomeStatus.CHANGES_REQUESTED:
            return ChangesRequested(f"{by} wants changes to {outcome.id}{words}", outcome)
        case OutcomeStatus.APPROVED:
            return NotApproved(f"{outcome.id} was approved, which is no answer to a question", outcome)
        case _:
            assert_never(outcome.status)


async def _result_of(returned: object) -> object:
    return await returned if isinstance(returned, Awaitable) else returned


def _excerpt(text: str) -> str:
    whole = text.encode(errors="backslashreplace").decode()
    return whole if len(whole) <= RESULT_CHARS else f"{whole[: RESULT_CHARS - 1]}…"
