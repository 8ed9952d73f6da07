"""Keeping a workspace in a file, so that tomorrow's sandbox shows today's messages."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from bot.sandbox.model import Channel, File, Message, User, UserGroup, View
from bot.sandbox.wire import Json
from bot.sandbox.workspace import Change, Workspace

_FORMAT = 1
_COALESCE_S = 0.2  # a burst of changes is written once

T = TypeVar("T")


class Storage:
    def __init__(self, path: Path, workspace: Workspace) -> None:
        self._path = path
        self._workspace = workspace
        self._changed = asyncio.Event()

    def follow(self, change: Change) -> None:
        if change.kind not in ("called", "connected", "saved", "notice", "view", "revoked", "uninstalled"):
            self._changed.set()

    def load(self) -> bool:
        """Fill the workspace from the file. False when there is no file yet.

        Raises: ValueError, if the file is there but is none of ours.
        """
        if not self._path.exists():
            return False
        try:
            state = json.loads(self._path.read_text())
            if state["format"] != _FORMAT:
                raise ValueError("another format")
            _restore(self._workspace, state)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self._path} does not hold a sandbox's workspace ({error}); move it away to start afresh"
            ) from error
        return True

    def save(self) -> None:
        """Write the file whole, or leave the old one."""
        _write(self._path, json.dumps(_snapshot(self._workspace), separators=(",", ":")))
        self._changed.clear()

    async def keep_saving(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(_COALESCE_S)
            self._changed.clear()
            text = json.dumps(_snapshot(self._workspace), separators=(",", ":"))
            await asyncio.to_thread(_write, self._path, text)
            self._workspace.announce(Change(kind="saved"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    with beside.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)


def _snapshot(workspace: Workspace) -> Json:
    return {
        "format": _FORMAT,
        "last_us": workspace.last_us,
        "users": _all(workspace.users.values()),
        "usergroups": _all(workspace.usergroups.values()),
        "files": [
            {**_plain(file), "content": base64.b64encode(file.content).decode()}
            for file in workspace.files.values()
        ],
        "homes": _all(workspace.homes.values()),
        "channels": [
            {
                **_plain(channel),
                "ephemerals": {},  # as on Slack, gone with the next start
                "messages": _all(channel.messages.values()),
            }
            for channel in workspace.channels.values()
        ],
    }


def _all(things: Iterable[Any]) -> list[Json]:
    return [_plain(thing) for thing in things]


def _plain(thing: Any) -> Json:
    """The fields of a dataclass, without copying what is in them, and without those left at None."""
    pairs = ((field.name, getattr(thing, field.name)) for field in fields(thing))
    return {name: value for name, value in pairs if value is not None}


def _restore(workspace: Workspace, state: Json) -> None:
    workspace.last_us = state["last_us"]
    workspace.users = _by_id(User(**user) for user in state["users"])
    workspace.usergroups = _by_id(UserGroup(**group) for group in state["usergroups"])
    workspace.files = _by_id(
        File(**{**file, "content": base64.b64decode(file["content"])}) for file in state["files"]
    )
    workspace.homes = {home["user"]: View(**home) for home in state["homes"]}
    workspace.channels = _by_id(_channel(channel) for channel in state["channels"])


def _channel(state: Json) -> Channel:
    messages = [_message(message) for message in state["messages"]]
    return Channel(**{**state, "messages": {message.ts: message for message in messages}})


def _message(state: Json) -> Message:
    reactions = tuple((name, user) for name, user in state.get("reactions", ()))
    return Message(**{**state, "files": tuple(state.get("files", ())), "reactions": reactions})


def _by_id(things: Iterable[T]) -> dict[str, T]:
    return {thing.id: thing for thing in things}  # type: ignore[attr-defined]  # all of them have one
