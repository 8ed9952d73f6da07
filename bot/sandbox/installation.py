"""What the workspace knows of the one app that is installed in it."""

from __future__ import annotations

from dataclasses import dataclass

TEAM_ID = "T0SANDBOX"
OTHER_TEAM_ID = "T0OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlashCommand:
    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = True

    def to_page(self) -> dict[str, str]:
        return {"command": self.command, "description": self.description, "usage_hint": self.usage_hint}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    callback_id: str
    name: str
    type: str  # "message" or "global", as in a manifest
    description: str = ""

    def to_page(self) -> dict[str, str]:
        return {"callback_id": self.callback_id, "name": self.name, "type": self.type}


DEFAULT_COMMANDS = (
    SlashCommand(command="/approve", description="Approve a request", usage_hint="<id> [note]"),
    SlashCommand(command="/reject", description="Reject a request", usage_hint="<id> <reason>"),
    SlashCommand(command="/approvals", description="List what waits", usage_hint="[mine|all|ID|help]"),
)

DEFAULT_SHORTCUTS = (
    Shortcut(callback_id="show_request", name="Show request", type="message"),
    Shortcut(callback_id="open_queue", name="Open my queue", type="global"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The app's identity, tokens and the parts of its manifest that change what Slack does.

    `events` and `scopes` left as None allow everything that the sandbox knows.
    """

    app_id: str = "A0COUNTERSIGN"
    bot_user: str = "U0COUNTERSIGN"
    bot_id: str = "B0COUNTERSIGN"
    bot_token: str = "xoxb-sandbox"  # noqa: S105  opens nothing but the sandbox; there before any OAuth
    client_id: str = "1.sandbox"
    client_secret: str = "sandbox-client-secret"  # noqa: S105
    redirect_urls: tuple[str, ...] = ()
    app_token: str = "xapp-sandbox"  # noqa: S105
    signing_secret: str = "sandbox-signing-secret"  # noqa: S105
    verification_token: str = "sandbox-verification-token"  # noqa: S105
    commands: tuple[SlashCommand, ...] = DEFAULT_COMMANDS
    shortcuts: tuple[Shortcut, ...] = DEFAULT_SHORTCUTS
    events: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    messages_tab: bool = True
    team_id: str = TEAM_ID
    enterprise_id: str | None = None  # of the Enterprise Grid that the workspace is of
    is_org_wide: bool = False  # installed for all of that

    def command(self, name: str) -> SlashCommand | None:
        return next((command for command in self.commands if command.command == name), None)

    def shortcut(self, callback_id: str) -> Shortcut | None:
        return next((shortcut for shortcut in self.shortcuts if shortcut.callback_id == callback_id), None)

    def hears(self, event: str) -> bool:
        return self.events is None or event in self.events
