"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "unknown", "warning", "fault"]
LEVELS: tuple[Level, ...] = ("ok", "unknown", "warning", "fault")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `countersign doctor`."""

    check: str
    level: Level
    found: str
    mend: str = ""  # what to do; "" where nothing is to be done


def ok(check: str, found: str) -> Finding:
    return Finding(check=check, level="ok", found=found)


def unknown(check: str, why: str, mend: str = "") -> Finding:
    """It could not be found out, which is no fault by itself."""
    return Finding(check=check, level="unknown", found=why, mend=mend)


def warning(check: str, found: str, mend: str) -> Finding:
    return Finding(check=check, level="warning", found=found, mend=mend)


def fault(check: str, found: str, mend: str) -> Finding:
    return Finding(check=check, level="fault", found=found, mend=mend)
