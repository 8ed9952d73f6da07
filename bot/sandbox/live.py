"""Telling open pages, and tests that wait, what has just changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from bot.sandbox import page_shapes
from bot.sandbox.model import Channel
from bot.sandbox.wire import Json
from bot.sandbox.workspace import Change
from bot.sandbox.world import World

T = TypeVar("T")

_MESSAGE_TYPES = {"posted": "message", "changed": "message_changed"}
_CHANNEL_KINDS = {"joined", "left", "archived", "unarchived", "channel", "channel_id", "shared", "read"}


class Waiting:
    """Wakes whoever waits for something to become true, whenever anything changes."""

    def __init__(self) -> None:
        self._next_change = asyncio.Event()

    def follow(self, change: Change) -> None:
        self._next_change.set()
        self._next_change = asyncio.Event()

    async def until(self, predicate: Callable[[], T], timeout_s: float) -> T:
        """Return what `predicate` returns once that is true.

        Raises: TimeoutError, after `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not (value := predicate()):
                    await self._next_change.wait()
                return value
        except TimeoutError:
            raise TimeoutError(f"nothing in the workspace made it true within {timeout_s} s") from None


class Feeds:
    """One queue for every open page, with what its person may see."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._feeds: dict[asyncio.Queue[Json], str] = {}

    def open(self, user: str) -> asyncio.Queue[Json]:
        feed: asyncio.Queue[Json] = asyncio.Queue()
        self._feeds[feed] = user
        return feed

    def close(self, feed: asyncio.Queue[Json]) -> None:
        self._feeds.pop(feed, None)

    def follow(self, change: Change) -> None:
        if change.kind in ("called", "connected", "saved"):
            return
        for feed, viewer in self._feeds.items():
            for news in self._news(change, viewer):
                feed.put_nowait(news)

    def _news(self, change: Change, viewer: str) -> list[Json]:
        match change.kind:
            case "posted" | "changed" | "deleted":
                return self._of_message(change, viewer)
            case "view" | "home" | "notice":
                return [self._of_person(change)] if change.user == viewer else []
            case "user":
                return [
                    {"type": "user", "user": page_shapes.user(self._world.workspace.user(change.user or ""))}
                ]
            case kind if kind in _CHANNEL_KINDS:
                return self._of_channel(change, viewer)
            case _:
                return []

    def _of_message(self, change: Change, viewer: str) -> list[Json]:
        place = self._world.workspace.channel(change.channel or "")
        message = change.message or change.before
        if message is None or not self._sees(viewer, place) or message.ephemeral_to not in (None, viewer):
            return []
        if change.kind == "deleted":
            news: list[Json] = [{"type": "message_deleted", "channel": place.id, "ts": message.ts}]
        else:
            shown = page_shapes.message(self._world, message)
            news = [{"type": _MESSAGE_TYPES[change.kind], "message": shown}]
        parent = place.messages.get(message.thread_ts or "") if message.is_reply else None
        if parent is not None and change.kind != "changed":
            news.append({"type": "message_changed", "message": page_shapes.message(self._world, parent)})
        counts = change.kind == "posted" and message.ephemeral_to is None and message.user != viewer
        return news + (self._of_channel(change, viewer) if counts and not message.is_reply else [])

    def _of_person(self, change: Change) -> Json:
        if change.kind == "notice":
            return {"type": "notice", **change.detail}
        return {"type": change.kind, "view": page_shapes.view(change.view), **change.detail}

    def _of_channel(self, change: Change, viewer: str) -> list[Json]:
        place = self._world.workspace.channel(change.channel or "")
        if change.kind == "read" and change.user != viewer:
            return []
        if not self._sees(viewer, place) and change.user != viewer:
            return []
        news: Json = {"type": "channel", "channel": page_shapes.channel(self._world, place, viewer)}
        return [{**news, **({"old_id": change.detail["old"]} if change.kind == "channel_id" else {})}]

    def _sees(self, viewer: str, place: Channel) -> bool:
        return self._world.workspace.can_see(viewer, place)
