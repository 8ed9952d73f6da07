"""What one part of the proof found: numbers by name, and a sentence for each thing that must not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# None of these may happen to us, and all that are counted must happen to a part that `must_fail`.
WRONGS = ("lost", "changed", "doubled", "unauthorised", "unaudited", "survived", "violations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row of the table: `counts` by name (trials, acknowledged, states, killed, … and the WRONGS)."""

    part: str
    counts: Mapping[str, int]
    seconds: float = 0.0  # filled in by whoever runs the part
    sentences: tuple[str, ...] = ()  # one for each wrong that was found: what, where, how to see it again
    notes: tuple[str, ...] = ()  # what a reader should know about the numbers
    must_fail: bool = False  # it is somebody else's way of doing it, and shows that the harness bites

    @property
    def holds(self) -> bool:
        """Whether it came out as it must."""
        found = {name: self.counts[name] for name in WRONGS if name in self.counts}
        if self.must_fail:
            return bool(found) and all(found.values())
        return not self.sentences and not any(found.values())
