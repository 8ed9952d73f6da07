"""Users, channels, messages and views as the page wants them."""

from __future__ import annotations

from bot.sandbox.methods.shapes import thread_summary
from bot.sandbox.model import Channel, Message, User, View
from bot.sandbox.wire import Json
from bot.sandbox.world import World

_PREVIEW_CHARS = 1_000


def user(who: User) -> Json:
    initials = "".join(part[0] for part in who.real_name.split()[:2]).upper()
    return {
        "id": who.id,
        "name": who.name,
        "real_name": who.real_name,
        "display_name": who.display_name,
        "title": who.title,
        "kind": "deactivated" if who.deleted else who.kind,
        "avatar": {"initials": initials, "color": f"#{who.color}"},
        "tz": who.tz,
        "status_text": who.status_text,
        "status_emoji": who.status_emoji,
        "is_bot": who.kind == "bot",
    }


def channel(world: World, one: Channel, viewer: str) -> Json:
    """`one` as `viewer` has it in their list."""
    other = next(iter(one.others(viewer)), viewer) if one.kind == "dm" else None
    return {
        "id": one.id,
        "name": world.workspace.users[other].shown_name if other else one.name,
        "kind": one.kind,
        "is_member": viewer in one.members,
        "is_archived": one.is_archived,
        "is_ext_shared": one.is_ext_shared,
        "topic": one.topic,
        "members": list(one.members),
        "unread": world.workspace.unread(one, viewer) if viewer in one.members else 0,
        "with": other,
    }


def message(world: World, one: Message) -> Json:
    sender = world.workspace.users[one.user]
    shown: Json = {
        "ts": one.ts,
        "channel": one.channel,
        "user": one.user,
        "username": one.username or sender.shown_name,
        "text": one.text,
        **thread_summary(world, one),
    }
    optional = {
        "bot_id": one.bot_id, "blocks": one.blocks, "thread_ts": one.thread_ts, "edited": one.edited,
        "metadata": one.metadata, "attachments": one.attachments, "subtype": one.subtype,
    }  # fmt: skip
    shown |= {name: value for name, value in optional.items() if value is not None}
    if one.files:
        shown["files"] = [_file(world, ident) for ident in one.files]
    if one.reactions:
        shown["reactions"] = [{"name": name, "user": who} for name, who in one.reactions]
    if one.ephemeral_to is not None:
        shown["ephemeral"] = True
    return shown


def _file(world: World, ident: str) -> Json:
    file = world.workspace.files[ident]
    shown: Json = {
        "id": file.id, "name": file.name, "mimetype": file.mimetype, "size": file.size,
        "title": file.title or file.name, "alt_text": file.alt_text,
        "url": f"/page/files/{file.id}/{file.name}",
    }  # fmt: skip
    if file.mimetype.startswith("text/") or file.mimetype == "application/json":
        shown["preview"] = file.content[: 4 * _PREVIEW_CHARS].decode(errors="replace")[:_PREVIEW_CHARS]
    return shown


def view(one: View | None) -> Json | None:
    if one is None:
        return None
    return {
        "id": one.id,
        "type": one.type,
        "title": one.title,
        "submit": one.submit,
        "close": one.close,
        "blocks": one.blocks,
        "callback_id": one.callback_id,
        "hash": one.hash,
        "root_view_id": one.root_view_id,
        "previous_view_id": one.previous_view_id,
        "clear_on_close": one.clear_on_close,
        "notify_on_close": one.notify_on_close,
        "submit_disabled": one.submit_disabled,
        "state": {"values": one.typed},
    }
