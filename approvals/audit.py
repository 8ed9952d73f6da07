"""The audit log as values: one entry per thing that happened, chained by hash per request.

An entry's hash covers all of it but `hash` itself and `seq`, which Redis gives out densely, per tenant, in
the commit that writes the entry. So an edit or an insertion breaks a chain; a deletion leaves a gap in `seq`.
Of what may have to be forgotten, a call's args and people's names and words, it covers a salted hash: they
can be erased, and the entry still holds.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal, assert_never

from approvals.canonical import encode
from approvals.dsse import written
from approvals.errors import InvalidCall
from approvals.events import (
    Allowed,
    Asked,
    Denied,
    Edited,
    Event,
    Executed,
    Failed,
    Redirected,
    Refused,
    Revised,
    Submitted,
    Voted,
)
from approvals.masking import pointers, shown_args, spoken
from approvals.model import Action, Args, Evidence, Fingerprint, Json, Kind, Request, Via

GENESIS = ""  # what the first entry of a chain names as its previous
SALT_BYTES = 16
# What of `detail` is never erased. All else may hold names, or words of people and agents.
KEPT = frozenset(
    {
        *("kind", "risk", "wished_risk", "wished_deadline_s", "confidence", "batch"),
        *("bulk", "action", "before", "votes", "duration_ms", "attempted"),
    }
)
# The events that decide a request.
DECISIONS = frozenset(
    {
        *("allowed", "denied", "approved", "edited", "rejected", "answered", "overridden", "withdrawn"),
        *("expired", "cancelled", "undeliverable"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the log: who, what, when, from where, under which rule, with which result."""

    seq: int = 0  # dense, per tenant; 0 until Redis has given it out
    at: datetime
    tenant: str
    request: str  # the id; "" for an attempt on something that is no request
    event: str
    actor: str
    via: str
    tool: str | None = None
    args: Args | None = None  # where they are new: submitted, revised, edited, …
    fingerprint: Fingerprint | None = None
    rule: str | None = None
    policy: str | None = None
    latency_ms: int | None = None  # since the request was asked
    detail: dict[str, Json] | None = None
    salt: str | None = None  # of the commitment; None once what it stands for is erased
    commitment: str | None = None  # to what was erased; before, it follows from the salt
    previous: str = GENESIS
    hash: str = ""


def entry_of(before: Request, after: Request, event: Event, *, via: Via) -> Entry:
    """Tell `event`, which turned `before` into `after`, as an entry that is not chained yet."""
    return Entry(
        at=event.at,
        tenant=after.tenant,
        request=after.id,
        event=event.word,
        actor=event.by.id,
        via=via,
        tool=after.tool,
        args=shown_args(after) if _brings_args(event) else None,
        fingerprint=after.fingerprint,
        rule=after.terms.rule,
        policy=after.terms.policy,
        latency_ms=round((event.at - after.created_at).total_seconds() * 1000),
        detail=_detail(before, after, event) | _masked(after, event),
    )


def _brings_args(event: Event) -> bool:
    return isinstance(event, Submitted | Revised | Edited | Redirected) or (
        isinstance(event, Voted | Denied) and event.args is not None
    )


def _masked(after: Request, event: Event) -> dict[str, Json]:
    """Where `args` are not what runs: JSON pointers into them."""
    return {"masked": list(pointers(after))} if after.masks and _brings_args(event) else {}


def _detail(before: Request, after: Request, event: Event) -> dict[str, Json]:
    text: str | None = getattr(event, "text", None)
    said = None if text is None else spoken(text)
    told = {"by": event.by.name, "through": event.by.through, "text": said}
    detail: dict[str, Json] = {name: value for name, value in told.items() if value is not None}
    detail |= _voting_detail(event) | _receipt(before, after)
    if isinstance(event, Asked) or (after.kind is Kind.REVIEW and isinstance(event, Executed | Failed)):
        detail["because"] = after.terms.because
    match event:
        case Allowed() if after.terms.action is Action.REVIEW:
            detail["action"] = Action.REVIEW.value
        case Submitted():
            detail |= _submission_detail(after)
        case Edited(terms=terms) | Revised(terms=terms) | Redirected(terms=terms):
            detail["before"] = before.fingerprint
            if terms is not None:
                detail["because"] = terms.because
        case Voted():
            detail["votes"] = f"{len(after.votes)} of {after.terms.quorum}"
        case Executed(duration_ms=ms) | Failed(duration_ms=ms):
            detail["duration_ms"] = ms
        case Refused(attempted=attempted):
            detail["attempted"] = attempted
            detail["reason"] = detail.pop("text")
        case _:
            pass
    return detail


def _receipt(before: Request, after: Request) -> dict[str, Json]:
    """The signed decision, in the entry that decides."""
    is_new = after.signed is not None and after.signed != before.signed
    return {"receipt": written(after.signed)} if after.signed and is_new else {}


def _voting_detail(event: Event) -> dict[str, Json]:
    gone, bulk = getattr(event, "gone", ()), getattr(event, "bulk", None)
    evidence: Evidence | None = getattr(event, "evidence", None)
    told: dict[str, Json] = {"gone": list(gone) or None, "bulk": bulk}
    told["evidence"] = None if evidence is None else evidence_told(evidence)
    return {name: value for name, value in told.items() if value}


def evidence_told(evidence: Evidence) -> dict[str, Json]:
    """As the log and signed decisions tell it: by what means, and what was signed where something was."""
    told: dict[str, Json] = {"means": evidence.means}
    if evidence.statement is not None and evidence.signature is not None:
        told |= {"statement": evidence.statement, "signature": evidence.signature}
    return told


