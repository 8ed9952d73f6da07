"""What everybody was told, and whether what was found afterwards agrees with it.

A history is written by the actors: agents, people, tools. It knows nothing of how the system works, so ours
and others are judged alike. `Books` are what the system has kept: its requests, and its audit log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from approvals.canonical import fingerprint
from approvals.model import Args

APPROVING: Final = frozenset({"approved", "edited"})
DECIDING: Final = APPROVING | {"rejected", "answered", "expired", "cancelled", "denied", "undeliverable"}
# By which words the log may tell what a person has said, and where that may leave the request.
WORDS: Final = {
    "approve": frozenset({"voted", "approved"}),
    "edit": frozenset({"voted", "edited"}),
    "reject": frozenset({"rejected"}),
    "answer": frozenset({"answered"}),
    "changes": frozenset({"changes_requested"}),
    "take back": frozenset({"withdrawn"}),
}
_APPROVED = frozenset({"approved", "executing", "executed", "failed", "withdrawn", "lapsed"})
LEADS_TO: Final = {
    "approve": _APPROVED,
    "edit": _APPROVED,
    "reject": frozenset({"rejected"}),
    "answer": frozenset({"answered"}),
    "take back": frozenset({"withdrawn"}),
}


class Told(StrEnum):
    """What somebody learned of what they did."""

    RECORDED = "recorded"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    person: str
    verb: str
    request: str
    args: Args | None  # what the card showed, or what an edit made of it
    told: Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A tool has run: an effect in the world, which no one can take back."""

    request: str
    args: Args


@dataclass(slots=True)
class History:
    """What happened, as those saw it to whom it happened."""

    tool: str = "refund"
    asked: list[tuple[str, str]] = field(default_factory=list)  # the agent's key, and the id it was told
    clicks: list[Click] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)  # whose claim was answered with leave to run
    unsure: set[str] = field(default_factory=set)  # whose claim was not answered, so that it was not run
    runs: list[Run] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)  # whose report was acknowledged
    bugs: list[str] = field(default_factory=list)  # what no part of the system may raise

    @property
    def acknowledged(self) -> int:
        """To how many deeds somebody was told that they are recorded."""
        told = sum(click.told is Told.RECORDED for click in self.clicks)
        return len(self.asked) + told + len(self.claimed) + len(self.reported)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A request as the system has it."""

    id: str
    status: str
    entries: int | None = None  # how many entries of the log there must be of it, where the system counts
    by: frozenset[str] = frozenset()  # who has decided or voted, as the request itself has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry of the system's log."""

    request: str
    event: str
    actor: str
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    requests: dict[str, Kept]
    log: list[Line]
    faults: tuple[str, ...] = ()  # what the system's own check of its log says


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is to hold of the requests of one scenario."""

    voters: frozenset[str]
    quorum: int = 1
    ends: frozenset[str] = frozenset({"executed", "executing"})  # as people wanted it to end
    is_asked: bool = True  # whether people must have approved what runs


@dataclass(frozen=True, slots=True)
class Wrong:
    """`kind` is one of figures.WRONGS."""

    kind: str
    sentence: str


def wrongs(history: History, books: Books, rules: Rules) -> list[Wrong]:
    """All that doesn't agree."""
    check = _Check(history, books, rules)
    found = [*check.clicks(), *check.agents(), *check.runs(), *check.log(), *check.ends()]
    return list(dict.fromkeys(found))


