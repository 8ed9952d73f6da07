"""From asking to trusting: which calls people keep approving as they are, and the exact rule for them.

Found in the audit log alone. What is learnt here is proposed to people, and is never in force by itself.
"""

from __future__ import annotations

import glob
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from approvals.audit import Entry
from approvals.canonical import encode
from approvals.model import AgentName, Args, Json, Kind, Principal, Risk
from approvals.policy.entries import MOST_SPENDS
from approvals.policy.writing import cel_argument, cel_text, cel_value, toml_text

LEAST = 20  # approvals running, before a rule is thought of
FEW = 5  # different values that a rule lists one by one
VALUE_CHARS = 200  # of JSON; a longer value is no word of a rule's
MOST_ARGS = 30
ID_CHARS, MARK_CHARS = 16, 4
TOOL_CHARS = 20  # of a tool's name in a rule's

# Somebody wanted it otherwise, more than one had to agree, or the agent itself thought again.
SPOILING = {"rejected", "edited", "redirected", "changes_requested", "revised", "answered"}
SPOILING |= {"objected", "voted", "withdrawn"}
REVIEWED_BADLY = {"flagged", "undo_asked", "undone", "undo_failed"}
BREAKING = {"expired", "undeliverable", "overridden"}  # nobody's regular yes: the count begins anew

_Key: TypeAlias = tuple[str, str, str]  # agent, tool, the rule that asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A kind of call that was approved unchanged so often, and what its calls have in common."""

    agent: AgentName
    tool: str
    rule: str  # that asks now
    risk: Risk  # the highest of them
    requests: tuple[str, ...]  # by id, the oldest first: the newest run, unbroken
    bounds: tuple[str, ...]  # conditions of CEL, each of which all of the calls meet
    open: tuple[str, ...]  # arguments that may be anything
    per_day: int  # twice as many as on the busiest day

    @property
    def id(self) -> str:
        """Names the kind, whatever its numbers are by now."""
        return hashlib.sha256("\0".join((self.agent, self.tool, self.rule)).encode()).hexdigest()[:ID_CHARS]

    @property
    def name(self) -> str:
        """What its rule is called."""
        return f"{self.tool[:TOOL_CHARS].strip()} by {self.agent}, as approved ({self.id[:MARK_CHARS]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A candidate's rule, held against the policy in force and against what people said."""

    candidate: Candidate
    name: str
    rule: str  # as TOML
    place: str  # where it goes in the file, in words
    diff: str | None  # of the file; None where there is none
    saved: int  # asks that it would have spared
    days: int  # in so many
    channel: str  # where such calls are shown now
    approvers: tuple[Principal, ...]  # who decides them now

    @property
    def id(self) -> str:
        return self.candidate.id


def candidates(history: Iterable[Entry], *, least: int = LEAST) -> tuple[Candidate, ...]:
    """What people approved as it was at least `least` times running, the most often first."""
    runs = _Runs()
    for entry in history:
        runs.take(entry)
    found = (
        _candidate(key, calls)
        for key, calls in runs.calls.items()
        if len(calls) >= least and key not in runs.spoilt and key[1] not in runs.spoilt_tools
    )
    return tuple(sorted((each for each in found if each), key=lambda each: (-len(each.requests), each.id)))


def rule_toml(candidate: Candidate, *, name: str | None = None, within: str | None = None) -> str:
    """The rule for a policy file; it narrows the condition of the rule that asks now, `within`."""
    whole = [f"({within})"] if within else []
    return "\n".join(
        (
            "[[rule]]",
            f"name = {toml_text(name or candidate.name)}",
            f"tools = [{toml_text(glob.escape(candidate.tool))}]",
            f"agents = [{toml_text(candidate.agent)}]",
            f"when = {toml_text(' && '.join([*whole, *candidate.bounds]))}",
            'action = "allow"',
            f'budget = {{ count = {candidate.per_day}, per = "1d", by = "agent" }}',
            "",
        )
    )


