"""What an app says through a response URL, or right in its answer to a slash command."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from bot.sandbox.capabilities import ResponseUrl
from bot.sandbox.methods.arguments import flag, text
from bot.sandbox.methods.chat import content_of
from bot.sandbox.model import Message
from bot.sandbox.wire import Json, SlackError
from bot.sandbox.workspace import Change
from bot.sandbox.world import World


class Responses:
    def __init__(self, world: World) -> None:
        self._world = world

    async def handle(self, request: web.Request) -> web.Response:
        """A POST to a response URL."""
        calls = self._world.calls["response_url"]
        calls.count += 1
        try:
            body = _body(await request.read())
            calls.last = body
            self.respond(self._world.response_urls.use(request.match_info["key"]), body)
        except SlackError as error:
            calls.failed += 1
            calls.last_error = error.code
            status = 404 if error.code in ("used_url", "expired_url") else 400
            return web.json_response({"ok": False, "error": error.code, **error.extra}, status=status)
        finally:
            self._world.workspace.announce(Change(kind="called", detail={"method": "response_url"}))
        return web.Response(text="ok")

    def respond(self, to: ResponseUrl, body: Json) -> None:
        """Post, replace or delete, as `body` asks."""
        source = self._source(to)
        if flag(body, "delete_original"):
            self._delete(source)
            return
        content = content_of(self._world, body)
        if flag(body, "replace_original") and source is not None:
            self._replace(source, content)
            return
        place = self._world.workspace.channel(to.channel)
        sender: dict[str, Any] = {"user": self._world.app.bot_user, "bot_id": self._world.app.bot_id}
        sender["thread_ts"] = text(body, "thread_ts")
        if body.get("response_type") == "in_channel" and not to.ephemeral:
            self._world.workspace.post(place.id, **sender, **content)
        else:
            content.pop("metadata")
            self._world.workspace.whisper(place.id, to=to.user, **sender, **content)

    def _source(self, to: ResponseUrl) -> Message | None:
        if to.ts is None:
            return None
        if to.ephemeral:
            return self._world.workspace.ephemeral(to.channel, to.user, to.ts)
        found = self._world.workspace.channel(to.channel).messages.get(to.ts)
        return found if found and found.bot_id == self._world.app.bot_id else None

    def _delete(self, source: Message | None) -> None:
        if source is None:
            raise SlackError("message_not_found")
        if source.ephemeral_to is not None:
            self._world.workspace.unwhisper(source)
        else:
            self._world.workspace.delete(source.channel, source.ts)

    def _replace(self, source: Message, content: dict[str, Any]) -> None:
        if source.ephemeral_to is not None:
            content.pop("metadata")
            self._world.workspace.rewhisper(source, **content)
        else:
            self._world.workspace.edit(source, **content)


def _body(raw: bytes) -> Json:
    try:
        body = json.loads(raw)
    except ValueError:
        raise SlackError("invalid_payload") from None
    if not isinstance(body, dict):
        raise SlackError("invalid_payload")
    return body
