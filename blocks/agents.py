"""The agents as the Home tab lists them: what each waits for, whether it is stopped, and the brakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from approvals.model import AgentName, Freeze, Reach
from blocks import ids
from blocks.pieces import (
    Block,
    Line,
    Moment,
    View,
    actions,
    aside,
    asked,
    button,
    confirm,
    dialog,
    header,
    notice,
    plain,
    writing,
)
from blocks.text import cut, name, one_line

LISTED = 8
WHY_CHARS = 150
REASON_CHARS = 200
ALL = "all:"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """How one agent stands."""

    name: AgentName
    waiting: int = 0  # requests of it that people have not decided
    running: int = 0
    heard_at: datetime | None = None
    freeze: Freeze | None = None  # of all of it


def agents_blocks(
    agents: Sequence[AgentState], now: datetime, *, all_frozen: Freeze | None, can_freeze: bool
) -> list[Block]:
    """Those that are stopped, then those that wait for most; at most 3 + 2 × LISTED blocks."""
    if not agents:
        return []
    blocks = [header("Agents")]
    if all_frozen is not None:
        blocks.append(aside(*_stopped("Everything", all_frozen, now)))
    order = sorted(agents, key=lambda each: (each.freeze is None, -each.waiting, each.name))
    for agent in order[:LISTED]:
        blocks += _agent(agent, now, can_freeze=can_freeze)
    if len(agents) > LISTED:
        blocks.append(aside(f"… and {len(agents) - LISTED:,} more."))
    if can_freeze:
        brake = _thaw_button(ALL, "everything") if all_frozen else _freeze_button(ALL, "everything")
        blocks.append(actions("agents|all", brake))
    return blocks


def freeze_view(reach: str) -> View:
    """Ask for a reason before something is frozen. `reach` is the button's value."""
    frozen = read_reach(reach)
    what = "everything" if frozen is None or frozen[0] is Reach.ALL else f"agent {name(frozen[1])}"
    told = f"Freezes {what} at once: what waits and what comes can't be decided, and approvals not used yet "
    blocks = [
        notice(f"{told}can't be used, until somebody thaws it."),
        asked(ids.WORDS, "Reason", writing(chars=REASON_CHARS), hint="Everybody sees it.", optional=True),
    ]
    return dialog(ids.FREEZE, "Freeze", blocks, metadata=reach, submit="Freeze")


def read_reach(value: str) -> tuple[Reach, str] | None:
    """What a brake's button is for; None: it is none of ours."""
    reach, colon, named = value.partition(":")
    if not colon or reach not in (Reach.ALL, Reach.AGENT) or (reach == Reach.AGENT) != bool(named):
        return None
    return Reach(reach), named


def _agent(agent: AgentState, now: datetime, *, can_freeze: bool) -> list[Block]:
    called = name(agent.name)
    value = f"{Reach.AGENT}:{agent.name}"
    brake = _thaw_button(value, called) if agent.freeze else _freeze_button(value, called)
    row: Block = {"type": "section", "text": plain(called)}
    if can_freeze:
        row["accessory"] = brake
    return [row, aside(*_told(agent, now))]


def _told(agent: AgentState, now: datetime) -> Line:
    many = "Nothing waits" if not agent.waiting else f"{agent.waiting:,} requests wait"
    waits = "1 request waits" if agent.waiting == 1 else many
    runs = "" if not agent.running else " · at work" + (f" on {agent.running:,}" if agent.running > 1 else "")
    heard: Line = () if agent.heard_at is None else (" · last heard of ", Moment(agent.heard_at, near=now))
    stopped: Line = () if agent.freeze is None else (*_stopped("", agent.freeze, now), " · ")
    return (*stopped, f"{waits}{runs}", *heard)


def _stopped(what: str, freeze: Freeze, now: datetime) -> Line:
    word = "paused" if freeze.by.id == "policy" else "frozen"
    why = f": {one_line(freeze.why, WHY_CHARS)}" if freeze.why else ""
    begin = f"{what} is {word}" if what else word.capitalize()
    return (f"{begin} by {name(freeze.by.name)}{why} · since ", Moment(freeze.at, near=now))


def _freeze_button(value: str, called: str) -> Block:
    label = "Freeze everything…" if value == ALL else "Freeze…"
    style: Literal["danger"] | None = "danger" if value == ALL else None
    return button(label, ids.FREEZE, value, style=style, described=f"Freeze {called}")


def _thaw_button(value: str, called: str) -> Block:
    sure = confirm("Thaw", f"Let {cut(called, 100)} go on?", yes="Thaw", no="Not yet")
    label = "Thaw everything" if value == ALL else "Thaw"
    return button(label, ids.THAW, value, confirm=sure, described=f"Thaw {called}")
