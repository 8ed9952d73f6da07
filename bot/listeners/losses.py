"""What befalls our messages: what still waits must be seen, or be told to be undeliverable.

Registered before `threads`, which takes every other message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncApp

from approvals.errors import Refusal
from bot.listeners.parts import Json, Parts


def register(app: AsyncApp, parts: Parts) -> None:
    """Join deleted messages and closed channels to the desk."""

    @app.event({"type": "message", "subtype": "message_deleted"})
    async def deleted(event: Json) -> None:
        await _lost(parts, event.get("channel"), event.get("deleted_ts"))

    @app.event({"type": "message", "subtype": "message_changed"})
    async def changed(event: Json) -> None:
        message = event.get("message") or {}
        if message.get("subtype") == "tombstone":  # what is left of a deleted message that has replies
            await _lost(parts, event.get("channel"), message.get("ts"))

    for name in ("channel_archive", "group_archive", "channel_left", "group_left"):
        app.event(name)(_no_longer_there(parts))

    @app.event("channel_id_changed")
    async def id_changed(event: Json) -> None:
        await _closed(parts, event.get("old_channel_id"))


def _no_longer_there(parts: Parts) -> Callable[[Json], Awaitable[None]]:
    async def closed(event: Json) -> None:
        await _closed(parts, event.get("channel"))

    return closed


async def _lost(parts: Parts, channel: str | None, ts: str | None) -> None:
    """Show what a deleted message showed anew, if it still waits."""
    desk = parts.desk
    if channel and ts:
        await parts.digests.lose(channel, ts)
    request_id = await desk.cards.shown_by(channel, ts) if channel and ts else None
    if request_id is None or channel is None or ts is None:
        return
    try:
        request, _ = await desk.store.get(request_id)
    except Refusal:
        return
    if request.is_pending:
        await desk.cards.lose(channel, ts)


async def _closed(parts: Parts, channel: str | None) -> None:
    """What waits there needs another place, or an end."""
    parts.channels.forget_names()
    if channel is not None:
        await parts.desk.leave(channel)
