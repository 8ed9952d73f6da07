"""What the API answers, as JSON: one dataclass for each thing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from approvals.messages import Outcome, Ticket, UndoAsk
from approvals.model import Args, Fingerprint, Json, Kind, RequestId, Risk, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A request as it stands."""

    id: RequestId
    status: Annotated[
        Status | Literal["submitted"], Field(description="`submitted` until the service has taken it in")
    ]
    kind: Kind | None = None
    tool: str | None = None
    args: Args | None = None
    fingerprint: Fingerprint | None = None
    short: str | None = None
    agent: str | None = None
    reason: str | None = None
    on_behalf_of: str | None = None
    risk: Risk | None = None
    confidence: float | None = None
    tags: tuple[str, ...] = ()
    schema: dict[str, Json] | None = None
    batch: str | None = None
    created_at: datetime | None = None
    deadline: datetime | None = None
    votes: int = 0
    because: Annotated[str | None, Field(description="Why it is asked; for approver front ends")] = None
    review: Annotated[str | None, Field(description="Whether people have looked at what ran")] = None
    answer: Annotated[
        Json, Field(description="To a question: its text; with `many` a list, with `schema` an object")
    ] = None
    taken_over: Annotated[bool, Field(description="A person goes on in the agent's place: stop")] = False
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    requests: tuple[Shown, ...]
    next: Annotated[RequestId | None, Field(description="The next page's `cursor`; null: this is the last")]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatchSent:
    id: RequestId
    tickets: tuple[Ticket, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    id: RequestId
    is_decided: bool
    requests: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """It is safely on its way; what comes of it is told by the request."""

    id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Undos:
    undos: tuple[UndoAsk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What came of a decision: other people's may still be needed."""

    id: RequestId
    status: Status
    event: Annotated[str, Field(description="The audit log's word: approved, voted, redirected, …")]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """The data of one server-sent event."""

    seq: int
    event: str
    request: RequestId
    agent: str
    at: datetime
    actor: str
    actor_name: str
    tool: str | None
    fingerprint: str | None
    args: Annotated[Args | None, Field(description="Where they are new")]
    text: str | None
    decided_by: str | None
    decided_at: datetime | None
    latency_ms: Annotated[int | None, Field(description="Since it was asked")]
