"""Whether a changed call is one about which the policy asks others, or more of them, than it did."""

from __future__ import annotations

from approvals.model import CHANNEL, Action, Json, Request, Terms
from approvals.quorum import approvers_of


def is_stricter(request: Request, new: Terms) -> bool:
    """Whether somebody's yes to `request` could be one that `new` would not take, or not take as enough."""
    old = request.terms
    had, wanted = approvers_of(request), frozenset(new.approvers)
    is_elsewhere = CHANNEL in had and CHANNEL in wanted and old.channel != new.channel
    return (
        not had <= wanted
        or is_elsewhere
        or _needs_more(old, new)
        or not old.risk.is_at_least(new.risk)
        or (old.self_approval and not new.self_approval)
        or (old.guests and not new.guests)
        or old.assurance.level < new.assurance.level
    )


def _needs_more(old: Terms, new: Terms) -> bool:
    if new.groups:
        return new.groups != old.groups
    needed = sum(group.needed for group in old.groups) if old.groups else old.quorum
    return new.quorum > needed


def asks_otherwise(old: Terms, new: Terms) -> bool:
    """Whether `new` asks other people, or as many as it takes otherwise, in either direction."""
    return new.action is Action.ASK and who_decides(old) != who_decides(new)


def who_decides(terms: Terms) -> list[Json]:
    """Who must agree, where, and how much is at stake: what people were told, and consent to."""
    groups: list[Json] = [[group.name, list(group.principals), group.needed] for group in terms.groups]
    return [
        *(terms.channel, sorted(terms.approvers), terms.quorum, groups, terms.rejections),
        *(terms.risk.value, terms.self_approval, terms.guests, terms.assurance.value),
    ]
