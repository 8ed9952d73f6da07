"""The service's one secret, and the keys that are made of it: for each purpose one of its own."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from approvals.errors import ApprovalsError

SECRET_CHARS = 32  # at least; what we make ourselves has 43
KEY_BYTES = 32
NONCE_BYTES = 12
_VERSION = "v1."
_OTHERS = 0o077


class SecretFault(ApprovalsError):
    """The secret is missing, too short, or not the one that something was sealed with; it says what to do."""


class Vault:
    """Seals what only the service may read, and names what nobody may guess."""

    def __init__(self, secret: str) -> None:
        """Raises SecretFault: it is too short to be one."""
        if len(secret) < SECRET_CHARS:
            raise SecretFault(f"the service's secret has {len(secret)} characters; it takes {SECRET_CHARS}")
        self._secret = secret.encode(errors="surrogatepass")
        self._keys: dict[str, bytes] = {}

    def seal(self, purpose: str, content: bytes) -> str:
        """Content that only this secret opens again, and only for the same purpose."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._key(f"seal {purpose}")).encrypt(nonce, content, None)
        return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, purpose: str, sealed: str) -> bytes:
        """What was sealed.

        Raises:
            SecretFault: another secret sealed it, or it was changed, or it was for another purpose.
        """
        try:
            raw = base64.b64decode(sealed.removeprefix(_VERSION), altchars=b"-_", validate=True)
            return AESGCM(self._key(f"seal {purpose}")).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None)
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SecretFault(f"what was sealed for {purpose!r} can't be opened with this secret") from error

    def mac(self, purpose: str, text: str) -> str:
        """A name for `text`, in hex: the same for the same text, and not to be guessed from outside."""
        content = text.encode(errors="surrogatepass")
        return hmac.new(self._key(f"mac {purpose}"), content, hashlib.sha256).hexdigest()

    def _key(self, purpose: str) -> bytes:
        if purpose not in self._keys:
            derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=f"countersign {purpose}".encode())
            self._keys[purpose] = derived.derive(self._secret)
        return self._keys[purpose]


def found(secret: str | None, file: Path | None, state: Path) -> Vault | None:
    """The vault as it is; None: its secret was not made yet. Raises as `opened`."""
    is_there = secret is not None or file is not None or _ours(state).exists()
    return opened(secret, file, state) if is_there else None


def opened(secret: str | None, file: Path | None, state: Path) -> Vault:
    """The vault of the secret that was told, or that a file holds; one of its own is made on the first start.

    Raises:
        SecretFault: with what to do.
    """
    if secret is not None:
        return Vault(secret)
    if file is not None:
        return Vault(_read(file, "APPROVALS_SECRET_FILE"))
    ours = _ours(state)
    if not ours.exists():
        _make(ours)
    elif ours.stat().st_mode & _OTHERS:
        raise SecretFault(f"others on this machine can read {ours}: chmod 600 it, or set APPROVALS_SECRET")
    return Vault(_read(ours, "the file"))


def _ours(state: Path) -> Path:
    return state / "secret"


def _read(file: Path, what: str) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SecretFault(f"{what}: {file} can't be read ({why}); it holds the service's secret") from error


def _make(file: Path) -> None:
    """Make it whole or not at all, and if others start at the same moment only once."""
    made = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
            new.flush()
            os.fsync(new.fileno())
        try:
            with contextlib.suppress(FileExistsError):
                os.link(made, file)
        finally:
            made.unlink()
    except OSError as error:
        raise SecretFault(
            f"the service's secret can't be kept in {file} ({error.strerror}); set APPROVALS_SECRET"
        ) from error
