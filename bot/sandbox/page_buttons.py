"""The buttons that whoever runs the sandbox gives its page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from bot.sandbox.wire import Json, refused

logger = logging.getLogger(__name__)

AT_MOST_S = 30.0

Button = Callable[[], Awaitable[str]]  # does something, and says what in a sentence


async def press(buttons: Mapping[str, Button], name: str) -> Json:
    """Do what stands under `name`; the answer is the page's."""
    if name not in buttons:
        return refused("not_found", f"There is no button “{name}”.").to_json()
    try:
        async with asyncio.timeout(AT_MOST_S):
            return {"ok": True, "notice": await buttons[name]()}
    except Exception:  # whatever it was, the page lives on
        logger.exception("the button %r failed", name)
        return refused("failed", f"“{name}” failed; the sandbox's log says why.").to_json()
