"""What is said to whoever freezes, thaws, or asks what is frozen: mrkdwn, for them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from approvals.model import Freeze, Principal, Reach
from blocks.people import deciders
from blocks.pieces import Moment
from blocks.replies import Commands
from blocks.text import escape, name, one_line

NAME_CHARS = 80
WHY_CHARS = 200
LISTED = 20


def reached(freeze: Freeze) -> str:
    """What it stops, in words."""
    what = escape(one_line(freeze.name, NAME_CHARS))
    return "everything" if freeze.reach is Reach.ALL else f"{freeze.reach} `{what}`"


def usage(commands: Commands) -> str:
    slash = f"/{commands.approvals}"
    return (
        f"Type `{slash} freeze all`, `{slash} freeze agent NAME` or `{slash} freeze tool NAME`, and a reason "
        f"if you like; a tool's name may hold `*`. `{slash} thaw` with the same words ends it."
    )


def not_owner(owners: Sequence[Principal], verb: str) -> str:
    if not owners:
        return f"Nobody may {verb} here: the policy names nobody as `freeze` under `[owners]`."
    return f"You can't {verb} here: that is for {deciders(owners)}, as the policy says."


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many requests a freeze keeps from people, and when the first of them expires."""

    count: int
    first: datetime | None


def frozen(freeze: Freeze, waiting: Waiting, held: int, begun: int, commands: Commands) -> str:
    """To whoever froze. `begun` calls had been claimed already: those can't be stopped from here."""
    taken = f" {_approvals(held)} not used yet, and can't be for now." if held else ""
    late = f" {_calls(begun)} begun already, and can't be stopped from here." if begun else ""
    typed = f"{freeze.reach} {escape(one_line(freeze.name, NAME_CHARS))}".strip()
    return (
        f"Frozen: {reached(freeze)}. What waits, and what comes, can't be decided."
        f"{_waits(freeze, waiting)}{taken}{late} "
        f"`/{commands.approvals} thaw {typed}` ends it."
    )


def thawed(freeze: Freeze, released: int) -> str:
    given = f" {_approvals(released)} given back, with the time left." if released else ""
    return f"Thawed: {reached(freeze)}.{given}"


def not_frozen(freeze: Freeze) -> str:
    return f"{reached(freeze)} is not frozen by itself. Type `thaw` alone to see what is."


def listed(freezes: Sequence[Freeze], now: datetime, commands: Commands) -> str:
    """What is frozen, and how to change that."""
    lines = [f"• {_line(freeze, now)}" for freeze in freezes[:LISTED]]
    more = [f"… and {len(freezes) - LISTED} more."] if len(freezes) > LISTED else []
    return "\n".join([*(["Frozen:", *lines, *more] if lines else ["Nothing is frozen."]), usage(commands)])


def told_operators(freeze: Freeze) -> str:
    """For the operators' channel, plain."""
    why = f": {one_line(freeze.why, WHY_CHARS)}" if freeze.why else ""
    return f"{name(freeze.by.name)} froze {freeze.words}{why}."


def _line(freeze: Freeze, now: datetime) -> str:
    why = f": {escape(one_line(freeze.why, WHY_CHARS))}" if freeze.why else ""
    return f"{reached(freeze)}, by {escape(name(freeze.by.name))}, {Moment(freeze.at, near=now).token}{why}"


def _waits(freeze: Freeze, waiting: Waiting) -> str:
    if not waiting.count:
        return ""
    told = "1 request waits" if waiting.count == 1 else f"{waiting.count:,} requests wait"
    first = "" if waiting.first is None else Moment(waiting.first, near=freeze.at).token
    return f" {told}; deadlines go on{f', and the first is {first}' if first else ''}."


def _approvals(count: int) -> str:
    return "1 approval was" if count == 1 else f"{count:,} approvals were"


def _calls(count: int) -> str:
    return "1 call has" if count == 1 else f"{count:,} calls have"
