"""The demo's button *Make it tomorrow*: every digest comes, and the channels are told about the day."""

from __future__ import annotations

from collections.abc import Mapping

from bot import app, loops, settings

NAME = "Make it tomorrow"


async def make(env: Mapping[str, str]) -> str:
    """Bring on the next morning for the service that `env` describes; returns what happened."""
    without_clicks = {name: value for name, value in env.items() if name != "SLACK_APP_TOKEN"}
    async with app.built(settings.read(without_clicks, needs="token")) as service:
        await service.digests.due_now()
        slack = service.slack
        told = 0 if slack is None else await loops.daily_threads(service, slack).make_it_tomorrow()
    if not told:
        return "It is tomorrow, but nothing has happened since the last time."
    return "Good morning: what was held has come, and the channel is told about the day."
