"""Whose SSH key is whose, as `ssh-keygen -Y verify` reads it too: a file of allowed signers."""

from __future__ import annotations

from collections.abc import Mapping

from approvals.errors import InvalidCall
from approvals.sshsig import KINDS, SshKey, read_key
from approvals.statements import NAMESPACE

_FOR_US = f'namespaces="{NAMESPACE}"'


def line(person: str, key: str) -> str:
    """What such a file says of one key."""
    return f"{person} {_FOR_US} {key}"


def read(text: str) -> Mapping[str, list[SshKey]]:
    """The keys of each person. Lines that another program wants otherwise are not guessed at.

    Raises:
        InvalidCall: with the line that is wrong.
    """
    found: dict[str, list[SshKey]] = {}
    for number, row in enumerate(text.splitlines(), 1):
        person, _, rest = row.strip().partition(" ")
        if not person or person.startswith("#"):
            continue
        rest = rest.removeprefix(_FOR_US).strip()
        if not rest.startswith(KINDS):
            raise InvalidCall(f"line {number}: it is not like `countersign approver-keys list` writes it")
        key, _ = read_key(rest)
        found.setdefault(person, []).append(key)
    return found
