"""A dialog that was put on a digest's list or walk: what lies beneath is drawn anew when it is done with."""

from __future__ import annotations

import logging

import aiohttp
from slack_sdk.errors import SlackApiError

from blocks import dialogs
from blocks.ids import Stale
from bot.listeners.digest_views import NotOpened, beneath
from bot.listeners.parts import Json, Parts
from bot.payloads import Click, Submitted
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)


async def redraw(parts: Parts, done: Click | Submitted, *, note: str = "") -> None:
    """Draw what lies at the bottom as things stand, if that is one of ours. Best effort."""
    stack = done.stack
    if not stack.beneath or stack.previous_id is None:
        return
    try:
        view = await beneath(parts, done.who, stack.beneath, note=note)
    except (NotOpened, Stale) as error:
        view = dialogs.notice_view(str(error))
    await update(parts, stack.root_id, view)


async def close_between(parts: Parts, submitted: Submitted, words: str) -> None:
    """What lies between a dialog and the bottom is of a request that has just been decided."""
    stack = submitted.stack
    if stack.beneath and stack.previous_id not in (None, stack.root_id):
        await update(parts, str(stack.previous_id), dialogs.notice_view(words))


async def update(parts: Parts, view_id: str, view: Json, *, seen: str | None = None) -> None:
    """Show something else in a dialog; not if it is no longer the one that was `seen`, by its hash."""
    try:
        await parts.slack.views_update(view_id=view_id, view=view, hash=seen)
    except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
        logger.info("a dialog was not drawn anew", extra={"error": word_of(error)})  # closed, or newer
