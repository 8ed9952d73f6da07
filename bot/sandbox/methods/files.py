"""files.*: uploads in three steps, as Slack has them since 2024."""

from __future__ import annotations

import mimetypes
import secrets
from typing import Any

from bot.sandbox import limits
from bot.sandbox.methods import shapes
from bot.sandbox.methods.arguments import Method, channel, decoded, required, text
from bot.sandbox.methods.chat import content_of, parent_ts
from bot.sandbox.model import File
from bot.sandbox.wire import Json, SlackError, new_id
from bot.sandbox.world import World


def get_upload_url(world: World, args: Json) -> Json:
    name = required(args, "filename", "missing_argument")
    length = required(args, "length", "missing_argument")
    if not length.isdigit() or int(length) == 0:
        raise SlackError("invalid_arguments")
    alt_text = text(args, "alt_txt") or ""
    if len(alt_text) > limits.FILE_ALT_TEXT_CHARS:
        raise SlackError("alt_txt_too_large")
    file = File(
        id=new_id("F"), name=name, size=int(length), user=world.app.bot_user, created=int(world.clock()),
        alt_text=alt_text,
        mimetype=mimetypes.guess_type(name)[0] or "text/plain",
    )  # fmt: skip
    world.workspace.files[file.id] = file
    key = secrets.token_urlsafe(16)
    world.uploads[key] = file.id
    return {"upload_url": f"{world.url}/upload/v1/{key}", "file_id": file.id}


def complete_upload(world: World, args: Json) -> Json:
    files = [_uploaded(world, entry) for entry in _entries(args)]
    wanted = text(args, "channel_id") or text(args, "channels")
    place = channel(world, {"channel": wanted}, member=True) if wanted else None
    if place is not None and place.is_archived:
        raise SlackError("is_archived")
    thread_ts = parent_ts(place, text(args, "thread_ts")) if place else None
    said: dict[str, Any] = {"text": "", "blocks": None}
    if text(args, "initial_comment") or args.get("blocks"):
        said = content_of(world, {"text": args.get("initial_comment"), "blocks": args.get("blocks")})
    for file, title in files:
        file.title = title or file.title or file.name
    if place is not None:
        world.workspace.post(
            place.id, user=world.app.bot_user, bot_id=world.app.bot_id, thread_ts=thread_ts,
            files=tuple(file.id for file, _ in files), **said,
        )  # fmt: skip
    return {"files": [shapes.file(world, file) for file, _ in files]}


def _entries(args: Json) -> list[Json]:
    entries = decoded(args, "files", "invalid_arguments")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise SlackError("invalid_arguments")
    return entries


def _uploaded(world: World, entry: Json) -> tuple[File, str | None]:
    file = world.workspace.files.get(str(entry.get("id")))
    if file is None or not file.uploaded:
        raise SlackError("file_not_found")
    return file, entry.get("title")


def info(world: World, args: Json) -> Json:
    file = world.workspace.files.get(required(args, "file", "file_not_found"))
    if file is None or not file.uploaded:
        raise SlackError("file_not_found")
    shares: Json = {"public": {}, "private": {}}
    for ident, stamps in file.shares.items():
        if ident in world.workspace.channels:
            kind = "private" if world.workspace.channels[ident].is_private else "public"
            shares[kind][ident] = [{"ts": ts} for ts in stamps]
    return {
        "file": {**shapes.file(world, file), "shares": shares},
        "comments": [],
        "response_metadata": {"next_cursor": ""},
    }


METHODS = {
    "files.getUploadURLExternal": Method(get_upload_url, tier=4, scope="files:write"),
    "files.completeUploadExternal": Method(complete_upload, tier=4, scope="files:write"),
    "files.info": Method(info, tier=4, scope="files:read"),
}
