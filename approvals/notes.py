"""Checkpoints of the log as C2SP signed notes: a few lines of text and a signature that anybody can check.

https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint tell the format; Ed25519 is its type 1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from approvals.dsse import SigningKey
from approvals.errors import ApprovalsError
from approvals.merkle import HASH_BYTES

_ED25519 = b"\x01"
_ID_BYTES = 4
_PUBLIC_BYTES = 32
_NAME = re.compile(r"[^\s+]{1,200}")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")


class BadNote(ApprovalsError):
    """It is no signed checkpoint, or none of the keys signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log was at one moment: how many entries, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public key by the name under which it signs."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """By which a signature says whose it is."""
        named = self.name.encode() + b"\n" + _ED25519 + self.public
        return hashlib.sha256(named).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """As C2SP writes it: NAME+ID+KEY."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @property
    def bare(self) -> str:
        """The key alone, as those who check decisions are told it."""
        return base64.b64encode(self.public).decode()


def key(text: str, name: str) -> Key:
    """Read what `Key.text` wrote, or the base64 alone of a key that signs as `name`.

    Raises:
        BadNote: it is no such key.
    """
    if len(_decoded(text.strip(), otherwise=b"")) == _PUBLIC_BYTES:
        return Key(name=name, public=_decoded(text.strip()))
    told, _, rest = text.strip().partition("+")
    id, _, encoded = rest.partition("+")
    raw = _decoded(encoded)
    if not _NAME.fullmatch(told) or len(raw) != 1 + _PUBLIC_BYTES or raw[:1] != _ED25519:
        raise BadNote("a public key is base64 of 32 bytes, or NAME+ID+KEY as C2SP writes it")
    found = Key(name=told, public=raw[1:])
    if found.id.hex() != id:
        raise BadNote(f"the public key of {told} does not fit its own id: some of it was changed")
    return found


def origin_of(tenant: str) -> str:
    """How the log of a tenant is called."""
    return f"countersign/{tenant}"


def sign(checkpoint: Checkpoint, by: SigningKey) -> str:
    """The checkpoint as a note, signed."""
    named = key(by.public, checkpoint.origin)
    signature = base64.b64encode(named.id + by.sign(checkpoint.text.encode())).decode()
    return f"{checkpoint.text}\n— {named.name} {signature}\n"


def read(note: str) -> Checkpoint:
    """What a note says, whoever signed it, or nobody.

    Raises:
        BadNote: it is no checkpoint.
    """
    return _parsed(note)[0]


def verify(note: str, keys: Iterable[Key]) -> Checkpoint:
    """What a note says, if one of `keys` signed it.

    Raises:
        BadNote: none did, or it is no checkpoint.
    """
    checkpoint, signatures = _parsed(note)
    message = checkpoint.text.encode()
    for each in keys:
        for name, signature in signatures:
            if name == each.name == checkpoint.origin and signature[:_ID_BYTES] == each.id:
                _check(each, signature[_ID_BYTES:], message)
                return checkpoint
    raise BadNote(f"the checkpoint of {checkpoint.origin} at {checkpoint.size} is signed by none of the keys")


def _check(by: Key, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(by.public).verify(signature, message)
    except InvalidSignature:
        raise BadNote(f"the checkpoint's signature by {by.name} is forged, or its text was changed") from None


def _parsed(note: str) -> tuple[Checkpoint, list[tuple[str, bytes]]]:
    """The checkpoint and its signatures. What copying from a message adds or loses is forgiven."""
    lines = [line.rstrip() for line in note.strip().splitlines()]
    if len(lines) < 3 or not _NAME.fullmatch(lines[0]) or not _SIZE.fullmatch(lines[1]):
        raise BadNote("a checkpoint is three lines (a name, a number, a hash), an empty one, and signatures")
    root = _decoded(lines[2])
    if len(root) != HASH_BYTES:
        raise BadNote("the third line of a checkpoint is a SHA-256 in base64")
    if any(lines[3:4]):
        raise BadNote("a checkpoint of ours has three lines before the empty one")
    found = [_SIGNATURE.fullmatch(line) for line in lines[4:] if line]
    if not all(found):
        raise BadNote("below the empty line of a checkpoint there are only signatures")
    signatures = [(each[1], _decoded(each[2])) for each in found if each]
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root), signatures


def _decoded(text: str, *, otherwise: bytes | None = None) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        if otherwise is not None:
            return otherwise
        raise BadNote("some of it is not base64") from None
