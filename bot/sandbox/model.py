"""The nouns of a workspace: people, channels, messages, views, files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.sandbox.wire import Json, unescape

UserKind = Literal["member", "guest", "single_guest", "external", "bot"]
ChannelKind = Literal["channel", "private", "dm", "mpim"]


@dataclass(slots=True, kw_only=True)
class User:
    id: str
    name: str
    real_name: str
    display_name: str = ""
    title: str = ""
    kind: UserKind = "member"
    deleted: bool = False
    tz: str = "Europe/London"
    color: str = "757575"
    team_id: str = "T0SANDBOX"
    email: str = ""
    status_text: str = ""
    status_emoji: str = ""

    @property
    def shown_name(self) -> str:
        return self.display_name or self.real_name

    @property
    def may_act(self) -> bool:
        """Bots have no hands, and the deactivated cannot sign in."""
        return not self.deleted and self.kind != "bot" and self.id != "USLACKBOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One version of a message; an edit makes another, so whoever holds this one keeps what they saw."""

    ts: str
    channel: str
    user: str
    text: str = ""
    blocks: list[Json] | None = None
    bot_id: str | None = None
    username: str | None = None
    subtype: str | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    edited: Json | None = None
    metadata: Json | None = None
    attachments: list[Json] | None = None
    files: tuple[str, ...] = ()
    reactions: tuple[tuple[str, str], ...] = ()  # (name, user)
    ephemeral_to: str | None = None

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    @property
    def shown(self) -> str:
        """Every word a person sees, a line for each text."""
        return "\n".join(words(self.blocks)) if self.blocks else unescape(self.text)


@dataclass(slots=True, kw_only=True)
class Channel:
    id: str
    name: str
    kind: ChannelKind = "channel"
    members: list[str] = field(default_factory=list)
    is_archived: bool = False
    is_ext_shared: bool = False
    topic: str = ""
    creator: str = "U0ANA"
    created: int = 1_700_000_000
    messages: dict[str, Message] = field(default_factory=dict)  # by ts, oldest first
    replies: dict[str, list[str]] = field(default_factory=dict)  # parent ts → ts of its replies
    ephemerals: dict[str, dict[str, Message]] = field(default_factory=dict)  # user → ts → message
    read: dict[str, str] = field(default_factory=dict)  # user → ts of the last message they have read

    @property
    def is_private(self) -> bool:
        return self.kind != "channel"

    def others(self, user: str) -> list[str]:
        return [member for member in self.members if member != user]


@dataclass(slots=True, kw_only=True)
class UserGroup:
    id: str
    handle: str
    name: str
    users: list[str] = field(default_factory=list)
    disabled: bool = False


@dataclass(slots=True, kw_only=True)
class File:
    id: str
    name: str
    size: int
    user: str
    created: int
    title: str = ""
    alt_text: str = ""
    mimetype: str = "text/plain"
    content: bytes = b""
    uploaded: bool = False
    shared: bool = False
    shares: dict[str, list[str]] = field(default_factory=dict)  # channel → ts of the messages that hold it


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One version of a dialog or of a Home tab, as one person has it before them."""

    id: str
    user: str
    type: Literal["modal", "home"]
    blocks: list[Json]
    hash: str
    title: Json | None = None
    submit: Json | None = None
    close: Json | None = None
    callback_id: str = ""
    private_metadata: str = ""
    external_id: str = ""
    clear_on_close: bool = False
    notify_on_close: bool = False
    submit_disabled: bool = False
    root_view_id: str = ""
    previous_view_id: str | None = None
    typed: Json = field(default_factory=dict)  # what the person has filled in: block → action → state

    @property
    def shown(self) -> str:
        """Every word a person sees, a line for each text."""
        frame = [part["text"] for part in (self.title, self.submit, self.close) if part]
        return "\n".join([*frame, *words(self.blocks)])


def words(node: object) -> list[str]:
    """The texts in blocks, in reading order, without what a person cannot see (ids, values, metadata)."""
    if isinstance(node, list):
        return [word for item in node for word in words(item)]
    if not isinstance(node, dict):
        return []
    found: list[str] = []
    if node.get("type") == "rich_text_section":
        return ["".join(_rich(part) for part in node.get("elements", []))]
    for key, value in node.items():
        if key in _UNSEEN:
            continue
        if isinstance(value, str) and key in _SEEN:
            found.append(unescape(value))
        elif isinstance(value, dict | list):
            found.extend(words(value))
    return found


_SEEN = {"text", "alt_text", "initial_value", "initial_date", "initial_time"}
_UNSEEN = {"confirm", "style", "dispatch_action_config"}


def _rich(part: Json) -> str:
    """A word of a rich text section, mentions as Slack writes them in plain messages."""
    match part.get("type"):
        case "user":
            return f"<@{part['user_id']}>"
        case "usergroup":
            return f"<!subteam^{part['usergroup_id']}>"
        case "channel":
            return f"<#{part['channel_id']}>"
        case "broadcast":
            return f"<!{part['range']}>"
        case "emoji":
            return f":{part['name']}:"
        case "link":
            return str(part.get("text") or part["url"])
        case "date":
            return str(part.get("fallback") or part["timestamp"])
        case _:
            return str(part.get("text", ""))


def surface_of(shown: Message | View) -> Literal["message", "modal", "home"]:
    return "message" if isinstance(shown, Message) else shown.type
