"""What a policy would have made of the calls in the audit log, beside what became of them in fact. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from approvals.audit import Entry
from approvals.budgets import MOST_COUNTED
from approvals.model import Action, AgentName, Args, Json, Kind, PersonId, Risk, Terms
from approvals.policy import Facts, Policy, Spend, Stage, candidates, rate_spend, too_fast
from bot.levers.staging import SELF

ENDS = {"allowed", "denied", "approved", "edited", "rejected", "answered", "overridden"}
ENDS |= {"expired", "cancelled", "undeliverable"}
ASKS = {"submitted", "revised", "denied"}  # which may bring the call as its agent wants it
NOBODY = "nobody"
NO_STAGES: Mapping[str, Stage] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call that was submitted, and what became of it."""

    id: str
    facts: Facts
    at: datetime
    was: Action = Action.ASK  # what the policy of that time said
    ended: str = ""  # the log's word; "": it still waits
    by: str = NOBODY
    said: str = ""
    waited_s: float = 0  # for people
    is_granted: bool = False  # let through by a grant that a person had given

    @property
    def is_rejected(self) -> bool:
        """A person was asked, and said no."""
        return self.was is Action.ASK and self.ended == "rejected"

    @property
    def is_approved(self) -> bool:
        return self.was is Action.ASK and self.ended in ("approved", "edited", "overridden")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One call under the candidate."""

    case: Case
    would: Action
    rule: str
    because: str


@dataclass(slots=True)
class Count:
    """How many calls would come to what; and of them what people said in fact."""

    would: Counter[Action] = field(default_factory=Counter)
    approved: int = 0
    rejected: int = 0
    otherwise: int = 0  # people were asked, and neither

    def add(self, one: Replayed) -> None:
        self.would[one.would] += 1
        if one.case.was is Action.ASK:
            self.approved += one.case.is_approved
            self.rejected += one.case.is_rejected
            self.otherwise += not (one.case.is_approved or one.case.is_rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    day: date
    asked: int
    would_ask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """The whole comparison."""

    policy: str
    since: datetime
    until: datetime
    calls: tuple[Replayed, ...]

    def was(self, action: Action) -> int:
        return sum(each.case.was is action for each in self.calls)

    def would(self, action: Action) -> int:
        return sum(each.would is action for each in self.calls)

    @property
    def granted(self) -> tuple[Replayed, ...]:
        """What grants let through in fact. They are not replayed: they would let it through again."""
        return tuple(each for each in self.calls if each.case.is_granted)

    @property
    def per_rule(self) -> dict[str, Count]:
        """By the rule that would decide, the most used first."""
        return _counted(self.calls, lambda each: each.rule)

    @property
    def per_person(self) -> dict[str, Count]:
        """By who decided in fact what people were asked."""
        return _counted(
            (each for each in self.calls if each.case.was is Action.ASK), lambda each: each.case.by
        )

    @property
    def days(self) -> tuple[Day, ...]:
        """Each day of the span, by UTC, those without calls too."""
        asked, would_ask = Counter[date](), Counter[date]()
        for each in self.calls:
            asked[each.case.at.date()] += each.case.was is Action.ASK
            would_ask[each.case.at.date()] += each.would is Action.ASK
        first, count = self.since.date(), (self.until.date() - self.since.date()).days + 1
        every = (first + timedelta(days=number) for number in range(count))
        return tuple(Day(day=day, asked=asked[day], would_ask=would_ask[day]) for day in every)

    def per_day(self, asks: int) -> float:
        return asks / max((self.until - self.since) / timedelta(days=1), 1)

    @property
    def hours_waited(self) -> float:
        return sum(each.case.waited_s for each in self.calls) / 3600

    @property
    def hours_saved(self) -> float:
        """How long those have waited for people that would not wait any more."""
        return sum(each.case.waited_s for each in self.calls if each.would is not Action.ASK) / 3600

    @property
    def let_through(self) -> tuple[Replayed, ...]:
        """What people rejected and the candidate would allow."""
        return tuple(each for each in self.calls if each.case.is_rejected and each.would.lets_through)

    @property
    def unedited(self) -> tuple[Replayed, ...]:
        """What people changed before they approved it, and the candidate would allow as it was asked."""
        return tuple(each for each in self.calls if each.case.ended == "edited" and each.would.lets_through)

    @property
    def stopped(self) -> tuple[Replayed, ...]:
        """What people approved and the candidate would deny."""
        return tuple(each for each in self.calls if each.case.is_approved and each.would is Action.DENY)


def _counted(calls: Iterable[Replayed], name: Callable[[Replayed], str]) -> dict[str, Count]:
    counts: defaultdict[str, Count] = defaultdict(Count)
    for each in calls:
        counts[name(each)].add(each)
    return dict(sorted(counts.items(), key=lambda item: (-item[1].would.total(), item[0])))


def backtest(
    policy: Policy,
    cases: Iterable[Case],
    *,
    since: datetime,
    until: datetime,
    channel: str,
    stages: Mapping[str, Stage] = NO_STAGES,
) -> Backtest:
    """Judge `cases`, which are in the order of time, as the service would have. Budgets begin full."""
    purse = _Purse()
    calls = tuple(_replayed(policy, case, purse, channel, stages) for case in cases)
    return Backtest(policy=policy.version, since=since, until=until, calls=calls)


def _replayed(
    policy: Policy, case: Case, purse: _Purse, channel: str, stages: Mapping[str, Stage]
) -> Replayed:
    terms = _affordable(policy, case, purse, channel, stages)
    rate = rate_spend(policy, case.facts) if terms.action is Action.ASK else None
    if rate is not None and not purse.take(rate, case.at):
        terms = too_fast(policy, terms)
    return Replayed(case=case, would=terms.action, rule=terms.rule, because=terms.because)


def _affordable(
    policy: Policy, case: Case, purse: _Purse, channel: str, stages: Mapping[str, Stage]
) -> Terms:
    matches = candidates(policy, case.facts, channel=channel, stages=stages)
    return next(match.terms for match in matches if match.spend is None or purse.take(match.spend, case.at))


class _Purse:
    """Budgets as they would have been: windows slide as they do in Redis."""

    def __init__(self) -> None:
        self._taken: defaultdict[str, deque[tuple[datetime, int]]] = defaultdict(deque)
        self._sums: Counter[str] = Counter()

    def take(self, spend: Spend, at: datetime) -> bool:
        taken, window = self._taken[spend.key], timedelta(seconds=spend.window_s)
        while taken and taken[0][0] <= at - window:
            self._sums[spend.key] -= taken.popleft()[1]
        total = self._sums[spend.key] + spend.amount
        count = MOST_COUNTED if spend.count_limit is None else spend.count_limit
        if len(taken) >= count or (spend.sum_limit is not None and total > spend.sum_limit):
            return False
        taken.append((at, spend.amount))
        self._sums[spend.key] = total
        return True


# -- out of the log -----------------------------------------------------------------------------------


class History:
    """Gathers the log, entry by entry, into cases."""

    def __init__(self, since: datetime, *, environment: str) -> None:
        self._since, self._environment = since, environment
        self._chains: dict[str, list[Entry]] = {}

    def add(self, entry: Entry) -> None:
        if _is_asked_for(entry) and entry.at >= self._since:
            self._chains[entry.request] = [entry]
        elif entry.request in self._chains and entry.event in {*ENDS, "asked", "revised"}:
            self._chains[entry.request].append(entry)

    def cases(self, now: datetime) -> Iterator[Case]:
        """All calls, in the order in which they came."""
        for submitted, *later in self._chains.values():
            yield _case(submitted, later, self._environment, now)


def _is_asked_for(entry: Entry) -> bool:
    """Whether it is a call that an agent asked for: what it told of afterwards was for no rule to stop."""
    has_run = (entry.detail or {}).get("kind") == Kind.REVIEW
    return entry.event == "submitted" and entry.actor != f"agent:{SELF}" and not has_run


def _case(submitted: Entry, later: list[Entry], environment: str, now: datetime) -> Case:
    facts = replace(_facts(submitted, environment), args=_last_asked(submitted, later))
    case = Case(id=submitted.request, facts=facts, at=submitted.at)
    answer = later[0].event if later else ""
    if answer in ("allowed", "denied"):
        is_granted = later[0].actor.startswith("grant:")
        case = replace(case, was=_without_asking(later[0]), is_granted=is_granted)
    end = next((entry for entry in later if entry.event in ENDS), None)
    if end is None:
        return replace(case, waited_s=max((now - case.at).total_seconds(), 0))
    detail = end.detail or {}
    return replace(
        case,
        ended=end.event,
        by=str(detail.get("by", end.actor)) if end.event not in ("expired", "undeliverable") else NOBODY,
        said=str(detail.get("text") or ""),
        waited_s=(end.at - case.at).total_seconds() if case.was is Action.ASK else 0,
    )


def _without_asking(entry: Entry) -> Action:
    """What a rule had decided by itself."""
    if entry.event == "denied":
        return Action.DENY
    return Action(str((entry.detail or {}).get("action", Action.ALLOW)))


def _last_asked(submitted: Entry, later: list[Entry]) -> Args:
    """The call as its agent last wanted it, which is what people answered; their own edits don't count."""
    asked = (entry.args for entry in (*reversed(later), submitted) if entry.event in ASKS)
    return next((args for args in asked if args is not None), {})


def _facts(entry: Entry, environment: str) -> Facts:
    detail: Mapping[str, Json] = entry.detail or {}
    args: Args = entry.args or {}
    risk, deadline_s = detail.get("wished_risk"), detail.get("wished_deadline_s")
    confidence, tags = detail.get("confidence"), detail.get("tags")
    return Facts(
        kind=Kind(str(detail.get("kind", Kind.ACTION.value))),
        tool=entry.tool or "",
        args=args,
        agent=AgentName(entry.actor.removeprefix("agent:")),
        risk=Risk(str(risk)) if risk is not None else None,
        on_behalf_of=PersonId(str(detail["on_behalf_of"])) if "on_behalf_of" in detail else None,
        deadline_s=deadline_s if isinstance(deadline_s, int) else None,
        confidence=float(confidence) if isinstance(confidence, int | float) else None,
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        environment=environment,
        now=entry.at,
    )
