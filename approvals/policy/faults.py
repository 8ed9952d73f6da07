"""What is wrong in a policy file: where, what, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

from approvals.errors import ApprovalsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    place: str  # "[defaults]", "rule “refunds”", "[people]", "the file"
    what: str
    mend: str
    line: int | None = None  # where it could be found

    def __str__(self) -> str:
        line = f"line {self.line}, " if self.line else ""
        return f"{line}{self.place}: {self.what}; {self.mend}"


class PolicyFaults(ApprovalsError):
    """The policy file can't be used. It carries every fault, so that one reading mends them all."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
