"""`countersign audit …`: exporting, checking, proving, trimming and reading the log."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TypeAlias

from approvals.cli import FINE
from approvals.model import Json
from bot.audit import export as audit_export
from bot.audit import keeping as audit_keeping
from bot.audit import proof as audit_proof
from bot.audit import verify as audit_verify
from bot.audit.ground import Command, Ground, guarded, out, run
from bot.audit.lines import json_line

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_CODES = "Exit codes: 0 it holds, 1 it doesn't, 2 usage, 3 unavailable."
_KEY = "a public key that is believed (more than once if need be; APPROVALS_PUBLIC_KEY unless told)"


def register(commands: Subparsers) -> None:
    """Add `audit` to `countersign`."""
    parser = commands.add_parser(
        "audit",
        help="export, verify, prove, trim and read the audit log",
        description="The audit log: who let what happen. docs/audit.md tells what it proves, and how.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _export(verbs)
    _verify(verbs)
    _checkpoint(verbs)
    _prove(verbs)
    _verify_proof(verbs)
    _show(verbs)
    _trim(verbs)
    _erase(verbs)


def _needs_redis(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.set_defaults(run=lambda arguments: run(arguments, command))


def _export(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "export",
        help="write the log, or a sample of it, to where it is safe",
        description=(
            "Write every entry in order, as JSON lines or CSV, to standard output, a file, S3-compatible"
            " storage or OpenTelemetry logs. A manifest says from where to where, its SHA-256, and the"
            " checkpoint over it. Files and objects are read back; only what was so exported can be trimmed."
        ),
        epilog=(
            "Examples: countersign audit export > audit.jsonl"
            " · countersign audit export --new --to s3://bucket/audit"
            " · countersign audit export --sample 25 --from 2026-01-01 --to 2026-04-01 --to q1/"
        ),
    )
    audit_export.add_arguments(parser)
    _needs_redis(parser, audit_export.export)


def _verify(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "verify",
        help="check that nothing was changed, added, removed or reordered",
        description=(
            "Check the log in Redis, exported files in their order, or an auditor's sample: every hash and"
            " number, and the checkpoints over it. The first bad entry is named."
        ),
        epilog=f"{_CODES} A checkpoint from Slack also finds a log that was rewritten as a whole.",
    )
    parser.add_argument(
        "file",
        nargs="*",
        help="exported files (- for standard input), or a sample's folder; without any, the log in Redis",
    )
    parser.add_argument(
        "--checkpoint", action="append", default=[], metavar="FILE", help="a checkpoint that it must fit"
    )
    parser.add_argument("--key", action="append", default=[], metavar="KEY", help=_KEY)
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run=audit_verify.verify)


def _checkpoint(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "checkpoint",
        help="print the newest signed checkpoint",
        description="Print the newest checkpoint, a C2SP signed note: how many entries, and their root.",
    )
    parser.add_argument("--keys", action="store_true", help="print the public keys that sign instead")
    parser.add_argument("--json", action="store_true", help="for scripts")
    _needs_redis(parser, _print_checkpoint)


async def _print_checkpoint(ground: Ground, arguments: argparse.Namespace) -> int:
    if arguments.keys:
        keys = [key.text for key in await ground.public_keys()]
        out(json.dumps(keys) if arguments.json else "\n".join(keys))
        return FINE
    checkpoint, text = await audit_proof.newest(ground)
    if arguments.json:
        told: dict[str, Json] = {"origin": checkpoint.origin, "size": checkpoint.size}
        out(json.dumps({**told, "root": checkpoint.root.hex(), "note": text}))
    else:
        sys.stdout.write(text)
    return FINE


def _prove(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "prove",
        help="prove that an entry is in the log",
        description="Print an entry with its path to the newest checkpoint, as JSON that anybody can check.",
        epilog="Example: countersign audit prove 17 > proof.json",
    )
    parser.add_argument("seq", type=int, help="its number")
    _needs_redis(parser, audit_proof.prove)


def _verify_proof(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "verify-proof",
        help="check such a proof, without Redis",
        description="Check that an entry is in the log that a checkpoint covers.",
        epilog=_CODES,
    )
    parser.add_argument("file", help="what `prove` printed (- for standard input)")
    parser.add_argument("--key", action="append", default=[], metavar="KEY", help=_KEY)
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run=lambda arguments: guarded(lambda: audit_proof.verify_proof(arguments)))


def _show(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "show",
        help="tell the whole story of one request",
        description="Tell everything that was logged of one request.",
        epilog="Example: countersign audit show R-7K2M",
    )
    parser.add_argument("id", help="the id, or an unambiguous beginning of it")
    parser.add_argument("--json", action="store_true", help="for scripts: JSON lines as in export")
    _needs_redis(parser, _print_story)


async def _print_story(ground: Ground, arguments: argparse.Namespace) -> int:
    for entry in await ground.store.chain(await ground.store.find(arguments.id)):
        if arguments.json:
            out(json_line(entry))
        else:
            words = (entry.detail or {}).get("text") or (entry.detail or {}).get("reason") or ""
            at = entry.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
            out(f"{entry.seq:>6}  {at}  {entry.event:<18} {entry.actor:<24} {words}".rstrip())
    return FINE


def _trim(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "trim",
        help="take old entries out of Redis, once they are exported",
        description=(
            "Take entries out of the log that were exported to a file or to S3 and read back, and no others."
            " The tree stays, so that what is left, and the exports, can still be proved."
        ),
        epilog="Exit codes: 0 trimmed, 1 it is not exported, 2 usage, 3 unavailable.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--before", metavar="DAY", help="what happened before this day, such as 2026-04-01")
    which.add_argument("--through", type=int, metavar="SEQ", help="the entries up to this number")
    parser.add_argument("--json", action="store_true", help="for scripts")
    _needs_redis(parser, audit_keeping.trim)


def _erase(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "erase",
        help="erase the personal data of one request",
        description=(
            "Erase args, names and words of one request from the log, and the request itself. Hashes and"
            " proofs hold as before, and the log says that something was erased, by whom, and why."
        ),
        epilog="Exports, messages in Slack, and Redis's append-only file until its rewrite have them still.",
    )
    parser.add_argument("request", help="the id; its beginning will do while the request is kept")
    parser.add_argument("because", nargs="+", help="why, for the log")
    parser.add_argument("--json", action="store_true", help="for scripts")
    _needs_redis(parser, audit_keeping.erase)
