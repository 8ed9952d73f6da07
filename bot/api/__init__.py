"""The HTTP API: agents in any language, and screens other than Slack on which people decide."""

from __future__ import annotations

from functools import cache

from aiohttp import web
from aiohttp.typedefs import Handler

from bot import logs
from bot.api import asking, deciding, openapi, pages, reading, running, streaming
from bot.api.operations import OneTenant, Parts, Tenants, handler_of, token_of
from bot.api.problems import as_problems

OPERATIONS = (
    *asking.OPERATIONS,
    *reading.OPERATIONS,
    *running.OPERATIONS,
    *streaming.OPERATIONS,
    *deciding.OPERATIONS,
)

__all__ = ["OPERATIONS", "OneTenant", "Parts", "Tenants", "add_to", "token_of"]


@cache
def _document() -> bytes:
    """Made when it is first asked for: that takes longer than all else at the start."""
    return openapi.document(OPERATIONS)


def add_to(app: web.Application, tenants: Tenants) -> None:
    """Serve the API, its document and its measures."""

    @web.middleware
    async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
        parts = tenants.of(request)
        logs.TENANT.set(None if parts is None else parts.store.tenant)
        return await (handler(request) if parts is None else parts.measures.timed(request, handler))

    async def end_waits(_: web.Application) -> None:
        for parts in tenants.all():
            await parts.close()

    app.middlewares.append(measured)
    app.middlewares.append(as_problems)
    for operation in OPERATIONS:
        app.router.add_route(operation.method, operation.path, handler_of(operation, tenants))
    pages.add_to(app, _document, tenants)
    app.on_shutdown.append(end_waits)
    app.on_cleanup.append(end_waits)  # those that came meanwhile
