"""What an approver signs with an SSH key of their own: one yes, by one person, to exactly one call."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime

from approvals import wire
from approvals.audit import rfc3339
from approvals.canonical import encode
from approvals.dsse import unambiguous
from approvals.errors import NotSigned
from approvals.model import Evidence
from approvals.sshsig import SshKey, signed_by

NAMESPACE = "decision@countersign"  # a signature for anything else is none of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Any change of it is another statement. It names the call by its fingerprint, and holds none of it."""

    tenant: str
    request: str
    tool: str
    fingerprint: str  # of the call that may run
    turn: int  # how often the request has got new terms
    verb: str  # approve, edit, override
    note_sha256: str | None  # of the words that go with it
    person: str
    link: str  # the SHA-256 of the link's token: so it counts once
    at: datetime  # when they asked for the link

    @property
    def text(self) -> str:
        """What is signed, to the byte: canonical JSON on one line."""
        told = asdict(self) | {"at": rfc3339(self.at), "statement": "I let this call run."}
        return encode(told).decode() + "\n"


_STATEMENT: wire.Shape[Statement] = wire.Shape(Statement)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def read(text: str) -> Statement:
    """Raises NotSigned: it is no such statement, or not to the byte what we would write."""
    unambiguous(text)
    try:
        found = wire.read(_STATEMENT, text)
    except wire.Unreadable as error:
        raise NotSigned(f"this is no statement of an approver: {error}") from error
    if found.text != text:
        raise NotSigned("this statement is not written as they are")
    return found


def signed_with(
    evidence: Evidence | None, *, tenant: str, request: str, tool: str, fingerprint: str, person: str
) -> SshKey:
    """The key with which that person has signed a yes to this call; whose it is, is for others to say.

    Raises:
        NotSigned: nobody has, or what was signed is something else.
    """
    if evidence is None or evidence.statement is None or evidence.signature is None:
        raise NotSigned(f"no key of {person} has signed it")
    key = signed_by(evidence.signature, NAMESPACE, evidence.statement.encode())
    says = read(evidence.statement)
    told = (says.tenant, says.request, says.tool, says.fingerprint, says.person)
    if told != (tenant, request, tool, fingerprint, person):
        raise NotSigned(f"what {person} has signed with their key is another yes")
    return key
