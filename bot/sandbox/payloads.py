"""The payloads that Slack sends to an app, in its own shapes."""

from __future__ import annotations

from bot.sandbox.installation import SlashCommand
from bot.sandbox.methods import shapes
from bot.sandbox.model import Channel, Message, User, View
from bot.sandbox.wire import Json, as_returned, new_id
from bot.sandbox.world import World


def _common(world: World, kind: str, user: User) -> Json:
    return {
        "type": kind,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": world.app.app_id,
        "token": world.app.verification_token,
        "team": None
        if world.app.is_org_wide
        else {"id": world.app.team_id, "domain": world.workspace.domain},
        "enterprise": world.app.enterprise_id and {"id": world.app.enterprise_id, "name": "Acme Group"},
        "is_enterprise_install": world.app.is_org_wide,
    }


def _place(channel: Channel) -> Json:
    return {"id": channel.id, "name": _name(channel)}


def _name(channel: Channel) -> str:
    """Slack keeps the names of private places to itself."""
    return {"dm": "directmessage", "private": "privategroup"}.get(channel.kind, channel.name)


def response_url(world: World, channel: Channel, user: User, message: Message | None = None) -> str:
    key = world.response_urls.issue(
        channel=channel.id,
        user=user.id,
        ts=message.ts if message else None,
        ephemeral=message is not None and message.ephemeral_to is not None,
    )
    return f"{world.url}/actions/{world.app.team_id}/{key}"


def block_actions(world: World, user: User, where: Message | View, action: Json, state: Json) -> Json:
    """Somebody acted on an element of a message, a dialog or a Home tab."""
    payload = _common(world, "block_actions", user)
    payload["actions"] = [action]
    if isinstance(where, View):
        payload["trigger_id"] = world.triggers.issue(user.id, where.id if where.type == "modal" else None)
        payload["container"] = {"type": "view", "view_id": where.id}
        payload["view"] = shapes.view(world, where, state)
        return payload
    channel = world.workspace.channel(where.channel)
    container: Json = {
        "type": "message",
        "message_ts": where.ts,
        "channel_id": channel.id,
        "is_ephemeral": where.ephemeral_to is not None,
    }
    if where.thread_ts:
        container["thread_ts"] = where.thread_ts
    payload |= {
        "trigger_id": world.triggers.issue(user.id),
        "container": container,
        "channel": _place(channel),
        "state": {"values": as_returned(state)},
        "response_url": response_url(world, channel, user, where),
    }
    if where.ephemeral_to is None:
        payload["message"] = shapes.message(world, where)
    return payload


def view_submission(world: World, user: User, view: View, state: Json) -> Json:
    payload = _common(world, "view_submission", user)
    payload["trigger_id"] = world.triggers.issue(user.id, view.id)
    payload["view"] = shapes.view(world, view, state)
    payload["response_urls"] = []
    return payload


def view_closed(world: World, user: User, view: View, state: Json, *, cleared: bool) -> Json:
    payload = _common(world, "view_closed", user)
    payload["view"] = shapes.view(world, view, state)
    payload["is_cleared"] = cleared
    return payload


def slash_command(world: World, user: User, channel: Channel, command: SlashCommand, text: str) -> Json:
    """The fields of the form; over Socket Mode the same as an object."""
    return {
        "token": world.app.verification_token,
        "team_id": world.app.team_id,
        "team_domain": world.workspace.domain,
        "channel_id": channel.id,
        "channel_name": _name(channel),
        "user_id": user.id,
        "user_name": user.name,
        "command": command.command,
        "text": text,
        "api_app_id": world.app.app_id,
        **({"enterprise_id": world.app.enterprise_id} if world.app.enterprise_id else {}),
        "is_enterprise_install": str(world.app.is_org_wide).lower(),
        "response_url": response_url(world, channel, user),
        "trigger_id": world.triggers.issue(user.id),
    }


def message_action(world: World, user: User, message: Message, callback_id: str) -> Json:
    channel = world.workspace.channel(message.channel)
    return {
        **_common(world, "message_action", user),
        "action_ts": world.workspace.new_ts(),
        "callback_id": callback_id,
        "trigger_id": world.triggers.issue(user.id),
        "response_url": response_url(world, channel, user, message),
        "message_ts": message.ts,
        "channel": _place(channel),
        "message": shapes.message(world, message),
    }


def global_shortcut(world: World, user: User, callback_id: str) -> Json:
    return {
        **_common(world, "shortcut", user),
        "action_ts": world.workspace.new_ts(),
        "callback_id": callback_id,
        "trigger_id": world.triggers.issue(user.id),
    }


def event(world: World, what: Json, *, ext_shared: bool = False) -> Json:
    """The wrapper around every event. https://docs.slack.dev/apis/events-api"""
    app = world.app
    return {
        "token": app.verification_token,
        "team_id": app.team_id,
        **({"enterprise_id": app.enterprise_id} if app.enterprise_id else {}),
        "context_team_id": app.team_id,
        "api_app_id": app.app_id,
        "event": what,
        "type": "event_callback",
        "event_id": new_id("Ev"),
        "event_time": int(world.clock()),
        "authorizations": [
            {
                "enterprise_id": app.enterprise_id,
                "team_id": None if app.is_org_wide else app.team_id,
                "user_id": app.bot_user,
                "is_bot": True,
                "is_enterprise_install": app.is_org_wide,
            }
        ],
        "is_ext_shared_channel": ext_shared,
        "event_context": f"4-{new_id('')}",
    }
