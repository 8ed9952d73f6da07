"""Who must agree: where rules are in doubt, and whether those who are wanted can be had at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from approvals.model import Action, Group, OnDeadline, PersonId, Principal, Risk, Terms
from approvals.policy.rules import Approvers, Rule, Settings, at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    rule: Rule
    why: str


def with_doubts(settings: Settings, name: str, doubts: tuple[Doubt, ...]) -> Settings:
    """The settings of an ask in which all must agree whom a doubtful rule, or the one after, would ask."""
    asking = replace(settings, action=Action.ASK)
    doubtful = [
        (doubt.rule.name, doubt.rule.settings) for doubt in doubts if doubt.rule.settings.action is Action.ASK
    ]
    if doubts:
        asking = replace(asking, on_deadline=OnDeadline.EXPIRE)
    if not doubtful:
        return asking
    parts = [*doubtful, (name, settings)]
    every = [part for _, part in parts]
    groups = _groups(parts)
    principals = dict.fromkeys(one for part in every for one in part.approvers.principals)
    is_one = len(groups) == 1 and not any(part.groups for part in every)
    return replace(
        asking,
        channel=every[0].channel,
        approvers=Approvers(
            principals=tuple(principals),
            words=" and ".join(dict.fromkeys(part.approvers.words for part in every)),
        ),
        ping=_called(every),
        quorum=groups[0].needed if is_one else asking.quorum,
        groups=() if is_one else groups,
        rejections=min(part.rejections for part in every),
        deadline_s=min((part.deadline_s for part in every if part.deadline_s is not None), default=None),
        risk=max((part.risk for part in every), key=list(Risk).index),
        use_within_s=min(part.use_within_s for part in every),
        self_approval=all(part.self_approval for part in every),
        guests=all(part.guests for part in every),
        assurance=max((part.assurance for part in every), key=lambda one: one.level),
        ladder=tuple(replace(step, add=()) for step in every[0].ladder),
    )


def _called(parts: list[Settings]) -> tuple[Principal, ...] | None:
    """Whom any of them calls; None: every one calls all of its people."""
    if all(part.ping is None for part in parts):
        return None
    called = (part.approvers.principals if part.ping is None else part.ping for part in parts)
    return tuple(dict.fromkeys(one for each in called for one in each))


def _groups(parts: list[tuple[str, Settings]]) -> tuple[Group, ...]:
    """Each part's people as a group of its own, the same people once."""
    groups: dict[frozenset[Principal], Group] = {}
    for name, part in parts:
        whole = Group(name=name, principals=part.approvers.principals, needed=part.quorum)
        for group in part.groups or (whole,):
            people = frozenset(group.principals)
            known = groups.get(people, group)
            groups[people] = replace(known, needed=max(known.needed, group.needed))
    return tuple(groups.values())


def why_unanswerable(terms: Terms, on_behalf_of: PersonId | None) -> str | None:
    """Say why nobody could ever decide a request with these terms; None where somebody might."""
    if terms.action is not Action.ASK:
        return None
    lost = set() if terms.self_approval else {str(on_behalf_of)}
    wanted = terms.groups or (Group(name="", principals=terms.approvers, needed=terms.quorum),)
    short = shortfall(
        tuple(replace(one, principals=tuple(p for p in one.principals if p not in lost)) for one in wanted)
    )
    if short is None:
        return None
    left = len({person for one in wanted for person in one.principals} - lost)
    can = "only 1 person" if left == 1 else f"only {left} people" if left else "nobody"
    but = ", as the one it is asked for does not count" if lost & set(terms.approvers) else ""
    needed = sum(one.needed for one in wanted)
    return f"rule “{terms.rule}” needs {needed} to decide, but {can} may{but}"


def shortfall(groups: tuple[Group, ...]) -> str | None:
    """The name of a group that can't be filled with distinct people, as far as they are named one by one."""
    named = [group for group in groups if at_most(group.principals) is not None]
    for group in named:
        if group.needed > len(set(group.principals)):
            return group.name
    seats = [group for group in named for _ in range(group.needed)]
    taken: dict[Principal, int] = {}

    def is_seated(seat: int, tried: set[Principal]) -> bool:
        """Find a person for a seat, moving others to seats that they can take as well."""
        people = [person for person in seats[seat].principals if person not in tried]
        for person in sorted(people, key=taken.__contains__):  # who is free first
            tried.add(person)
            if person not in taken or is_seated(taken[person], tried):
                taken[person] = seat
                return True
        return False

    return next((group.name for seat, group in enumerate(seats) if not is_seated(seat, set())), None)
