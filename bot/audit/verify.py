"""`countersign audit verify`: a log in Redis or files, or an auditor's folder, held against checkpoints."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from approvals import notes
from approvals.audit import Entry, Fault, leaf
from approvals.cli import FINE, NO
from approvals.errors import InvalidCall
from approvals.log_tree import TreeFault
from approvals.merkle import leaf_hash
from approvals.notes import Checkpoint, Key
from approvals.store import PAGE
from approvals.verifying import Findings, LogCheck, check
from bot.audit import manifest as audit_manifest
from bot.audit import sample as audit_sample
from bot.audit.ground import Ground, fail, guarded, out, pinned, run
from bot.audit.lines import read_lines
from bot.audit.manifest import Manifest
from bot.audit.proof import signed_by


def verify(arguments: argparse.Namespace) -> int:
    """Check what was named; with nothing named, the log in Redis."""
    if not arguments.file:
        return run(arguments, _verify_redis)
    if len(arguments.file) == 1 and Path(arguments.file[0]).is_dir():
        return guarded(lambda: audit_sample.verify(Path(arguments.file[0]), arguments))
    return guarded(lambda: _verify_files(arguments))


# -- in Redis -----------------------------------------------------------------------------------------


async def _verify_redis(ground: Ground, arguments: argparse.Namespace) -> int:
    last, trimmed = await ground.store.last_seq(), await ground.book.trimmed()
    ours = [kept.note for kept in await ground.book.checkpoints()]
    ours += [day.note for day in (await ground.book.days()).values()]
    keys = pinned(arguments.key, ground.origin) or await ground.public_keys()
    known = [*(notes.verify(each, keys) for each in ours), *_told(arguments, keys)]
    try:
        edge = await ground.tree.frontier(trimmed)
        found = await _checked(ground, LogCheck(trimmed + 1, known, edge), last)
    except TreeFault as fault:
        return fail(f"The log does not hold: {fault}.", NO)
    return _tell(found, arguments, recorded=await ground.book.erasures())


async def _checked(ground: Ground, checking: LogCheck, last: int) -> Findings | Fault:
    if fault := checking.start():
        return fault
    while checking.last < last:
        page = [entry for entry in await ground.store.entries(checking.last + 1, PAGE) if entry.seq <= last]
        leaves = await ground.tree.leaves(checking.last, len(page))
        for nth, entry in enumerate(page):
            if nth < len(leaves) and entry.seq == checking.last + 1 and leaf_hash(leaf(entry)) != leaves[nth]:
                return checking.add(entry) or Fault(seq=entry.seq, kind="rewritten")
            if fault := checking.add(entry):
                return fault
        if not page:
            break
    return checking.end(last)


# -- in files -----------------------------------------------------------------------------------------


def _verify_files(arguments: argparse.Namespace) -> int:
    manifests = [_manifest(name) for name in arguments.file]
    first = next(iter(manifests), None)
    told = [each.checkpoint for each in manifests if each and each.checkpoint]
    origin = notes.read(told[0]).origin if told else ""
    keys = pinned(arguments.key, origin)
    named = _told(arguments, keys)
    for note in told:
        signed_by(note, keys)
    known = [*map(notes.read, told), *named]
    last = max((each.last for each in manifests if each), default=None)
    found = check(_entries(arguments.file), known, first.edge if first else None, last)
    return _tell(found, arguments, asked=named)


def _manifest(name: str) -> Manifest | None:
    """The manifest beside a file, if there is one; the file must be what it says."""
    path = Path(name)
    if name == "-" or not audit_manifest.beside(path).exists():
        return None
    manifest = audit_manifest.read(audit_manifest.beside(path))
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != manifest.sha256:
            sys.stderr.write(f"{name} is not the file that its manifest was written for.\n")
    return manifest


def _entries(names: Sequence[str]) -> Iterator[Entry]:
    for name in names:
        if name == "-":
            yield from read_lines(sys.stdin, "standard input")
            continue
        with Path(name).open(encoding="utf-8") as lines:
            yield from read_lines(lines, name)


def _told(arguments: argparse.Namespace, keys: Sequence[Key]) -> list[Checkpoint]:
    """The checkpoints that were told, their signatures checked if there are keys."""
    texts = [Path(name).read_text(encoding="utf-8") for name in arguments.checkpoint]
    for text in texts:
        signed_by(text, keys)
    return [notes.read(text) for text in texts]


# -- saying so ----------------------------------------------------------------------------------------


def _tell(
    found: Findings | Fault,
    arguments: argparse.Namespace,
    *,
    asked: Sequence[Checkpoint] = (),
    recorded: int | None = None,
) -> int:
    if isinstance(found, Fault):
        if arguments.json:
            out(json.dumps({"ok": False, "seq": found.seq, "fault": str(found)}))
        else:
            fail(f"The log does not hold: {found}.", NO)
        return NO
    unheld = [each.size for each in asked if each.size in found.left]
    if unheld:
        raise InvalidCall(
            f"the checkpoint over {unheld[0]} entries says nothing of a log that begins at {found.first}:"
            " give the earlier exports too"
        )
    if arguments.json:
        told = {"ok": True, "first": found.first, "entries": found.entries, "erased": found.erased}
        covered = max(found.covered, default=0)
        out(json.dumps({**told, "checkpoints": len(found.covered), "covered": covered, "fault": None}))
    else:
        out(" ".join(_sentences(found, recorded)))
    return FINE


def _sentences(found: Findings, recorded: int | None) -> Iterator[str]:
    yield f"{found.entries} entries: the log holds."
    if found.first > 1:
        yield f"It begins at {found.first}: what came before was not given, or trimmed."
    if found.covered:
        many = "1 checkpoint" if len(found.covered) == 1 else f"{len(found.covered)} checkpoints"
        yield f"It fits {many}, the newest over {max(found.covered)} entries."
    if found.erased:
        yield f"Of {found.erased} entries args, names and words were erased; their hashes hold."
    if recorded is not None and recorded < found.erased:
        yield f"Only {recorded} of them were erased by `countersign audit erase`!"
