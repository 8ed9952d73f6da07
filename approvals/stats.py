"""What the log says of a span of time: how many were asked about, what became of them, who decided how fast.

One pass over the entries, which are not kept. A request's decision is told by exactly one entry, so requests
are counted by those; a vote of several is counted for the person who gave it, and for no request.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from statistics import median

from approvals.audit import Entry
from approvals.model import PersonId

MOST_TIMES = 10_000  # of the newest decisions, from which medians are taken
MOST_TIMES_EACH = 1000  # likewise, of one person
PERSON = "slack:"  # how the actor of an entry begins that is a person

FEW, MANY = 10, 20  # decisions from which on a person's haste, or sameness, says something
HASTE_S = 2.0  # nobody reads a call in less


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often each thing happened. Names are the log's words; `by_grant` and `by_default` are ours."""

    asked: int = 0
    allowed: int = 0
    by_grant: int = 0  # let through by a grant instead of a rule
    denied: int = 0
    approved: int = 0  # by people, as it was asked
    by_default: int = 0  # approved by the deadline's default
    edited: int = 0
    rejected: int = 0
    answered: int = 0
    overridden: int = 0
    expired: int = 0
    cancelled: int = 0
    undeliverable: int = 0
    executed: int = 0
    failed: int = 0
    lapsed: int = 0
    withdrawn: int = 0  # taken back before it was used
    confirmed: int = 0
    flagged: int = 0
    undone: int = 0
    refused: int = 0  # attempts that were not let through

    @property
    def let_through(self) -> int:
        """What was let through without a person."""
        return self.allowed + self.by_grant

    @property
    def decided(self) -> int:
        """What people decided."""
        return self.approved + self.edited + self.rejected + self.answered + self.overridden

    @property
    def ended(self) -> int:
        """What stopped waiting, whoever or whatever ended it; without what a rule denied."""
        return self.decided + self.by_default + self.expired + self.cancelled + self.undeliverable

    @property
    def total(self) -> int:
        return sum(getattr(self, each) for each in _WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonTally:
    """What one person said. Each vote counts, whether or not it was the last that was needed."""

    id: PersonId
    name: str
    approved: int = 0
    edited: int = 0
    rejected: int = 0
    answered: int = 0
    sent_back: int = 0  # with a wish for changes
    seconds: tuple[float, ...] = ()  # from asked to said: of the newest, in the order of time
    yes_seconds: tuple[float, ...] = ()  # likewise, of what was approved as it was, one by one

    @property
    def decisions(self) -> int:
        return self.approved + self.edited + self.rejected + self.answered + self.sent_back

    @property
    def median_s(self) -> float | None:
        return percentile(self.seconds, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A span of time, in numbers."""

    since: datetime
    until: datetime
    counts: Counts
    tools: Mapping[str, Counts]  # the busiest first
    agents: Mapping[str, Counts]  # likewise; without requests whose beginning was not read
    people: tuple[PersonTally, ...]  # who decided most first
    seconds: tuple[float, ...]  # from asked to decided by people: of the newest, in the order of time

    @property
    def is_empty(self) -> bool:
        return self.counts.total == 0 and not self.people

    @property
    def p50_s(self) -> float | None:
        return percentile(self.seconds, 50)

    @property
    def p90_s(self) -> float | None:
        return percentile(self.seconds, 90)


def percentile(seconds: Iterable[float], percent: int) -> float | None:
    """The smallest of these that so many of a hundred do not exceed; None of none."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """What a tally is narrowed to; None does not narrow."""

    tool: str | None = None
    agent: str | None = None
    person: PersonId | None = None


EVERYTHING = Only()


def tally(entries: Iterable[Entry], *, since: datetime, until: datetime, only: Only = EVERYTHING) -> Tally:
    """Count what happened from `since` until just before `until`.

    Entries may come from earlier on: those only tell whose the requests are that were decided in the span.
    """
    counting = Counting(since=since, until=until, only=only)
    for entry in entries:
        counting.add(entry)
    return counting.tally


# -- counting -----------------------------------------------------------------------------------------

_WORDS = tuple(each.name for each in fields(Counts))
_LAST = frozenset({"denied", "rejected", "answered", "expired", "cancelled", "undeliverable"})
_LAST |= {"executed", "failed", "lapsed", "withdrawn"}  # after these no more comes of a request, as a rule
_TIMED = frozenset({"approved", "edited", "rejected", "answered", "overridden"})
_YES = frozenset({"approved", "voted"})
_SAID = {
    "approved": "approved",
    "voted": "approved",
    "overridden": "approved",
    "edited": "edited",
    "redirected": "edited",
    "rejected": "rejected",
    "objected": "rejected",
    "answered": "answered",
    "changes_requested": "sent_back",
}


@dataclass(slots=True)
class _Said:
    """One person's words, as they are counted."""

    name: str = ""
    words: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_TIMES_EACH))
    yes_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_TIMES_EACH))


