"""[defaults] and each [[rule]] of a policy file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

from approvals.calendars import Calendar
from approvals.model import CHANNEL, Action, Assurance, Group, Kind, OnDeadline, Principal, Remind, Risk, Step
from approvals.policy import people, readers
from approvals.policy.agreeing import shortfall
from approvals.policy.conditions import LARGEST_SUM, Condition, Language, micros
from approvals.policy.globs import ANYTHING, covers
from approvals.policy.people import People
from approvals.policy.ranges import NONE, Demands, demands
from approvals.policy.rules import RESERVED_NAMES, Approvers, Budget, By, Digest, Rule, Settings
from approvals.policy.tables import Table, Wrong, tell, told

MOST_SPENDS = 100_000  # that a budget counts
_GLOB_CHARS = set("*?[")
ASSURANCE = readers.one_of(Assurance)
_ELSEWHERE = {
    **dict.fromkeys(("retention", "rate", "pause_after", "collapse", "assurance_for"), "[defaults]"),
    "operators_channel": "[owners]",
}
_ONLY_IN_RULES = dict.fromkeys(("when", "budget", "tools", "agents", "kind", "reason", "name"), "a [[rule]]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What rules may name."""

    sets: People
    calendars: Mapping[str, Calendar]
    digests: Mapping[str, Digest]
    language: Language


def defaults(table: Table, known: Known) -> Settings:
    found = _settings(table, Settings(assurance_for=_assurance_for(table)), known)
    table.close(elsewhere=_ONLY_IN_RULES)
    return found


def rules(entries: list[Table], inherited: Settings, known: Known) -> tuple[Rule, ...]:
    found: list[Rule] = []
    above = _Above()
    names: set[str] = set()
    for table in entries:
        faults = table.fault_count
        rule = _rule(table, inherited, known)
        if rule.name and rule.name in names:
            table.fault("name", "another rule has this name", "choose another name")
        wants = demands(rule.when.text) if rule.when else NONE
        if hiding := above.hiding(rule, wants):
            what = f"it is never reached: rule “{hiding.name}” above it takes all its calls"
            table.fault("", what, "move it up, or take it out")
        if rule.when and table.fault_count == faults:
            _check_condition(table, rule, rule.when, wants)
        found.append(rule)
        names.add(rule.name)
        if table.fault_count == faults:  # what a faulty rule takes is not known: it hides no others
            above.add(rule, wants)
    return tuple(found)


class _Above:
    """The rules above another, found by a tool they are for: to try each against each takes seconds."""

    def __init__(self) -> None:
        self._by_tool: dict[str, list[tuple[Rule, Demands]]] = {}
        self._by_pattern: list[tuple[Rule, Demands]] = []

    def add(self, rule: Rule, wants: Demands) -> None:
        if rule.budget is not None:  # past it the next one is reached
            return
        if any(_GLOB_CHARS & set(glob) for glob in rule.tools):
            self._by_pattern.append((rule, wants))
            return
        for tool in rule.tools:
            self._by_tool.setdefault(tool, []).append((rule, wants))

    def hiding(self, rule: Rule, wants: Demands) -> Rule | None:
        """One that surely takes all of its calls."""
        known = chain(self._by_tool.get(rule.tools[0], ()), self._by_pattern)
        return next((other for other, its in known if _takes_all_of(other, its, rule, wants)), None)


def _takes_all_of(other: Rule, its: Demands, rule: Rule, wants: Demands) -> bool:
    is_kind_covered = other.kind is None or other.kind is rule.kind
    return (
        is_kind_covered
        and its.cover(wants)
        and covers(other.tools, rule.tools)
        and covers(other.agents, rule.agents)
    )


