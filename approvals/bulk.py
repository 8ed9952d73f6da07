"""One click on many rows of a digest: what it means, and how far it has come. Values and rules, pure.

It is written down before the click is acknowledged, so that whoever finds it can carry it out to its end.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from approvals.digest import Covered, DigestId
from approvals.ids import ALPHABET, LETTERS
from approvals.model import PersonId, Request

BulkId = NewType("BulkId", str)  # "B-" and 26 letters


class BulkVerb(StrEnum):
    """What one click does to many."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """Who wants what of which rows, as they saw them."""

    id: BulkId
    digest: DigestId
    channel: str  # the digest's, where its clicker is told of it
    by: PersonId
    team: str | None
    verb: BulkVerb
    words: str | None  # the reason, or a note
    covered: Covered
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What became of one row."""

    is_done: bool
    why_not: str = ""  # the sentence for the clicker


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A bulk and what has become of its rows so far, by their places in it."""

    bulk: Bulk
    results: Mapping[int, RowResult] = field(default_factory=dict)

    @property
    def open_rows(self) -> list[int]:
        return [place for place in range(len(self.bulk.covered.rows)) if place not in self.results]


def new_bulk_id() -> BulkId:
    return BulkId("B-" + "".join(secrets.choice(ALPHABET) for _ in range(LETTERS)))


def has_said(request: Request, person: PersonId, verb: BulkVerb) -> bool:
    """Whether this person has said just that of it already: alone, or by a bulk that was broken off."""
    said = request.votes if verb is BulkVerb.APPROVE else request.objections
    words = ("approved", "edited") if verb is BulkVerb.APPROVE else ("rejected",)
    decision = request.decision
    if decision is not None:
        return decision.by.id == f"slack:{person}" and decision.word in words
    return any(each.person == person for each in said)
