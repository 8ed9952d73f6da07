"""What the rows of a digest add up to, in words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from approvals.digest import Row
from blocks.text import one_line

MILLION = 1_000_000
UNIT_CHARS = 12


@dataclass(frozen=True, slots=True)
class Sum:
    """Of some rows: how many, what they add up to, and how many of them have no amount."""

    count: int
    amount: int | None  # in millionths; None: no row has one
    without: int

    def words(self, unit: str) -> str:
        """The sum, or nothing where there is none."""
        if self.amount is None:
            return ""
        without = f" ({self.without:,} without an amount)" if self.without else ""
        return money(self.amount, unit) + without


def add_up(rows: Iterable[Row]) -> Sum:
    amounts = [row.amount for row in rows]
    known = [amount for amount in amounts if amount is not None]
    return Sum(len(amounts), sum(known) if known else None, len(amounts) - len(known))


def money(millionths: int, unit: str) -> str:
    """`$1,310.00`, `1,310 credits`: a sign stands before the number, a word behind it."""
    unit = one_line(unit, UNIT_CHARS)
    is_sign = any(unicodedata.category(letter) == "Sc" for letter in unit)
    number = Decimal(abs(millionths)) / MILLION
    minus = "-" if millionths < 0 else ""
    is_round = number == number.to_integral_value() and not is_sign
    places = 0 if is_round else max(2, -int(number.normalize().as_tuple().exponent))
    told = f"{number:,.{places}f}"
    if is_sign:
        return f"{minus}{unit}{told}"
    return f"{minus}{told} {unit}".rstrip()
