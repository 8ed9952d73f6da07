"""Signed statements: DSSE envelopes (https://github.com/secure-systems-lab/dsse) with Ed25519, and no other.

The algorithm is fixed: nothing in an envelope chooses it, and a key's name only says which of the trusted
keys to try. What is signed is the very bytes of the payload, so no two ways to spell them matter.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from approvals.errors import InvalidCall, NotSigned

KEY_BYTES = 32
SIGNATURES = 8  # of one envelope at most: each costs a verification
ENVELOPE_BYTES = 1024 * 1024  # of its JSON: args are a quarter of that at most

PublicKeys: TypeAlias = Mapping[str, Ed25519PublicKey]  # by their names


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    keyid: str  # which key; it is only looked up, and believed for nothing
    sig: str  # base64


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A statement and who signed it. The fields are named as DSSE names them."""

    payload: str  # base64
    payloadType: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and what others may know of it."""

    private: Ed25519PrivateKey = field(repr=False)
    public: str = field(init=False)  # as it is told: base64 of its 32 bytes
    name: str = field(init=False)

    def __post_init__(self) -> None:
        public = base64.b64encode(self.private.public_key().public_bytes_raw()).decode()
        object.__setattr__(self, "public", public)  # once: both are part of every signature
        object.__setattr__(self, "name", name_of(public))

    @classmethod
    def made(cls) -> SigningKey:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def of(cls, private: bytes) -> SigningKey:
        return cls(Ed25519PrivateKey.from_private_bytes(private))

    @property
    def keys(self) -> PublicKeys:
        return {self.name: self.private.public_key()}

    def sign(self, content: bytes) -> bytes:
        return self.private.sign(content)

    def envelope(self, payload_type: str, payload: bytes) -> Envelope:
        """Sign `payload`, as a statement of that type and no other."""
        signature = base64.b64encode(self.sign(pae(payload_type, payload))).decode()
        return Envelope(
            payload=base64.b64encode(payload).decode(),
            payloadType=payload_type,
            signatures=(Signature(keyid=self.name, sig=signature),),
        )


def public_key(text: str) -> Ed25519PublicKey:
    """A public key as it is told.

    Raises:
        InvalidCall: it is none.
    """
    raw = _decoded(text.strip())
    if raw is None or len(raw) != KEY_BYTES:
        raise InvalidCall(f"{text[:60]!r} is no public key: that is base64 of 32 bytes, 44 characters")
    return Ed25519PublicKey.from_public_bytes(raw)


def name_of(public: str) -> str:
    """By which name envelopes say that this key signed them: the beginning of its SHA-256.

    Raises:
        InvalidCall: it is no public key.
    """
    return hashlib.sha256(public_key(public).public_bytes_raw()).hexdigest()[:16]


def named(publics: Sequence[str]) -> PublicKeys:
    """Public keys by their names. Raises as `name_of`."""
    return {name_of(public): public_key(public) for public in publics}


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed: type and payload, each after its length, so that neither can pass for the other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def verified(envelope: Envelope, payload_type: str, keys: PublicKeys) -> bytes:
    """The payload, if it is of that type and one of `keys` has signed it.

    Raises:
        NotSigned: with what is wrong.
    """
    if envelope.payloadType != payload_type:
        raise NotSigned(f"it is a {envelope.payloadType[:80]!r}, not a {payload_type!r}")
    payload = _decoded(envelope.payload)
    if payload is None:
        raise NotSigned("its payload is not whole")
    known = [each for each in envelope.signatures[:SIGNATURES] if each.keyid in keys]
    if not known:
        raise NotSigned("no key that is trusted here has signed it")
    content = pae(payload_type, payload)
    if not any(_holds(keys[each.keyid], each.sig, content) for each in known):
        raise NotSigned("its signature doesn't fit what it says")
    return payload


def read(text: str | bytes) -> Envelope:
    """An envelope as JSON.

    Raises:
        NotSigned: it is none, or says something twice.
    """
    if len(text) > ENVELOPE_BYTES:
        raise NotSigned(f"it is longer than {ENVELOPE_BYTES:,} bytes")
    match unambiguous(text):
        case {"payload": str(payload), "payloadType": str(kind), "signatures": [*signatures]}:
            signed = tuple(_signature(each) for each in signatures)
            return Envelope(payload=payload, payloadType=kind, signatures=signed)
        case _:
            raise NotSigned("it is no signed statement: payload, payloadType or signatures is missing")


def written(envelope: Envelope) -> dict[str, object]:
    """The envelope as one JSON object."""
    signatures: list[object] = [{"keyid": each.keyid, "sig": each.sig} for each in envelope.signatures]
    return {"payload": envelope.payload, "payloadType": envelope.payloadType, "signatures": signatures}


def unambiguous(text: str | bytes) -> object:
    """JSON in which no object says anything twice: of two, each reader may believe another.

    Raises:
        NotSigned: it isn't.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotSigned(f"it is no JSON: {error}") from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object says something twice")
    return found


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is no number")


def _signature(value: object) -> Signature:
    match value:
        case {"keyid": str(keyid), "sig": str(sig)}:
            return Signature(keyid=keyid, sig=sig)
        case _:
            raise NotSigned("a signature has no keyid or no sig")


def _holds(key: Ed25519PublicKey, sig: str, content: bytes) -> bool:
    signature = _decoded(sig)
    if signature is None:
        return False
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes | None:
    """What base64 says, if it is spelled in the one way that it should be."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None
