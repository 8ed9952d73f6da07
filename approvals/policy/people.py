"""Who may decide, as the policy file writes it: people, user groups, the channel, names for sets of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from itertools import chain

from approvals.model import CHANNEL, Principal
from approvals.policy.readers import PERSON, texts
from approvals.policy.rules import Approvers
from approvals.policy.tables import Table, Wrong, tell

People = Mapping[str, tuple[Principal, ...]]  # the sets of [people], expanded

_GROUP = re.compile(r"S[A-Z0-9]{2,20}|@[a-z0-9._-]{1,80}")
_SET_NAME = re.compile(r"[a-z][a-z0-9_-]{0,60}")
_MEND = 'list people ("U0ANA"), user groups ("S0DIRECTORS", "@sre-oncall"), "channel", or sets of [people]'


def read_people(table: Table) -> People:
    """Expand the sets of [people], which may name each other."""
    known = set(table.keys)
    nobody: tuple[str, ...] = ()
    written = {name: table.read(name, _members(known), nobody) for name in table.keys}
    for name in known:
        if name == CHANNEL or not _SET_NAME.fullmatch(name):
            table.fault(name, f"`{name}` can't name a set", "use lower-case letters, digits, - and _")
    inner_first = TopologicalSorter({name: known.intersection(written[name]) for name in written})
    expanded: dict[str, tuple[Principal, ...]] = {}
    try:
        for name in inner_first.static_order():
            inner = (expanded.get(member, (Principal(member),)) for member in written[name])
            expanded[name] = tuple(dict.fromkeys(chain.from_iterable(inner)))
    except CycleError as error:
        circle: list[str] = error.args[1]
        table.fault(circle[0], f"a set contains itself: {' in '.join(circle)}", "take one of these names out")
    return dict.fromkeys(written, ()) | expanded  # who names a faulty set is not blamed as well


def _members(known: set[str]) -> Callable[[object], tuple[str, ...]]:
    def read(value: object) -> tuple[str, ...]:
        members = texts(value, _MEND)
        for member in members:
            if member not in known:
                principal(member, known)
        return members

    return read


def principal(text: str, known: set[str]) -> Principal:
    if text == CHANNEL or PERSON.fullmatch(text) or _GROUP.fullmatch(text):
        return Principal(text)
    near = get_close_matches(text, [*known, CHANNEL], n=1)
    raise Wrong(
        f"holds {tell(text)}, which is no person, no group and no name of [people]",
        f"did you mean {near[0]!r}?" if near else _MEND,
    )


def approvers(people: People) -> Callable[[object], Approvers]:
    """A reader of `approvers` that knows the sets of [people]."""

    def read(value: object) -> Approvers:
        written = texts(value, _MEND)
        members: list[Principal] = []
        for text in written:
            members += people[text] if text in people else [principal(text, set(people))]
        return Approvers(principals=tuple(dict.fromkeys(members)), words=_words(written))

    return read


def called(people: People) -> Callable[[object], tuple[Principal, ...]]:
    """A reader of `ping`, which may name nobody."""

    def read(value: object) -> tuple[Principal, ...]:
        found = () if value == [] else approvers(people)(value).principals
        if CHANNEL in found:
            raise Wrong('holds "channel", which calls nobody', "name people, groups or sets of [people]")
        return found

    return read


def not_among(called: Iterable[Principal], members: Collection[Principal]) -> list[Principal]:
    """Those of `called` who are surely none of `members`; who is in a group, names don't tell."""
    has_groups = any(not PERSON.fullmatch(member) for member in members)

    def may_be(one: Principal) -> bool:
        return one in members or CHANNEL in members or (has_groups and PERSON.fullmatch(one) is not None)

    return [one for one in called if not may_be(one)]


def _words(written: tuple[str, ...]) -> str:
    """Say who is asked. Slack's ids tell a reader nothing, so they are only counted."""
    people = [text for text in written if PERSON.fullmatch(text)]
    groups = [text for text in written if _GROUP.fullmatch(text) and not text.startswith("@")]
    named = [text for text in written if text not in (CHANNEL, *people, *groups)]
    channel = ["anyone in the channel"] if CHANNEL in written else []
    counted = [
        *_count(groups, "a user group", "user groups"),
        *_count(people, "one named person", "named people"),
    ]
    return " or ".join([*channel, *named, *counted])


def _count(ids: list[str], one: str, more: str) -> list[str]:
    return [one if len(ids) == 1 else f"{len(ids)} {more}"] if ids else []
