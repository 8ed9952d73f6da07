"""The dialogs that people have open, and their Home tabs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.sandbox import limits
from bot.sandbox.model import View
from bot.sandbox.wire import Json, SlackError, new_id
from bot.sandbox.workspace import Change, Workspace


class Views:
    """One stack of dialogs per person, at most three high."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stacks: dict[str, list[str]] = {}
        self._views: dict[str, View] = {}

    def stack(self, user: str) -> list[View]:
        return [self._views[view_id] for view_id in self._stacks.get(user, [])]

    def top(self, user: str) -> View | None:
        stack = self._stacks.get(user)
        return self._views[stack[-1]] if stack else None

    def get(self, view_id: str) -> View | None:
        """An open dialog or somebody's Home tab."""
        if view_id in self._views:
            return self._views[view_id]
        return next((home for home in self._workspace.homes.values() if home.id == view_id), None)

    def by_external_id(self, external_id: str) -> View | None:
        everything = [*self._views.values(), *self._workspace.homes.values()]
        return next((view for view in everything if view.external_id == external_id), None)

    def open(self, user: str, raw: Json) -> View:
        """Begin a new stack; what was open before is put away."""
        self._require_free(raw)
        for view_id in self._stacks.pop(user, []):
            del self._views[view_id]
        return self._place(user, raw, below=None)

    def push(self, below: View, raw: Json) -> View:
        self._require_free(raw)
        if len(self._stacks.get(below.user, [])) >= limits.VIEW_STACK:
            raise SlackError("push_limit_reached")
        return self._place(below.user, raw, below=below)

    def update(self, view: View, raw: Json, *, expected_hash: str | None = None) -> View:
        """Put other content into `view`; what was typed stays where block and action kept their ids."""
        if expected_hash and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        if raw.get("external_id") != view.external_id:
            self._require_free(raw)
        after = replace(
            view,
            **_content(raw),
            hash=_new_hash(self._workspace.clock),
            typed=_kept(view.typed, raw["blocks"]),
        )
        self._store(after)
        return after

    def publish(self, user: str, raw: Json, *, expected_hash: str | None = None) -> View:
        home = self._workspace.homes.get(user)
        if home is not None:
            return self.update(home, raw, expected_hash=expected_hash)
        if expected_hash:
            raise SlackError("hash_conflict")
        self._require_free(raw)
        view_id = new_id("V")
        home = View(
            id=view_id, user=user, type="home", root_view_id=view_id, hash=_new_hash(self._workspace.clock),
            **_content(raw),
        )  # fmt: skip
        self._store(home)
        return home

    def type_into(self, view: View, typed: Json) -> View:
        """Remember what the person has filled in so far. The app sees it with the next thing they do."""
        after = replace(view, typed=typed)
        if after.type == "home":
            self._workspace.homes[after.user] = after
        elif after.id in self._views:
            self._views[after.id] = after
        return after

    def pop(self, view: View) -> None:
        """Close `view` and what is above it; the one beneath comes back."""
        stack = self._stacks.get(view.user, [])
        if view.id not in stack:
            return
        at = stack.index(view.id)
        for view_id in stack[at:]:
            del self._views[view_id]
        del stack[at:]
        self._announce(view.user)

    def clear(self, user: str) -> None:
        for view_id in self._stacks.pop(user, []):
            del self._views[view_id]
        self._announce(user)

    def _place(self, user: str, raw: Json, *, below: View | None) -> View:
        view_id = new_id("V")
        view = View(
            id=view_id, user=user, type="modal", hash=_new_hash(self._workspace.clock),
            root_view_id=below.root_view_id if below else view_id,
            previous_view_id=below.id if below else None,
            **_content(raw),
        )  # fmt: skip
        self._stacks.setdefault(user, []).append(view_id)
        self._store(view)
        return view

    def _store(self, view: View) -> None:
        if view.type == "home":
            self._workspace.homes[view.user] = view
            self._workspace.announce(Change(kind="home", user=view.user, view=view))
        else:
            self._views[view.id] = view
            self._announce(view.user)

    def _announce(self, user: str) -> None:
        detail = {"depth": len(self._stacks.get(user, []))}
        self._workspace.announce(Change(kind="view", user=user, view=self.top(user), detail=detail))

    def _require_free(self, raw: Json) -> None:
        external_id = raw.get("external_id")
        if external_id and self.by_external_id(external_id):
            raise SlackError("duplicate_external_id")


def _content(raw: Json) -> dict[str, Any]:
    """The part of a view that an app sends."""
    blocks = [{"block_id": new_id("b"), **block} for block in raw["blocks"]]
    return {
        "blocks": blocks,
        "title": raw.get("title"),
        "submit": raw.get("submit"),
        "close": raw.get("close"),
        "callback_id": raw.get("callback_id") or "",
        "private_metadata": raw.get("private_metadata") or "",
        "external_id": raw.get("external_id") or "",
        "clear_on_close": bool(raw.get("clear_on_close")),
        "notify_on_close": bool(raw.get("notify_on_close")),
        "submit_disabled": bool(raw.get("submit_disabled")),
    }


def _kept(typed: Json, blocks: list[Json]) -> Json:
    there = {block.get("block_id") for block in blocks}
    return {block_id: actions for block_id, actions in typed.items() if block_id in there}


def _new_hash(clock: Callable[[], float]) -> str:
    return f"{int(clock())}.{secrets.token_hex(4)}"
