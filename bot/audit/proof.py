"""Proofs that one entry stands in the log: made from the tree, and checked with nothing else at hand."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from approvals import merkle, notes
from approvals.audit import Entry, exported, holds, imported, leaf
from approvals.cli import FINE, NO
from approvals.errors import InvalidCall
from approvals.merkle import leaf_hash
from approvals.model import Json
from approvals.notes import BadNote, Checkpoint, Key
from bot.audit.ground import Ground, fail, out, pinned


class NotCovered(InvalidCall):
    """No checkpoint covers it yet."""


async def newest(ground: Ground) -> tuple[Checkpoint, str]:
    """The checkpoint that covers most, and its note.

    Raises:
        NotCovered: there is none yet.
    """
    kept = await ground.book.newest()
    if kept is None:
        raise NotCovered("there is no checkpoint yet: the service signs one a minute while it runs")
    return notes.read(kept.note), kept.note


async def path_of(ground: Ground, seq: int, size: int) -> list[Json]:
    """The path of an entry, in hex.

    Raises:
        NotCovered: it is newer than that.
    """
    if not 1 <= seq <= size:
        raise NotCovered(f"the newest checkpoint covers the entries 1 to {size}, not {seq}")
    return [each.hex() for each in await ground.tree.inclusion(seq, size)]


async def prove(ground: Ground, arguments: argparse.Namespace) -> int:
    """Print the proof of one entry."""
    checkpoint, text = await newest(ground)
    path = await path_of(ground, arguments.seq, checkpoint.size)
    found = await ground.store.entries(arguments.seq, 1)
    if not found or found[0].seq != arguments.seq:
        raise NotCovered(f"entry {arguments.seq} is not in Redis any more: take it from an export")
    proof = {"entry": exported(found[0]), "path": path, "checkpoint": text}
    sys.stdout.write(json.dumps(proof, indent=2) + "\n")
    return FINE


def is_proved(entry: Entry, path: Sequence[object], checkpoint: Checkpoint) -> bool:
    """Whether the entry holds and the path leads from it to the checkpoint."""
    try:
        hashes = [bytes.fromhex(str(each)) for each in path]
    except ValueError:
        return False
    hashed = leaf_hash(leaf(entry))
    return holds(entry) and merkle.includes(checkpoint.root, checkpoint.size, entry.seq - 1, hashed, hashes)


def verify_proof(arguments: argparse.Namespace) -> int:
    """Check a proof without Redis."""
    text = sys.stdin.read() if arguments.file == "-" else Path(arguments.file).read_text(encoding="utf-8")
    try:
        proof = json.loads(text)
        entry, path, note = imported(proof["entry"]), list(proof["path"]), str(proof["checkpoint"])
        is_true = is_proved(entry, path, notes.read(note))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidCall(f"{arguments.file} is no proof of an entry: {error}") from error
    if not is_true:
        return fail("The proof does not hold: the entry is another than the checkpoint covers.", NO)
    checkpoint, keys = notes.read(note), pinned(arguments.key, notes.read(note).origin)
    by = signed_by(note, keys)
    if arguments.json:
        told = {"ok": True, "seq": entry.seq, "size": checkpoint.size, "signature": bool(keys)}
        out(json.dumps(told))
    else:
        out(f"Entry {entry.seq} is in the log of {checkpoint.size} entries that the checkpoint covers.{by}")
    return FINE


def signed_by(note: str, keys: Sequence[Key]) -> str:
    """Say whose signature a checkpoint has.

    Raises:
        BadNote: none of `keys` signed it.
    """
    if not keys:
        return " Its signature was not checked: no key was told (--key, or APPROVALS_PUBLIC_KEY)."
    try:
        notes.verify(note, keys)
    except BadNote as error:
        raise BadNote(f"not to be believed: {error}") from error
    return " Its signature is good."
