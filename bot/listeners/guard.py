"""Before any listener: what is not for this app or this workspace goes no further."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse

from bot.listeners.parts import Parts

logger = logging.getLogger(__name__)


def register(app: AsyncApp, parts: Parts) -> None:
    home = parts.people.home

    @app.middleware
    async def guard(body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> BoltResponse | None:
        app_id = body.get("api_app_id")
        if home.app_id is not None and app_id is not None and app_id != home.app_id:
            logger.warning("a payload for another app was turned away")
            return BoltResponse(status=403, body="")
        if not _is_from_home(body, home.team, home.enterprise):
            logger.warning("a payload of another workspace was turned away")
            return BoltResponse(status=403, body="")
        await next()
        return None


def _is_from_home(body: dict[str, Any], team: str, enterprise: str | None) -> bool:
    """The installed workspace, which `team` names also where the person who clicked is of another one."""
    named = body.get("team")
    team_id = named.get("id") if isinstance(named, dict) else body.get("team_id")
    if team_id is None:  # installed for a whole organisation: only that is named
        of = body.get("enterprise")
        return enterprise is not None and isinstance(of, dict) and bool(of.get("id") == enterprise)
    return bool(team_id == team)
