"""`countersign approver-keys`: the keys of their own by which approvers are known."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from approvals import allowed_signers
from approvals.approver_keys import ApproverKey, ApproverKeys, ssh_key
from approvals.cli import FINE
from approvals.errors import InvalidCall
from approvals.keys import check
from approvals.model import PersonId, Via
from bot.columns import show_table
from bot.login import operator
from bot.terminal.sealed import Subparsers, out, runs


def register(commands: Subparsers) -> None:
    """Add `approver-keys` with its verbs."""
    parser = commands.add_parser(
        "approver-keys",
        help="say by which keys of their own approvers are known",
        description=(
            'The keys with which approvers sign a yes where a rule says `assurance = "key"`, and the passkeys'
            " that they have registered themselves. Needs REDIS_URL, and the service's APPROVALS_SECRET or"
            " APPROVALS_SECRET_FILE (unless that was made on this machine)."
        ),
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="add|list|remove")
    _add(verbs)
    _list(verbs)
    _remove(verbs)


def _add(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "add",
        help="register a person's SSH key",
        description=(
            "Register a person's public SSH key: ed25519 or ecdsa (256 bits), also one that a security key"
            " holds. Be sure that it is theirs: whoever has it can approve as them. Prints its fingerprint."
        ),
        epilog="Example: countersign approver-keys add U0ANA ana.pub",
    )
    parser.add_argument("person", metavar="PERSON", help="their Slack id, such as U0ANA")
    parser.add_argument("file", metavar="FILE", help="the public half, such as ~/.ssh/id_ed25519.pub")
    parser.add_argument("--json", action="store_true", help="for scripts")
    runs(parser, _do_add, ApproverKeys)


async def _do_add(keys: ApproverKeys, arguments: argparse.Namespace) -> int:
    check("person", arguments.person)
    made = ssh_key(_read(Path(arguments.file)), await keys.now())
    await keys.add(PersonId(arguments.person), made, operator(), Via.CLI)
    out(json.dumps({"person": arguments.person, "name": made.name}) if arguments.json else made.name)
    return FINE


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidCall(f"{file}: {error}") from error


def _list(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "list",
        help="list whose keys count",
        description="List whose keys count, and since when.",
        epilog="Example: countersign approver-keys list --allowed-signers > allowed_signers",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="for scripts: one JSON array")
    how.add_argument(
        "--allowed-signers",
        action="store_true",
        help="the SSH keys as a file for `countersign receipt verify` and `ssh-keygen -Y verify`",
    )
    runs(parser, _do_list, ApproverKeys)


async def _do_list(keys: ApproverKeys, arguments: argparse.Namespace) -> int:
    every = [(person, one) for person, theirs in (await keys.all()).items() for one in theirs]
    if arguments.json:
        out(json.dumps([_told(person, one) for person, one in every]))
    elif arguments.allowed_signers:
        for person, one in every:
            if one.kind == "ssh":
                out(allowed_signers.line(person, one.key))
    elif not every:
        out("Nobody has registered a key.")
    else:
        show_table(["person", "kind", "name", "since", "comment"], [_row(*each) for each in every])
    return FINE


def _told(person: PersonId, one: ApproverKey) -> dict[str, object]:
    return {"person": person, **asdict(one), "since": one.since.isoformat()}


def _row(person: PersonId, one: ApproverKey) -> list[str]:
    return [person, one.kind, one.name, f"{one.since:%Y-%m-%d %H:%M UTC}", one.comment]


def _remove(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "remove",
        help="take a key out",
        description="From now on it counts for nothing. What it has signed stays signed.",
        epilog="Example: countersign approver-keys remove U0ANA SHA256:U5aPdig…",
    )
    parser.add_argument("person", metavar="PERSON")
    parser.add_argument("name", metavar="NAME", help="as `approver-keys list` has it")
    parser.add_argument("--json", action="store_true", help="for scripts")
    runs(parser, _do_remove, ApproverKeys)


async def _do_remove(keys: ApproverKeys, arguments: argparse.Namespace) -> int:
    await keys.remove(PersonId(arguments.person), arguments.name, operator())
    if arguments.json:
        out(json.dumps({"person": arguments.person, "name": arguments.name}))
    return FINE
