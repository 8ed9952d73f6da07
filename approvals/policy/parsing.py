"""The policy file, read whole: either a policy, or every fault in it."""

from __future__ import annotations

import hashlib
import re
import tomllib

from approvals.model import CHANNEL, Action, Kind, OnDeadline, Risk
from approvals.policy import people, readers
from approvals.policy.faults import Fault, PolicyFaults
from approvals.policy.globs import ANYTHING, covers
from approvals.policy.people import People
from approvals.policy.rules import DEFAULT, DEFAULTS, Policy, Rule, Settings
from approvals.policy.tables import Lines, Table, find_lines, tell

FILE_CHARS = 1_000_000
VERSION_CHARS = 12  # of the hash of the file: enough to tell versions apart, short enough to say
_LAST_LINE = re.compile(r"\(at line (\d+), column \d+\)$|\(at end of document\)$")

# What `docs/policies.md` lists as still to come. A rule that needs one of these must not run without it.
_COMING_SETTINGS = (
    "rejections", "assurance", "extend", "sample", "quiet", "ladder", "digest", "when", "budget",
)  # fmt: skip
_COMING_DEFAULTS = (*_COMING_SETTINGS, "rate", "pause_after", "collapse")
_COMING_TABLES = ("calendars", "digests", "stages")
_COMING_OWNERS = ("policy", "override", "freeze")
_IN_DEFAULTS_ONLY = ("retention", "rate", "pause_after", "collapse")


def parse(text: str) -> Policy:
    """Read the policy file.

    Raises:
        PolicyFaults: with every fault in it, in the order of its lines.
    """
    faults: list[Fault] = []
    root = Table(_toml(text), "", lines=find_lines(text), faults=faults)
    policy = _policy(root, find_lines(text), faults, version=_version(text))
    if faults:
        raise PolicyFaults(tuple(sorted(faults, key=lambda fault: (fault.line or 0, str(fault)))))
    return policy


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_CHARS]


