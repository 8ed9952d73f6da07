"""What an agent's client needs of whatever stands behind it: Redis, or a script in tests of agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from approvals.messages import Letter, Outcome, Permit, Submission, Ticket, UndoAsk
from approvals.model import Fingerprint, RequestId


class UndoInbox(Protocol):
    """Where an agent learns what people want undone."""

    async def last_wake(self) -> str: ...
    async def undo_wakes(self, last_id: str, timeout_s: float) -> tuple[bool, str]: ...
    async def undos(self) -> list[UndoAsk]: ...
    async def take_undo(self, request_id: RequestId) -> UndoAsk | None: ...


class Inbox(UndoInbox, Protocol):
    """Letters in, outcomes and permits out."""

    async def put(
        self, submission: Submission, fingerprint: Fingerprint, key: str | None = None
    ) -> Ticket: ...
    async def put_all(self, submissions: Sequence[Submission]) -> None: ...
    async def send(self, letter: Letter) -> None: ...
    async def outcome(self, request_id: RequestId) -> Outcome | None: ...
    async def claim(self, request_id: RequestId) -> Permit: ...


class Waits(Protocol):
    """Where one waits for an outcome."""

    async def until(
        self, request_id: RequestId, *, timeout_s: float | None, after_round: int = 0
    ) -> Outcome | None: ...


class RunShelf(Protocol):
    """Where the runs of an agent framework are put by."""

    async def put_by(self, run_id: str, framework: str, state: str) -> None: ...
    async def state(self, run_id: str, framework: str) -> str | None: ...
    async def forget(self, run_id: str) -> None: ...


class Session(Protocol):
    """All of it, for one agent in one event loop."""

    @property
    def inbox(self) -> Inbox: ...
    @property
    def waiting(self) -> Waits: ...
    @property
    def runs(self) -> RunShelf: ...


Opener: TypeAlias = Callable[[str, str], Session]  # for a tenant and an agent

_stand_ins: list[Opener] = []


@contextmanager
def standing_in(opener: Opener) -> Iterator[None]:
    """While this is open no client of this process talks to Redis: `opener` says what is there instead."""
    _stand_ins.append(opener)
    try:
        yield
    finally:
        _stand_ins.remove(opener)


def stand_in(tenant: str, agent: str) -> Session | None:
    """What is there instead of Redis; None: Redis itself."""
    return _stand_ins[-1](tenant, agent) if _stand_ins else None
