"""What people do in Slack, joined to the store.

Each listener commits, answers if it must, and acknowledges last: a click shows as failed in Slack unless the
decision is safe, and no work outlives the acknowledgement. The cards are redrawn by `posting`, which sees
every change.
"""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from bot.listeners import (
    afterwards,
    brakes,
    commands,
    decisions,
    delays,
    digests,
    edits,
    facts,
    grants,
    guard,
    home,
    losses,
    overrides,
    preferences,
    proposals,
    reviews,
    threads,
    unknown,
    walks,
)
from bot.listeners.parts import Parts

__all__ = ["Parts", "register"]


def register(app: AsyncApp, parts: Parts) -> None:
    """Join every listener; `unknown` comes last and acknowledges what no other knows."""
    guard.register(app, parts)
    decisions.register(app, parts)
    edits.register(app, parts)
    delays.register(app, parts)
    digests.register(app, parts)
    walks.register(app, parts)
    overrides.register(app, parts)
    afterwards.register(app, parts)
    reviews.register(app, parts)
    grants.register(app, parts)
    proposals.register(app, parts)
    commands.register(app, parts)
    losses.register(app, parts)
    threads.register(app, parts)
    home.register(app, parts)
    preferences.register(app, parts)
    brakes.register(app, parts)
    facts.register(app, parts)
    unknown.register(app, parts)
