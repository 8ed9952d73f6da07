"""Decisions for an auditor: a few that nobody picked, each with its entries, their proofs, what was signed.

Which ones follows from a seed: a decision comes before another if the SHA-256 of seed and request id does.
The seed is the hash of the newest checkpoint unless the auditor names another, so who exports can't choose.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from approvals import notes
from approvals.audit import Entry, exported, imported, rfc3339
from approvals.cli import FINE, NO
from approvals.errors import InvalidCall, NotSigned
from approvals.model import Json
from approvals.notes import Checkpoint
from approvals.receipts import checked
from bot.audit.ground import Ground, fail, note, out, pinned
from bot.audit.proof import is_proved, newest, path_of, signed_by
from bot.audit.summary import Decision, summary

FORMAT = "countersign audit sample, version 1"
DECISIONS = frozenset({"approved", "edited", "rejected", "answered", "overridden"})
SAMPLE, SUMMARY, CHECKPOINT, KEYS = "sample.json", "summary.html", "checkpoint.txt", "keys.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when on, and before when."""

    begin: datetime
    end: datetime

    @classmethod
    def read(cls, begin: str | None, end: str | None) -> Span:
        """Raises InvalidCall: they are no days, or none lies between them."""
        if begin is None or end is None:
            raise InvalidCall("a sample needs --from DAY and --to DAY: decisions before that day are sampled")
        span = cls(begin=_day(begin), end=_day(end))
        if span.begin >= span.end:
            raise InvalidCall(f"nothing lies between {begin} and {end}")
        return span


