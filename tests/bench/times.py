"""How long something took, many times over."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """Durations in seconds; told in milliseconds by nearest rank."""

    seconds: tuple[float, ...]

    @classmethod
    def joined(cls, rounds: Iterable[Times]) -> Times:
        return cls(tuple(second for times in rounds for second in times.seconds))

    @property
    def p50_ms(self) -> float:
        return self._at(0.50)

    @property
    def p99_ms(self) -> float:
        return self._at(0.99)

    @property
    def per_s(self) -> float:
        return len(self.seconds) / sum(self.seconds)

    def _at(self, share: float) -> float:
        rank = max(1, math.ceil(share * len(self.seconds)))
        return sorted(self.seconds)[rank - 1] * 1000
