"""Entries of the log as text that leaves the house: JSON lines, and CSV that a spreadsheet can't mistake."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields

from approvals.audit import Entry, exported, imported
from approvals.errors import InvalidCall

COLUMNS = tuple(field.name for field in fields(Entry))
HARMFUL = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "'",
)  # what a cell must not begin with; ' so that none is lost
_UNSEEN = re.compile(r"[^ -~]")


class NotALog(InvalidCall):
    """Text that should be a log and isn't; the message says which line."""


def json_line(entry: Entry) -> str:
    """One line of JSON Lines. What can't be seen is told by its number, which JSON reads as the same."""
    return _UNSEEN.sub(_seen, json.dumps(exported(entry), ensure_ascii=False))


def _seen(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def csv_lines(entries: Iterable[Entry]) -> str:
    """Lines of CSV (RFC 4180), without the header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for entry in entries:
        writer.writerow([_cell(value) for value in exported(entry).values()])
    return text.getvalue()


def csv_header() -> str:
    return ",".join(COLUMNS) + "\r\n"


def _cell(value: object) -> str:
    """A value as a cell: with an apostrophe before what a spreadsheet would take for a formula."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(HARMFUL) else text


def read_lines(lines: Iterable[str], name: str) -> Iterator[Entry]:
    """The entries of JSON lines.

    Raises:
        NotALog: a line is none.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield imported(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise NotALog(f"{name}: line {number} is no audit entry: {error}") from error
