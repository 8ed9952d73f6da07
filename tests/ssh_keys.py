"""SSH keys in software, of every kind that is taken: they sign as OpenSSH does, or as a test says."""

import base64
import hashlib
import subprocess
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from approvals.sshsig import ECDSA_P256, ED25519, SK_ECDSA_P256, SK_ED25519
from approvals.statements import NAMESPACE

UNCOMPRESSED = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def mpint(value: int) -> bytes:
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


@dataclass
class Key:
    kind: str = ED25519
    flags: int = 1  # that somebody touched it
    application: bytes = b"ssh:"
    edwards: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)
    curve: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def is_hard(self) -> bool:
        return self.kind in (SK_ED25519, SK_ECDSA_P256)

    @cached_property
    def blob(self) -> bytes:
        parts = [self.kind.encode()]
        if self.kind in (ECDSA_P256, SK_ECDSA_P256):
            parts += [b"nistp256", self.curve.public_key().public_bytes(*UNCOMPRESSED)]
        else:
            parts.append(self.edwards.public_key().public_bytes_raw())
        return b"".join(map(string, [*parts, *([self.application] if self.is_hard else [])]))

    @property
    def line(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode()} ana@laptop"

    def signed(self, message: str, namespace: str = NAMESPACE, kind: str | None = None) -> str:
        """As `ssh-keygen -Y sign` writes it."""
        about = [namespace.encode(), b"", b"sha512"]
        digest = hashlib.sha512(message.encode()).digest()
        content = b"SSHSIG" + b"".join(map(string, [*about, digest]))
        tail = b""
        if self.is_hard:
            tail = bytes([self.flags]) + (7).to_bytes(4, "big")
            halves = (hashlib.sha256(each).digest() for each in (self.application, content))
            content = next(halves) + tail + next(halves)
        signature = string((kind or self.kind).encode()) + string(self._raw(content)) + tail
        whole = b"SSHSIG" + (1).to_bytes(4, "big") + b"".join(map(string, [self.blob, *about, signature]))
        return armoured(whole)

    def _raw(self, content: bytes) -> bytes:
        if self.kind not in (ECDSA_P256, SK_ECDSA_P256):
            return self.edwards.sign(content)
        return b"".join(map(mpint, decode_dss_signature(self.curve.sign(content, ec.ECDSA(SHA256())))))


def armoured(raw: bytes) -> str:
    text = base64.b64encode(raw).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def keygen(*arguments: str, typed: str = "") -> str:
    """What `ssh-keygen` says."""
    done = subprocess.run(["ssh-keygen", *arguments], input=typed, capture_output=True, text=True, check=True)
    return done.stdout