def _check_condition(table: Table, rule: Rule, when: Condition, wants: Demands) -> None:
    """Find a condition that holds for no call, or for every one."""
    if wants.contradiction:
        table.fault(
            "when",
            f"`when` can never hold: no number {wants.contradiction} is like that",
            "correct it, or take the rule out",
        )
        return
    plain = {"tool": rule.tools, "agent": rule.agents}
    names = {
        name: globs for name, globs in plain.items() if not any(_GLOB_CHARS & set(glob) for glob in globs)
    }
    tried = when.tried({"risk": list(Risk), "kind": [rule.kind] if rule.kind else list(Kind), **names})
    if tried == {False}:
        table.fault("when", "`when` can never hold", "correct it, or take the rule out")
    if tried == {True}:
        table.fault("when", "`when` holds for every call", "correct it, or leave it out")


def _rule(table: Table, inherited: Settings, known: Known) -> Rule:
    name = table.read("name", readers.name, "")
    if name:
        table.place = f"rule “{name}”"
    if name in RESERVED_NAMES:
        table.fault("name", f"`{name}` stands for what the service says itself", "choose another name")
    elif "name" not in table:
        table.fault("", "it has no `name`", "give it one: cards and the audit log tell it")
    if not any(key in table for key in ("tools", "agents", "kind")):
        table.fault("", "it does not say what it is for", 'write `tools = ["*"]` if it is for everything')
    rule = Rule(
        name=name,
        tools=table.read("tools", readers.globs, (ANYTHING,)),
        agents=table.read("agents", readers.globs, (ANYTHING,)),
        kind=table.read("kind", readers.one_of(Kind), None),
        when=table.read("when", known.language.condition, None),
        budget=_budget(table, known.language) if "budget" in table else None,
        reason=table.read("reason", readers.line_of_text, None),
        settings=_settings(table, inherited, known),
    )
    if rule.kind is Kind.QUESTION and rule.settings.action.lets_through:
        done = "allowed" if rule.settings.action is Action.ALLOW else "reviewed"
        table.fault("action", f"a question can't be {done}: only a person answers it", 'use "ask" or "deny"')
    if rule.kind is Kind.QUESTION and "assurance" in table:
        table.fault("assurance", "a question has no `assurance`: answers are clicked", "leave it out")
    if rule.budget and rule.settings.action is Action.DENY:
        table.fault(
            "budget", "a rule that denies would stop denying past its `budget`", "leave the budget out"
        )
    table.close(elsewhere=_ELSEWHERE)
    return rule


def _budget(rule: Table, language: Language) -> Budget | None:
    written = rule.raw("budget", None)
    table = rule.inner("budget", written)
    if not isinstance(written, dict):
        return None
    budget = Budget(
        count=table.read("count", _count, None),
        amount=table.read("sum", language.amount, None),
        limit_micros=table.read("limit", _limit, None),
        per_s=table.read("per", readers.span, 0),
        by=table.read("by", readers.one_of(By), None),
    )
    if ("sum" in table) != ("limit" in table):
        table.fault(
            "sum", "`sum` and `limit` belong together", 'write both: sum = "args.amount", limit = 500'
        )
    elif not any(key in table for key in ("count", "sum")):
        table.fault("", "it limits nothing", "write `count`, or `sum` and `limit`")
    if "per" not in table:
        table.fault("", "it has no `per`", 'write how long it lasts, such as per = "1d"')
    table.close()
    return budget


def _count(value: object) -> int:
    count = readers.whole_number(1)(value)
    if count > MOST_SPENDS:
        raise Wrong(f"is {tell(value)}", f"use at most {MOST_SPENDS:,}")
    return count


