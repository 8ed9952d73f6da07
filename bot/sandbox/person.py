"""What a person in front of Slack can do, as methods: the page's buttons and the tests' hands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.sandbox import elements
from bot.sandbox.elements import NotPossible
from bot.sandbox.interactions import Interactions
from bot.sandbox.model import Channel, Message, User, View
from bot.sandbox.typed_text import as_message_text
from bot.sandbox.wire import DONE, Json, Result, new_id, refused
from bot.sandbox.workspace import Change
from bot.sandbox.world import World


class Person:
    def __init__(self, world: World, interactions: Interactions, user: User) -> None:
        self._world = world
        self._interactions = interactions
        self.user = user

    @property
    def id(self) -> str:
        return self.user.id

    # What they see

    @property
    def view(self) -> View | None:
        """The dialog on top."""
        return self._world.views.top(self.id)

    @property
    def views(self) -> list[View]:
        """Every dialog they have open, the lowest first."""
        return self._world.views.stack(self.id)

    @property
    def home(self) -> View | None:
        """Their Home tab."""
        return self._world.workspace.homes.get(self.id)

    def ephemerals(self, channel: str = "C0APPROVALS") -> list[Message]:
        """Messages that only they see, oldest first."""
        return list(self._world.workspace.channel(channel).ephemerals.get(self.id, {}).values())

    def dm(self) -> Channel:
        """Their conversation with the app."""
        return self._world.workspace.dm(self._world.app.bot_user, self.id)[0]

    # What they do with the app

    async def click(
        self,
        on: Message | View,
        action_id: str,
        value: Any = None,
        *,
        block_id: str | None = None,
        state: Json | None = None,
    ) -> Result:
        """Click a button, or choose `value` in a menu, of a message or view as they see it.

        `on` may be an older version than the app has by now, as when two people click at once.
        `state` is what they have typed so far: block → action → state.
        """
        return await self._interactions.act(self.user, on, action_id, value, block_id=block_id, typed=state)

    async def press(
        self, label: str, on: Message | View | None = None, *, state: Json | None = None
    ) -> Result:
        """Press what is labelled `label`: a button or a menu's entry, or the dialog's submit or close.

        Without `on`: in the dialog on top, else on the Home tab.
        """
        on = on or self.view or self.home
        if on is None:
            return refused("not_found", "There is nothing open to press anything on.")
        if isinstance(on, View) and on.submit and on.submit["text"] == label:
            return await self.submit(state, view=on)
        if isinstance(on, View) and on.type == "modal" and label == (on.close or {"text": "Cancel"})["text"]:
            return await self.close(view=on)
        try:
            block, element, value = elements.by_label(on.blocks, label)
        except NotPossible as error:
            return refused("not_possible", str(error))
        return await self.click(on, element["action_id"], value, block_id=block["block_id"], state=state)

    async def fill_and_submit(self, values: Mapping[str, Any], view: View | None = None) -> Result:
        """Fill in fields, named by action_id, block_id or label, and submit."""
        view = view or self.view
        if view is None:
            return refused("not_found", "No dialog is open.")
        try:
            return await self.submit(self.filled(view, values), view=view)
        except NotPossible as error:
            return refused("not_possible", str(error))

    def filled(self, view: View, values: Mapping[str, Any]) -> Json:
        """The state of `view` with `values` in its fields."""
        state: Json = {}
        for name, value in values.items():
            block, element = _field(view, name)
            state.setdefault(block["block_id"], {})[element["action_id"]] = elements.chosen(element, value)
        return state

    async def submit(self, state: Json | None = None, *, view: View | None = None) -> Result:
        """Submit the dialog, with `state` over what was typed before."""
        view = view or self.view
        if view is None:
            return refused("not_found", "No dialog is open.")
        return await self._interactions.submit(self.user, view, state)

    async def close(self, *, view: View | None = None, clear: bool = False) -> Result:
        """Cancel the dialog on top; `clear`: press the cross, which closes all of them."""
        view = view or self.view
        if view is None:
            return refused("not_found", "No dialog is open.")
        return await self._interactions.close(self.user, view, clear=clear)

    async def slash(
        self, command: str, text: str = "", channel: str = "C0APPROVALS", *, thread_ts: str | None = None
    ) -> Result:
        """Type a slash command."""
        place = self._world.workspace.channel(channel)
        return await self._interactions.command(self.user, place, command, text, thread_ts=thread_ts)

    async def shortcut(self, callback_id: str, message: Message | None = None) -> Result:
        """Choose a shortcut: of a message, or a global one."""
        return await self._interactions.shortcut(self.user, callback_id, message)

    def open_home(self, tab: str = "home") -> Result:
        """Open the app's Home tab, or its messages; the app hears of it."""
        if not self.user.may_act or self.user.kind == "external":
            return refused("not_allowed")
        detail = {"tab": tab}
        change = Change(kind="opened_home", user=self.id, channel=self.dm().id, view=self.home, detail=detail)
        self._world.workspace.announce(change)
        return DONE

    # What they do in the workspace

    def say(self, text: str, channel: str = "C0APPROVALS", thread_ts: str | None = None) -> Result:
        """Write a message; the result carries its `ts`."""
        place = self._world.workspace.channel(channel)
        if not self.user.may_act:
            return refused("not_allowed")
        if self.id not in place.members:
            return refused("not_in_channel")
        if place.is_archived:
            return refused("is_archived")
        if place.kind == "dm" and self._world.is_ours(place) and not self._world.app.messages_tab:
            return refused("messages_tab_disabled", "Sending messages to this app has been turned off.")
        if not text.strip():
            return refused("no_text")
        if thread_ts is not None and thread_ts not in place.messages:
            return refused("thread_not_found")
        said = as_message_text(self._world.workspace, text)
        message = self._world.workspace.post(channel, user=self.id, text=said, thread_ts=thread_ts)
        place.read[self.id] = message.ts
        return Result(ok=True, ts=message.ts)

    def post_as_their_agent(
        self, text: str, channel: str = "C0APPROVALS", thread_ts: str | None = None
    ) -> Result:
        """Write with this person's token not their hands: the same message, with an app's mark on it."""
        said = as_message_text(self._world.workspace, text)
        message = self._world.workspace.post(
            channel, user=self.id, text=said, thread_ts=thread_ts, bot_id=new_id("B")
        )
        return Result(ok=True, ts=message.ts)

    def delete(self, message: Message) -> None:
        """Delete anybody's message, as an admin may."""
        self._world.workspace.delete(message.channel, message.ts)

    def set_status(self, text: str, emoji: str = "") -> None:
        self._world.workspace.set_status(self.id, text, emoji)

    def mark_read(self, channel: str) -> None:
        self._world.workspace.mark_read(channel, self.id)

    def open_dm(self, user: str) -> Channel:
        return self._world.workspace.dm(self.id, user)[0]

    def can_see(self, channel: Channel) -> bool:
        return self._world.workspace.can_see(self.id, channel)


def _field(view: View, name: str) -> tuple[Json, Json]:
    for block, element in elements.interactive(view.blocks):
        label = block.get("label", {}).get("text")
        if name in (element["action_id"], block["block_id"], label):
            return block, element
    known = [element["action_id"] for _, element in elements.interactive(view.blocks)]
    raise NotPossible(f"the dialog has no field {name!r}; it has {known}")
