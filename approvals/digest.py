"""Which requests one Slack message holds, and what of each it shows. Values and rules, pure.

A digest's membership is fixed when it is made: what comes later is in a later one. What it shows of its rows
is counted by its version, so that a click which names a version means exactly what that version showed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import NewType

from approvals.ids import ALPHABET, LETTERS
from approvals.model import Assurance, Fingerprint, Kind, PersonId, Request, RequestId, Risk

DigestId = NewType("DigestId", str)  # "D-" and 26 letters

BURST, YOURS = OURS = ("burst", "yours")  # that no policy names: of a flood of requests, and of one person
MOST = 500  # rows of one digest; more become several messages
BURST_WINDOW = timedelta(seconds=10)  # in which more than `Terms.burst` requests are a flood


_BATCH = re.compile(r"batch-[0-9a-f]{32}")  # the name of a digest that shows what an agent asks for together


def batch_name(request: Request) -> str | None:
    """The digest in which it is shown with those that its agent asks for together; None: it came alone."""
    if request.batch is None or request.kind is Kind.QUESTION:
        return None
    told = f"{request.agent} {request.batch}".encode(errors="surrogatepass")
    return f"batch-{hashlib.sha256(told).hexdigest()[:32]}"


def is_batch(digest_name: str) -> bool:
    return _BATCH.fullmatch(digest_name) is not None


class GroupBy(StrEnum):
    """What puts the rows of a digest under one heading."""

    TOOL = "tool"
    AGENT = "agent"
    RULE = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request of a digest, as its message shows it."""

    request_id: RequestId
    fingerprint: Fingerprint  # of the call that it shows
    is_ready: bool  # it can be decided from the row; else it must be opened
    since: int = 1  # the digest's version that showed it like this first
    amount: int | None = None  # what it adds to the sum, in millionths


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One Slack message that holds many requests and can be cleared in one pass."""

    id: DigestId
    tenant: str
    name: str  # the policy's, or BURST, or YOURS
    channel: str  # a Slack id: "C…", or "D…" for one person's own
    made_at: datetime
    rows: tuple[Row, ...]
    version: int = 1
    page: int = 0  # that the message shows
    starts: tuple[int, ...] = (0,)  # the first row of each page
    person: PersonId | None = None  # whose own it is
    group_by: GroupBy = GroupBy.TOOL
    unit: str = ""  # of the sum
    closed: bool = False  # none of its rows waits any more

    @property
    def shown(self) -> range:
        """The places of the rows on the page that the message shows."""
        page = min(self.page, len(self.starts) - 1)
        return range(self.starts[page], (*self.starts, len(self.rows))[page + 1])


def new_digest_id() -> DigestId:
    return DigestId("D-" + "".join(secrets.choice(ALPHABET) for _ in range(LETTERS)))


def is_digest_id(text: str) -> bool:
    return text.startswith("D-") and len(text) == 2 + LETTERS and all(c in ALPHABET for c in text[2:])


def in_order(requests: Iterable[Request], group_by: GroupBy) -> list[Request]:
    """Rows of one heading together, the largest group first; in it the riskiest, then what ends soonest."""
    groups = [list(group) for _, group in groupby(sorted(requests, key=_key(group_by)), key=_key(group_by))]
    groups.sort(key=lambda group: (-len(group), _key(group_by)(group[0])))
    return [request for group in groups for request in sorted(group, key=_urgency)]


def heading_of(request: Request, group_by: GroupBy) -> str:
    """What a request's rows stand under."""
    return _key(group_by)(request)


def _key(group_by: GroupBy) -> Callable[[Request], str]:
    return {
        GroupBy.TOOL: lambda request: request.tool,
        GroupBy.AGENT: lambda request: request.agent,
        GroupBy.RULE: lambda request: request.terms.rule,
    }[group_by]


def _urgency(request: Request) -> tuple[int, float, datetime]:
    ends = request.deadline.timestamp() if request.deadline else float("inf")
    return -list(Risk).index(request.terms.risk), ends, request.created_at