@dataclass(slots=True)
class _Runs:
    """The log in one pass: of each kind the calls of its newest run, and which kinds are out."""

    asked: dict[str, Entry] = field(default_factory=dict)  # as they were submitted, by request
    calls: defaultdict[_Key, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    spoilt: set[_Key] = field(default_factory=set)
    spoilt_tools: set[str] = field(default_factory=set)

    def take(self, entry: Entry) -> None:
        if entry.event == "submitted":
            self._submitted(entry)
        elif entry.event in REVIEWED_BADLY:
            self.spoilt_tools.add(entry.tool or "")
        elif submitted := self.asked.get(entry.request):
            self._happened(submitted, entry.event, entry.actor)
        elif entry.event in SPOILING:  # submitted before this history begins: whose it was isn't known
            self.spoilt_tools.add(entry.tool or "")

    def _submitted(self, entry: Entry) -> None:
        detail = entry.detail or {}
        if detail.get("kind") != Kind.ACTION.value or not entry.actor.startswith("agent:"):
            return
        if detail.get("masked"):  # a rule would have to tell the secret, or let any other through
            return
        self.asked[entry.request] = entry
        if Risk(str(detail.get("risk", Risk.CRITICAL.value))).is_at_least(Risk.HIGH):
            self.spoilt.add(_key(entry))

    def _happened(self, submitted: Entry, event: str, actor: str) -> None:
        key = _key(submitted)
        if event in SPOILING:
            self.spoilt.add(key)
        elif event == "approved" and actor.startswith("slack:"):
            self.calls[key].append(submitted)
        elif event in BREAKING or event == "approved":  # by the clock
            self.calls[key].clear()


def _key(submitted: Entry) -> _Key:
    return submitted.actor.removeprefix("agent:"), submitted.tool or "", submitted.rule or ""


def _candidate(key: _Key, calls: Sequence[Entry]) -> Candidate | None:
    agent, tool, rule = key
    learnt = learn([entry.args or {} for entry in calls])
    risk = max((Risk(str((entry.detail or {})["risk"])) for entry in calls), key=list(Risk).index)
    if learnt is None or (not learnt.is_narrow and risk is not Risk.LOW):
        return None
    busiest = max(Counter(entry.at.date() for entry in calls).values())
    return Candidate(
        agent=AgentName(agent),
        tool=tool,
        rule=rule,
        risk=risk,
        requests=tuple(entry.request for entry in calls),
        bounds=learnt.bounds,
        open=learnt.open,
        per_day=min(2 * busiest, MOST_SPENDS),
    )


# -- what calls have in common ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    bounds: tuple[str, ...]
    open: tuple[str, ...]
    is_narrow: bool  # whether any argument's value is bound


def learn(calls: Sequence[Args]) -> Learnt | None:
    """The narrowest conditions that we can write and all `calls` meet; None: there are none."""
    names = sorted(set().union(*calls))
    if len(names) > MOST_ARGS or any("\0" in name or len(name) > VALUE_CHARS for name in names):
        return None
    found = {name: _bound(name, calls) for name in names}
    bounds = tuple(bound for bound in found.values() if bound)
    return Learnt(
        bounds=(*_no_others(names, calls), *bounds),
        open=tuple(name for name, bound in found.items() if bound is None),
        is_narrow=bool(bounds) or not names,
    )


def _no_others(names: Sequence[str], calls: Sequence[Args]) -> list[str]:
    """That a call has these arguments, and none that was never seen."""
    always = [name for name in names if all(name in call for call in calls)]
    count = f"size(args) == {len(names)}"
    if len(always) == len(names):
        return [count, f"args.all(arg, arg in {_listed(names)})"] if names else [count]
    needed = [f"{_listed(always)}.all(arg, arg in args)"] if always else []
    return [*needed, f"args.all(arg, arg in {_listed(names)})"]


def _listed(names: Sequence[str]) -> str:
    return f"[{', '.join(map(cel_text, names))}]"


def _bound(name: str, calls: Sequence[Args]) -> str | None:
    """What the values of one argument have in common, as a condition; None: nothing that we can write."""
    values = [call[name] for call in calls if name in call]
    written = _values_bound(cel_argument(name), {encode(value): value for value in values})
    if written is None or len(values) == len(calls):
        return written
    return f"(!({cel_text(name)} in args) || {written})"


def _values_bound(path: str, distinct: Mapping[bytes, Json]) -> str | None:
    values = [distinct[spelled] for spelled in sorted(distinct)]
    if len(values) <= FEW:
        # CEL's engine cuts a text off at a NUL.
        if any(len(spelled) > VALUE_CHARS or b"\\u0000" in spelled for spelled in distinct):
            return None
        few = ", ".join(map(cel_value, values))
        return f"{path} == {few}" if len(values) == 1 else f"{path} in [{few}]"
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return None
    # Nought is the floor where nothing below it was seen: a refund of less than nothing is another thing.
    return f"({path} >= {cel_value(min(0, *numbers))} && {path} <= {cel_value(max(numbers))})"
