"""What conditions say of numbers: whether one can hold at all, and whether it takes all that another does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

_PIECE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|&&|\|\||//|[()\[\]{}?]|.""", re.DOTALL)
_NUMBER = r"-?\d+(?:\.\d+)?"
_COMPARISON = re.compile(rf"([a-z_]\w*(?:\.\w+)*)\s*(<=|>=|==|<|>)\s*({_NUMBER})")
_REVERSED = re.compile(rf"({_NUMBER})\s*(<=|>=|==|<|>)\s*([a-z_]\w*(?:\.\w+)*)")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "=="}


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two ends. An end is a number, and whether the range begins or stops just after it."""

    low: tuple[float, bool] = (-inf, False)
    high: tuple[float, bool] = (inf, True)

    def __and__(self, other: Range) -> Range:
        return Range(max(self.low, other.low), min(self.high, other.high))

    @property
    def is_empty(self) -> bool:
        return self.low >= self.high


@dataclass(frozen=True, slots=True)
class Demands:
    """A condition as parts that must all hold: ranges of numbers, and the texts of the rest."""

    ranges: Mapping[str, Range]
    rest: frozenset[str]

    @property
    def contradiction(self) -> str | None:
        """What can be no number at all."""
        return next((path for path, numbers in self.ranges.items() if numbers.is_empty), None)

    def cover(self, other: Demands) -> bool:
        """Whether these surely hold where `other` do; in doubt, they don't."""
        if not self.rest <= other.rest:
            return False
        for path, ours in self.ranges.items():
            theirs = other.ranges.get(path)
            if theirs is None or ours.low > theirs.low or ours.high < theirs.high:
                return False
        return True


NONE = Demands({}, frozenset())


def demands(condition: str) -> Demands:
    ranges: dict[str, Range] = {}
    rest: set[str] = set()
    for part in _parts(condition):
        if (found := _compared(part)) is None:
            rest.add(part)
        else:
            path, numbers = found
            whole = Range((0, False), (1, True)) if path == "confidence" else Range()
            ranges[path] = ranges.get(path, whole) & numbers
    return Demands(ranges, frozenset(rest))


def _parts(condition: str) -> Iterator[str]:
    """Split at each `&&` that joins the whole; a whole that is joined by anything weaker is one part."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(condition):
        depth += (piece in "([{") - (piece in ")]}")
        if depth == 0 and piece in ("||", "?", "//"):
            return iter([condition])
        if depth == 0 and piece == "&&":
            parts.append("")
        else:
            parts[-1] += piece
    return map(str.strip, parts)


def _compared(part: str) -> tuple[str, Range] | None:
    if found := _COMPARISON.fullmatch(part):
        path, sign, number = found.groups()
    elif found := _REVERSED.fullmatch(part):
        number, sign, path = found.groups()
        sign = _FLIPPED[sign]
    else:
        return None
    value = float(number)
    match sign:
        case "<" | "<=":
            return path, Range(high=(value, sign == "<="))
        case ">" | ">=":
            return path, Range(low=(value, sign == ">"))
        case _:
            return path, Range((value, False), (value, True))
