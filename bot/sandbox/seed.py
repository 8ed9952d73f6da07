"""The people and channels that a new sandbox begins with."""

from __future__ import annotations

from bot.sandbox.installation import OTHER_TEAM_ID, TEAM_ID, Installation
from bot.sandbox.model import Channel, User, UserGroup, UserKind
from bot.sandbox.workspace import Workspace


def plant(workspace: Workspace, app: Installation) -> None:
    """Fill an empty workspace."""
    for user in [*_people(), _bot(app)]:
        if user.team_id == TEAM_ID:
            user.team_id = app.team_id
        workspace.users[user.id] = user
    for channel in _channels(app.bot_user):
        workspace.channels[channel.id] = channel
    for group in (
        UserGroup(id="S0ONCALL", handle="sre-oncall", name="SRE on call", users=["U0LEE"]),
        UserGroup(id="S0DIRECTORS", handle="directors", name="Directors", users=["U0KIM", "U0ANA"]),
    ):
        workspace.usergroups[group.id] = group


def _people() -> list[User]:
    def person(
        ident: str,
        real_name: str,
        title: str,
        tz: str,
        color: str,
        *,
        kind: UserKind = "member",
        team_id: str = TEAM_ID,
    ) -> User:
        name = real_name.split()[0].lower()
        email = f"{name}@{'acme' if team_id == TEAM_ID else 'other'}.example"
        return User(
            id=ident, name=name, real_name=real_name, title=title, tz=tz, color=color, email=email, kind=kind,
            team_id=team_id,
        )  # fmt: skip

    return [
        person("U0ANA", "Ana Duarte", "Platform lead", "Europe/Berlin", "4b6bfb"),
        person("U0KIM", "Kim Osei", "Finance director", "America/New_York", "9b5de5"),
        person("U0LEE", "Lee Park", "SRE", "Asia/Seoul", "00a878"),
        person("U0MAX", "Max Weber", "Support", "Europe/Berlin", "e07a5f"),
        person("U0GUS", "Gus Reyes", "Contractor", "Europe/Madrid", "b08968", kind="guest"),
        person("U0SUE", "Sue Lind", "Visitor", "Europe/Stockholm", "7f9172", kind="single_guest"),
        person(
            "U0EVE", "Eve Moss", "Partner", "Europe/London", "d1495b",
            kind="external", team_id=OTHER_TEAM_ID,
        ),
        person("U0BOB", "Bob", "Build bot", "Etc/UTC", "6c757d", kind="bot"),
        User(
            id="U0DEL", name="dora", real_name="Dora Klein", title="Formerly finance", deleted=True,
            tz="Europe/Berlin", color="adb5bd", email="dora@acme.example",
        ),
        User(id="USLACKBOT", name="slackbot", real_name="Slackbot", tz="America/Los_Angeles", color="757575"),
    ]  # fmt: skip


def _bot(app: Installation) -> User:
    return User(
        id=app.bot_user, name="countersign", real_name="countersign", kind="bot", tz="America/Los_Angeles",
        color="1f2937",
    )  # fmt: skip


def _channels(bot: str) -> list[Channel]:
    return [
        Channel(
            id="C0APPROVALS", name="approvals", topic="What agents ask before they act", is_ext_shared=True,
            members=[bot, "U0ANA", "U0KIM", "U0LEE", "U0MAX", "U0GUS", "U0EVE", "U0SUE"],
        ),
        Channel(
            id="C0GENERAL", name="general", topic="Everyone",
            members=[bot, "U0ANA", "U0KIM", "U0LEE", "U0MAX", "U0GUS", "U0BOB"],
        ),
        Channel(id="C0OPS", name="approvals-ops", kind="private", members=[bot, "U0ANA", "U0LEE"]),
        Channel(id="C0RANDOM", name="random", members=["U0ANA", "U0KIM", "U0LEE", "U0MAX", "U0BOB"]),
        Channel(id="C0OLD", name="old", is_archived=True, members=[bot, "U0ANA", "U0KIM"]),
    ]  # fmt: skip
