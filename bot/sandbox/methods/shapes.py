"""Users, channels and messages as Slack's JSON has them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.sandbox.model import Channel, File, Message, User, UserGroup, View
from bot.sandbox.wire import Json, as_returned
from bot.sandbox.world import World


def user(world: World, who: User, *, locale: bool = False) -> Json:
    """https://docs.slack.dev/reference/objects/user-object"""
    stranger = who.kind == "external"
    shown: Json = {
        "id": who.id,
        "team_id": who.team_id,
        "name": who.name,
        "deleted": who.deleted,
        "color": who.color,
        "real_name": who.real_name,
        "tz": who.tz,
        **_zone(who.tz, world.clock()),
        "profile": {
            "real_name": who.real_name,
            "real_name_normalized": who.real_name,
            "display_name": who.display_name,
            "display_name_normalized": who.display_name,
            "title": who.title,
            "status_text": who.status_text,
            "status_emoji": who.status_emoji,
            "status_expiration": 0,
            "avatar_hash": "sandbox",
            "email": who.email,
            "team": who.team_id,
        },
        "is_bot": who.kind == "bot",  # false for Slackbot, as on Slack
        "is_app_user": False,
        "updated": 1_700_000_000,
    }
    if world.app.scopes is not None and "users:read.email" not in world.app.scopes:
        del shown["profile"]["email"]
    if who.deleted:
        for field in ("tz", "tz_label", "tz_offset", "color"):
            del shown[field]
        return shown
    shown |= {
        "is_admin": who.id == "U0ANA",
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": who.kind in ("guest", "single_guest"),
        "is_ultra_restricted": who.kind == "single_guest",
        "is_email_confirmed": True,
    }
    if world.app.enterprise_id and who.team_id == world.app.team_id:
        shown["enterprise_user"] = {"id": who.id, "enterprise_id": world.app.enterprise_id}
    if stranger:
        shown["is_stranger"] = True
        shown["profile"].pop("email", None)
    elif locale:
        shown["locale"] = "en-GB"
    if who.kind == "bot":
        shown["profile"]["api_app_id"] = world.app.app_id if who.id == world.app.bot_user else "A0BOB"
        shown["profile"]["bot_id"] = world.app.bot_id if who.id == world.app.bot_user else "B0BOB"
        shown["profile"].pop("email", None)
    return shown


def _zone(tz: str, now: float) -> Json:
    try:
        offset = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(tz)).utcoffset()
    except ZoneInfoNotFoundError:  # a machine without time zone data
        offset = None
    seconds = int(offset.total_seconds()) if offset else 0
    return {"tz_label": tz.rpartition("/")[2].replace("_", " ") + " time", "tz_offset": seconds}


def channel(world: World, one: Channel, *, members: bool = False) -> Json:
    """https://docs.slack.dev/reference/objects/conversation-object"""
    if one.kind == "dm":
        other = next(iter(one.others(world.app.bot_user)), world.app.bot_user)
        return {
            "id": one.id, "created": one.created, "is_im": True, "is_org_shared": False, "user": other,
            "is_archived": False, "is_user_deleted": world.workspace.users[other].deleted, "is_open": True,
            "is_ext_shared": world.workspace.users[other].kind == "external",
            "context_team_id": world.app.team_id,
        }  # fmt: skip
    shown: Json = {
        "id": one.id,
        "name": one.name,
        "name_normalized": one.name,
        "is_channel": one.kind == "channel",
        "is_group": one.kind == "private",
        "is_im": False,
        "is_mpim": one.kind == "mpim",
        "is_private": one.is_private,
        "is_archived": one.is_archived,
        "is_general": one.id == "C0GENERAL",
        "is_shared": one.is_ext_shared,
        "is_ext_shared": one.is_ext_shared,
        "is_org_shared": False,
        "is_pending_ext_shared": False,
        "is_member": world.is_ours(one),
        "created": one.created,
        "creator": one.creator,
        "context_team_id": world.app.team_id,
        "topic": {"value": one.topic, "creator": one.creator, "last_set": one.created},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "previous_names": [],
    }
    if members:
        shown["num_members"] = len(one.members)
    return shown


