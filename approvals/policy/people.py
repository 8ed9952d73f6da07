"""Who may decide, as the policy file writes it: people, user groups, the channel, names for sets of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches

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
    written = {
        name: table.read(name, lambda value: texts(value, _MEND), None)
        for name in table.keys
        if _is_set_name(table, name)
    }
    sets = {name: members for name, members in written.items() if members is not None}
    expanded: dict[str, tuple[Principal, ...]] = {}
    for name in sets:
        try:
            expanded[name] = _expand(name, sets, known=set(written), path=())
        except Wrong as wrong:
            table.fault(name, f"`{name}` {wrong.what}", wrong.mend)
            expanded[name] = ()  # so that who names it is not blamed as well
    return dict.fromkeys(written, ()) | expanded


def _is_set_name(table: Table, name: str) -> bool:
    if _SET_NAME.fullmatch(name) and name != CHANNEL:
        return True
    table.read(name, lambda _: None, None)
    table.fault(name, f"`{name}` can't name a set of people", "use lower-case letters, digits, - and _")
    return False


def _expand(
    name: str, sets: Mapping[str, tuple[str, ...]], *, known: set[str], path: tuple[str, ...]
) -> tuple[Principal, ...]:
    if name in path:
        circle = " → ".join([*path[path.index(name) :], name])
        raise Wrong(f"contains itself ({circle})", "take one of these names out")
    members: list[Principal] = []
    for member in sets.get(name, ()):
        if member in known:
            members += _expand(member, sets, known=known, path=(*path, name))
        else:
            members.append(principal(member, known))
    return tuple(dict.fromkeys(members))


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


def _words(written: tuple[str, ...]) -> str:
    """Say who is asked. Slack's ids tell a reader nothing, so they are only counted."""
    people = sum(1 for text in written if PERSON.fullmatch(text))
    groups = sum(1 for text in written if _GROUP.fullmatch(text) and text[0] == "S")
    names = [text for text in written if text != CHANNEL and (text[0] == "@" or text[0].islower())]
    parts = ["anyone in the channel"] if CHANNEL in written else []
    parts += names
    parts += [f"{_count(groups, 'user group')}"] if groups else []
    parts += [f"{_count(people, 'named person', 'named people')}"] if people else []
    return " or ".join(parts)


def _count(number: int, one: str, more: str | None = None) -> str:
    return f"a {one}" if number == 1 else f"{number} {more or one + 's'}"