def _submission_detail(request: Request) -> dict[str, Json]:
    detail: dict[str, Json] = {"kind": request.kind.value, "risk": request.terms.risk.value}
    optional: dict[str, Json] = {
        "reason": request.reason,
        "on_behalf_of": request.on_behalf_of,
        "confidence": request.confidence,
        "tags": list(request.tags) or None,
        "batch": request.batch,
        "wished_risk": request.wished_risk and request.wished_risk.value,
        "wished_deadline_s": request.wished_deadline_s,
    }
    return detail | {name: value for name, value in optional.items() if value is not None}


def link(previous: str, entry: Entry) -> Entry:
    """Chain `entry` onto the hash of its request's previous one (GENESIS for the first)."""
    chained = replace(entry, previous=previous, salt=entry.salt or secrets.token_hex(SALT_BYTES))
    return replace(chained, hash=digest(chained))


def digest(entry: Entry) -> str:
    """SHA-256, in hex, of the canonical JSON of `content`."""
    return hashlib.sha256(encode(content(entry))).hexdigest()


def content(entry: Entry) -> dict[str, Json]:
    """What the hash covers: all but `hash`, `seq` and `salt`, and a commitment for what can be erased."""
    values = _values(entry)
    for name in ("seq", "hash", "salt", "commitment"):
        del values[name]
    if entry.salt is None and entry.commitment is None:  # logged before anything could be erased
        return values
    del values["args"]
    return {**values, "detail": _kept(entry), "commitment": commitment(entry)}


def commitment(entry: Entry) -> str:
    """SHA-256, in hex, of the canonical JSON of the salt and of what can be erased."""
    if entry.commitment is not None:
        return entry.commitment
    words = {name: value for name, value in (entry.detail or {}).items() if name not in KEPT}
    erasable: dict[str, Json] = {"args": entry.args, "detail": words, "salt": entry.salt}
    return hashlib.sha256(encode(erasable)).hexdigest()


def erased(entry: Entry) -> Entry:
    """The entry without args, names and words; its hash still holds."""
    if is_erased(entry) or entry.salt is None:
        return entry
    return replace(entry, args=None, detail=_kept(entry), salt=None, commitment=commitment(entry))


def is_erased(entry: Entry) -> bool:
    return entry.commitment is not None


def _kept(entry: Entry) -> dict[str, Json]:
    return {name: value for name, value in (entry.detail or {}).items() if name in KEPT}


def exported(entry: Entry) -> dict[str, Json]:
    """The entry as one JSON object of `countersign audit export`."""
    return _values(entry)


def imported(values: dict[str, Any]) -> Entry:
    """The entry of such an object.

    Raises:
        ValueError, TypeError, KeyError: it is none.
    """
    return Entry(**{**values, "at": datetime.fromisoformat(values["at"])})


def leaf(entry: Entry) -> bytes:
    """What stands for the entry in the log's tree: its number and its hash, which covers all else."""
    return encode({"hash": entry.hash, "seq": entry.seq})


def _values(entry: Entry) -> dict[str, Json]:
    values = {field.name: getattr(entry, field.name) for field in fields(entry)}  # asdict copies all args
    values["at"] = rfc3339(entry.at)
    return values


def rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first entry of a log that doesn't hold, and what is wrong there."""

    seq: int
    kind: Literal["changed", "missing", "unlinked", "order", "rewritten"]
    until: int | None = None  # of those from `seq` to here, one is the first

    def __str__(self) -> str:
        match self.kind:
            case "changed":
                return f"entry {self.seq} was changed: its hash does not fit its content"
            case "missing":
                return f"entry {self.seq} is missing"
            case "unlinked":
                return f"entry {self.seq} does not follow the previous entry of its request"
            case "order":
                return f"entry {self.seq} stands where it does not belong"
            case "rewritten" if self.until is not None:
                return f"of the entries {self.seq} to {self.until} one is another than the checkpoint covers"
            case "rewritten":
                return f"entry {self.seq} is another than the log's tree covers"
            case _:
                assert_never(self.kind)


def verify(entries: Iterable[Entry], *, first_seq: int = 1, last_seq: int | None = None) -> Fault | None:
    """Return the first fault of a log given in order from `first_seq` on, or None if it holds.

    With `last_seq` (the number that Redis gave out last) entries cut off the end or added are found as well.
    Where whole chains were forged and their numbers too, only an earlier export tells.
    """
    heads: dict[str, str] = {}
    expected = first_seq
    for entry in entries:
        fault = fault_of(entry, expected, heads, is_whole=first_seq == 1)
        if last_seq is not None and expected > last_seq:
            fault = Fault(seq=entry.seq, kind="order")
        if fault is not None:
            return fault
        heads[entry.request] = entry.hash
        expected += 1
    if last_seq is not None and expected <= last_seq:
        return Fault(seq=expected, kind="missing")
    return None


def fault_of(entry: Entry, expected: int, heads: dict[str, str], *, is_whole: bool) -> Fault | None:
    """What is wrong with one entry, after those whose requests' newest hashes are `heads`."""
    if entry.seq > expected:
        return Fault(seq=expected, kind="missing")
    if entry.seq < expected:
        return Fault(seq=entry.seq, kind="order")
    if not holds(entry):
        return Fault(seq=entry.seq, kind="changed")
    known = heads.get(entry.request, GENESIS if is_whole else None)
    if known is not None and entry.previous != known:
        return Fault(seq=entry.seq, kind="unlinked")
    return None


def holds(entry: Entry) -> bool:
    """Whether an entry's hash fits its content; one that says it was erased must not say more."""
    if is_erased(entry) and entry != replace(entry, args=None, detail=_kept(entry), salt=None):
        return False
    try:
        return digest(entry) == entry.hash
    except InvalidCall:  # somebody wrote what we never could have
        return False
