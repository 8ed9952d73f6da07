"""Tables for a terminal, and for whatever reads its output."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from approvals.cli import printable


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A drawn table where somebody looks on; columns of plain text for pipes and files."""
    shown = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(*head, box=box.SIMPLE_HEAD)
        for row in shown:
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    widths = [max(len(row[column]) for row in [head, *shown]) for column in range(len(head))]
    for cells in [head, *shown]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        sys.stdout.write(f"{line.rstrip()}\n")
