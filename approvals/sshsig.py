"""Signatures that people make with SSH keys (`ssh-keygen -Y sign`), read strictly and checked.

The formats are OpenSSH's: PROTOCOL.sshsig for the signature, PROTOCOL.u2f for keys that live on a security
key, RFC 8709 and RFC 5656 for the keys. One way to write each is read, and nothing may follow it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from approvals.errors import InvalidCall, NotSigned

ED25519, ECDSA_P256 = "ssh-ed25519", "ecdsa-sha2-nistp256"
SK_ED25519, SK_ECDSA_P256 = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
KINDS = (ED25519, SK_ED25519, ECDSA_P256, SK_ECDSA_P256)
TAKEN = "ed25519, ecdsa (256 bits), and both on a security key (ed25519-sk, ecdsa-sk)"
SIGNATURE_CHARS = 4096  # armoured; those of our kinds have about 300
_CURVE = b"nistp256"
_MAGIC = b"SSHSIG"
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_TOUCHED = 0x01


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey:
    """A public key of a kind that is taken here."""

    kind: str
    point: bytes
    application: bytes | None = None  # of a key that a security key holds

    @property
    def line(self) -> str:
        """As OpenSSH writes it, without a comment."""
        return f"{self.kind} {base64.b64encode(_blob(self)).decode()}"

    @property
    def name(self) -> str:
        """As `ssh-keygen -l` names it."""
        return fingerprint(_blob(self))


def fingerprint(raw: bytes) -> str:
    """How OpenSSH names what is too long to be read."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip('=')}"


def read_key(text: str) -> tuple[SshKey, str]:
    """A public key as a `.pub` file has it, and its comment.

    Raises:
        InvalidCall: it is none, or of a kind that is not taken.
    """
    if "PRIVATE KEY" in text:
        raise InvalidCall("this is a private key, which nobody else may have: give the .pub file beside it")
    kind, _, rest = text.strip().partition(" ")
    if kind not in KINDS or "\n" in rest:
        raise InvalidCall(f"it must be one line that begins with a kind of key; taken are {TAKEN}")
    encoded, _, comment = rest.partition(" ")
    try:
        key = _key(base64.b64decode(encoded, validate=True))
    except ValueError as error:
        raise InvalidCall(f"this public key is damaged: {error}") from error
    if key.kind != kind:
        raise InvalidCall(f"this public key calls itself {kind}, and is {key.kind}")
    return key, comment.strip()


def signed_by(armoured: str, namespace: str, message: bytes) -> SshKey:
    """The key that has signed `message` for that purpose; whether to believe it is the caller's to say.

    Raises:
        NotSigned: with what is wrong.
    """
    try:
        key, content, signature = _read(_dearmoured(armoured), namespace, message)
        _check(key, content, signature)
    except InvalidSignature as error:
        raise NotSigned("the signature doesn't fit what was to be signed") from error
    except ValueError as error:
        raise NotSigned(f"this is no SSH signature: {error}") from error
    return key


def _dearmoured(armoured: str) -> bytes:
    lines = [line.strip() for line in armoured.strip().splitlines()]
    if len(armoured) > SIGNATURE_CHARS or lines[:1] != [_BEGIN] or lines[-1:] != [_END]:
        raise ValueError(f"it begins with {_BEGIN} and ends with {_END}")
    return base64.b64decode("".join(lines[1:-1]), validate=True)


def _read(raw: bytes, namespace: str, message: bytes) -> tuple[SshKey, bytes, bytes]:
    """The key that it names, what that has signed, and the signature itself."""
    reader = _Reader(raw)
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != 1:
        raise ValueError("it is of another format")
    key, meant, reserved, algorithm = _key(reader.string()), reader.string(), reader.string(), reader.string()
    signature = reader.string()
    reader.end()
    if meant != namespace.encode():
        raise NotSigned(f"it was signed for another purpose: sign with -n {namespace}")
    if reserved or algorithm not in _HASHES:
        raise ValueError("it uses what is not known here")
    digest = _HASHES[algorithm](message).digest()
    return key, _MAGIC + b"".join(map(_string, (meant, reserved, algorithm, digest))), signature


def _check(key: SshKey, content: bytes, signature: bytes) -> None:
    reader = _Reader(signature)
    if reader.string() != key.kind.encode():
        raise ValueError("its key and its signature are of different kinds")
    signed = reader.string()
    if key.application is not None:
        flags, counter = reader.take(1), reader.take(4)
        if not flags[0] & _TOUCHED:
            raise ValueError("nobody has touched the security key for it")
        application, digest = (hashlib.sha256(each).digest() for each in (key.application, content))
        content = application + flags + counter + digest
    reader.end()
    public = _public(key)
    if isinstance(public, Ed25519PublicKey):
        public.verify(signed, content)
    else:
        numbers = _Reader(signed)
        r, s = numbers.positive(), numbers.positive()
        numbers.end()
        public.verify(encode_dss_signature(r, s), content, ECDSA(SHA256()))


def _key(blob: bytes) -> SshKey:
    reader = _Reader(blob)
    kind = reader.string().decode("ascii")
    if kind not in KINDS:
        raise ValueError(f"keys of the kind {kind[:60]!r} are not taken; taken are {TAKEN}")
    if kind in (ECDSA_P256, SK_ECDSA_P256) and reader.string() != _CURVE:
        raise ValueError("its curve is not the one of its kind")
    point = reader.string()
    application = reader.string() if kind in (SK_ED25519, SK_ECDSA_P256) else None
    reader.end()
    key = SshKey(kind=kind, point=point, application=application)
    _public(key)
    return key


def _blob(key: SshKey) -> bytes:
    curve = [_CURVE] if key.kind in (ECDSA_P256, SK_ECDSA_P256) else []
    application = [] if key.application is None else [key.application]
    return b"".join(map(_string, [key.kind.encode(), *curve, key.point, *application]))


def _public(key: SshKey) -> Ed25519PublicKey | EllipticCurvePublicKey:
    if key.kind in (ED25519, SK_ED25519):
        return Ed25519PublicKey.from_public_bytes(key.point)
    if key.point[:1] != b"\x04":
        raise ValueError("its point is compressed")
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key.point)


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


class _Reader:
    """Reads SSH's encoding from the front; whatever is not there is a ValueError."""

    def __init__(self, content: bytes) -> None:
        self._left = content

    def take(self, count: int) -> bytes:
        if len(self._left) < count:
            raise ValueError("it ends too early")
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def positive(self) -> int:
        """A whole number above 0, written as shortly as can be."""
        raw = self.string()
        value = int.from_bytes(raw, "big", signed=True)
        if value <= 0 or len(raw) != value.bit_length() // 8 + 1:
            raise ValueError("a number in it is not written as numbers are")
        return value

    def end(self) -> None:
        if self._left:
            raise ValueError("something follows it")
