"""What the app hears of the world: changes of the workspace, as events of the Events API."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.sandbox import payloads
from bot.sandbox.delivery import Delivery
from bot.sandbox.methods import shapes
from bot.sandbox.model import Channel, Message
from bot.sandbox.wire import Json
from bot.sandbox.workspace import Change
from bot.sandbox.world import World

EVENTS = (
    "message.channels", "message.groups", "message.im", "message.mpim", "app_mention", "app_home_opened",
    "user_change", "subteam_members_changed", "subteam_updated", "member_joined_channel",
    "member_left_channel", "channel_left", "group_left", "channel_archive", "channel_unarchive",
    "group_archive", "group_unarchive", "channel_rename", "channel_id_changed", "channel_shared",
    "app_uninstalled", "tokens_revoked",
)  # fmt: skip
"""Every event that can happen here, by the name that a manifest subscribes to."""

_MESSAGES = {
    "channel": "message.channels",
    "private": "message.groups",
    "dm": "message.im",
    "mpim": "message.mpim",
}
_CHANNEL_TYPE = {"channel": "channel", "private": "group", "dm": "im", "mpim": "mpim"}

Told = Iterator[tuple[str, Json, Channel | None]]


class Events:
    def __init__(self, world: World, delivery: Delivery) -> None:
        self._world = world
        self._delivery = delivery
        self._tellers: dict[str, Callable[[Change], Told]] = {
            "posted": self._posted,
            "changed": self._changed,
            "deleted": self._deleted,
            "opened_home": self._opened_home,
            "user": self._user,
            "usergroup": self._usergroup,
            "joined": self._joined,
            "left": self._left,
            "archived": self._archived,
            "unarchived": self._archived,
            "channel": self._renamed,
            "channel_id": self._id_changed,
            "shared": self._shared,
            "revoked": self._revoked,
            "uninstalled": self._uninstalled,
        }

    def follow(self, change: Change) -> None:
        """Tell the app what it subscribed to and may know."""
        teller = self._tellers.get(change.kind)
        is_heard = self._world.tokens.is_installed or change.kind in ("revoked", "uninstalled")
        for name, event, place in teller(change) if teller and is_heard else ():
            if not self._world.app.hears(name) or (place is not None and not self._knows(place)):
                continue
            event.setdefault("event_ts", self._world.workspace.new_ts())
            ext_shared = place is not None and place.is_ext_shared
            self._delivery.tell(payloads.event(self._world, event, ext_shared=ext_shared))

    def _knows(self, place: Channel) -> bool:
        return self._world.is_ours(place)

    def _place(self, change: Change) -> Channel:
        return self._world.workspace.channel(change.channel or "")

    def _posted(self, change: Change) -> Told:
        message, place = change.message, self._place(change)
        if message is None or message.ephemeral_to is not None:
            return
        event = self._message(message, place)
        yield _MESSAGES[place.kind], event, place
        if f"<@{self._world.app.bot_user}>" in message.text and place.kind != "dm" and message.bot_id is None:
            mention = {key: value for key, value in event.items() if key != "channel_type"}
            yield "app_mention", {**mention, "type": "app_mention"}, place

    def _changed(self, change: Change) -> Told:
        message, before, place = change.message, change.before, self._place(change)
        if message is None or before is None or message.ephemeral_to is not None:
            return
        event: Json = {
            "type": "message",
            "subtype": "message_changed",
            "hidden": True,
            "message": shapes.message(self._world, message),
            "previous_message": shapes.message(self._world, before),
            "channel": place.id,
            "channel_type": _CHANNEL_TYPE[place.kind],
            "ts": self._world.workspace.new_ts(),
        }
        yield _MESSAGES[place.kind], event, place

    def _deleted(self, change: Change) -> Told:
        before, place = change.before, self._place(change)
        if before is None or before.ephemeral_to is not None:
            return
        event: Json = {
            "type": "message",
            "subtype": "message_deleted",
            "hidden": True,
            "deleted_ts": before.ts,
            "previous_message": shapes.message(self._world, before),
            "channel": place.id,
            "channel_type": _CHANNEL_TYPE[place.kind],
            "ts": self._world.workspace.new_ts(),
        }
        yield _MESSAGES[place.kind], event, place

    def _message(self, message: Message, place: Channel) -> Json:
        return {
            **shapes.message(self._world, message),
            "channel": place.id,
            "channel_type": _CHANNEL_TYPE[place.kind],
            "event_ts": message.ts,
        }

    def _opened_home(self, change: Change) -> Told:
        event: Json = {
            "type": "app_home_opened",
            "user": change.user,
            "channel": change.channel,
            "tab": change.detail["tab"],
        }
        if change.view is not None and change.detail["tab"] == "home":
            event["view"] = shapes.view(self._world, change.view)
        yield "app_home_opened", event, None

    def _user(self, change: Change) -> Told:
        who = self._world.workspace.user(change.user or "")
        event: Json = {"type": "user_change", "user": shapes.user(self._world, who)}
        event["cache_ts"] = int(self._world.clock())
        yield "user_change", event, None

    def _usergroup(self, change: Change) -> Told:
        group = self._world.workspace.usergroup(change.detail["group"])
        now = int(self._world.clock())
        added, removed = change.detail["added"], change.detail["removed"]
        event: Json = {
            "type": "subteam_members_changed",
            "subteam_id": group.id,
            "team_id": self._world.app.team_id,
            "date_previous_update": now,
            "date_update": now,
            "added_users": added,
            "added_users_count": len(added),
            "removed_users": removed,
            "removed_users_count": len(removed),
        }
        yield "subteam_members_changed", event, None
        yield (
            "subteam_updated",
            {"type": "subteam_updated", "subteam": shapes.usergroup(self._world, group, users=True)},
            None,
        )

    def _joined(self, change: Change) -> Told:
        place = self._place(change)
        event: Json = {
            "type": "member_joined_channel",
            "user": change.user,
            "channel": place.id,
            "channel_type": "G" if place.is_private else "C",
            "team": self._world.app.team_id,
            **change.detail,
        }
        yield "member_joined_channel", event, place

    def _left(self, change: Change) -> Told:
        """The app itself hears of its own removal by another event, since it is no member any more."""
        place = self._place(change)
        if change.user == self._world.app.bot_user:
            name = "group_left" if place.is_private else "channel_left"
            yield name, {"type": name, "channel": place.id, "actor_id": change.detail["by"]}, None
            return
        event: Json = {
            "type": "member_left_channel",
            "user": change.user,
            "channel": place.id,
            "channel_type": "G" if place.is_private else "C",
            "team": self._world.app.team_id,
        }
        yield "member_left_channel", event, place

    def _archived(self, change: Change) -> Told:
        place = self._place(change)
        name = f"{'group' if place.is_private else 'channel'}_{change.kind.removesuffix('d')}"
        yield name, {"type": name, "channel": place.id, "user": change.user}, place

    def _renamed(self, change: Change) -> Told:
        if not change.detail.get("renamed"):
            return
        place = self._place(change)
        about = {"id": place.id, "name": place.name, "created": place.created}
        yield "channel_rename", {"type": "channel_rename", "channel": about}, place

    def _id_changed(self, change: Change) -> Told:
        place = self._place(change)
        event = {
            "type": "channel_id_changed",
            "old_channel_id": change.detail["old"],
            "new_channel_id": place.id,
        }
        yield "channel_id_changed", event, place

    def _revoked(self, change: Change) -> Told:
        tokens = {"oauth": [], "bot": [self._world.app.bot_user]}
        yield "tokens_revoked", {"type": "tokens_revoked", "tokens": tokens}, None

    def _uninstalled(self, change: Change) -> Told:
        yield from self._revoked(change)
        yield "app_uninstalled", {"type": "app_uninstalled"}, None

    def _shared(self, change: Change) -> Told:
        place = self._place(change)
        event = {"type": "channel_shared", "connected_team_id": change.detail["team"], "channel": place.id}
        yield "channel_shared", event, place
