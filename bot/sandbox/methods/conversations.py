"""conversations.*: where people talk, and who is there."""

from __future__ import annotations

from bot.sandbox.methods import shapes
from bot.sandbox.methods.arguments import Method, channel, flag, page, required, text
from bot.sandbox.methods.chat import open_dm
from bot.sandbox.model import Message
from bot.sandbox.wire import Json, SlackError
from bot.sandbox.world import World

_TYPE_OF = {"channel": "public_channel", "private": "private_channel", "dm": "im", "mpim": "mpim"}


def list_(world: World, args: Json) -> Json:
    types = {kind.strip() for kind in (text(args, "types") or "public_channel").split(",")}
    if not types <= set(_TYPE_OF.values()):
        raise SlackError("invalid_types")
    without_archived = flag(args, "exclude_archived")
    visible = [
        one
        for one in world.workspace.channels.values()
        if _TYPE_OF[one.kind] in types
        and (not one.is_private or world.is_ours(one))
        and not (without_archived and one.is_archived)
    ]
    found, metadata = page(args, visible)
    return {
        "channels": [shapes.channel(world, one, members=True) for one in found],
        "response_metadata": metadata,
    }


def info(world: World, args: Json) -> Json:
    return {"channel": shapes.channel(world, channel(world, args), members=flag(args, "include_num_members"))}


def members(world: World, args: Json) -> Json:
    found, metadata = page(args, channel(world, args).members)
    return {"members": found, "response_metadata": metadata}


def history(world: World, args: Json) -> Json:
    place = channel(world, args, member=True)
    newest_first = list(reversed(world.workspace.timeline(place.id)))
    found, metadata = page(args, _between(args, newest_first))
    answer: Json = {
        "messages": [_shown(world, args, message) for message in found],
        "has_more": bool(metadata["next_cursor"]),
        "pin_count": 0,
    }
    return {**answer, "response_metadata": metadata} if metadata["next_cursor"] else answer


def replies(world: World, args: Json) -> Json:
    place = channel(world, args, member=True)
    ts = required(args, "ts", "thread_not_found")
    message = place.messages.get(ts)
    if message is None:
        raise SlackError("thread_not_found")
    thread = world.workspace.thread(place.id, message.thread_ts or ts)
    found, metadata = page(args, [thread[0], *_between(args, thread[1:])])
    answer: Json = {
        "messages": [_shown(world, args, message) for message in found],
        "has_more": bool(metadata["next_cursor"]),
    }
    return {**answer, "response_metadata": metadata} if metadata["next_cursor"] else answer


def _between(args: Json, messages: list[Message]) -> list[Message]:
    oldest, latest = _moment(args, "oldest", "0"), _moment(args, "latest", "9999999999.999999")
    inclusive = flag(args, "inclusive")
    return [
        message
        for message in messages
        if oldest < float(message.ts) < latest or (inclusive and float(message.ts) in (oldest, latest))
    ]


def _moment(args: Json, name: str, default: str) -> float:
    try:
        return float(text(args, name) or default)
    except ValueError:
        raise SlackError(f"invalid_ts_{name}") from None


def _shown(world: World, args: Json, message: Message) -> Json:
    return shapes.message(world, message, metadata=flag(args, "include_all_metadata"), replies=True)


def open_(world: World, args: Json) -> Json:
    if known := text(args, "channel"):
        place = world.workspace.channels.get(known)
        if place is None or place.kind not in ("dm", "mpim") or not world.is_ours(place):
            raise SlackError("channel_not_found")
        return {"channel": shapes.channel(world, place), "no_op": True, "already_open": True}
    users = [user.strip() for user in (text(args, "users") or "").split(",") if user.strip()]
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > 8:
        raise SlackError("too_many_users")
    place, was_open = open_dm(world, users)
    shown = shapes.channel(world, place) if flag(args, "return_im") else {"id": place.id}
    return {"channel": shown, "no_op": was_open, "already_open": was_open}


def join(world: World, args: Json) -> Json:
    place = channel(world, args)
    if place.kind != "channel":
        raise SlackError("method_not_supported_for_channel_type")
    if place.is_archived:
        raise SlackError("is_archived")
    if world.is_ours(place):
        return {"channel": shapes.channel(world, place), "warning": "already_in_channel"}
    world.workspace.join(place.id, world.app.bot_user)
    return {"channel": shapes.channel(world, place)}


METHODS = {
    "conversations.list": Method(list_, tier=2, scope="channels:read"),
    "conversations.info": Method(info, tier=3, scope="channels:read"),
    "conversations.members": Method(members, tier=4, scope="channels:read"),
    "conversations.history": Method(history, tier=3, scope="channels:history"),
    "conversations.replies": Method(replies, tier=3, scope="channels:history"),
    "conversations.open": Method(open_, tier=3, scope="im:write"),
    "conversations.join": Method(join, tier=3, scope="channels:join"),
}
