"""The Home tab: what waits for whom, what became of one's decisions, one's settings, the agents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from approvals.homes import Look
from approvals.model import Freeze, Request
from approvals.preferences import Preferences
from blocks.action import tool_words
from blocks.agents import AgentState, agents_blocks
from blocks.pieces import Block, Line, View, aside, header, rich, section
from blocks.preferences import settings_blocks
from blocks.queue import queue_blocks
from blocks.replies import Commands, by_urgency, help_text, row
from blocks.rows import ended_words, standing
from blocks.unseen import unseen_rows

OTHERS = 5
DECIDED = 10
UNSEEN_ROWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """Everything that one person's Home tab shows."""

    now: datetime
    look: Look = field(default_factory=Look)
    mine: Sequence[Request] = ()  # what they may decide
    others: Sequence[Request] = ()  # what waits for others, as far as they may see it
    decided: Sequence[Request] = ()  # what they decided, the newest first
    unseen: Sequence[Request] = ()  # what ended unanswered, and nobody has looked at
    deputy: str | None = None  # who stands in for them, in mrkdwn
    preferences: Preferences
    zone: str = "UTC"
    agents: Sequence[AgentState] = ()
    all_frozen: Freeze | None = None
    can_freeze: bool = False
    commands: Commands = field(default_factory=Commands)


def home_view(tab: Tab) -> View:
    """At most 84 blocks: 33 for the queue, 12 for others, 10 unseen, 2 decided, 20 agents, 7 the rest."""
    blocks: list[Block] = []
    if tab.deputy:
        told: Block = {"type": "mrkdwn", "text": tab.deputy, "verbatim": True}
        blocks.append({"type": "context", "elements": [told]})
    blocks += queue_blocks(tab.mine, tab.look, tab.now)
    blocks += _others(tab.others)
    if tab.unseen:
        blocks += [header("Nobody has looked at these yet"), *unseen_rows(tab.unseen[:UNSEEN_ROWS])]
    blocks += _decided(tab.decided, tab.now)
    blocks += agents_blocks(tab.agents, tab.now, all_frozen=tab.all_frozen, can_freeze=tab.can_freeze)
    blocks += settings_blocks(tab.preferences, tab.zone)
    usage: Block = {"type": "mrkdwn", "text": help_text(tab.commands), "verbatim": True}
    blocks += [{"type": "divider"}, header("How it works"), {"type": "section", "text": usage}]
    return {
        "type": "home",
        "callback_id": "home",
        "blocks": blocks,
        "private_metadata": tab.look.packed,
    }


def _others(others: Sequence[Request]) -> list[Block]:
    if not others:
        return []
    blocks = [header(f"Waiting for others ({len(others):,})")]
    for one in by_urgency(others)[:OTHERS]:
        blocks += row(one)
    left = len(others) - OTHERS
    return [*blocks, aside(f"… and {left:,} more.")] if left > 0 else blocks


def _decided(decided: Sequence[Request], now: datetime) -> list[Block]:
    """What became of what they decided, a line each."""
    if not decided:
        return []
    return [header("What I decided"), rich(section(*(_became(one, now) for one in decided[:DECIDED])))]


def _became(request: Request, now: datetime) -> Line:
    how = f" · {standing(request, now) or 'still waits'}" if request.is_pending else ""
    return (f"{tool_words(request.tool)}: ", *ended_words(request), how)