def _limit(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LARGEST_SUM:
        raise Wrong(f"is {tell(value)}", f"use a number above 0, at most {LARGEST_SUM:,}")
    return micros(value)


def _settings(table: Table, inherited: Settings, known: Known) -> Settings:
    approvers = table.read("approvers", people.approvers(known.sets), inherited.approvers)
    settings = Settings(
        action=table.read("action", readers.one_of(Action), inherited.action),
        channel=table.read("channel", readers.channel_or_dm, inherited.channel),
        approvers=approvers,
        rejections=table.read("rejections", readers.whole_number(1), inherited.rejections),
        deadline_s=table.read("deadline", readers.span_or_never, inherited.deadline_s),
        on_deadline=table.read("on_deadline", readers.one_of(OnDeadline), inherited.on_deadline),
        risk=table.read("risk", readers.one_of(Risk), inherited.risk),
        use_within_s=table.read("use_within", readers.span, inherited.use_within_s),
        burst=table.read("burst", readers.whole_number(0), inherited.burst),
        self_approval=table.read("self_approval", readers.flag, inherited.self_approval),
        guests=table.read("guests", readers.flag, inherited.guests),
        assurance=table.read("assurance", ASSURANCE, inherited.assurance),
        assurance_for=inherited.assurance_for,
        extend_s=table.read("extend", readers.span, inherited.extend_s),
        sample=table.read("sample", readers.share, inherited.sample),
        ladder=_ladder(table, known) if "ladder" in table else inherited.ladder,
        quiet=table.read("quiet", _one_named(known.calendars, "calendar"), inherited.quiet),
        digest=inherited.digest,
    )
    digest = table.read("digest", _one_named(known.digests, "digest"), None)
    settings = replace(settings, digest=digest.name if digest else inherited.digest)
    settings = _with_quorum(table, settings, inherited, known)
    settings = replace(settings, ping=_ping(table, settings.approvers, inherited, known))
    if settings.action is not Action.DENY:
        _check_together(table, settings)
    return settings


def _assurance_for(table: Table) -> tuple[tuple[Risk, Assurance], ...]:
    """What a yes takes from a risk on, whatever the rules say."""
    if "assurance_for" not in table:
        return ()
    inner = table.inner("assurance_for", table.raw("assurance_for", {}))
    named = [risk for risk in Risk if risk in inner]
    found = tuple((risk, inner.read(risk.value, ASSURANCE, Assurance.CLICK)) for risk in named)
    inner.close()
    return found


def _ping(
    table: Table, approvers: Approvers, inherited: Settings, known: Known
) -> tuple[Principal, ...] | None:
    """Who is called. A rule with approvers of its own begins anew, unless the defaults call nobody."""
    is_new = approvers != inherited.approvers and inherited.ping != ()
    called = table.read("ping", people.called(known.sets), None if is_new else inherited.ping)
    if "ping" in table and called and (strangers := people.not_among(called, approvers.principals)):
        what = f"`ping` names {told(strangers)}, but `approvers` does not"
        table.fault("ping", what, "name only those who may decide, or add them to `approvers`")
    return called


def _one_named(values: Mapping[str, readers.T], what: str) -> readers.Reader[readers.T]:
    def read(value: object) -> readers.T:
        if not isinstance(value, str) or value not in values:
            mend = f"known are {told(values)}" if values else f"write it under a line [{what}s.NAME]"
            raise Wrong(f"is {tell(value)}, which is no {what} of this file", mend)
        return values[value]

    return read


def _with_quorum(table: Table, settings: Settings, inherited: Settings, known: Known) -> Settings:
    wanted = table.raw("quorum", None)
    if isinstance(wanted, dict):
        groups = _groups(table, wanted, known)
        members = chain.from_iterable(group.principals for group in groups)
        stated = settings.approvers.principals if "approvers" in table else ()
        everyone = tuple(dict.fromkeys((*members, *stated)))
        words = " and ".join(group.name for group in groups)
        return (
            replace(settings, groups=groups, approvers=Approvers(principals=everyone, words=words))
            if groups
            else settings
        )
    quorum = table.read("quorum", readers.whole_number(1), inherited.quorum)
    if "quorum" in table:
        return replace(settings, quorum=quorum)
    if inherited.groups and "approvers" in table:
        what = "it names other `approvers` than the groups of the `quorum` in [defaults]"
        table.fault("approvers", what, "write its own `quorum`")
    return replace(settings, quorum=inherited.quorum, groups=inherited.groups)


def _groups(table: Table, wanted: Mapping[str, object], known: Known) -> tuple[Group, ...]:
    inner = table.inner("quorum", wanted)
    if not wanted:
        inner.fault("", "it asks for nobody", "use a number, or { directors = 1 }")
    found = []
    for name in inner.keys:
        needed = inner.read(name, readers.whole_number(1), 1)
        try:
            principals = people.approvers(known.sets)([name]).principals
        except Wrong as wrong:
            inner.fault(name, f"`{name}` {wrong.what}", wrong.mend)
        else:
            found.append(Group(name=name, principals=principals, needed=needed))
    return tuple(found)


def _ladder(table: Table, known: Known) -> tuple[Step, ...]:
    entries = table.raw("ladder", [])
    if not isinstance(entries, list) or not entries:
        table.fault(
            "ladder", f"`ladder` is {tell(entries)}", 'list steps, such as [{ after = "30m", remind = "dm" }]'
        )
        return ()
    steps = [
        _step(table.inner("ladder", entry, f"step {n} of `ladder`"), known)
        for n, entry in enumerate(entries, 1)
    ]
    return tuple(sorted(steps, key=lambda step: step.after_s))


def _step(table: Table, known: Known) -> Step:
    added = table.read("add", people.approvers(known.sets), None)
    step = Step(
        after_s=table.read("after", readers.span, 0),
        remind=table.read("remind", readers.one_of(Remind), None),
        add=added.principals if added else (),
        channel=table.read("channel", readers.channel, None),
    )
    if "after" not in table:
        table.fault("", "it has no `after`", 'write when, such as after = "30m"')
    if not any(key in table for key in ("remind", "add", "channel")):
        table.fault("", "it does nothing", "write any of `remind`, `add` and `channel`")
    table.close()
    return step


def _check_together(table: Table, settings: Settings) -> None:
    """Find what each value allows alone and all together do not; no rule is blamed for the defaults."""

    def says(*keys: str) -> bool:
        return any(key in table for key in keys)

    at_most = settings.approvers.at_most
    if says("quorum", "approvers") and not settings.groups and at_most and settings.quorum > at_most:
        what = f"`quorum` is {settings.quorum}, but only {at_most} may decide"
        table.fault("quorum", what, f"use {at_most} or less, or name more `approvers`")
    if says("quorum") and settings.groups and (short := shortfall(settings.groups)):
        what = f"`quorum` can't be met: each counts for one group only, and there are too few for {short!r}"
        table.fault("quorum", what, "ask for fewer, or name more people")
    if says("action", "risk") and settings.action is Action.REVIEW and settings.risk is Risk.CRITICAL:
        what = '`action` = "review" with critical risk: it would run before anybody looked'
        table.fault("action" if says("action") else "risk", what, 'write `action = "ask"`')
    is_silent_yes = settings.on_deadline is OnDeadline.APPROVE
    if says("on_deadline", "risk") and is_silent_yes and settings.risk.is_at_least(Risk.HIGH):
        what = f'`on_deadline` = "approve" with {settings.risk} risk would let it run because nobody looked'
        table.fault("on_deadline", what, 'write `on_deadline = "expire"` here')
    if says("on_deadline", "assurance") and is_silent_yes and settings.assurance is not Assurance.CLICK:
        what = f'`on_deadline` = "approve" is a yes of nobody, but `assurance` is {settings.assurance}'
        table.fault("on_deadline", what, 'write `on_deadline = "expire"` here')
    if says("channel", "approvers") and settings.channel == "dm" and CHANNEL in settings.approvers.principals:
        what = '`channel` = "dm" has no members, but `approvers` names the channel'
        table.fault("channel", what, "name people, groups or sets as `approvers`")
    late = [
        step
        for step in settings.ladder
        if settings.deadline_s is not None and step.after_s >= settings.deadline_s
    ]
    if says("ladder", "deadline") and late:
        what = "`ladder` has a step that comes when the `deadline` is over"
        table.fault(
            "ladder" if says("ladder") else "deadline",
            what,
            "let it come earlier, or write a longer `deadline`",
        )
