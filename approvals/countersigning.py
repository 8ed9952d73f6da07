"""Signing a yes on the approver's own machine: look at the call, let OpenSSH sign, hand it in.

What is signed names the call by its fingerprint, which is computed here anew: a page that shows another call
than it has signed is found out, unless the call holds something masked.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from approvals import wire
from approvals.canonical import fingerprint
from approvals.errors import ApprovalsError, InvalidCall, NotSigned, Unavailable
from approvals.model import Args
from approvals.statements import NAMESPACE, Statement, read, sha256

ANSWER_S = 10.0
ANSWER_BYTES = 2 * 1024 * 1024
SIGNED_IN_S = 240  # what is left of the link's five minutes, to type a passphrase and to touch a key
USUAL_KEYS = ("id_ed25519_sk", "id_ecdsa_sk", "id_ed25519", "id_ecdsa")
_LOCAL = ("127.0.0.1", "localhost", "::1")
_PATH = re.compile(r"/confirm/[A-Za-z0-9_-]{1,64}/([A-Za-z0-9_-]{43})")


class NotTaken(ApprovalsError):
    """The service has not taken it, and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one link asks somebody to sign, as the service tells it."""

    statement: str
    about: dict[str, str]
    args: Args
    masked: tuple[str, ...]

    @property
    def says(self) -> Statement:
        return read(self.statement)


ASKED: wire.Shape[Asked] = wire.Shape(Asked)


def asked(link: str) -> Asked:
    """What the link asks for.

    Raises:
        InvalidCall: it is no such link.
        NotTaken: it is over, or no key is registered.
        NotSigned: what is shown there is not what would be signed.
        Unavailable: nobody answers there.
    """
    token = _token(link)
    try:
        found = wire.read(ASKED, _answer(f"{link}/call"))
    except wire.Unreadable as error:
        raise InvalidCall(f"what is at this link is not Countersign's: {error}") from error
    says = found.says
    if says.link != sha256(token):
        raise NotSigned("what is to be signed there is for another link")
    if not found.masked and fingerprint(says.tool, found.args) != says.fingerprint:
        raise NotSigned("the call that is shown there is not the one that would be signed")
    return found


def shown(asked: Asked) -> str:
    """All that there is to see before one signs."""
    says = asked.says
    lines = [f"{name}: {' ⏎ '.join(told.splitlines())}" for name, told in asked.about.items()]
    lines += ["", f"{says.tool} {json.dumps(asked.args, indent=2, ensure_ascii=False)}", ""]
    if asked.masked:
        lines.append("Masked, so this machine can't check them: " + ", ".join(asked.masked))
    return "\n".join([*lines, f"{says.verb} as {says.person}, fingerprint {says.fingerprint}"])


def usual_key() -> Path:
    """The key that `ssh` itself would take, of the kinds that are taken here.

    Raises:
        InvalidCall: there is none.
    """
    folder = Path.home() / ".ssh"
    found = next((folder / name for name in USUAL_KEYS if (folder / f"{name}.pub").exists()), None)
    if found is None:
        raise InvalidCall("there is no key in ~/.ssh: say --key FILE, or make one with ssh-keygen -t ed25519")
    return found


def signature_of(asked: Asked, key: Path) -> str:
    """Have OpenSSH sign: a passphrase, an agent or a security key are its to ask.

    Raises:
        InvalidCall: OpenSSH is missing.
        NotSigned: it has not signed.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise InvalidCall("ssh-keygen is not installed: it comes with OpenSSH")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "statement"
        file.write_bytes(asked.statement.encode())
        command = [program, "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key.expanduser()), str(file)]
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL, timeout=SIGNED_IN_S)  # noqa: S603 - the path is found, nothing is a shell's
        except subprocess.TimeoutExpired:
            raise NotSigned("nobody has finished signing within four minutes") from None
        if done.returncode != 0:
            raise NotSigned("ssh-keygen has not signed it")
        return file.with_suffix(".sig").read_text(encoding="ascii")


def hand_in(link: str, signature: str) -> str:
    """Give the yes; what is said of it. Raises as `asked`."""
    body = urlencode({"signature": signature}).encode()
    return _told(_answer(f"{link}/signature", body)) or "It was taken."


def _token(link: str) -> str:
    parts = urlsplit(link)
    is_local = parts.scheme == "http" and parts.hostname in _LOCAL
    found = _PATH.fullmatch(parts.path)
    if found is None or parts.query or not (parts.scheme == "https" or is_local):
        raise InvalidCall("this is no link to sign; the button in Slack leads to https://HOST/confirm/…")
    return found[1]


class _Staying(urllib.request.HTTPRedirectHandler):
    """The link is a secret: it is sent to no other place."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _answer(url: str, body: bytes | None = None) -> bytes:
    headers = {"Accept": "application/json"}
    request = urllib.request.Request(quote(url, safe=":/[]"), body, headers)  # noqa: S310 - the scheme is checked
    try:
        with urllib.request.build_opener(_Staying).open(request, timeout=ANSWER_S) as answer:
            return bytes(answer.read(ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        raise NotTaken(_told(error.read(ANSWER_BYTES)) or f"the service answered {error.code}") from error
    except OSError as error:
        raise Unavailable(f"nobody answers at this link: {error}") from error


def _told(body: bytes) -> str | None:
    try:
        return str(json.loads(body)["told"])
    except (ValueError, KeyError, TypeError):
        return None
