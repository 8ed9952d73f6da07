"""Before any listener: what is not for this app or this workspace goes no further."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse

from bot.listeners.parts import Parts
from bot.payloads import Addressee
from bot.people import Home

logger = logging.getLogger(__name__)


def register(app: AsyncApp, parts: Parts) -> None:
    home = parts.people.home

    @app.middleware
    async def guard(body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> BoltResponse | None:
        app_id = body.get("api_app_id")
        if home.app_id is not None and app_id is not None and app_id != home.app_id:
            logger.warning("a payload for another app was turned away")
            return BoltResponse(status=403, body="")
        if not _is_from_home(body, home):
            logger.warning("a payload of another workspace was turned away")
            return BoltResponse(status=403, body="")
        await next()
        return None


def _is_from_home(body: dict[str, Any], home: Home) -> bool:
    """Where the app is installed, which a payload names also where whoever clicked is of elsewhere."""
    to = Addressee.parse(body)
    if home.is_org_wide or to.team is None:  # installed for a whole organisation
        return home.enterprise is not None and to.enterprise == home.enterprise
    return to.team == home.team
