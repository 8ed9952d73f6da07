"""The policy file, read whole: either a policy, or every fault in it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import replace

from approvals.policy import entries, people, readers, sections
from approvals.policy.conditions import Language
from approvals.policy.faults import Fault, PolicyFaults
from approvals.policy.rules import DEFAULT, Policy, Rate
from approvals.policy.tables import Lines, Table, find_lines, tell

FILE_CHARS = 1_000_000
VERSION_CHARS = 12  # of the hash of the file: enough to tell versions apart, short enough to say
_LAST_LINE = re.compile(r"\(at line (\d+), column \d+\)$|\(at end of document\)$")


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
    calendars = sections.calendars(table("calendars"))
    language = Language(calendars)
    digests = sections.digests(table("digests"), language)
    known = entries.Known(sets=sets, calendars=calendars, digests=digests, language=language)
    defaults_table, owners, operators = table("defaults"), table("owners"), table("operators")
    audit, masks = table("audit"), table("masks")
    rate = defaults_table.read("rate", readers.rate, None)
    pause_after = defaults_table.read("pause_after", readers.whole_number(1), None)
    collapse = defaults_table.read("collapse", readers.flag, DEFAULT.collapse)
    retention_s = defaults_table.read("retention", readers.span, DEFAULT.retention_s)
    defaults = entries.defaults(defaults_table, known)
    policy = Policy(
        version=version,
        defaults=defaults,
        rules=entries.rules(_rule_tables(root, lines, faults), defaults, known),
        calendars=calendars,
        digests=digests,
        dailies=sections.dailies(_daily_tables(root, lines, faults), calendars, defaults.quiet),
        stages=sections.stages(table("stages")),
        owners=sections.owners(owners, sets),
        rate=None if rate is None else Rate(count=rate[0], per_s=rate[1]),
        pause_after=pause_after,
        collapse=collapse,
        retention_s=retention_s,
        operators={
            login: person
            for login in operators.keys
            if (person := operators.read(login, readers.person, None)) is not None
        },
        operators_channel=owners.read("operators_channel", readers.channel, None),
        audit_channel=audit.read("checkpoints", readers.channel, None),
        masks=sections.masks(masks),
        language=language,
    )
    owners.close()
    audit.close()
    root.close()
    uses_conditions = any(rule.when or (rule.budget and rule.budget.amount) for rule in policy.rules)
    return policy if uses_conditions else replace(policy, language=None)


def _daily_tables(root: Table, lines: Lines, faults: list[Fault]) -> list[Table]:
    """One table [daily], or several [[daily]]."""
    written = root.raw("daily", [])
    several = written if isinstance(written, list) else [written]
    return [
        Table(
            entry, "daily", lines=lines, faults=faults, nth=nth,
            place=f"[[daily]] {nth + 1}" if len(several) > 1 else "[daily]",
        )
        for nth, entry in enumerate(several)
    ]  # fmt: skip


def _rule_tables(root: Table, lines: Lines, faults: list[Fault]) -> list[Table]:
    written = root.raw("rule", [])
    if not isinstance(written, list):
        root.fault("rule", f"`rule` is {tell(written)}", "write each rule under a line [[rule]]")
        return []
    return [
        Table(entry, "rule", lines=lines, faults=faults, nth=nth, place=f"rule {nth + 1}")
        for nth, entry in enumerate(written)
    ]
