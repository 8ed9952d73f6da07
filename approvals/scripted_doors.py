"""What stands in for Redis in tests of agents: the doors of the house in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from approvals import wire
from approvals.errors import InvalidCall, Unavailable
from approvals.inbox import written
from approvals.messages import (
    ForgedNotice,
    Letter,
    Outcome,
    OutcomeStatus,
    Permit,
    Submission,
    Ticket,
    UndoAsk,
    outcome_of,
)
from approvals.model import Fingerprint, RequestId
from approvals.scripted import House, Unscripted


def session(house: House, tenant: str, agent: str) -> _Session:
    """All that one agent's client needs."""
    inbox = _Inbox(house, tenant, agent)
    return _Session(inbox, _Waits(inbox), _Shelf(house, tenant, agent))


@dataclass(frozen=True, slots=True)
class _Session:
    inbox: _Inbox
    waiting: _Waits
    runs: _Shelf


class _Inbox:
    """What `AgentInbox` does with Redis, done in memory."""

    def __init__(self, house: House, tenant: str, agent: str) -> None:
        self._house, self._tenant, self._agent = house, tenant, agent

    async def put(self, submission: Submission, fingerprint: Fingerprint, key: str | None = None) -> Ticket:
        sent = _sent(submission)
        self._reach()
        with self._house.lock:
            first = sent.id
            if key is not None:
                first = self._house.first_with(self._tenant, self._agent, key, sent)
            self._house.take_in(self._tenant, self._agent, replace(sent, id=first))
        return Ticket(id=first, fingerprint=fingerprint, is_new=first == sent.id)

    async def put_all(self, submissions: Sequence[Submission]) -> None:
        sent = [_sent(submission) for submission in submissions]
        self._reach()
        with self._house.lock:
            for submission in sent:
                self._house.take_in(self._tenant, self._agent, submission)

    async def send(self, letter: Letter) -> None:
        if isinstance(letter, Submission):
            return await self.put_all([letter])
        written(letter)
        self._reach()
        if isinstance(letter, ForgedNotice):  # nobody forges here
            return None
        with self._house.lock:
            self._house.heard(self._agent, letter)
        return None

    async def outcome(self, request_id: RequestId) -> Outcome | None:
        self._reach()
        request = self._house.requests.get(request_id)
        return None if request is None or request.agent != self._agent else outcome_of(request)

    async def claim(self, request_id: RequestId) -> Permit:
        self._reach()
        with self._house.lock:
            return self._house.claim(self._agent, request_id)

    async def last_wake(self) -> str:
        self._reach()
        return "0-0"

    async def undo_wakes(self, last_id: str, timeout_s: float) -> tuple[bool, str]:
        self._reach()
        return await self._house.hint(timeout_s), last_id

    async def undos(self) -> list[UndoAsk]:
        self._reach()
        mine = self._house.requests
        return [ask for ask in self._house.undos.values() if mine[ask.id].agent == self._agent]

    async def take_undo(self, request_id: RequestId) -> UndoAsk | None:
        self._reach()
        return self._house.undos.pop(request_id, None)

    def _reach(self) -> None:
        if self._house.is_away:
            raise Unavailable("Redis is not available, says the script")


class _Waits:
    """Nothing is waited for: by the time that an agent waits, the script has decided."""

    def __init__(self, inbox: _Inbox) -> None:
        self._inbox = inbox

    async def until(
        self, request_id: RequestId, *, timeout_s: float | None, after_round: int = 0
    ) -> Outcome | None:
        outcome = await self._inbox.outcome(request_id)
        is_answered = outcome is not None and (
            outcome.status is not OutcomeStatus.CHANGES_REQUESTED or outcome.round > after_round
        )
        if outcome is not None and is_answered:
            return outcome
        if timeout_s is None:
            raise Unscripted(f"{request_id} would be waited for without end: the script leaves it open")
        return None


class _Shelf:
    """What `Runs` does with Redis, done in memory."""

    def __init__(self, house: House, tenant: str, agent: str) -> None:
        self._kept, self._mine = house.kept_runs, (tenant, agent)

    async def put_by(self, run_id: str, framework: str, state: str) -> None:
        self._kept[(*self._mine, run_id)] = framework, state

    async def state(self, run_id: str, framework: str) -> str | None:
        by, state = self._kept.get((*self._mine, run_id), (framework, None))
        if by != framework:
            raise InvalidCall(f"run {run_id!r} was put by with {by}, and this is {framework}")
        return state

    async def forget(self, run_id: str) -> None:
        self._kept.pop((*self._mine, run_id), None)


def _sent(submission: Submission) -> Submission:
    """What arrives of it: a copy, which whoever asked can't change any more."""
    letter = wire.read(wire.LETTER, written(submission))
    assert isinstance(letter, Submission)  # noqa: S101 - it was one
    return letter