def may_be_in_all(request: Request) -> bool:
    """Whether one click on many rows may decide it. High risk must be opened; a question needs an answer."""
    return (
        request.kind is Kind.ACTION
        and not request.terms.risk.is_at_least(Risk.HIGH)
        and request.terms.assurance is Assurance.CLICK
        and request.sent_back is None
        and not request.twins
    )


def row_of(
    request: Request,
    *,
    is_whole: Callable[[Request], bool],
    amount: Callable[[Request], int | None],
    since: int = 1,
) -> Row:
    """What a digest shows of a request, from its version `since` on."""
    return Row(
        request_id=request.id,
        fingerprint=request.fingerprint,
        is_ready=_is_ready(request, is_whole),
        since=since,
        amount=amount(request),
    )


def _is_ready(request: Request, is_whole: Callable[[Request], bool]) -> bool:
    return may_be_in_all(request) and is_whole(request)


def refreshed(
    digest: Digest,
    requests: Mapping[RequestId, Request],
    *,
    is_whole: Callable[[Request], bool],
    amount: Callable[[Request], int | None],
) -> Digest:
    """The digest as its message is to show it now. A row that shows something else than before is told apart
    by its `since`, so that no click on an older version reaches it. `is_whole`: a row shows the whole call.
    """
    version = digest.version + 1

    def renewed(row: Row) -> Row:
        request = requests.get(row.request_id)
        if request is None or not request.is_pending:
            return row
        if (row.fingerprint, row.is_ready) == (request.fingerprint, _is_ready(request, is_whole)):
            return row
        return row_of(request, is_whole=is_whole, amount=amount, since=version)

    rows = tuple(map(renewed, digest.rows))
    waits = any(_waits(requests.get(row.request_id)) for row in rows)
    if rows == digest.rows and digest.closed is not waits:
        return digest
    return replace(digest, rows=rows, closed=not waits, version=version)


def waiting(digest: Digest, requests: Mapping[RequestId, Request]) -> Iterator[int]:
    """The places of the rows that are still to be decided."""
    return (i for i, row in enumerate(digest.rows) if _waits(requests.get(row.request_id)))


def _waits(request: Request | None) -> bool:
    return request is not None and request.is_pending


def shows_whole(digest: Digest, request: Request) -> bool:
    """Whether one of its rows shows exactly this call, and all of it."""
    mine = [row for row in digest.rows if row.request_id == request.id]
    return any(row.is_ready and row.fingerprint == request.fingerprint for row in mine)


class LeftOut(StrEnum):
    """Why a row is not part of what one click on many rows does."""

    GONE = "gone"  # it has been forgotten
    DECIDED = "decided"
    CHANGED = "changed"  # it shows, or is, another call than the one that was seen
    TO_BE_OPENED = "to be opened"
    TO_BE_CONFIRMED = "to be confirmed"  # each by a sign-in of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What a click on "all shown" means: these rows, and not those."""

    rows: tuple[Row, ...]
    left_out: tuple[tuple[Row, LeftOut], ...]


def covered(
    digest: Digest, requests: Mapping[RequestId, Request], indexes: Iterable[int], version: int
) -> Covered:
    """Which of the rows at `indexes` somebody means who saw the digest in `version`."""
    rows: list[Row] = []
    left_out: list[tuple[Row, LeftOut]] = []
    for row in [digest.rows[index] for index in indexes]:
        why = _why_not(row, requests.get(row.request_id), version)
        if why is None:
            rows.append(row)
        else:
            left_out.append((row, why))
    return Covered(rows=tuple(rows), left_out=tuple(left_out))


def _why_not(row: Row, request: Request | None, version: int) -> LeftOut | None:
    if request is None:
        return LeftOut.GONE
    if not request.is_pending:
        return LeftOut.DECIDED
    if row.since > version or row.fingerprint != request.fingerprint:
        return LeftOut.CHANGED
    if request.terms.assurance is not Assurance.CLICK:
        return LeftOut.TO_BE_CONFIRMED
    if not row.is_ready or not may_be_in_all(request):
        return LeftOut.TO_BE_OPENED
    return None
