"""Decision receipts as files: checked without Redis, by keys that were told, and put in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from approvals import allowed_signers
from approvals.dsse import Envelope, named, read, unambiguous
from approvals.errors import InvalidCall, NotSigned
from approvals.model import Assurance as Level
from approvals.model import Status
from approvals.signed import SignedDecision, Voice, opened
from approvals.sshsig import SshKey
from approvals.statements import signed_with

_WITHIN = ("signed", "receipt", "detail")  # of an outcome or a permit; of an entry of the log


def checked(text: str, keys: Sequence[str], approvers: str | None = None) -> SignedDecision:
    """What a receipt says: alone, or within the outcome, the permit or the entry of the log that carries it.

    Where approvers have signed with keys of their own, their signatures must hold too. With `approvers`, a
    file of allowed signers, an approval must be signed so, and by those keys.

    Raises:
        NotSigned: it doesn't hold, with what is wrong.
        InvalidCall: one of `keys` is no public key, or `approvers` no such file.
    """
    decision = opened(_found(text), named(keys))
    signed = _own_keys(decision)
    if approvers is not None:
        _check_approvers(decision, signed, allowed_signers.read(approvers))
    return decision


def _check_approvers(
    decision: SignedDecision, signed: list[tuple[Voice, SshKey]], known: Mapping[str, list[SshKey]]
) -> None:
    if decision.status == Status.APPROVED and not signed:
        raise NotSigned("no approver has signed it with a key of their own")
    for vote, key in signed:
        if key not in known.get(_person(vote), []):
            raise NotSigned(f"{key.name}, which has signed for {vote.by}, is no key of theirs")


def _own_keys(decision: SignedDecision) -> list[tuple[Voice, SshKey]]:
    """Who has signed with a key of their own, and with which; at level 3 all of them have."""
    if decision.assurance is None or decision.assurance.level < Level.KEY.level:
        return []
    if not decision.votes:
        raise NotSigned("it says that somebody has signed it with a key of their own, and not who")
    return [(vote, _own_key(decision, vote)) for vote in decision.votes]


def _own_key(decision: SignedDecision, vote: Voice) -> SshKey:
    return signed_with(
        vote.evidence,
        tenant=decision.tenant,
        request=decision.request,
        tool=decision.tool,
        fingerprint=decision.fingerprint,
        person=_person(vote),
    )


def _person(vote: Voice) -> str:
    return vote.by.removeprefix("slack:")


def told(decision: SignedDecision) -> str:
    """A receipt for people to read."""
    lines = [
        f"{decision.request}: {decision.status}, {_by(decision)}",
        f"  {decision.agent} asked for {decision.tool} {json.dumps(decision.args, ensure_ascii=False)}",
        f"  fingerprint {decision.fingerprint}" + (", edited" if decision.edited else ""),
        *(f"  {vote.name} ({vote.by}) on {vote.at:%Y-%m-%d %H:%M:%S} UTC" for vote in decision.votes),
        *(f"  {vote.name} has signed it with their own key {key.name}" for vote, key in _own_keys(decision)),
        f"  by rule {decision.rule!r} of policy {decision.policy}, tenant {decision.tenant}",
    ]
    if decision.assurance is not None:
        lines.append(f"  assurance: level {decision.assurance.level}, {decision.assurance.means}")
    if decision.expires_at is not None:
        lines.append(f"  to be run by {decision.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    return "\n".join(lines)


def _by(decision: SignedDecision) -> str:
    at = f"{decision.decided_at:%Y-%m-%d %H:%M:%S} UTC"
    word = "" if decision.decision == decision.status else f" ({decision.decision})"
    return f"by {decision.decided_by_name} ({decision.decided_by}){word} on {at}"


def _found(text: str) -> Envelope:
    value = unambiguous(text)
    for _ in _WITHIN:
        if isinstance(value, Mapping) and "payloadType" not in value:
            value = next((value[name] for name in _WITHIN if value.get(name)), value)
    try:
        return read(json.dumps(value))
    except ValueError as error:
        raise NotSigned(f"it is no JSON: {error}") from error


def keys_of(told: Sequence[str], variable: str | None) -> list[str]:
    """The public keys to check by: as told, or else as APPROVALS_PUBLIC_KEY has them.

    Raises:
        InvalidCall: there are none.
    """
    keys = [each.strip() for each in told or (variable or "").split(",") if each.strip()]
    if not keys:
        raise InvalidCall("whose signature counts? Say --key KEY, or set APPROVALS_PUBLIC_KEY")
    return keys
