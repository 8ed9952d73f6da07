"""views.*: dialogs and Home tabs. And apps.connections.open, which begins Socket Mode."""

from __future__ import annotations

from bot.sandbox import block_kit
from bot.sandbox.methods import shapes
from bot.sandbox.methods.arguments import Method, decoded, required, text
from bot.sandbox.model import View
from bot.sandbox.pictures import problems_of_pictures
from bot.sandbox.wire import Json, SlackError
from bot.sandbox.world import World

_MODAL, _HOME = ("modal",), ("home",)


def open_(world: World, args: Json) -> Json:
    raw = _view(world, args, _MODAL)
    trigger = world.triggers.exchange(required(args, "trigger_id"))
    return _answer(world, world.views.open(trigger.user, raw))


def push(world: World, args: Json) -> Json:
    raw = _view(world, args, _MODAL)
    trigger = world.triggers.exchange(required(args, "trigger_id"))
    below = world.views.top(trigger.user)
    if below is None or trigger.view_id is None:
        raise SlackError("not_found")
    return _answer(world, world.views.push(below, raw))


def update(world: World, args: Json) -> Json:
    view_id, external_id = text(args, "view_id"), text(args, "external_id")
    if (view_id is None) == (external_id is None):
        raise SlackError("invalid_arguments")
    found = world.views.get(view_id) if view_id else world.views.by_external_id(external_id or "")
    if found is None:
        raise SlackError("not_found")
    raw = _view(world, args, (found.type,))
    return _answer(world, world.views.update(found, raw, expected_hash=text(args, "hash")))


def publish(world: World, args: Json) -> Json:
    raw = _view(world, args, _HOME)
    who = world.workspace.users.get(required(args, "user_id"))
    if who is None or who.deleted or who.kind == "bot":
        message = "[ERROR] user not found [json-pointer:/user_id]"
        raise SlackError("invalid_arguments", response_metadata={"messages": [message]})
    return _answer(world, world.views.publish(who.id, raw, expected_hash=text(args, "hash")))


def connections_open(world: World, args: Json) -> Json:
    if world.new_socket_ticket is None:
        raise SlackError("socket_mode_not_enabled")
    ticket = world.new_socket_ticket()
    return {"url": f"{world.url.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={world.app.app_id}"}


def _view(world: World, args: Json, types: tuple[str, ...]) -> Json:
    view = block_kit.require_view(decoded(args, "view", "invalid_arguments"), types=types)
    if problems := problems_of_pictures(world, view["blocks"]):
        messages = [f"[ERROR] {problem}" for problem in problems]
        raise SlackError("invalid_arguments", response_metadata={"messages": messages})
    return view


def _answer(world: World, view: View) -> Json:
    return {"view": shapes.view(world, view)}


METHODS = {
    "views.open": Method(open_, tier=4),
    "views.push": Method(push, tier=4),
    "views.update": Method(update, tier=4),
    "views.publish": Method(publish, tier=4),
    "apps.connections.open": Method(connections_open, tier=1, needs="app"),
}
