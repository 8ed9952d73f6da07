"""The last listener: what no other knows is acknowledged, and who pressed something old is told so."""

from __future__ import annotations

import logging
import re

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse

from approvals.epochs import NotContinued
from approvals.errors import Unavailable
from blocks import dialogs, replies
from blocks.ids import Stale
from bot.listeners.parts import Json, Parts
from bot.payloads import Click, Malformed, Slash

logger = logging.getLogger(__name__)

_ANYTHING = re.compile(".*", re.DOTALL)


def register(app: AsyncApp, parts: Parts) -> None:
    """Catch what is left, and the errors of all others."""

    @app.action(_ANYTHING)
    async def any_action(ack: AsyncAck, body: Json) -> None:
        await parts.tell(Click.parse(body), replies.older_button(parts.commands))
        await ack()

    @app.view(_ANYTHING)
    async def any_view(ack: AsyncAck) -> None:
        await ack(response_action="clear")

    @app.view_closed(_ANYTHING)
    async def any_close(ack: AsyncAck) -> None:
        await ack()

    @app.shortcut(_ANYTHING)
    async def any_shortcut(ack: AsyncAck) -> None:
        await ack()

    @app.command(_ANYTHING)
    async def any_command(ack: AsyncAck) -> None:
        await ack(text=replies.help_text(parts.commands))

    @app.event(_ANYTHING)
    async def any_event() -> None:
        """Nothing to do: that we were told is enough."""

    @app.error
    async def failed(error: Exception, body: Json, context: AsyncBoltContext) -> BoltResponse:
        return await _failed(parts, error, body)


async def _failed(parts: Parts, error: Exception, body: Json) -> BoltResponse:
    """Nothing recorded, nothing acknowledged: Slack shows the click as failed, and we say why if we can."""
    if isinstance(error, Stale | Malformed):
        words = replies.older_button(parts.commands) if isinstance(error, Stale) else replies.UNREADABLE
        if body.get("type") == "view_submission":  # the dialog itself is the only place to say it
            return BoltResponse(
                status=200, body={"response_action": "update", "view": dialogs.notice_view(words)}
            )
        await _tell(parts, body, words)
        return BoltResponse(status=200, body="")
    if isinstance(error, Unavailable):
        logger.warning("nothing was recorded: %s", error)
        is_older = isinstance(error, NotContinued)
        await _tell(parts, body, replies.REDIS_IS_OLDER if is_older else replies.REDIS_AWAY)
    else:
        logger.error("a listener failed", exc_info=error)
        await _tell(parts, body, replies.OUR_FAULT)
    return BoltResponse(status=500, body="")


async def _tell(parts: Parts, body: Json, text: str) -> None:
    try:
        if "command" in body:
            await parts.replier.whisper(Slash.parse(body).response_url, text)
        elif body.get("type") == "block_actions":
            await parts.tell(Click.parse(body), text)
    except Malformed:
        logger.warning("an interaction without its usual parts was dropped")
