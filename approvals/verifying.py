"""Checking a log as it is read: its chains, its numbers, and the checkpoints that were signed over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from approvals.audit import Entry, Fault, fault_of, is_erased, leaf
from approvals.merkle import Frontier, leaf_hash
from approvals.notes import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What came of it, if there is no fault."""

    first: int
    last: int  # one less than `first`: there was none
    erased: int  # entries of which something was erased
    covered: tuple[int, ...]  # the sizes of the checkpoints that the log fits
    left: tuple[int, ...]  # of those that can't be checked: what came before is not given

    @property
    def entries(self) -> int:
        return self.last - self.first + 1


class LogCheck:
    """Checks a log that is given in order from one number on, in one pass and in little memory."""

    def __init__(
        self, first: int = 1, checkpoints: Iterable[Checkpoint] = (), edge: Frontier | None = None
    ) -> None:
        """`edge`: the tree over what came before the first, for checkpoints over a log that begins later."""
        self.first, self._expected = first, first
        self._heads: dict[str, str] = {}
        self._erased = 0
        self._tree = Frontier() if first == 1 else edge
        at = first - 1 if self._tree is not None else float("inf")
        every = sorted(checkpoints, key=lambda each: each.size)
        self._left = tuple(each.size for each in every if each.size < at)
        self._coming = [each for each in every if each.size >= at]
        self._covered: list[int] = []

    @property
    def last(self) -> int:
        """The number of the entry that was checked last."""
        return self._expected - 1

    def start(self) -> Fault | None:
        """Check what covers nothing of the log but its beginning."""
        return self._against_checkpoints()

    def add(self, entry: Entry) -> Fault | None:
        """Check one more entry."""
        fault = fault_of(entry, self._expected, self._heads, is_whole=self.first == 1)
        if fault is not None:
            return fault
        self._heads[entry.request] = entry.hash
        self._erased += is_erased(entry)
        self._expected += 1
        if self._tree is not None:
            self._tree.add(leaf_hash(leaf(entry)))
        return self._against_checkpoints()

    def end(self, last: int | None = None) -> Findings | Fault:
        """What came of it; `last`: the number that the log gave out last."""
        if self._coming or (last is not None and last > self.last):
            return Fault(seq=self._expected, kind="missing")
        if last is not None and last < self.last:
            return Fault(seq=last + 1, kind="order")
        covered = tuple(self._covered)
        return Findings(
            first=self.first, last=self.last, erased=self._erased, covered=covered, left=self._left
        )

    def _against_checkpoints(self) -> Fault | None:
        tree = self._tree
        while tree is not None and self._coming and self._coming[0].size == tree.size:
            checkpoint = self._coming.pop(0)
            if checkpoint.root != tree.root():
                since = self._covered[-1] + 1 if self._covered else 1
                return Fault(seq=since, kind="rewritten", until=checkpoint.size)
            self._covered.append(checkpoint.size)
        return None


def check(
    entries: Iterable[Entry],
    checkpoints: Sequence[Checkpoint] = (),
    edge: Frontier | None = None,
    last: int | None = None,
) -> Findings | Fault:
    """Check a log that is there as a whole, up to `last`; the number of its first entry is believed."""
    checking: LogCheck | None = None
    for entry in entries:
        if checking is None:
            checking = LogCheck(entry.seq, checkpoints, edge)
            if fault := checking.start():
                return fault
        if fault := checking.add(entry):
            return fault
    return (checking or LogCheck(1, checkpoints)).end(last)
