"""What a signed decision says, and how it is held against the request, the permit and the outcome."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from approvals import wire
from approvals.audit import evidence_told, rfc3339
from approvals.canonical import encode, fingerprint
from approvals.dsse import Envelope, PublicKeys, unambiguous, verified
from approvals.errors import InvalidCall, NotSigned
from approvals.events import Event, Withdrawn
from approvals.masking import shown_args
from approvals.messages import Outcome, OutcomeStatus, Permit
from approvals.model import Args, Evidence, Json, Request, Status, Via, Vote
from approvals.model import Assurance as Level

DECISION = "application/vnd.countersign.decision+json"

_FINAL = {
    Status.APPROVED,
    Status.REJECTED,
    Status.ANSWERED,
    Status.EXPIRED,
    Status.CANCELLED,
    Status.WITHDRAWN,
}
_MEANS = {Via.SLACK: "click", Via.HTTP: "front end", Via.CLI: "terminal"}


class Signer(Protocol):
    """What signs for the service."""

    @property
    def keys(self) -> PublicKeys: ...
    def envelope(self, payload_type: str, payload: bytes) -> Envelope: ...


class Trusted(Protocol):
    """What opens decisions for those who act on them."""

    async def decision(self, envelope: Envelope | None) -> SignedDecision: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The service trusts the keys that it has itself."""

    signer: Signer

    async def decision(self, envelope: Envelope | None) -> SignedDecision:
        return opened(envelope, self.signer.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One person whose word counted."""

    by: str  # "slack:U…"
    name: str
    at: datetime
    evidence: Evidence | None = None  # where their yes took more than a click


@dataclass(frozen=True, slots=True, kw_only=True)
class Assurance:
    """How sure it is that it was that person."""

    level: int
    means: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDecision:
    """The payload. What it says of a call is what people were shown of it."""

    tenant: str
    request: str
    agent: str
    kind: str
    tool: str
    args: Args
    fingerprint: str  # of the call that may run
    status: str  # approved, rejected, answered, expired, cancelled, withdrawn
    decision: str  # the word of the audit log: approved, edited, allowed, overridden, denied, …
    decided_at: datetime
    decided_by: str
    decided_by_name: str
    votes: tuple[Voice, ...]  # of all whose yes, or no, led to it
    text_sha256: str | None  # of the words that came with it: a note, the feedback, the answer
    edited: bool
    asked_fingerprint: str  # of the call that the agent asked for
    rule: str
    policy: str
    grant: str | None
    via: str
    channel: str
    assurance: Assurance | None  # None: no person decided it
    expires_at: datetime | None  # when the leave to run it ends


SIGNED_DECISION: wire.Shape[SignedDecision] = wire.Shape(SignedDecision)


def is_decided_anew(before: Request | None, after: Request) -> bool:
    """Whether this version of a request wants a signature of its own: an end, or leave with another end."""
    if after.status not in _FINAL or after.decision is None:
        return False
    return before is None or (before.status, before.claim_by) != (after.status, after.claim_by)


def sign(signer: Signer, request: Request, event: Event, via: Via) -> Envelope:
    """Sign how `event` has decided `request`."""
    return signer.envelope(DECISION, encode(_told(request, event, via)))


def sign_again(signer: Signer, request: Request) -> Envelope:
    """Sign the same decision with another end of the leave. Nothing that Redis keeps beside it is believed.

    Raises:
        NotSigned: we have never approved it so.
    """
    decision = opened(request.signed, signer.keys)
    _check_subject(decision, request.tenant, request.agent, request.id)
    if decision.status != Status.APPROVED or request.signed is None or request.claim_by is None:
        raise NotSigned(f"what was signed says {decision.status}")
    _check_call(decision, request.args)
    told: dict[str, Json] = json.loads(verified(request.signed, DECISION, signer.keys))
    return signer.envelope(DECISION, encode(told | {"expires_at": rfc3339(request.claim_by)}))


def opened(envelope: Envelope | None, keys: PublicKeys) -> SignedDecision:
    """What was signed, if one of `keys` has signed it.

    Raises:
        NotSigned: with what is wrong.
    """
    if envelope is None:
        raise NotSigned("it carries no signature: it is older than this version, or forged. Ask again")
    payload = verified(envelope, DECISION, keys)
    unambiguous(payload)
    try:
        return wire.read(SIGNED_DECISION, payload)
    except wire.Unreadable as error:
        raise NotSigned(f"what was signed can't be read: {error}") from error


def check_permit(permit: Permit, decision: SignedDecision, tenant: str, agent: str, now: datetime) -> None:
    """Refuse a permit that is anything but what was signed, for this agent, now.

    Raises:
        NotSigned: with what is wrong.
    """
    _check_subject(decision, tenant, agent, permit.id)
    if decision.status != Status.APPROVED or decision.expires_at is None:
        raise NotSigned(f"what was signed says {decision.status}")
    told = (permit.tool, permit.fingerprint, permit.decided_by, permit.expires_at)
    if told != (decision.tool, decision.fingerprint, decision.decided_by, decision.expires_at):
        raise NotSigned("it says something else than what was signed")
    _check_call(decision, permit.args)
    if decision.expires_at <= now:
        raise NotSigned(f"it had to be used by {decision.expires_at:%Y-%m-%d %H:%M:%S} UTC")


def check_outcome(outcome: Outcome, decision: SignedDecision, tenant: str, agent: str) -> None:
    """Refuse an approval or an answer that is anything but what was signed. Raises as `check_permit`."""
    _check_subject(decision, tenant, agent, outcome.id)
    told = (outcome.status, outcome.decided_at, outcome.decided_by, outcome.decided_by_name)
    if told != (decision.status, decision.decided_at, decision.decided_by, decision.decided_by_name):
        raise NotSigned("it says something else than what was signed")
    if _sha256(outcome.text) != decision.text_sha256:
        raise NotSigned("its words are not those that were signed")
    if outcome.status is OutcomeStatus.APPROVED:
        if (outcome.fingerprint, outcome.edited) != (decision.fingerprint, decision.edited):
            raise NotSigned("it says something else than what was signed")
        _check_call(decision, outcome.args)


def _check_subject(decision: SignedDecision, tenant: str, agent: str, request_id: str) -> None:
    if (decision.tenant, decision.agent, decision.request) != (tenant, agent, request_id):
        raise NotSigned("what was signed is about another request")


def _check_call(decision: SignedDecision, args: Args | None) -> None:
    """The fingerprint is what binds: `args` of the payload are as people were shown them."""
    try:
        is_same = args is not None and fingerprint(decision.tool, args) == decision.fingerprint
    except InvalidCall:
        is_same = False
    if not is_same:
        raise NotSigned("it is for another call than was signed")


def _told(request: Request, event: Event, via: Via) -> dict[str, Json]:
    decision = request.decision
    assert decision is not None  # noqa: S101 - who calls has seen that it is decided
    by, at, word, evidence = (
        (event.by, event.at, event.word, None)
        if isinstance(event, Withdrawn)
        else (decision.by, decision.at, decision.word, decision.evidence)
    )
    is_yes = request.status is Status.APPROVED
    asked = request.fingerprint
    if request.asked_args is not None:
        asked = fingerprint(request.tool, request.asked_args)
    return {
        "tenant": request.tenant,
        "request": request.id,
        "agent": request.agent,
        "kind": request.kind.value,
        "tool": request.tool,
        "args": shown_args(request),
        "fingerprint": request.fingerprint,
        "status": request.status.value,
        "decision": word,
        "decided_at": rfc3339(at),
        "decided_by": by.id,
        "decided_by_name": by.name,
        "votes": _voices(request, Voice(by=by.id, name=by.name, at=at, evidence=evidence)),
        "text_sha256": _sha256(decision.text),
        "edited": is_yes and request.asked_args is not None,
        "asked_fingerprint": asked,
        "rule": request.terms.rule,
        "policy": request.terms.policy,
        "grant": request.terms.grant,
        "via": via.value,
        "channel": request.terms.channel,
        "assurance": _assurance(request, by.id, via),
        "expires_at": rfc3339(request.claim_by) if is_yes and request.claim_by else None,
    }


def _voices(request: Request, last: Voice) -> list[Json]:
    """Those who said the same before, and the one with whom it was enough."""
    if not last.by.startswith("slack:"):
        return []
    earlier = {Status.APPROVED: request.votes, Status.REJECTED: request.objections}.get(request.status, ())
    return [_voice(_of(vote)) for vote in earlier if f"slack:{vote.person}" != last.by] + [_voice(last)]


def _of(vote: Vote) -> Voice:
    return Voice(by=f"slack:{vote.person}", name=vote.name, at=vote.at, evidence=vote.evidence)


def _voice(voice: Voice) -> Json:
    told: dict[str, Json] = {"by": voice.by, "name": voice.name, "at": rfc3339(voice.at)}
    return told if voice.evidence is None else told | {"evidence": evidence_told(voice.evidence)}


def _assurance(request: Request, by: str, via: Via) -> Json:
    """Each yes that counted was at least as sure as the terms demand; a no is taken by a click."""
    if not by.startswith("slack:"):
        return None
    wanted = request.terms.assurance
    if request.status is Status.APPROVED and wanted is not Level.CLICK:
        evidence = request.decision and request.decision.evidence
        return {"level": wanted.level, "means": evidence.means if evidence else "sign-in"}
    return {"level": 1, "means": _MEANS.get(via, "click")}


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
