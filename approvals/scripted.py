"""The house in memory, for tests of agents: the real rules, and people who follow a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import TypeAlias, assert_never

from approvals.canonical import fingerprint
from approvals.clock import next_due
from approvals.commands import (
    Cancel,
    Claim,
    Command,
    Expire,
    Lapse,
    Report,
    ReportUndo,
    Revise,
)
from approvals.errors import InvalidCall, KeyReused, NotClaimed, Refusal
from approvals.evolution import evolve
from approvals.inbox import NOT_CLAIMED
from approvals.machine import begin, decide
from approvals.messages import (
    Cancellation,
    Change,
    ClaimNotice,
    Permit,
    ReceiptNotice,
    Revision,
    Submission,
    UndoAsk,
    UndoNotice,
    permit_of,
    undo_of,
)
from approvals.model import (
    CHANNEL,
    Action,
    AgentName,
    Fingerprint,
    Kind,
    Person,
    PersonId,
    Receipt,
    Request,
    RequestId,
    ReviewState,
    Risk,
    Tenant,
    Terms,
)

ANY = "*"
DEADLINE_S = 3600
SOMEBODY = Person(id=PersonId("U0SCRIPT"), name="the script", principals=frozenset({CHANNEL}))

Deciding: TypeAlias = Callable[[Request], Command]


class Unscripted(AssertionError):
    """The script doesn't say what becomes of a request, or wants of it what the rules forbid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What becomes of requests for one tool, or of one question."""

    tool: str  # its name, a question's words, or ANY
    steps: tuple[Deciding, ...] = ()  # what is done about it, one after the other
    afterwards: Deciding | None = None  # once it has run
    action: Action = Action.ASK
    because: str = "the script says so"
    is_once: bool = False

    def fits(self, asked: Submission | Request) -> bool:
        return self.tool in (ANY, asked.tool, asked.args.get("question"))


class House:
    """Takes letters, decides by the first line that fits, and keeps what became of it. For any thread."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.requests: dict[RequestId, Request] = {}
        self.undos: dict[RequestId, UndoAsk] = {}
        self.kept_runs: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.is_away = False  # Redis
        self.lock = RLock()
        self._first: dict[tuple[str, str, str], tuple[RequestId, Fingerprint]] = {}  # with each key
        self._afterwards: dict[RequestId, Deciding] = {}
        self._watching: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def claim(self, agent: str, id: RequestId) -> Permit:
        """Raises NotClaimed: there is no leave (any more)."""
        request = self.requests.get(id)
        permit = permit_of(request) if request is not None and request.agent == agent else None
        if permit is None:  # claiming is a change, after which there is none
            raise NotClaimed(f"{id}: {NOT_CLAIMED}")
        self.change(id, Claim())
        return permit

    def line_for(self, asked: Submission | Request) -> Line:
        """The first that fits and is not used up; one that names the tool before one for all.

        Raises:
            Unscripted: there is none.
        """
        fitting = [line for line in self.lines if line.fits(asked)]
        named = [line for line in fitting if line.tool != ANY]
        for line in named or fitting:
            if line.is_once:
                self.lines.remove(line)
            return line
        call = f"{asked.tool}({json.dumps(asked.args, ensure_ascii=False)[:200]})"
        raise Unscripted(
            f"nobody is scripted to decide {call}: say approvals_script.approves({asked.tool!r})"
        )

    def first_with(self, tenant: str, agent: str, key: str, submission: Submission) -> RequestId:
        asked = (submission.id, fingerprint(submission.tool, submission.args))
        id, of = self._first.setdefault((tenant, agent, key), asked)
        if of != asked[1]:
            raise KeyReused(key, id)
        return id

    def take_in(self, tenant: str, agent: str, submission: Submission) -> None:
        if submission.id in self.requests:
            return
        if submission.kind is Kind.REVIEW and not any(line.fits(submission) for line in self.lines):
            line = Line(tool=ANY, action=Action.REVIEW)  # it has run: nobody needs to say anything
        else:
            line = self.line_for(submission)
        request = _request(tenant, agent, submission, line)
        for event in begin(request)[1:]:
            request = evolve(request, event)
        self._keep(request)
        if line.afterwards is not None:
            self._afterwards[request.id] = line.afterwards
        self._follow(request.id, line)

    def change(self, id: RequestId, command: Command) -> None:
        """Raises Refusal: the rules forbid it."""
        request = self.requests[id]
        now = datetime.now(UTC)
        if isinstance(command, Expire | Lapse):
            now = next_due(request) or now
        self._keep(evolve(request, decide(request, command, now=now)), request)

    def heard(self, agent: str, letter: Change) -> None:
        """A letter about a request; one that comes too late changes nothing, as with the real service."""
        request = self.requests.get(letter.id)
        if request is None or request.agent != agent:
            return
        with suppress(Refusal):
            self.change(letter.id, _command(letter, request))
        if isinstance(letter, Revision) and self.requests[letter.id].is_pending:
            self._follow(letter.id, self.line_for(self.requests[letter.id]))
        self._look_afterwards(letter.id)

    async def hint(self, timeout_s: float) -> bool:
        """Wait until there is something to undo."""
        here = (asyncio.get_running_loop(), asyncio.Event())
        with self.lock:
            self._watching.add(here)
        try:
            async with asyncio.timeout(timeout_s):
                await here[1].wait()
        except TimeoutError:
            return False
        finally:
            self._watching.discard(here)
        return True

    def _follow(self, id: RequestId, line: Line) -> None:
        for step in line.steps:
            command = step(self.requests[id])
            try:
                self.change(id, command)
            except (Refusal, InvalidCall) as refusal:
                verb = type(command).__name__
                raise Unscripted(f"{verb} can't be followed: {refusal}") from refusal
        self._look_afterwards(id)

    def _look_afterwards(self, id: RequestId) -> None:
        request = self.requests[id]
        if request.review is not None and request.review.state is ReviewState.OPEN:
            deciding = self._afterwards.pop(id, None)
            if deciding is not None:
                self.change(id, deciding(request))

    def _keep(self, request: Request, before: Request | None = None) -> None:
        self.requests[request.id] = request
        if (ask := undo_of(request)) is None:
            self.undos.pop(request.id, None)
        elif before is None or undo_of(before) is None:
            self.undos[request.id] = ask
            for loop, event in tuple(self._watching):
                loop.call_soon_threadsafe(event.set)


def _request(tenant: str, agent: str, submission: Submission, line: Line) -> Request:
    now = datetime.now(UTC)
    deadline_s = min(submission.deadline_s or DEADLINE_S, DEADLINE_S)
    is_review = submission.kind is Kind.REVIEW
    terms = Terms(
        rule="the script",
        policy="approvals.testing",
        action=Action.REVIEW if is_review else line.action,
        because=line.because,
        channel="C0SCRIPT",
        approvers=(CHANNEL,),
        deadline_s=deadline_s,
        risk=submission.risk or Risk.MEDIUM,
    )
    return Request(
        id=submission.id,
        tenant=Tenant(tenant),
        agent=AgentName(agent),
        kind=submission.kind,
        tool=submission.tool,
        args=submission.args,
        fingerprint=fingerprint(submission.tool, submission.args),
        terms=terms,
        created_at=now,
        deadline=now + timedelta(seconds=deadline_s),
        reason=submission.reason,
        on_behalf_of=submission.on_behalf_of,
        schema=submission.schema,
        tags=submission.tags,
        confidence=submission.confidence,
        batch=submission.batch,
        receipt=Receipt(ok=submission.ok, at=now, result=submission.result) if is_review else None,
    )


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
