"""What is kept beside the log so that others can vouch for it: a day's checkpoint, an export, a trimming."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from approvals.places import Posted


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A checkpoint, and when it was signed."""

    at: datetime
    size: int
    note: str
    mac: str = ""  # by which the service knows its own again, whatever became of its signing keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The checkpoint that ends a day, and the message that tells it."""

    day: date
    size: int
    note: str
    posted: Posted | None = None  # None: no channel is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Up to where the log has been exported and read back, without a gap from its first entry on."""

    at: datetime
    through: int
    hash: str  # of the entry `through`
    checkpoint: str  # the note that covers it
    sha256: str  # of the last export's content
    where: str