def _toml(text: str) -> dict[str, object]:
    if len(text) > FILE_CHARS:
        raise _whole(f"it has {len(text):,} characters", f"at most {FILE_CHARS:,} are read")
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        raise _whole("it is nested too deeply", "take some brackets out") from None
    except tomllib.TOMLDecodeError as error:
        found = _LAST_LINE.search(str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        what = _LAST_LINE.sub("", str(error)).strip() or "it is not TOML"
        raise _whole(f"it is not TOML: {what}", "texts need quotes, lists brackets", line) from error


def _whole(what: str, mend: str, line: int | None = None) -> PolicyFaults:
    return PolicyFaults((Fault(place="the file", what=what, mend=mend, line=line),))


def _policy(root: Table, lines: Lines, faults: list[Fault], *, version: str) -> Policy:
    def table(name: str) -> Table:
        return Table(root.raw(name, {}), name, lines=lines, faults=faults)

    version_of_format = root.raw("version", None)
    if version_of_format != 1 or isinstance(version_of_format, bool):
        root.fault("version", "`version` is not 1", "write `version = 1` as the first line")
    sets = people.read_people(table("people"))
    defaults, retention_s = _defaults(table("defaults"), sets)
    owners = table("owners")
    operators = table("operators")
    policy = Policy(
        version=version,
        defaults=defaults,
        rules=_rules(root, lines, faults, defaults, sets),
        retention_s=retention_s,
        operators={
            login: person
            for login in operators.keys
            if (person := operators.read(login, readers.person, None)) is not None
        },
        operators_channel=owners.read("operators_channel", readers.channel, None),
    )
    owners.close(coming=_COMING_OWNERS)
    root.close(coming=_COMING_TABLES)
    return policy


def _defaults(table: Table, sets: People) -> tuple[Settings, int]:
    settings = _settings(table, Settings(), sets)
    retention_s = table.read("retention", readers.span, DEFAULT.retention_s)
    table.close(coming=_COMING_DEFAULTS)
    return settings, retention_s


def _settings(table: Table, inherited: Settings, sets: People) -> Settings:
    settings = Settings(
        action=table.read("action", readers.one_of(Action, coming=["review"]), inherited.action),
        channel=table.read("channel", readers.channel_or_dm, inherited.channel),
        approvers=table.read("approvers", people.approvers(sets), inherited.approvers),
        quorum=table.read("quorum", readers.quorum, inherited.quorum),
        deadline_s=table.read("deadline", readers.span_or_never, inherited.deadline_s),
        on_deadline=table.read("on_deadline", readers.one_of(OnDeadline), inherited.on_deadline),
        risk=table.read("risk", readers.one_of(Risk), inherited.risk),
        use_within_s=table.read("use_within", readers.span, inherited.use_within_s),
        burst=table.read("burst", readers.whole_number(0), inherited.burst),
        self_approval=table.read("self_approval", readers.flag, inherited.self_approval),
        guests=table.read("guests", readers.flag, inherited.guests),
    )
    if settings.action is not Action.DENY:
        _check_together(table, settings)
    return settings


def _check_together(table: Table, settings: Settings) -> None:
    """Find what each value allows alone and all together do not; no rule is blamed for the defaults."""

    def says(*keys: str) -> bool:
        return any(key in table for key in keys)

    at_most = settings.approvers.at_most
    if says("quorum", "approvers") and at_most and settings.quorum > at_most:
        what = f"`quorum` is {settings.quorum}, but only {at_most} may decide"
        table.fault("quorum", what, f"use {at_most} or less, or name more `approvers`")
    is_silent_yes = settings.on_deadline is OnDeadline.APPROVE
    if says("on_deadline", "risk") and is_silent_yes and settings.risk.is_at_least(Risk.HIGH):
        what = f'`on_deadline` = "approve" with {settings.risk} risk would let it run because nobody looked'
        table.fault("on_deadline", what, 'write `on_deadline = "expire"` here')
    if says("channel", "approvers") and settings.channel == "dm" and CHANNEL in settings.approvers.principals:
        what = '`channel` = "dm" has no members, but `approvers` names the channel'
        table.fault("channel", what, "name people, groups or sets as `approvers`")


def _rules(
    root: Table, lines: Lines, faults: list[Fault], defaults: Settings, sets: People
) -> tuple[Rule, ...]:
    entries = root.raw("rule", [])
    if not isinstance(entries, list):
        root.fault("rule", f"`rule` is {tell(entries)}", "write each rule under a line [[rule]]")
        return ()
    rules: list[Rule] = []
    sound: list[Rule] = []  # what a faulty rule takes is not known, so it is not blamed for hiding others
    for nth, entry in enumerate(entries):
        table = Table(entry, "rule", lines=lines, faults=faults, nth=nth, place=f"rule {nth + 1}")
        known = len(faults)
        rule = _rule(table, defaults, sets)
        if any(rule.name == other.name for other in rules if rule.name):
            table.fault("name", "another rule has this name", "choose another name")
        if hiding := next((other for other in sound if _takes_all_of(other, rule)), None):
            what = f"it is never reached: rule “{hiding.name}” above it takes all its calls"
            table.fault("", what, "move it up, or take it out")
        rules.append(rule)
        sound += [rule] if len(faults) == known else []
    return tuple(rules)


def _rule(table: Table, defaults: Settings, sets: People) -> Rule:
    name = table.read("name", readers.name, "")
    if name:
        table.place = f"rule “{name}”"
    if name == DEFAULTS:
        table.fault("name", f"`{DEFAULTS}` stands for the defaults", "choose another name")
    elif "name" not in table:
        table.fault("", "it has no `name`", "give it one: cards and the audit log tell it")
    if not any(key in table for key in ("tools", "agents", "kind")):
        table.fault("", "it does not say what it is for", 'write `tools = ["*"]` if it is for everything')
    rule = Rule(
        name=name,
        tools=table.read("tools", readers.globs, (ANYTHING,)),
        agents=table.read("agents", readers.globs, (ANYTHING,)),
        kind=table.read("kind", readers.one_of(Kind, coming=["review"]), None),
        reason=table.read("reason", readers.line_of_text, None),
        settings=_settings(table, defaults, sets),
    )
    if rule.kind is Kind.QUESTION and rule.settings.action is Action.ALLOW:
        table.fault("action", "a question can't be allowed: only a person answers it", 'use "ask" or "deny"')
    table.close(coming=_COMING_SETTINGS, elsewhere=dict.fromkeys(_IN_DEFAULTS_ONLY, "[defaults]"))
    return rule


def _takes_all_of(other: Rule, rule: Rule) -> bool:
    is_kind_covered = other.kind is None or other.kind is rule.kind
    return is_kind_covered and covers(other.tools, rule.tools) and covers(other.agents, rule.agents)
