"""Where files go that the app uploads, and where it fetches files from."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from bot.sandbox.wire import SlackError
from bot.sandbox.world import World


def routes(worlds: Callable[[], list[World]]) -> list[web.RouteDef]:
    """Both addresses, for all the workspaces that are served here."""

    async def upload(request: web.Request) -> web.Response:
        """The address that files.getUploadURLExternal gave out; takes the bytes bare or as a form."""
        key = request.match_info["key"]
        world = next((one for one in worlds() if key in one.uploads), None)
        file = None if world is None else world.workspace.files.get(world.uploads.pop(key))
        if file is None:
            return web.Response(status=404, text="invalid_upload_url")
        content = await _bytes(request)
        if len(content) != file.size:
            return web.Response(status=400, text="file length does not match what was announced")
        file.content, file.uploaded = content, True
        return web.Response(text=f"OK - {len(content)}")

    async def download(request: web.Request) -> web.Response:
        """What `url_private` leads to, for the app's token."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        world = next((one for one in worlds() if one.tokens.knows(token)), None)
        if world is None or not _is_good(world, token):
            return web.Response(status=403)
        file = world.workspace.files.get(request.match_info["id"])
        if file is None or not file.uploaded:
            return web.Response(status=404)
        return web.Response(body=file.content, content_type=file.mimetype)

    return [web.post("/upload/v1/{key}", upload), web.get("/files-pri/{id}/{name:.+}", download)]


def _is_good(world: World, token: str) -> bool:
    try:
        world.tokens.check(token)
    except SlackError:
        return False
    return True


async def _bytes(request: web.Request) -> bytes:
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    form = await request.post()
    for part in form.values():
        if isinstance(part, web.FileField):
            return part.file.read()
    return b""