class _Check:
    def __init__(self, history: History, books: Books, rules: Rules) -> None:
        self.history, self.books, self.rules = history, books, rules

    def of(self, request: str) -> list[Line]:
        return [line for line in self.books.log if line.request == request]

    def clicks(self) -> Iterator[Wrong]:
        """Who was told that it is recorded finds it in the request, in the log, and unchanged."""
        for click in self.history.clicks:
            if click.told is Told.RECORDED:
                yield from self._recorded(click)

    def _recorded(self, click: Click) -> Iterator[Wrong]:
        who = f"{click.person}'s {click.verb} of {click.request}"
        kept, lines = self.books.requests.get(click.request), self.of(click.request)
        mine = [
            line
            for line in lines
            if line.actor == f"slack:{click.person}" and line.event in WORDS[click.verb]
        ]
        if kept is None:
            yield Wrong("lost", f"{who} was acknowledged, and the request is gone")
            return
        leads_to = LEADS_TO.get(click.verb) if self.rules.quorum == 1 else None
        if leads_to is not None and kept.status not in leads_to:
            is_there = mine or click.person in kept.by
            kind = "changed" if is_there or kept.status not in ("pending", "approved") else "lost"
            yield Wrong(kind, f"{who} was acknowledged, and the request is {kept.status}")
        elif not mine:
            kind = "unaudited" if leads_to or click.person in kept.by else "lost"
            yield Wrong(kind, f"{who} was acknowledged, and the log has no entry of it")
        seen = None if click.args is None else fingerprint(self.history.tool, click.args)
        if mine and seen is not None and all(line.fingerprint != seen for line in mine):
            yield Wrong("changed", f"{who} was recorded for another call than the card showed")

    def agents(self) -> Iterator[Wrong]:
        """What agents were told is there, and is one for each key."""
        ids: dict[str, set[str]] = {}
        for key, request in self.history.asked:
            ids.setdefault(key, set()).add(request)
            if request not in self.books.requests:
                yield Wrong("lost", f"{request} was taken in, and is gone")
        for key, several in ids.items():
            if len(several) > 1:
                yield Wrong("doubled", f"one call, with the key {key}, became {len(several)} requests")
        for request in self.history.claimed:
            if not any(line.event == "claimed" for line in self.of(request)):
                yield Wrong("unaudited", f"{request} was claimed, and the log has no entry of it")
        for request in self.history.reported:
            if not any(line.event in ("executed", "failed") for line in self.of(request)):
                yield Wrong("lost", f"a report of {request} was taken in, and is not in the log")

    def runs(self) -> Iterator[Wrong]:
        """What ran was approved, by enough who may, as it ran, and ran once."""
        count = Counter(run.request for run in self.history.runs)
        for request, times in count.items():
            if times > 1:
                yield Wrong("doubled", f"{request} ran {times} times")
        for run in self.history.runs if self.rules.is_asked else ():
            yield from self._ran(run)

    def _ran(self, run: Run) -> Iterator[Wrong]:
        said = [
            click for click in self.history.clicks if click.request == run.request and click.verb in WORDS
        ]
        yes = [click for click in said if click.verb in ("approve", "edit")]
        may = {click.person for click in yes} & self.rules.voters
        exactly = {click.person for click in yes if click.args == run.args} & self.rules.voters
        if len(may) < self.rules.quorum:
            who = sorted({click.person for click in yes}) or "nobody"
            yield Wrong("unauthorised", f"{run.request} ran, and {who} had approved it")
        elif len(exactly) < self.rules.quorum:
            yield Wrong("changed", f"{run.request} ran with {run.args}, which is not what was approved")
        kept = self.books.requests.get(run.request)
        if kept is not None and kept.status in ("rejected", "expired", "cancelled", "answered", "pending"):
            yield Wrong("changed", f"{run.request} ran, and is {kept.status}")
        if not any(line.event == "claimed" for line in self.of(run.request)):
            yield Wrong("unaudited", f"{run.request} ran, and the log does not say that it began")

    def log(self) -> Iterator[Wrong]:
        """The log holds, tells all of each request, and of nobody who may not."""
        for fault in self.books.faults:
            yield Wrong("unaudited", f"the log does not hold: {fault}")
        for kept in self.books.requests.values():
            lines = self.of(kept.id)
            if kept.entries is not None and kept.entries != len(lines):
                yield Wrong("unaudited", f"{kept.id} has {len(lines)} entries, not {kept.entries}")
            yield from self._endings(kept, lines)
        said = frozenset().union(*WORDS.values())
        for line in self.books.log:
            person = line.actor.removeprefix("slack:")
            if line.event in said and line.actor != person and person not in self.rules.voters:
                yield Wrong("unauthorised", f"{person}'s {line.event} of {line.request} was counted")

    def _endings(self, kept: Kept, lines: list[Line]) -> Iterator[Wrong]:
        ends = [line for line in lines if line.event in DECIDING]
        if len(ends) > 1:
            told = ", ".join(f"{line.event} by {line.actor}" for line in ends)
            yield Wrong("changed", f"{kept.id} ended {len(ends)} times: {told}")
        if sum(line.event == "claimed" for line in lines) > 1:
            yield Wrong("doubled", f"{kept.id} was claimed more than once")
        votes = Counter((line.actor, line.fingerprint) for line in lines if line.event == "voted")
        if any(count > 1 for count in votes.values()):
            yield Wrong("doubled", f"somebody's vote on {kept.id} was counted more than once")

    def ends(self) -> Iterator[Wrong]:
        """Everything came to an end that people wanted, and nothing broke in a way nobody foresaw."""
        for request in dict.fromkeys(request for _, request in self.history.asked):
            kept = self.books.requests.get(request)
            unused = {"approved"} if request in self.history.unsure else set()
            if kept is not None and kept.status not in self.rules.ends | unused:
                yield Wrong("violations", f"{request} ended {kept.status}")
        for bug in self.history.bugs:
            yield Wrong("violations", bug)
