"""What people and watchers read rather than agents: the document, a page that draws it, the measures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from bot.api.operations import Tenants
from bot.api.problems import KINDS

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
GUARDS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}


def add_to(app: web.Application, document: Callable[[], bytes], tenants: Tenants) -> None:
    """Serve them; they need no token, as nothing of any request is in them."""

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=document(), content_type="application/json")

    async def metrics(request: web.Request) -> web.Response:
        parts = tenants.of(request)
        if parts is None:
            raise web.HTTPNotFound
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=await parts.measures.text(), headers=headers)

    app.router.add_get("/openapi.json", openapi)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/docs", _file("docs.html", "text/html", _problems()))
    app.router.add_get("/docs/docs.js", _file("docs.js", "text/javascript"))
    app.router.add_get("/docs/docs.css", _file("docs.css", "text/css"))


def _file(
    name: str, content_type: str, problems: str = ""
) -> Callable[[web.Request], Awaitable[web.Response]]:
    text = (HERE / name).read_text().replace("<!-- problems -->", problems)

    async def file(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, headers=GUARDS)

    return file


def _problems() -> str:
    lines = (
        f'<tr id="{kind}"><td><code>{kind}</code></td><td>{status}</td><td>{title}</td></tr>'
        for kind, (status, title) in KINDS.items()
    )
    return "\n".join(lines)
