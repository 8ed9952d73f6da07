"""chat.*, and reactions: messages that the app posts, changes and takes back."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox import block_kit, elements, limits
from bot.sandbox.methods import shapes
from bot.sandbox.methods.arguments import Method, channel, decoded, flag, required, text
from bot.sandbox.model import Channel, Message, words
from bot.sandbox.pictures import require_pictures
from bot.sandbox.wire import Json, SlackError, escape
from bot.sandbox.world import World


def post_message(world: World, args: Json) -> Json:
    place = destination(world, args)
    if place.is_archived:
        raise SlackError("is_archived")
    content = content_of(world, args)
    thread_ts = parent_ts(place, text(args, "thread_ts"))
    _require_rate(world, place)
    message = world.workspace.post(
        place.id,
        user=world.app.bot_user,
        bot_id=world.app.bot_id,
        username=text(args, "username"),
        thread_ts=thread_ts,
        broadcast=thread_ts is not None and flag(args, "reply_broadcast"),
        **content,
    )
    return {"channel": place.id, "ts": message.ts, "message": shapes.message(world, message)}


def post_ephemeral(world: World, args: Json) -> Json:
    place = channel(world, args, member=True)
    who = required(args, "user", "user_not_found")
    if place.is_archived:
        raise SlackError("is_archived")
    if who not in world.workspace.users:
        raise SlackError("user_not_found")
    if who not in place.members or world.workspace.users[who].deleted:
        raise SlackError("user_not_in_channel")
    content = content_of(world, args)
    content.pop("metadata")
    message = world.workspace.whisper(
        place.id,
        to=who,
        user=world.app.bot_user,
        bot_id=world.app.bot_id,
        thread_ts=parent_ts(place, text(args, "thread_ts")),
        **content,
    )
    return {"message_ts": message.ts}


def update(world: World, args: Json) -> Json:
    place = world.workspace.channels.get(required(args, "channel", "channel_not_found"))
    if place is None or (place.is_private and not world.is_ours(place)):
        raise SlackError("channel_not_found")
    message = own_message(world, place, text(args, "ts"), "cant_update_message")
    if place.is_archived:
        raise SlackError("is_inactive")
    sent = {name for name in ("text", "blocks", "attachments", "markdown_text") if args.get(name) is not None}
    if len(text(args, "text") or "") > limits.UPDATE_TEXT_CHARS:
        raise SlackError("msg_too_long")
    changes: dict[str, Any] = content_of(world, args) if sent else {}
    if not sent and args.get("metadata") is None:
        raise SlackError("no_text")
    changes["metadata"] = metadata_of(args) if args.get("metadata") is not None else message.metadata
    if "text" not in sent and "blocks" in sent and not changes["blocks"]:
        changes["text"] = message.text
    _require_rich_text_stays(message, changes)
    if "blocks" not in sent or not changes.get("blocks"):
        changes["edited"] = {"user": world.app.bot_user, "ts": world.workspace.new_ts()}
    after = world.workspace.edit(message, **changes)
    return {"channel": place.id, "ts": after.ts, "text": after.text, "message": shapes.message(world, after)}


def _require_rich_text_stays(before: Message, changes: dict[str, Any]) -> None:
    """chat.update: "rich-text blocks cannot be replaced with non-rich-text blocks"."""
    only_rich = before.blocks and all(block["type"] == "rich_text" for block in before.blocks)
    after = changes.get("blocks")
    if only_rich and after and not any(block["type"] == "rich_text" for block in after):
        raise SlackError("block_mismatch")


def delete(world: World, args: Json) -> Json:
    place = channel(world, args)
    message = own_message(world, place, text(args, "ts"), "cant_delete_message")
    world.workspace.delete(place.id, message.ts)
    return {"channel": place.id, "ts": message.ts}


def get_permalink(world: World, args: Json) -> Json:
    place = channel(world, args)
    ts = required(args, "message_ts", "message_not_found")
    message = place.messages.get(ts)
    if message is None:
        raise SlackError("message_not_found")
    link = f"{world.url}/archives/{place.id}/p{ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={place.id}"
    return {"channel": place.id, "permalink": link}


def add_reaction(world: World, args: Json) -> Json:
    name = required(args, "name", "invalid_name")
    place = channel(world, args, member=True)
    message = place.messages.get(required(args, "timestamp", "no_item_specified"))
    if message is None:
        raise SlackError("message_not_found")
    mine = (name, world.app.bot_user)
    if mine in message.reactions:
        raise SlackError("already_reacted")
    world.workspace.edit(message, reactions=(*message.reactions, mine))
    return {}


def validate_blocks(world: World, args: Json) -> Json:
    """blocks.validate: exactly one of `blocks`, `message`, `view`; no token needed."""
    given = [name for name in ("blocks", "message", "view") if args.get(name)]
    if len(given) != 1:
        raise SlackError("invalid_arguments")
    what = given[0]
    value = decoded(args, what, f"invalid_{what}")
    if what == "view":
        problems = block_kit.problems_of_view(value)
    elif what == "message":
        problems = block_kit.problems_of_blocks(value.get("blocks", []) if isinstance(value, dict) else value)
    else:
        problems = block_kit.problems_of_blocks(value)
    if problems:
        raise SlackError(f"invalid_{what}", errors=[_located(problem) for problem in problems])
    return {}


def _located(problem: str) -> Json:
    message, _, pointer = problem.rpartition(" [json-pointer:")
    return {"pointer": pointer.rstrip("]"), "code": "invalid", "message": message, "constraint": {}}


def destination(world: World, args: Json) -> Channel:
    """Where to post. A person's id means the conversation with them, which is opened when there is none."""
    wanted = text(args, "channel")
    who = world.workspace.users.get(wanted or "")
    if who is None:
        place = channel(world, args)
        may_post_anywhere = "chat:write.public" in (world.app.scopes or ()) and place.kind == "channel"
        if not world.is_ours(place) and not may_post_anywhere:
            raise SlackError("not_in_channel")
        return place
    return open_dm(world, [who.id])[0]


