"""The state of one workspace, and every way in which it changes. No network, no app, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bot.sandbox.model import Channel, File, Message, User, UserGroup, View
from bot.sandbox.wire import Json, new_id

ChangeKind = Literal[
    "posted", "changed", "deleted", "view", "home", "notice", "called", "user", "usergroup",
    "joined", "left", "archived", "unarchived", "channel", "channel_id", "shared", "opened_home", "read",
    "connected", "saved", "revoked", "uninstalled",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that happened; pages, tests, events to the app and the state file all follow these."""

    kind: ChangeKind
    channel: str | None = None
    user: str | None = None
    message: Message | None = None
    before: Message | None = None
    view: View | None = None
    detail: Json = field(default_factory=dict)


Watcher = Callable[[Change], None]


class NotThere(KeyError):
    """There is no such user, channel, message or group."""


class Workspace:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.name = "Acme"
        self.domain = "acme"
        self.clock = clock
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.usergroups: dict[str, UserGroup] = {}
        self.files: dict[str, File] = {}
        self.homes: dict[str, View] = {}
        self.last_us = 0
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def announce(self, change: Change) -> None:
        for watcher in self._watchers:
            watcher(change)

    def new_ts(self) -> str:
        """A timestamp that no message had before: the clock's, or a microsecond after the last."""
        self.last_us = max(int(self.clock() * 1_000_000), self.last_us + 1)
        return f"{self.last_us // 1_000_000}.{self.last_us % 1_000_000:06d}"

    # People

    def user(self, user_id: str) -> User:
        if user_id not in self.users:
            raise NotThere(user_id)
        return self.users[user_id]

    def deactivate(self, user_id: str) -> None:
        """An admin deactivates the account; the person leaves every channel and group."""
        user = self.user(user_id)
        user.deleted = True
        for channel in self.channels.values():
            if channel.kind in ("channel", "private") and user_id in channel.members:
                self.leave(channel.id, user_id)
        for group in self.usergroups.values():
            if user_id in group.users:
                self.set_usergroup(group.id, [member for member in group.users if member != user_id])
        self.announce(Change(kind="user", user=user_id))

    def reactivate(self, user_id: str) -> None:
        self.user(user_id).deleted = False
        self.announce(Change(kind="user", user=user_id))

    def set_status(self, user_id: str, text: str, emoji: str = "") -> None:
        user = self.user(user_id)
        user.status_text, user.status_emoji = text, emoji
        self.announce(Change(kind="user", user=user_id))

    def set_usergroup(self, group_id: str, users: Iterable[str]) -> None:
        group = self.usergroup(group_id)
        before, after = group.users, list(users)
        group.users = after
        detail = {
            "group": group_id,
            "added": [user for user in after if user not in before],
            "removed": [user for user in before if user not in after],
            "before": len(before),
        }
        self.announce(Change(kind="usergroup", detail=detail))

    def usergroup(self, group_id: str) -> UserGroup:
        if group_id not in self.usergroups:
            raise NotThere(group_id)
        return self.usergroups[group_id]

    # Channels

    def channel(self, channel_id: str) -> Channel:
        if channel_id not in self.channels:
            raise NotThere(channel_id)
        return self.channels[channel_id]

    def can_see(self, user_id: str, channel: Channel) -> bool:
        """Members see; so does any full member of the workspace where the channel is public."""
        return user_id in channel.members or (
            channel.kind == "channel" and self.users[user_id].kind in ("member", "bot")
        )

    def join(self, channel_id: str, user_id: str, *, inviter: str | None = None) -> None:
        channel = self.channel(channel_id)
        if user_id in channel.members:
            return
        channel.members.append(user_id)
        detail = {"inviter": inviter} if inviter else {}
        self.announce(Change(kind="joined", channel=channel_id, user=user_id, detail=detail))

    def leave(self, channel_id: str, user_id: str, *, by: str | None = None) -> None:
        channel = self.channel(channel_id)
        if user_id not in channel.members:
            return
        channel.members.remove(user_id)
        self.announce(Change(kind="left", channel=channel_id, user=user_id, detail={"by": by or user_id}))

    def archive(self, channel_id: str, *, by: str = "U0ANA") -> None:
        self.channel(channel_id).is_archived = True
        self.announce(Change(kind="archived", channel=channel_id, user=by))

    def unarchive(self, channel_id: str, *, by: str = "U0ANA") -> None:
        self.channel(channel_id).is_archived = False
        self.announce(Change(kind="unarchived", channel=channel_id, user=by))

    def rename(self, channel_id: str, name: str) -> None:
        self.channel(channel_id).name = name
        self.announce(Change(kind="channel", channel=channel_id, detail={"renamed": True}))

    def change_id(self, channel_id: str, new: str) -> None:
        """What happens to a private channel when it is shared: the same channel under another id."""
        channel = self.channels.pop(channel_id)
        channel.id = new
        channel.messages = {ts: replace(message, channel=new) for ts, message in channel.messages.items()}
        channel.ephemerals.clear()
        self.channels[new] = channel
        self.announce(Change(kind="channel_id", channel=new, detail={"old": channel_id}))

    def share(self, channel_id: str, *, with_team: str = "T0OTHER") -> None:
        self.channel(channel_id).is_ext_shared = True
        self.announce(Change(kind="shared", channel=channel_id, detail={"team": with_team}))

    def dm(self, *users: str) -> tuple[Channel, bool]:
        """The direct conversation of exactly these people, and whether it was there already."""
        wanted = set(users)
        for channel in self.channels.values():
            if channel.kind in ("dm", "mpim") and set(channel.members) == wanted:
                return channel, True
        kind: Literal["dm", "mpim"] = "dm" if len(wanted) <= 2 else "mpim"
        ident = new_id("D" if kind == "dm" else "G")
        name = "" if kind == "dm" else "mpdm-" + "--".join(self.user(user).name for user in users) + "-1"
        channel = Channel(id=ident, name=name, kind=kind, members=list(dict.fromkeys(users)))
        channel.created = int(self.clock())
        self.channels[ident] = channel
        self.announce(Change(kind="channel", channel=ident))
        return channel, False

    # Messages

    def message(self, channel_id: str, ts: str) -> Message:
        message = self.channel(channel_id).messages.get(ts)
        if message is None:
            raise NotThere(ts)
        return message

    def post(self, channel_id: str, *, user: str, text: str, **fields: Any) -> Message:
        channel = self.channel(channel_id)
        message = Message(ts=self.new_ts(), channel=channel_id, user=user, text=text, **fields)
        channel.messages[message.ts] = message
        if message.is_reply:
            assert message.thread_ts is not None  # noqa: S101  what is_reply means
            channel.replies.setdefault(message.thread_ts, []).append(message.ts)
        for file_id in message.files:
            self.files[file_id].shared = True
            self.files[file_id].shares.setdefault(channel_id, []).append(message.ts)
        self.announce(Change(kind="posted", channel=channel_id, message=message))
        return message

    def edit(self, message: Message, **changes: Any) -> Message:
        after = replace(message, **changes)
        self.channel(message.channel).messages[message.ts] = after
        self.announce(Change(kind="changed", channel=message.channel, message=after, before=message))
        return after

    def delete(self, channel_id: str, ts: str) -> None:
        """Delete a message; a parent with replies leaves a tombstone, as on Slack."""
        channel = self.channel(channel_id)
        message = self.message(channel_id, ts)
        if channel.replies.get(ts):
            self.edit(
                message, subtype="tombstone", text="This message was deleted.", user="USLACKBOT",
                blocks=None, files=(), metadata=None, bot_id=None, username=None,
            )  # fmt: skip
            return
        del channel.messages[ts]
        if message.is_reply and message.thread_ts in channel.replies:
            channel.replies[message.thread_ts].remove(ts)
        self.announce(Change(kind="deleted", channel=channel_id, before=message))

    def whisper(self, channel_id: str, *, to: str, text: str, **fields: Any) -> Message:
        """Post a message that only `to` sees."""
        channel = self.channel(channel_id)
        message = Message(ts=self.new_ts(), channel=channel_id, text=text, ephemeral_to=to, **fields)
        channel.ephemerals.setdefault(to, {})[message.ts] = message
        self.announce(Change(kind="posted", channel=channel_id, user=to, message=message))
        return message

    def rewhisper(self, message: Message, **changes: Any) -> Message:
        after = replace(message, **changes)
        assert message.ephemeral_to is not None  # noqa: S101  only those are whispered
        self.channel(message.channel).ephemerals[message.ephemeral_to][message.ts] = after
        self.announce(
            Change(
                kind="changed",
                channel=message.channel,
                user=message.ephemeral_to,
                message=after,
                before=message,
            )
        )
        return after

    def unwhisper(self, message: Message) -> None:
        assert message.ephemeral_to is not None  # noqa: S101
        self.channel(message.channel).ephemerals[message.ephemeral_to].pop(message.ts, None)
        self.announce(
            Change(kind="deleted", channel=message.channel, user=message.ephemeral_to, before=message)
        )

    def ephemeral(self, channel_id: str, user: str, ts: str) -> Message | None:
        return self.channel(channel_id).ephemerals.get(user, {}).get(ts)

    def timeline(self, channel_id: str) -> list[Message]:
        """Top-level messages, oldest first."""
        return [
            message
            for message in self.channel(channel_id).messages.values()
            if not message.is_reply or message.broadcast
        ]

    def thread(self, channel_id: str, ts: str) -> list[Message]:
        """The parent, then its replies."""
        channel = self.channel(channel_id)
        parent = channel.messages.get(ts)
        replies = [channel.messages[reply] for reply in channel.replies.get(ts, [])]
        return ([parent] if parent else []) + replies

    def unread(self, channel: Channel, user: str) -> int:
        since = channel.read.get(user, "")
        count = 0
        for ts, message in reversed(channel.messages.items()):
            if ts <= since:
                break
            count += message.user != user and not message.is_reply
        return count

    def mark_read(self, channel_id: str, user: str) -> None:
        channel = self.channel(channel_id)
        channel.read[user] = next(reversed(channel.messages), "")
        self.announce(Change(kind="read", channel=channel_id, user=user))

    def notice(self, user: str, text: str, level: Literal["error", "info"] = "error") -> None:
        """What Slack flashes to one person."""
        self.announce(Change(kind="notice", user=user, detail={"text": text, "level": level}))