def _day(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidCall(f"{text!r} is no day; write it as 2026-04-01") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def rank(seed: str, request: str) -> str:
    """By which the decisions are put in order."""
    return hashlib.sha256(f"{seed} {request}".encode()).hexdigest()


# -- making it ----------------------------------------------------------------------------------------


async def export(ground: Ground, folder: Path | None, span: Span, count: int, seed: str | None) -> int:
    """Write the folder for the auditor."""
    target = _Folder(folder)
    checkpoint, text = await newest(ground)
    seed = seed or checkpoint.root.hex()
    found = await _decided(ground, span, checkpoint.size)
    chosen = sorted(found, key=lambda request: rank(seed, request))[:count]
    entries = await _entries_of(ground, chosen, checkpoint.size)
    for request in chosen:
        proved = [
            {"entry": exported(entry), "path": await path_of(ground, entry.seq, checkpoint.size)}
            for entry in entries[request]
        ]
        for receipt in _receipts(entries[request])[-1:]:
            target.put(f"receipt-{request}.json", json.dumps(receipt, indent=1))
        target.put(f"{request}.json", json.dumps({"entries": proved}, indent=1, ensure_ascii=False))
    keys = [key.text for key in await ground.public_keys()]
    about = {
        "format": FORMAT,
        "tenant": ground.tenant,
        "from": rfc3339(span.begin),
        "to": rfc3339(span.end),
        "decisions": len(found),
        "seed": seed,
        "sample": chosen,
        "made_at": rfc3339(await ground.store.now()),
    }
    target.put(SAMPLE, json.dumps(about, indent=2))
    target.put(CHECKPOINT, text)
    target.put(KEYS, "".join(f"{key}\n" for key in keys))
    target.put(SUMMARY, summary(about, text, [Decision.of(entries[request]) for request in chosen]))
    note(f"{len(chosen)} of {len(found)} decisions are in {folder}. Seed: {seed}")
    return FINE


async def _decided(ground: Ground, span: Span, size: int) -> list[str]:
    """The requests that were decided in that time, as far as a checkpoint covers it."""
    found: dict[str, None] = {}
    async for entry in ground.store.log(await ground.store.first_seq_at(span.begin)):
        if entry.seq > size:
            break
        if entry.event in DECISIONS and span.begin <= entry.at < span.end:
            found[entry.request] = None
    return list(found)


async def _entries_of(ground: Ground, requests: list[str], size: int) -> dict[str, list[Entry]]:
    wanted = set(requests)
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    async for entry in ground.store.log():
        if entry.seq > size:
            break
        if entry.request in wanted:
            found[entry.request].append(entry)
    return found


def _receipts(entries: Iterable[Entry]) -> list[Json]:
    """The signed decisions that entries hold."""
    details = [entry.detail or {} for entry in entries]
    return [detail["receipt"] for detail in details if "receipt" in detail]


class _Folder:
    """A new folder, file by file."""

    def __init__(self, path: Path | None) -> None:
        if path is None or (path.exists() and any(path.iterdir())):
            raise InvalidCall("a sample needs --to FOLDER, which is empty or isn't there yet")
        self._path = path

    def put(self, name: str, text: str) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        with (self._path / name).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


# -- checking it --------------------------------------------------------------------------------------


def verify(folder: Path, arguments: argparse.Namespace) -> int:
    """Check such a folder, without Redis: every entry, every proof, and that the seed chose them in order."""
    try:
        about = json.loads((folder / SAMPLE).read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise InvalidCall(f"{folder / SAMPLE} is {about['format']!r}; this version reads {FORMAT!r}")
        text = (folder / CHECKPOINT).read_text(encoding="utf-8")
        requests = [str(each) for each in about["sample"]]
        fault = _fault(folder, notes.read(text), requests, str(about["seed"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidCall(f"{folder} is no sample of a log: {error}") from error
    if fault is not None:
        return fail(f"The sample does not hold: {fault}.", NO)
    checkpoint = notes.read(text)
    keys = pinned(arguments.key, checkpoint.origin)
    by = signed_by(text, keys)
    if keys and (fault := _unsigned(folder, requests, [key.bare for key in keys])):
        return fail(f"The sample does not hold: {fault}.", NO)
    if arguments.json:
        told = {"ok": True, "decisions": len(requests), "size": checkpoint.size, "signature": bool(keys)}
        out(json.dumps(told))
    else:
        out(f"{len(requests)} decisions: each entry is in the log of {checkpoint.size} entries.{by}")
    return FINE


def _fault(folder: Path, checkpoint: Checkpoint, requests: list[str], seed: str) -> str | None:
    if requests != sorted(requests, key=lambda each: rank(seed, each)):
        return "its decisions are not in the order in which the seed puts them"
    files = {path.stem for path in folder.glob("R-*.json")}
    if files != set(requests):
        return f"its files are not those of the sample: {', '.join(sorted(files ^ set(requests)))}"
    for request in requests:
        found = json.loads((folder / f"{request}.json").read_text(encoding="utf-8"))
        if fault := _fault_of(request, found["entries"], checkpoint):
            return fault
        receipts = _receipts(imported(each["entry"]) for each in found["entries"])
        there = [json.loads(path.read_text("utf-8")) for path in folder.glob(f"receipt-{request}.json")]
        if there != receipts[-1:]:
            return f"the receipt of {request} is another than its entry holds"
    return None


def _unsigned(folder: Path, requests: Iterable[str], keys: Sequence[str]) -> str | None:
    for request in requests:
        for path in folder.glob(f"receipt-{request}.json"):
            try:
                decision = checked(path.read_text(encoding="utf-8"), keys)
            except NotSigned as error:
                return f"the receipt of {request} is not to be believed: {error}"
            if decision.request != request:
                return f"the receipt of {request} is one of {decision.request}"
    return None


def _fault_of(request: str, proved: list[dict[str, Any]], checkpoint: Checkpoint) -> str | None:
    previous, events = "", set[str]()
    for each in proved:
        entry = imported(each["entry"])
        if entry.request != request or not is_proved(entry, each["path"], checkpoint):
            return f"entry {entry.seq} of {request} is another than the checkpoint covers"
        if entry.previous != previous:
            return f"before entry {entry.seq} of {request} one is missing"
        previous, events = entry.hash, events | {entry.event}
    return None if events & DECISIONS else f"{request} was not decided"