def open_dm(world: World, users: list[str]) -> tuple[Channel, bool]:
    for ident in users:
        who = world.workspace.users.get(ident)
        if who is None:
            raise SlackError("user_not_found")
        if who.deleted:
            raise SlackError("user_disabled")
        if who.kind == "bot" or who.id == "USLACKBOT":
            raise SlackError("cannot_dm_bot")
    if not world.app.messages_tab:
        raise SlackError("messages_tab_disabled")
    return world.workspace.dm(world.app.bot_user, *users)


def own_message(world: World, place: Channel, ts: str | None, error: str) -> Message:
    message = place.messages.get(ts or "")
    if message is None or message.subtype == "tombstone":
        raise SlackError("message_not_found")
    if message.bot_id != world.app.bot_id:
        raise SlackError(error)
    return message


def parent_ts(place: Channel, ts: str | None) -> str | None:
    """The parent that is meant; a reply's ts means its thread.

    Where there is no such message, Slack says nothing and posts outside threads (slack-go/slack#1571).
    """
    parent = place.messages.get(ts) if ts else None
    if parent is None:
        return None
    return parent.thread_ts if parent.is_reply else ts


def content_of(world: World, args: Json) -> dict[str, Any]:
    """Text, blocks, attachments and metadata, checked; Slack builds the text when there are only blocks."""
    said, markdown = text(args, "text"), text(args, "markdown_text")
    blocks = decoded(args, "blocks", "invalid_blocks_format")
    attachments = decoded(args, "attachments", "invalid_attachments")
    if markdown is not None:
        if said is not None or blocks is not None:
            raise SlackError("markdown_text_conflict")
        if len(markdown) > limits.MARKDOWN_TEXT_CHARS:
            raise SlackError("msg_too_long")
        said = markdown
    if blocks:
        block_kit.require_message_blocks(blocks)
        require_pictures(world, blocks)
    elif blocks is not None and not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if attachments and not isinstance(attachments, list):
        raise SlackError("invalid_attachments")
    if attachments and len(attachments) > limits.ATTACHMENTS:
        raise SlackError("too_many_attachments")
    if not said and not blocks and not attachments:
        raise SlackError("no_text")
    return {
        "text": (said or escape(" ".join(words(blocks or []))))[: limits.MESSAGE_TEXT_CHARS],
        "blocks": elements.identified(blocks) if blocks else None,
        "attachments": attachments or None,
        "metadata": metadata_of(args),
    }


def metadata_of(args: Json) -> Json | None:
    metadata = decoded(args, "metadata", "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > limits.METADATA_CHARS:
        raise SlackError("metadata_too_large")
    return metadata


class TooFast(SlackError):
    """Answered with HTTP 429 and Retry-After."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("ratelimited")
        self.retry_after = retry_after


def _require_rate(world: World, place: Channel) -> None:
    wait = world.rates.take_message(place.id) if world.rates else None
    if wait is not None:
        raise TooFast(wait)


METHODS = {
    "chat.postMessage": Method(post_message, tier=0, scope="chat:write"),
    "chat.postEphemeral": Method(post_ephemeral, tier=4, scope="chat:write"),
    "chat.update": Method(update, tier=3, scope="chat:write"),
    "chat.delete": Method(delete, tier=3, scope="chat:write"),
    "chat.getPermalink": Method(get_permalink, tier=600),
    "reactions.add": Method(add_reaction, tier=3, scope="reactions:write"),
    "blocks.validate": Method(validate_blocks, tier=0, needs=None),
}
