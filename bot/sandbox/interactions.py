"""What people do and the app answers: clicks, dialogs, slash commands, shortcuts."""

from __future__ import annotations

from typing import Any

from bot.sandbox import block_kit, elements, payloads
from bot.sandbox.capabilities import ResponseUrl
from bot.sandbox.delivery import Ack, Delivery
from bot.sandbox.elements import NotPossible
from bot.sandbox.model import Channel, Message, User, View
from bot.sandbox.responses import Responses
from bot.sandbox.typed_text import as_command_text
from bot.sandbox.wire import DONE, Json, Result, SlackError, as_returned, refused
from bot.sandbox.world import World

_TROUBLE = "We had some trouble connecting. Try again?"
_NO_ANSWER = {
    "operation_timeout": "This app did not answer in time.",
    "dispatch_failed": "This app is not responding. Try again later.",
}


class Interactions:
    """Each method is one thing that a person did; it returns once the app has acknowledged, or has not."""

    def __init__(self, world: World, delivery: Delivery, responses: Responses) -> None:
        self._world = world
        self._delivery = delivery
        self._responses = responses

    async def act(
        self,
        user: User,
        seen: Message | View,
        action_id: str,
        value: Any = None,
        *,
        block_id: str | None = None,
        typed: Json | None = None,
    ) -> Result:
        """Click or choose something on the message or view that the person has before them."""
        now = self._current(user, seen)
        if isinstance(now, Result):
            return now
        try:
            block, element = elements.find(seen.blocks, action_id, block_id)
            typed = _merged(now.typed if isinstance(now, View) else {}, typed or {})
            if element["type"] in elements.STATE_FIELD:
                choice = elements.chosen(element, value)
                typed = _merged(typed, {block["block_id"]: {element["action_id"]: choice}})
            if isinstance(now, View):
                now = self._world.views.type_into(now, typed)
            if block["type"] == "input" and not block.get("dispatch_action"):
                return DONE
            stamp = self._world.workspace.new_ts()
            action = elements.acted(block, element, value, by=user.id, action_ts=stamp)
            state = elements.values(now.blocks, typed)
        except NotPossible as error:
            return self._flash(user, refused("not_possible", str(error)))
        payload = payloads.block_actions(self._world, user, now, as_returned(action), state)
        return self._outcome(user, await self._delivery.interact("interactive", payload))

    async def submit(self, user: User, view: View, typed: Json | None = None) -> Result:
        """Press the dialog's submit button."""
        now = self._current(user, view)
        if not isinstance(now, View):
            return now if isinstance(now, Result) else refused("not_found")
        if now.submit is None or now != self._world.views.top(user.id):
            return self._flash(user, refused("not_possible", "There is nothing to submit here."))
        try:
            now = self._world.views.type_into(now, _merged(now.typed, typed or {}))
            state = elements.values(now.blocks, now.typed)
        except NotPossible as error:
            return self._flash(user, refused("not_possible", str(error)))
        if errors := elements.missing_or_wrong(now.blocks, state):
            return refused("invalid_input", errors=errors)
        payload = payloads.view_submission(self._world, user, now, state)
        ack = await self._delivery.interact("interactive", payload)
        if ack.error is not None:
            return self._flash(user, refused(ack.error, _TROUBLE))
        return self._answered(user, now, ack.answer)

    async def close(self, user: User, view: View, *, clear: bool = False) -> Result:
        """Press Cancel, or with `clear` the cross, which closes the whole stack."""
        now = self._world.views.get(view.id)
        if now is None or now.user != user.id or now.type != "modal":
            return refused("not_found")
        clear = clear or now.clear_on_close
        told = self._world.views.stack(user.id)[0] if clear else now
        state = elements.values(told.blocks, told.typed)
        if clear:
            self._world.views.clear(user.id)
        else:
            self._world.views.pop(now)
        if told.notify_on_close:
            payload = payloads.view_closed(self._world, user, told, state, cleared=clear)
            await self._delivery.interact("interactive", payload)
        return DONE

    async def command(
        self, user: User, channel: Channel, name: str, text: str = "", *, thread_ts: str | None = None
    ) -> Result:
        """Type a slash command."""
        command = self._world.app.command(name)
        if command is None:
            return self._flash(user, refused("unknown_command", f"{name} is not a valid command."))
        if why := self._may_not_command(user, channel, name, thread_ts):
            return self._flash(user, why)
        text = as_command_text(self._world.workspace, text.strip(), mentions=command.should_escape)
        payload = payloads.slash_command(self._world, user, channel, command, text)
        ack = await self._delivery.interact("slash_commands", payload)
        if ack.error is not None:
            return self._flash(user, refused(ack.error, f"{name} failed with the error “{ack.error}”."))
        return self._said(user, channel, ack.answer)

    async def shortcut(self, user: User, callback_id: str, message: Message | None = None) -> Result:
        """Choose a shortcut, from a message's menu or from anywhere."""
        shortcut = self._world.app.shortcut(callback_id)
        if shortcut is None or (shortcut.type == "message") != (message is not None):
            return refused("unknown_shortcut", f"There is no shortcut {callback_id!r} here.")
        if not user.may_act or user.kind == "external":
            return self._flash(user, refused("not_allowed", "You can't use this app's shortcuts."))
        if message is None:
            payload = payloads.global_shortcut(self._world, user, callback_id)
        else:
            now = self._current(user, message)
            if not isinstance(now, Message):
                return now if isinstance(now, Result) else refused("message_not_found")
            payload = payloads.message_action(self._world, user, now, callback_id)
        return self._outcome(user, await self._delivery.interact("interactive", payload))

    def _current(self, user: User, seen: Message | View) -> Message | View | Result:
        """What stands now where the person looks, or why they cannot act on it."""
        if not user.may_act:
            return refused("not_allowed", "This account cannot act.")
        if isinstance(seen, View):
            view = self._world.views.get(seen.id)
            return view if view is not None and view.user == user.id else refused("not_found", _TROUBLE)
        channel = self._world.workspace.channels.get(seen.channel)
        if channel is None or not self._world.workspace.can_see(user.id, channel):
            return refused("channel_not_found")
        if channel.is_archived:
            return refused("is_archived")
        if seen.ephemeral_to is not None:
            found = self._world.workspace.ephemeral(channel.id, user.id, seen.ts)
        else:
            found = channel.messages.get(seen.ts)
        return found or refused("message_not_found")

    def _may_not_command(
        self, user: User, channel: Channel, name: str, thread_ts: str | None
    ) -> Result | None:
        if not user.may_act:
            return refused("not_allowed", "This account cannot act.")
        if user.kind == "external":
            return refused("not_allowed", f"{name} belongs to another organization and cannot be used here.")
        if user.id not in channel.members:
            return refused("not_in_channel")
        if channel.is_archived:
            return refused("is_archived")
        if thread_ts is not None:
            return refused("not_in_threads", f"{name} is not supported in threads. Sorry!")
        return None

    def _answered(self, user: User, view: View, answer: Any) -> Result:
        """Do what the app answered to a submission."""
        action = answer.get("response_action") if isinstance(answer, dict) else None
        try:
            match action:
                case None:
                    self._world.views.pop(view)
                case "clear":
                    self._world.views.clear(user.id)
                case "errors":
                    return self._field_errors(user, view, answer.get("errors"))
                case "update":
                    raw = block_kit.require_view(answer.get("view"), types=("modal",))
                    self._world.views.update(self._still_open(view), raw)
                case "push":
                    raw = block_kit.require_view(answer.get("view"), types=("modal",))
                    self._world.views.push(self._still_open(view), raw)
                case _:
                    raise SlackError("invalid_response_action")
        except SlackError as error:
            metadata = error.extra.get("response_metadata", {})
            said = "; ".join(metadata.get("messages", [])) or error.code
            return self._flash(user, refused(error.code, f"{_TROUBLE} ({said})"))
        return DONE

    def _still_open(self, view: View) -> View:
        now = self._world.views.get(view.id)
        if now is None:
            raise SlackError("not_found")
        return now

    def _field_errors(self, user: User, view: View, errors: Any) -> Result:
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            notice = f"{_TROUBLE} (errors must be keyed by the block_id of inputs: {sorted(inputs)})"
            return self._flash(user, refused("invalid_errors", notice))
        return refused("invalid_input", errors={str(block): str(text) for block, text in errors.items()})

    def _said(self, user: User, channel: Channel, answer: Any) -> Result:
        """Show what the app answered to a slash command."""
        if not isinstance(answer, dict) or not (answer.get("text") or answer.get("blocks")):
            return DONE
        to = ResponseUrl(channel=channel.id, user=user.id, ts=None, ephemeral=False, expires=0.0)
        try:
            self._responses.respond(to, answer)
        except SlackError as error:
            return self._flash(user, refused(error.code, f"The app's answer was refused: {error.code}."))
        return DONE

    def _outcome(self, user: User, ack: Ack) -> Result:
        if ack.error is None:
            return DONE
        return self._flash(user, refused(ack.error, _NO_ANSWER.get(ack.error)))

    def _flash(self, user: User, result: Result) -> Result:
        if result.notice:
            self._world.workspace.notice(user.id, result.notice)
        return result


def _merged(below: Json, above: Json) -> Json:
    merged = dict(below)
    for block_id, actions in above.items():
        merged[block_id] = {**merged.get(block_id, {}), **actions}
    return merged
