"""The message by which a Slack channel becomes an outside witness of the log."""

from __future__ import annotations

from datetime import date

from blocks.pieces import Card, aside, line_text, literal, rich, section

HOW = "Kept out of reach of whoever runs Redis, it shows later whether the log was rewritten."
COMMAND = "countersign audit verify --checkpoint FILE"


def checkpoint(day: date, size: int, note: str) -> Card:
    """Tell the checkpoint that ends a day, so that it can be copied as it is."""
    said = f"The audit log at the end of {day:%d %B %Y}: {size:,} entries."
    shown = rich(section((said,)), literal(note.strip()))
    return Card(
        text=f"{line_text((said,))}\n{line_text((note.strip(),))}",
        blocks=[shown, aside(f"{HOW} {COMMAND}")],
    )
