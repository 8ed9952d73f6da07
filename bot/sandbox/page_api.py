"""What the page in the browser talks to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web

from bot.sandbox import page_shapes
from bot.sandbox.interactions import Interactions
from bot.sandbox.live import Feeds
from bot.sandbox.misbehaviour import ENVELOPE_FAULTS, METHOD_FAULTS
from bot.sandbox.model import Message, View
from bot.sandbox.page_buttons import Button, press
from bot.sandbox.person import Person
from bot.sandbox.socket_mode import SocketMode
from bot.sandbox.wire import DONE, Json, Result, refused
from bot.sandbox.workspace import NotThere
from bot.sandbox.world import World

PAGE = Path(__file__).parent / "page"
_HISTORY = 500  # messages of a channel that the page gets; older ones stay in the file

Deed = Callable[[Person, Json], Awaitable[Result]]


class PageApi:
    def __init__(
        self,
        world: World,
        interactions: Interactions,
        feeds: Feeds,
        sockets: SocketMode | None,
        buttons: Mapping[str, Button],
    ) -> None:
        self._world = world
        self._interactions = interactions
        self._feeds = feeds
        self._sockets = sockets
        self._buttons = buttons
        self._deeds: dict[str, Deed] = {
            "say": self._say,
            "command": self._command,
            "click": self._click,
            "submit": self._submit,
            "close": self._close,
            "shortcut": self._shortcut,
            "open_home": self._open_home,
            "open_dm": self._open_dm,
            "mark_read": self._mark_read,
        }

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._index),
            web.get("/page/snapshot", self._snapshot),
            web.get("/page/messages", self._messages),
            web.get("/page/live", self._live),
            web.post("/page/act", self._act),
            web.get("/page/controls", self._controls),
            web.post("/page/controls", self._misbehave),
            web.post("/page/buttons/{name}", self._press),
            web.get("/page/files/{id}/{name}", self._file),
            web.get("/page/{path:.+}", self._static),
        ]

    # Pages

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html", headers=_FRESH)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        path = (PAGE / request.match_info["path"]).resolve()
        if not path.is_relative_to(PAGE.resolve()) or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=_FRESH)

    async def _file(self, request: web.Request) -> web.Response:
        file = self._world.workspace.files.get(request.match_info["id"])
        if file is None or not file.uploaded:
            raise web.HTTPNotFound
        # An uploaded page must not run as ours.
        headers = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=file.content, headers=headers, content_type=file.mimetype)

    # What is there

    async def _snapshot(self, request: web.Request) -> web.Response:
        me, workspace = self._viewer(request), self._world.workspace
        return web.json_response(
            {
                "ok": True,
                "me": page_shapes.user(me.user),
                "team": {"id": self._world.app.team_id, "name": workspace.name},
                "app": {"bot_user": self._world.app.bot_user, "app_id": self._world.app.app_id},
                "users": [page_shapes.user(user) for user in workspace.users.values()],
                "usergroups": [
                    {"id": group.id, "handle": group.handle} for group in workspace.usergroups.values()
                ],
                "channels": [
                    page_shapes.channel(self._world, channel, me.id)
                    for channel in workspace.channels.values()
                    if me.can_see(channel)
                ],
                "commands": [command.to_page() for command in self._world.app.commands],
                "shortcuts": [shortcut.to_page() for shortcut in self._world.app.shortcuts],
                "buttons": list(self._buttons),
                "home": page_shapes.view(me.home),
                "open_view": page_shapes.view(me.view),
                "depth": len(me.views),
            }
        )

    async def _messages(self, request: web.Request) -> web.Response:
        me, workspace = self._viewer(request), self._world.workspace
        channel = workspace.channels.get(request.query.get("channel", ""))
        if channel is None or not me.can_see(channel):
            return web.json_response({"ok": False, "error": "channel_not_found"})
        thread = request.query.get("thread")
        found: list[Message] = (
            workspace.thread(channel.id, thread) if thread else workspace.timeline(channel.id)
        )
        mine = [
            message
            for message in me.ephemerals(channel.id)
            if (message.thread_ts == thread if thread else not message.is_reply)
        ]
        shown = sorted([*found[-_HISTORY:], *mine], key=lambda message: message.ts)
        messages = [page_shapes.message(self._world, message) for message in shown]
        return web.json_response({"ok": True, "messages": messages})

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        _require_same_origin(request)
        me = self._viewer(request)
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        feed = self._feeds.open(me.id)
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(_send_all(socket, feed))
                await _until_closed(socket)
                sending.cancel()
        finally:
            self._feeds.close(feed)
        return socket

    # What people do

    async def _act(self, request: web.Request) -> web.Response:
        _require_same_origin(request)
        try:
            wanted = await request.json()
            deed = self._deeds[wanted["do"]]
            person = self._person(str(wanted["as"]))
            result = await deed(person, wanted)
        except (ValueError, TypeError, AttributeError):
            result = refused("invalid_arguments")
        except NotThere as missing:
            result = refused("not_found", f"There is no {missing.args[0]}.")
        except KeyError as missing:
            result = refused("invalid_arguments", f"Unknown or missing: {missing.args[0]}.")
        return web.json_response(result.to_json())

    async def _say(self, person: Person, wanted: Json) -> Result:
        return person.say(str(wanted["text"]), wanted["channel"], wanted.get("thread_ts"))

    async def _command(self, person: Person, wanted: Json) -> Result:
        return await person.slash(
            wanted["command"], wanted.get("text") or "", wanted["channel"], thread_ts=wanted.get("thread_ts")
        )

    async def _click(self, person: Person, wanted: Json) -> Result:
        where = self._container(person, wanted["container"])
        if where is None:
            return refused("message_not_found")
        return await person.click(
            where,
            wanted["action_id"],
            wanted.get("value"),
            block_id=wanted.get("block_id"),
            state=wanted.get("state"),
        )

    def _container(self, person: Person, container: Json) -> Message | View | None:
        if container["type"] == "view":
            return self._world.views.get(container["view_id"])
        channel, ts = container["channel"], container["ts"]
        mine = self._world.workspace.ephemeral(channel, person.id, ts)
        return mine or self._world.workspace.channel(channel).messages.get(ts)

    async def _submit(self, person: Person, wanted: Json) -> Result:
        view = self._world.views.get(wanted["view_id"])
        return await person.submit(wanted.get("state"), view=view) if view else refused("not_found")

    async def _close(self, person: Person, wanted: Json) -> Result:
        view = self._world.views.get(wanted["view_id"])
        return (
            await person.close(view=view, clear=bool(wanted.get("clear"))) if view else refused("not_found")
        )

    async def _shortcut(self, person: Person, wanted: Json) -> Result:
        message = None
        if wanted.get("ts"):
            message = self._world.workspace.message(wanted["channel"], wanted["ts"])
        return await person.shortcut(wanted["callback_id"], message)

    async def _open_home(self, person: Person, wanted: Json) -> Result:
        return person.open_home(wanted.get("tab") or "home")

    async def _open_dm(self, person: Person, wanted: Json) -> Result:
        self._world.workspace.user(wanted["user"])
        channel = person.open_dm(wanted["user"])
        return Result(ok=True, channel=channel.id)

    async def _mark_read(self, person: Person, wanted: Json) -> Result:
        person.mark_read(wanted["channel"])
        return DONE

    # Faults on demand

    async def _controls(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "ok": True,
                "faults": self._world.faults.pending(),
                "method_faults": METHOD_FAULTS,
                "envelope_faults": ENVELOPE_FAULTS,
                "connections": self._sockets.connections if self._sockets else 0,
                "calls": {name: calls.count for name, calls in self._world.calls.items()},
            }
        )

    async def _misbehave(self, request: web.Request) -> web.Response:
        _require_same_origin(request)
        try:
            await self._set_fault(await request.json())
        except (ValueError, TypeError, KeyError) as error:
            return web.json_response({"ok": False, "error": "invalid_arguments", "notice": str(error)})
        return web.json_response({"ok": True, "faults": self._world.faults.pending()})

    async def _set_fault(self, wanted: Json) -> None:
        fault: Any = wanted["fault"]
        if fault == "clear":
            self._world.faults.clear()
        elif fault == "disconnect":
            if self._sockets:
                await self._sockets.disconnect(wanted.get("reason", "refresh_requested"))
        elif fault == "abort":
            if self._sockets:
                self._sockets.abort()
        elif fault in METHOD_FAULTS:
            self._world.faults.next_calls(
                wanted["method"],
                fault,
                times=int(wanted.get("times", 1)),
                retry_after=int(wanted.get("retry_after", 1)),
                code=str(wanted.get("code", "internal_error")),
            )
        else:
            self._world.faults.next_envelope(fault, seconds=wanted.get("seconds"))

    async def _press(self, request: web.Request) -> web.Response:
        _require_same_origin(request)
        return web.json_response(await press(self._buttons, request.match_info["name"]))

    def _viewer(self, request: web.Request) -> Person:
        try:
            return self._person(request.query.get("as", ""))
        except NotThere:
            raise web.HTTPNotFound(
                text=json.dumps({"ok": False, "error": "user_not_found"}), content_type="application/json"
            ) from None

    def _person(self, user: str) -> Person:
        return Person(self._world, self._interactions, self._world.workspace.user(user))


def _require_same_origin(request: web.Request) -> None:
    """Other pages in the same browser must not act for the people here."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden


async def _send_all(socket: web.WebSocketResponse, feed: asyncio.Queue[Json]) -> None:
    try:
        while True:
            await socket.send_str(json.dumps(await feed.get(), separators=(",", ":")))
    except ConnectionError:
        return


async def _until_closed(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            return


_FRESH = {"Cache-Control": "no-cache"}
