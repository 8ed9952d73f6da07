"""The page on which somebody lets the app into a workspace: one button for each of them.

https://docs.slack.dev/authentication/installing-with-oauth
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from bot.sandbox.world import World

PATH = "/oauth/v2/authorize"


def routes(worlds: Callable[[], list[World]]) -> list[web.RouteDef]:
    """Serve it for the one app that all these workspaces know."""

    async def ask(request: web.Request) -> web.Response:
        asked = dict(request.query)
        if why := _fault(worlds()[0], asked):
            return web.Response(status=400, text=why)
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in asked.items()
        )
        buttons = "".join(
            f'<p><button name="team" value="{world.app.team_id}">Allow in {escape(world.workspace.name)}'
            "</button></p>"
            for world in worlds()
        )
        page = (
            f'<!doctype html><title>Allow</title><form method="post" action="{PATH}">{hidden}{buttons}</form>'
        )
        return web.Response(text=page, content_type="text/html")

    async def allow(request: web.Request) -> web.Response:
        asked = {name: str(value) for name, value in (await request.post()).items()}
        world = next((one for one in worlds() if one.app.team_id == asked.get("team")), None)
        why = "invalid_team" if world is None else _fault(world, asked)
        if world is None or why:
            return web.Response(status=400, text=why)
        back = {"code": world.tokens.code(asked["redirect_uri"]), "state": asked.get("state", "")}
        return web.Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    return [web.get(PATH, ask), web.post(PATH, allow)]


def _fault(world: World, asked: Mapping[str, str]) -> str:
    """What Slack shows instead of the question; empty: nothing."""
    app = world.app
    if asked.get("client_id") != app.client_id:
        return "invalid_client_id"
    if asked.get("redirect_uri") not in app.redirect_urls:
        return "bad_redirect_uri"
    wanted = set(asked.get("scope", "").split(",")) - {""}
    if not wanted:
        return "invalid_scope_requested"
    if app.scopes is not None and wanted - app.scopes:
        return "invalid_scope"
    return ""