class Counting:
    """A tally under way: for who reads a log too long to hold."""

    def __init__(self, *, since: datetime, until: datetime, only: Only = EVERYTHING) -> None:
        self._since, self._until, self._only = since, until, only
        self._agents: dict[str, str] = {}  # of requests that may still be heard of
        self._edited: set[str] = set()  # requests whose call a person has changed, and others are asked about
        self._per_tool: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._per_agent: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._people: defaultdict[str, _Said] = defaultdict(_Said)
        self._seconds: deque[float] = deque(maxlen=MOST_TIMES)

    def add(self, entry: Entry) -> None:
        """Count one entry; they come in the order of the log."""
        agent, word = self._agent_of(entry), self._word(entry)
        if self._since <= entry.at < self._until and self._is_wanted(entry, agent):
            self._count(word, entry, agent)

    def _agent_of(self, entry: Entry) -> str | None:
        if entry.event == "submitted":
            self._agents[entry.request] = entry.actor.removeprefix("agent:")
        agent = self._agents.get(entry.request)
        if entry.event in _LAST:
            self._agents.pop(entry.request, None)
        return agent

    def _is_wanted(self, entry: Entry, agent: str | None) -> bool:
        only = self._only
        return (
            (only.tool is None or entry.tool == only.tool)
            and (only.agent is None or agent == only.agent)
            and (only.person is None or entry.actor == f"{PERSON}{only.person}")
        )

    def _word(self, entry: Entry) -> str:
        """By which it is counted. What one changed and the next approved was approved with changes."""
        is_by_person = entry.actor.startswith(PERSON)
        if entry.event == "redirected" or (entry.event == "voted" and entry.args is not None):
            self._edited.add(entry.request)
        elif entry.event == "revised" or entry.event in _LAST:
            self._edited.discard(entry.request)
        elif entry.event == "approved":
            is_edited = entry.request in self._edited
            self._edited.discard(entry.request)
            return ("edited" if is_edited else "approved") if is_by_person else "by_default"
        if entry.event == "allowed" and entry.actor.startswith("grant:"):
            return "by_grant"
        return entry.event

    def _count(self, word: str, entry: Entry, agent: str | None) -> None:
        if word in _WORDS:
            self._counts[word] += 1
            if entry.tool is not None:
                self._per_tool[entry.tool][word] += 1
            if agent is not None:
                self._per_agent[agent][word] += 1
        if entry.actor.startswith(PERSON):
            self._hear(entry)

    def _hear(self, entry: Entry) -> None:
        """Count what a person said of a request."""
        said = "edited" if entry.event == "voted" and entry.args is not None else _SAID.get(entry.event)
        if said is None:
            return
        detail = entry.detail or {}
        person = self._people[entry.actor]
        person.name = str(detail.get("by") or entry.actor.removeprefix(PERSON))
        person.words[said] += 1
        if entry.latency_ms is None:
            return
        seconds = entry.latency_ms / 1000
        person.seconds.append(seconds)
        if entry.event in _TIMED:
            self._seconds.append(seconds)
        if entry.event in _YES and said == "approved" and "bulk" not in detail:
            person.yes_seconds.append(seconds)

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        return Tally(
            since=self._since,
            until=self._until,
            counts=Counts(**self._counts),
            tools=_busiest(self._per_tool),
            agents=_busiest(self._per_agent),
            people=tuple(sorted(map(_person, self._people.items()), key=lambda p: (-p.decisions, p.name))),
            seconds=tuple(self._seconds),
        )


def _busiest(counted: Mapping[str, Mapping[str, int]]) -> dict[str, Counts]:
    every = {name: Counts(**words) for name, words in counted.items()}
    return dict(sorted(every.items(), key=lambda item: (-item[1].total, item[0])))


def _person(item: tuple[str, _Said]) -> PersonTally:
    actor, said = item
    return PersonTally(
        id=PersonId(actor.removeprefix(PERSON)),
        name=said.name,
        **said.words,
        seconds=tuple(said.seconds),
        yes_seconds=tuple(said.yes_seconds),
    )


# -- stamping -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A person whose decisions look as if the calls were not read."""

    person: PersonId
    name: str
    decisions: int
    yes: int  # of the decisions: approved as they were
    no: int
    median_s: float | None  # of the yeses; None: haste is not what was found


def rubber_stamps(tally: Tally) -> tuple[Finding, ...]:
    """Whose yes comes faster than a call is read, and whose decisions are many and all the same."""
    found = (_finding(person) for person in tally.people)
    return tuple(each for each in found if each is not None)


def _finding(person: PersonTally) -> Finding | None:
    is_hasty = len(person.yes_seconds) >= FEW and median(person.yes_seconds) < HASTE_S
    is_same = person.decisions >= MANY and person.decisions in (person.approved, person.rejected)
    if not (is_hasty or is_same):
        return None
    found = Finding(
        person=person.id,
        name=person.name,
        decisions=person.decisions,
        yes=person.approved,
        no=person.rejected,
        median_s=None,
    )
    return replace(found, median_s=median(person.yes_seconds)) if is_hasty else found
