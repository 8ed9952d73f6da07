"""What Slack tells of people, groups and channels: it makes our short caches shorter still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncApp

from bot.listeners.parts import Json, Parts


def register(app: AsyncApp, parts: Parts) -> None:
    """Drop what an event has made old, so that a right that was taken away is gone at once."""
    people, channels = parts.people, parts.channels

    @app.event("user_change")
    async def user_change(event: Json) -> None:
        user = event.get("user")
        people.forget(person=user.get("id") if isinstance(user, dict) else None)

    @app.event("subteam_members_changed")
    async def members_changed() -> None:
        people.forget(groups=True)

    @app.event("subteam_updated")
    async def group_changed() -> None:
        people.forget(groups=True)

    @app.event("member_joined_channel")
    async def joined(event: Json) -> None:
        people.forget(channel=event.get("channel"))

    @app.event("member_left_channel")
    async def left(event: Json) -> None:
        people.forget(channel=event.get("channel"))

    for name in ("channel_rename", "channel_unarchive", "channel_created"):
        app.event(name)(_forget_names(channels.forget_names))


def _forget_names(forget: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def changed() -> None:
        forget()

    return changed
