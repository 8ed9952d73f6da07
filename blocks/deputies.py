"""What is said to whoever names a deputy, or comes back: mrkdwn, for them alone."""

from __future__ import annotations

from datetime import datetime

from approvals.deputies import Absence
from approvals.model import PersonId, Principal
from blocks.people import deciders
from blocks.pieces import Moment
from blocks.replies import Commands


def usage(commands: Commands) -> str:
    slash = f"/{commands.approvals}"
    return (
        f"Type `{slash} away until friday @deputy`; instead of `friday` a date (`2026-12-01`), `tomorrow`, "
        f"or `2 weeks`. `{slash} away @deputy` counts whenever your Slack status says that you are out of "
        f"office. `{slash} back` ends it."
    )


def away(absence: Absence, now: datetime, commands: Commands) -> str:
    who = deciders([Principal(absence.deputy)])
    until = "whenever your Slack status says that you are out of office"
    if absence.until is not None:
        until = f"until {Moment(absence.until, near=now).token}"
    return f"{who} stands in for you {until}. `/{commands.approvals} back` ends it."


def back(*, was_away: bool) -> str:
    return (
        "Welcome back: nobody stands in for you any more." if was_away else "Nobody was standing in for you."
    )


def no_deputy(deputy: PersonId) -> str:
    return (
        f"{deciders([Principal(deputy)])} can't stand in for you: it takes another member of this workspace."
    )


def for_home(absence: Absence, now: datetime) -> str:
    """The line at the top of the Home tab of somebody who has named a deputy."""
    who = deciders([Principal(absence.deputy)])
    if absence.until is None:
        return f"{who} stands in for you whenever your Slack status says that you are out of office."
    return f"{who} stands in for you until {Moment(absence.until, near=now).token}."
