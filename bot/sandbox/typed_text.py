"""What Slack makes of the text that people type: escapes, mentions, links."""

from __future__ import annotations

import re

from bot.sandbox.wire import escape
from bot.sandbox.workspace import Workspace

_NAMED = re.compile(r"(?<![\w@#])([@#])([\w][\w.-]*)")
_LINK = re.compile(r"https?://[^\s<>|]+")


def as_message_text(workspace: Workspace, typed: str) -> str:
    """A message as it is stored: `@ana` becomes `<@U0ANA>`, a link stands in angle brackets."""
    linked = _LINK.sub(lambda found: f"<{found[0]}>", escape(typed))
    return _NAMED.sub(lambda found: _mention(workspace, found) or found[0], linked)


def as_command_text(workspace: Workspace, typed: str, *, mentions: bool) -> str:
    """The text of a slash command; with `mentions` (the manifest's should_escape) names become ids."""
    escaped = escape(typed)
    if not mentions:
        return escaped
    return _NAMED.sub(lambda found: _mention(workspace, found, named=True) or found[0], escaped)


def _mention(workspace: Workspace, found: re.Match[str], *, named: bool = False) -> str | None:
    kind, name = found[1], found[2].rstrip(".-")
    rest = found[2][len(name) :]
    if kind == "#":
        channel = next((one for one in workspace.channels.values() if one.name == name), None)
        return f"<#{channel.id}|{channel.name}>{rest}" if channel else None
    if name in ("here", "channel", "everyone"):
        return f"<!{name}>{rest}"
    user = next((one for one in workspace.users.values() if name in (one.name, one.display_name)), None)
    if user is not None:
        return (f"<@{user.id}|{user.name}>" if named else f"<@{user.id}>") + rest
    group = next((one for one in workspace.usergroups.values() if one.handle == name), None)
    return f"<!subteam^{group.id}>{rest}" if group else None
