"""What the proof found, as a table for a terminal and as Markdown, and the verdict."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from tests.bench.machine import processor
from tests.proof.figures import WRONGS, Figures

HEAD = ("part", "what was tried", *WRONGS[:5], "s", "")
LEFT = (0, 1, len(HEAD) - 1)  # columns of words


def show(found: Sequence[Figures]) -> None:
    """Print the table, what is to be said of it, and the verdict."""
    console = Console(width=None if Console().is_terminal else 160)
    table = Table(title="Proof", title_justify="left")
    for index, name in enumerate(HEAD):
        table.add_column(name, justify="left" if index in LEFT else "right")
    for each in found:
        table.add_row(*_row(each))
    console.print(table)
    for line in (*_remarks(found), _machine(), verdict(found)):
        console.print(line, highlight=False, markup=False)


def markdown(found: Sequence[Figures]) -> str:
    rule = ["---" if index in LEFT else "---:" for index in range(len(HEAD))]
    lines = ["| " + " | ".join(cells) + " |" for cells in (HEAD, rule, *map(_row, found))]
    remarks = [f"- {line}" for line in _remarks(found)]
    told = [f"Run on: {_machine()}. {verdict(found)}", "\n".join(lines), "\n".join(remarks)]
    return "\n\n".join(part for part in told if part)


def verdict(found: Sequence[Figures]) -> str:
    """One sentence for all of it."""
    broken = [each.part for each in found if not each.holds]
    if broken:
        return f"It does NOT hold: {', '.join(broken)}."
    return "Everything held." if found else "Nothing was tried."


def _row(figures: Figures) -> list[str]:
    tried = ", ".join(f"{_count(n)} {name}" for name, n in figures.counts.items() if name not in WRONGS[:5])
    wrongs = [_count(figures.counts[name]) if name in figures.counts else "" for name in WRONGS[:5]]
    word = ("fails, as it must" if figures.must_fail else "holds") if figures.holds else "BROKEN"
    return [figures.part, tried, *wrongs, f"{figures.seconds:.0f}", word]


def _count(number: int) -> str:
    return f"{number:,}"


def _remarks(found: Sequence[Figures]) -> list[str]:
    return [f"{each.part}: {line}" for each in found for line in (*each.sentences, *each.notes)]


def _machine() -> str:
    parts = (f"{datetime.now(UTC):%Y-%m-%d}", f"{os.cpu_count()} × {processor()}", platform.system())
    return " · ".join((*parts, f"Python {platform.python_version()}"))