def message(world: World, one: Message, *, metadata: bool = True, replies: bool = False) -> Json:
    """A message as it is in history, events and payloads of interactions."""
    shown: Json = {"type": "message", "user": one.user, "ts": one.ts, "text": one.text}
    shown["team"] = team = world.workspace.users[one.user].team_id
    if team != world.app.team_id:
        shown |= {"user_team": team, "source_team": team}
    if one.bot_id:
        shown |= {"bot_id": one.bot_id, "app_id": world.app.app_id, "bot_profile": bot(world)}
    optional = {
        "subtype": one.subtype,
        "username": one.username,
        "blocks": as_returned(one.blocks),
        "attachments": one.attachments,
        "files": [file(world, world.workspace.files[ident]) for ident in one.files],
        "thread_ts": one.thread_ts,
        "parent_user_id": _parent_user(world, one),
        "edited": one.edited,
        "metadata": one.metadata if metadata else None,
        "reactions": _reactions(one),
    }
    shown |= {name: value for name, value in optional.items() if value}
    return shown | thread_summary(world, one) if replies else shown


def _parent_user(world: World, one: Message) -> str | None:
    if not one.is_reply:
        return None
    parent = world.workspace.channel(one.channel).messages.get(one.thread_ts or "")
    return parent.user if parent else None


def thread_summary(world: World, parent: Message) -> Json:
    """What a parent tells of its thread; nothing when it has none."""
    place = world.workspace.channel(parent.channel)
    replies = [place.messages[ts] for ts in place.replies.get(parent.ts, [])]
    if parent.is_reply or not replies:
        return {}
    users = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": parent.ts,
        "reply_count": len(replies),
        "reply_users_count": len(users),
        "reply_users": users,
        "latest_reply": replies[-1].ts,
        "is_locked": False,
        "subscribed": False,
    }


def _reactions(one: Message) -> list[Json]:
    by_name: dict[str, list[str]] = {}
    for name, who in one.reactions:
        by_name.setdefault(name, []).append(who)
    return [{"name": name, "users": users, "count": len(users)} for name, users in by_name.items()]


def file(world: World, one: File) -> Json:
    """https://docs.slack.dev/reference/objects/file-object"""
    return {
        "id": one.id, "created": one.created, "timestamp": one.created, "name": one.name,
        "title": one.title or one.name, "mimetype": one.mimetype,
        "filetype": one.name.rpartition(".")[2] or "text", "pretty_type": "Plain Text", "user": one.user,
        "size": one.size, "mode": "hosted", "is_external": False, "editable": False,
        "is_public": False, "public_url_shared": False,
        "url_private": f"{world.url}/files-pri/{one.id}/{one.name}",
        "url_private_download": f"{world.url}/files-pri/{one.id}/download/{one.name}",
        "permalink": f"{world.url}/files/{one.user}/{one.id}/{one.name}", "has_rich_preview": False,
        "file_access": "visible", **({"alt_txt": one.alt_text} if one.alt_text else {}),
    }  # fmt: skip


def usergroup(world: World, group: UserGroup, *, users: bool = False) -> Json:
    """https://docs.slack.dev/reference/objects/usergroup-object"""
    shown: Json = {
        "id": group.id, "team_id": world.app.team_id, "is_usergroup": True, "is_subteam": True,
        "name": group.name, "description": "", "handle": group.handle, "is_external": False,
        "date_create": 1_700_000_000, "date_update": 1_700_000_000,
        "date_delete": 1_700_000_001 if group.disabled else 0, "auto_type": None, "auto_provision": False,
        "enterprise_subteam_id": "", "created_by": "U0ANA", "updated_by": "U0ANA", "deleted_by": None,
        "prefs": {"channels": [], "groups": []}, "user_count": len(group.users), "channel_count": 0,
    }  # fmt: skip
    if users:
        shown["users"] = list(group.users)
    return shown


def view(world: World, one: View, state: Json | None = None) -> Json:
    """https://docs.slack.dev/reference/views"""
    return {
        "id": one.id,
        "team_id": world.app.team_id,
        "type": one.type,
        "blocks": as_returned(one.blocks),
        "private_metadata": one.private_metadata,
        "callback_id": one.callback_id,
        "state": {"values": as_returned(state or {})},
        "hash": one.hash,
        "title": as_returned(one.title) or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": one.clear_on_close,
        "notify_on_close": one.notify_on_close,
        "close": as_returned(one.close),
        "submit": as_returned(one.submit),
        "previous_view_id": one.previous_view_id,
        "root_view_id": one.root_view_id,
        "app_id": world.app.app_id,
        "external_id": one.external_id,
        "app_installed_team_id": world.app.team_id,
        "bot_id": world.app.bot_id,
    }


def bot(world: World) -> Json:
    return {
        "id": world.app.bot_id, "deleted": False, "name": "countersign", "updated": 1_700_000_000,
        "app_id": world.app.app_id, "user_id": world.app.bot_user, "team_id": world.app.team_id, "icons": {},
    }  # fmt: skip
