"""`countersign audit export`: the log, or what is new of it, to where the operator of Redis can't reach."""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from approvals import notes
from approvals.audit import Entry, Fault, rfc3339
from approvals.cli import FINE, NO, USAGE
from approvals.errors import InvalidCall
from approvals.store import PAGE
from approvals.verifying import Findings, LogCheck
from approvals.witness import Exported, Kept
from bot.audit import sample as audit_sample
from bot.audit.ground import Ground, fail, note
from bot.audit.lines import csv_header, csv_lines, json_line
from bot.audit.manifest import Manifest, nodes
from bot.audit.targets import S3, File, Otlp, Stdout, Target
from bot.login import operator

_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=int, default=1, metavar="SEQ", help="begin with this number (1)")
    parser.add_argument("--new", action="store_true", help="begin after what has been exported already")
    parser.add_argument("--format", choices=["jsonl", "csv"], default="jsonl", help="jsonl unless told")
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="WHERE",
        help="a file, s3://BUCKET/PREFIX or otlp (standard output unless told); with --sample a folder,"
        " and once more the day before which decisions are sampled, such as 2026-04-01",
    )
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="for standard output: its manifest")
    parser.add_argument(
        "--sample", type=int, metavar="N", help="for an auditor: so many decisions, with proofs"
    )
    parser.add_argument("--from", dest="begin", metavar="DAY", help="with --sample: from this day on")
    parser.add_argument("--seed", help="with --sample: what chooses them (the checkpoint's hash unless told)")


async def export(ground: Ground, arguments: argparse.Namespace) -> int:
    """Write the log to where it was told."""
    days = [each for each in arguments.to if _DAY.fullmatch(each)]
    places = [each for each in arguments.to if each not in days]
    if len(days) > 1 or len(places) > 1:
        return fail("--to is given once for where, and with --sample once for the last day", USAGE)
    if arguments.sample is not None:
        span = audit_sample.Span.read(arguments.begin, days[0] if days else None)
        folder = Path(places[0]) if places else None
        return await audit_sample.export(ground, folder, span, arguments.sample, arguments.seed)
    if days or arguments.begin:
        return fail("days are for --sample; the log itself is exported by numbers: --since", USAGE)
    return await _export_log(ground, places[0] if places else None, arguments)


async def _export_log(ground: Ground, where: str | None, arguments: argparse.Namespace) -> int:
    exported, trimmed = await ground.book.exported(), await ground.book.trimmed()
    since = exported.through + 1 if arguments.new and exported else arguments.since
    first, last = max(since, trimmed + 1), await ground.store.last_seq()
    work = await _Export.begun(ground, first, arguments.format)
    target = _target(where, arguments, ground.tenant)
    try:
        if arguments.format == "csv":
            work.write(target, csv_header(), [])
        async for page in _pages(ground, first, last):
            text = (
                csv_lines(page) if arguments.format == "csv" else "".join(f"{json_line(e)}\n" for e in page)
            )
            work.write(target, text, page)
    except BaseException:
        target.give_up()
        raise
    target.finish(work.manifest(await ground.store.now()))
    return await _recorded(ground, target, work, exported, trimmed, is_whole=arguments.format == "jsonl")


def _target(where: str | None, arguments: argparse.Namespace, tenant: str) -> Target:
    if where is None or where == "-":
        return Stdout(arguments.manifest)
    if arguments.manifest is not None:
        raise InvalidCall("--manifest is for standard output; elsewhere it lies beside the export")
    if where.startswith(("s3://", "s3a://")):
        return S3(where, arguments.format)
    if where == "otlp":
        return Otlp(tenant)
    if "://" in where:
        raise InvalidCall(f"{where} is none of: a file, s3://BUCKET/PREFIX, otlp")
    return File(Path(where))


async def _pages(ground: Ground, first: int, last: int) -> AsyncIterator[list[Entry]]:
    while first <= last:
        page = [entry for entry in await ground.store.entries(first, PAGE) if entry.seq <= last]
        if not page:
            return
        yield page
        first = page[-1].seq + 1


@dataclass(slots=True)
class _Export:
    """What is known of an export while it is written."""

    tenant: str
    written_as: str
    checking: LogCheck
    before: tuple[str, ...] | None
    newest: Kept | None
    keys: tuple[str, ...]
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    fault: Fault | None = None
    last: int = 0
    covered: Entry | None = None  # the newest entry that the checkpoint covers

    @classmethod
    async def begun(cls, ground: Ground, first: int, written_as: str) -> _Export:
        newest = await ground.book.newest()
        is_behind = await ground.tree.size() < first - 1  # it grows every few seconds while the service runs
        edge = None if is_behind else await ground.tree.frontier(first - 1)
        checking = LogCheck(first, [notes.read(newest.note)] if newest else (), edge)
        keys = tuple(each.text for each in await ground.public_keys())
        found = cls(ground.tenant, written_as, checking, nodes(edge), newest, keys, last=first - 1)
        found.fault = checking.start()
        return found

    def write(self, target: Target, text: str, entries: Sequence[Entry]) -> None:
        target.write(text, entries)
        self.sha256.update(text.encode())
        for entry in entries:
            self.fault = self.fault or self.checking.add(entry)
            self.last = entry.seq
            if self.newest is not None and entry.seq <= self.newest.size:
                self.covered = entry

    def manifest(self, now: datetime) -> Manifest:
        return Manifest(
            tenant=self.tenant,
            written_as=self.written_as,
            first=self.checking.first,
            last=self.last,
            sha256=self.sha256.hexdigest(),
            made_at=rfc3339(now),
            made_by=operator().id,
            before=self.before,
            checkpoint=self.newest.note if self.newest else None,
            keys=self.keys,
        )

    def end(self) -> Findings | Fault:
        return self.fault or self.checking.end()

    def exported(self, findings: Findings, now: datetime, where: str) -> Exported | None:
        """What may be trimmed on the strength of it: what it holds and the checkpoint covers."""
        if self.newest is None or self.covered is None or self.newest.size not in findings.covered:
            return None
        return Exported(
            at=now,
            through=self.covered.seq,
            hash=self.covered.hash,
            checkpoint=self.newest.note,
            sha256=self.sha256.hexdigest(),
            where=where,
        )


async def _recorded(
    ground: Ground, target: Target, work: _Export, before: Exported | None, trimmed: int, *, is_whole: bool
) -> int:
    findings = work.end()
    if isinstance(findings, Fault):
        return fail(f"It was exported as it is. The log does not hold: {findings}.", NO)
    if target.is_read_back:
        count = work.last - work.checking.first + 1
        note(f"{count} entries, {work.checking.first} to {work.last}, are in {target.name} and read back.")
        known = max(trimmed, before.through if before else 0)
        exported = work.exported(findings, await ground.store.now(), target.name)
        if is_whole and exported and work.checking.first <= known + 1 and exported.through > known:
            await ground.book.put_exported(exported)
            note(f"The log may be trimmed through {exported.through}.")
    sys.stdout.flush()
    return FINE
