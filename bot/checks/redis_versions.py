"""Versions of Redis and Valkey that have faults which matter here, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Product: TypeAlias = Literal["redis", "valkey"]
Version: TypeAlias = tuple[int, int, int]

OLDEST: Version = (6, 2, 0)  # the first with GETDEL, by which a permit is taken once


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A fault of some releases."""

    name: str
    what: str
    source: str
    since: Mapping[Product, Version]  # a product that isn't named never had it
    fixed: Mapping[Product, tuple[Version, ...]]  # the first release without it, in each line that got one

    def is_in(self, product: Product, version: Version) -> bool:
        """Whether this release has it: a line that got no fix has it until the newest line that did."""
        if product not in self.since or version < self.since[product]:
            return False
        fixes = self.fixed[product]
        own = [fix for fix in fixes if fix[:2] == version[:2]]
        return version < (own[0] if own else max(fixes))


KNOWN = (
    Known(
        name="CVE-2025-49844",
        what="whoever may run scripts can run code on the server",
        source="https://redis.io/blog/security-advisory-cve-2025-49844/",
        since={"redis": (2, 6, 0), "valkey": (7, 2, 0)},
        fixed={
            "redis": ((6, 2, 20), (7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2)),
            "valkey": ((7, 2, 11), (8, 0, 6), (8, 1, 4)),
        },
    ),
    Known(
        name="CVE-2026-23479",
        what="whoever may run blocking commands may be able to run code on the server",
        source="https://nvd.nist.gov/vuln/detail/CVE-2026-23479",
        since={"redis": (7, 2, 0)},
        fixed={"redis": ((7, 2, 14), (7, 4, 9), (8, 2, 6), (8, 4, 3), (8, 6, 3))},
    ),
    Known(
        name="CVE-2026-81934",
        what="with TLS, whoever reaches the server may be able to run code on it",
        source="https://www.cve.org/CVERecord?id=CVE-2026-81934",
        since={"redis": (8, 2, 0)},  # of older lines it says nothing
        fixed={"redis": ((8, 2, 9), (8, 4, 6), (8, 6, 6), (8, 8, 2), (8, 10, 1))},
    ),
    Known(
        name="redis/redis#13793",
        what="WAITAOF answers before the data is on disk; we use WAIT, but don't let others rely on it",
        source="https://github.com/redis/redis/pull/13793",
        since={"redis": (7, 4, 0)},
        fixed={"redis": ((7, 4, 3),)},
    ),
)


def version_of(text: str) -> Version | None:
    """The numbers of a version as INFO tells it."""
    numbers = text.split("-")[0].split(".")
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        return None
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def known_in(product: Product, version: Version) -> list[Known]:
    return [known for known in KNOWN if known.is_in(product, version)]
