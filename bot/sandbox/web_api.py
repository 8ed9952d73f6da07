"""The Web API: `/api/METHOD`, by GET or POST, with query, form and JSON taken together."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.sandbox.methods import chat, conversations, files, oauth, people, views
from bot.sandbox.methods.arguments import Method
from bot.sandbox.misbehaviour import OnCall
from bot.sandbox.wire import Json, SlackError
from bot.sandbox.workspace import Change
from bot.sandbox.world import World

METHODS: dict[str, Method] = {
    **people.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **views.METHODS,
    **files.METHODS,
    **oauth.METHODS,
}

_HANG_S = 60.0


class WebApi:
    """Of one workspace, or of several in which the same app is: a token tells which one is meant."""

    def __init__(self, worlds: Callable[[], list[World]]) -> None:
        self._worlds = worlds

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        try:
            world, method, args = self._admit(name, request, await _arguments(request))
        except SlackError as error:
            return _failure(error)
        fault = world.faults.take_call(name)
        if fault is not None and fault.fault != "drop":
            return await self._misbehave(world, name, args, fault)
        answer = self._answer(world, name, method, args)
        if fault is not None and request.transport is not None:
            request.transport.abort()
        return answer

    def _admit(self, name: str, request: web.Request, args: Json) -> tuple[World, Method, Json]:
        """Know the method, the caller and the workspace."""
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if method.needs == "client":
            _require_client(self._worlds()[0], scheme, token)
            token = oauth.looked_for(args)
        elif scheme.lower() == "bearer":
            token = token.strip()
        else:
            token = str(args.get("token") or "")
        args.pop("token", None)
        found = next((one for one in self._worlds() if one.tokens.knows(token)), None)
        if found is None and method.needs == "client":
            raise oauth.not_found(args)
        world = found or self._worlds()[0]
        if method.needs in ("bot", "app", "itself"):
            self._require_token(world, method, token)
        if method.needs == "itself":
            args["caller"] = token
        return world, method, args

    def _require_token(self, world: World, method: Method, token: str) -> None:
        app = world.app
        if not token:
            raise SlackError("not_authed")
        if token == app.app_token:
            if method.needs != "app":
                raise SlackError("not_allowed_token_type")
            return
        world.tokens.check(token)
        if method.needs == "app":
            raise SlackError("not_allowed_token_type")
        if app.scopes is not None and method.scope is not None and method.scope not in app.scopes:
            raise SlackError("missing_scope", needed=method.scope, provided=",".join(sorted(app.scopes)))

    def _answer(self, world: World, name: str, method: Method, args: Json) -> web.Response:
        calls = world.calls[name]
        calls.count += 1
        calls.last = args
        calls.last_error = None
        try:
            wait = world.rates.take(name, method.tier) if world.rates else None
            if wait is not None:
                raise chat.TooFast(wait)
            response = _success(method.handle(world, args))
            if (scopes := world.app.scopes) is not None:
                response.headers["X-OAuth-Scopes"] = ",".join(sorted(scopes))
            return response
        except SlackError as error:
            calls.failed += 1
            calls.last_error = error.code
            return _failure(error)
        finally:
            world.workspace.announce(Change(kind="called", detail={"method": name}))

    async def _misbehave(self, world: World, name: str, args: Json, fault: OnCall) -> web.StreamResponse:
        calls = world.calls[name]
        calls.count += 1
        calls.failed += 1
        calls.last, calls.last_error = args, fault.fault
        world.workspace.announce(Change(kind="called", detail={"method": name}))
        match fault.fault:
            case "429":
                return _failure(chat.TooFast(fault.retry_after))
            case "error":
                return _failure(SlackError(fault.code))
            case "timeout":
                return await _hang(world)
            case _:
                return web.Response(status=int(fault.fault), text="upstream connect error")


async def _hang(world: World) -> web.StreamResponse:
    try:
        async with asyncio.timeout(_HANG_S):
            await world.stopping.wait()
    except TimeoutError:
        pass
    return web.Response(status=504)


def _require_client(world: World, scheme: str, credentials: str) -> None:
    """The app's own id and secret, as HTTP's basic authentication."""
    try:
        told = base64.b64decode(credentials, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        told = ""
    client_id, _, secret = told.partition(":")
    if client_id != world.app.client_id:
        raise SlackError("invalid_client_id")
    if secret != world.app.client_secret:
        raise SlackError("bad_client_secret")


async def _arguments(request: web.Request) -> Json:
    """Whatever the SDK sent where: it uses all three places (see slack-sdk's internal_utils)."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        body = await request.read()
        try:
            sent: Any = json.loads(body) if body else {}
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(sent, dict):
            raise SlackError("json_not_object")
        sent.pop("token", None)  # not accepted in JSON (docs.slack.dev/apis/web-api: POST bodies)
        args.update(sent)
    elif request.method == "POST":
        args.update({name: value for name, value in (await request.post()).items() if isinstance(value, str)})
    return args


def _success(answer: Json) -> web.Response:
    return _json({"ok": True, **answer})


def _failure(error: SlackError) -> web.Response:
    if isinstance(error, chat.TooFast):
        response = _json({"ok": False, "error": error.code}, status=429)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return _json({"ok": False, "error": error.code, **error.extra})


def _json(answer: Json, *, status: int = 200) -> web.Response:
    body = json.dumps(answer, separators=(",", ":")).encode()
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")
