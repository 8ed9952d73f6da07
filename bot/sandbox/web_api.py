"""The Web API: `/api/METHOD`, by GET or POST, with query, form and JSON taken together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from bot.sandbox.methods import chat, conversations, files, people, views
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
}

_HANG_S = 60.0


class WebApi:
    def __init__(self, world: World) -> None:
        self._world = world

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        try:
            method, args = self._admit(name, request, await _arguments(request))
        except SlackError as error:
            return _failure(error)
        fault = self._world.faults.take_call(name)
        if fault is not None and fault.fault != "drop":
            return await self._misbehave(name, args, fault)
        answer = self._answer(name, method, args)
        if fault is not None and request.transport is not None:
            request.transport.abort()
        return answer

    def _admit(self, name: str, request: web.Request, args: Json) -> tuple[Method, Json]:
        """Know the method and the caller."""
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else str(args.pop("token", "") or "")
        args.pop("token", None)
        if method.needs is not None:
            self._require_token(method, token)
        return method, args

    def _require_token(self, method: Method, token: str) -> None:
        app = self._world.app
        if not token:
            raise SlackError("not_authed")
        if token not in (app.bot_token, app.app_token):
            raise SlackError("invalid_auth")
        if token != (app.app_token if method.needs == "app" else app.bot_token):
            raise SlackError("not_allowed_token_type")
        if app.scopes is not None and method.scope is not None and method.scope not in app.scopes:
            raise SlackError("missing_scope", needed=method.scope, provided=",".join(sorted(app.scopes)))

    def _answer(self, name: str, method: Method, args: Json) -> web.Response:
        calls = self._world.calls[name]
        calls.count += 1
        calls.last = args
        calls.last_error = None
        try:
            wait = self._world.rates.take(name, method.tier) if self._world.rates else None
            if wait is not None:
                raise chat.TooFast(wait)
            response = _success(method.handle(self._world, args))
            if (scopes := self._world.app.scopes) is not None:
                response.headers["X-OAuth-Scopes"] = ",".join(sorted(scopes))
            return response
        except SlackError as error:
            calls.failed += 1
            calls.last_error = error.code
            return _failure(error)
        finally:
            self._world.workspace.announce(Change(kind="called", detail={"method": name}))

    async def _misbehave(self, name: str, args: Json, fault: OnCall) -> web.StreamResponse:
        calls = self._world.calls[name]
        calls.count += 1
        calls.failed += 1
        calls.last, calls.last_error = args, fault.fault
        self._world.workspace.announce(Change(kind="called", detail={"method": name}))
        match fault.fault:
            case "429":
                return _failure(chat.TooFast(fault.retry_after))
            case "error":
                return _failure(SlackError(fault.code))
            case "timeout":
                return await self._hang()
            case _:
                return web.Response(status=int(fault.fault), text="upstream connect error")

    async def _hang(self) -> web.StreamResponse:
        try:
            async with asyncio.timeout(_HANG_S):
                await self._world.stopping.wait()
        except TimeoutError:
            pass
        return web.Response(status=504)


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
