"""Reminders: messages that call who must act. Posted once and never drawn again."""

from __future__ import annotations

from collections.abc import Sequence

from approvals.ladder import MORNING
from approvals.model import CHANNEL, Principal, Request, Step
from blocks.action import headline
from blocks.people import deciders, mention
from blocks.pieces import Block, Card, Moment
from blocks.replies import row
from blocks.request import label
from blocks.text import escape


def ping(request: Request, step: Step, called: Sequence[Principal], *, is_in_thread: bool) -> Card:
    """What a step of the ladder says, calling `called`; in the card's thread it need not say what about."""
    others = [each for each in called if each not in step.add and each != CHANNEL]
    words = " ".join(filter(None, (mention(others), _sentence(request, step))))
    said: Block = {"type": "section", "text": {"type": "mrkdwn", "text": words, "verbatim": True}}
    if is_in_thread:
        return Card(words, [said])
    return Card(f"{words} {escape(headline(request))}", [said, *row(request)])


def _sentence(request: Request, step: Step) -> str:
    what = escape(label(request))
    at = request.deadline
    until = "" if at is None else f", until {Moment(at, near=request.created_at).token}"
    added = f" From now on {deciders(step.add)} may decide it as well." if step.add else ""
    if request.turn > 0 and step == MORNING:
        return f"{what} was changed, and waits for a decision anew{until}."
    return f"{what} still waits for a decision{until}.{added}"
