"""The HTTP API: agents in any language, and screens other than Slack on which people decide."""

from __future__ import annotations

from functools import cache

from aiohttp import web

from bot.api import asking, deciding, openapi, pages, reading, running, streaming
from bot.api.operations import Parts, handler_of
from bot.api.problems import as_problems

OPERATIONS = (
    *asking.OPERATIONS,
    *reading.OPERATIONS,
    *running.OPERATIONS,
    *streaming.OPERATIONS,
    *deciding.OPERATIONS,
)

__all__ = ["OPERATIONS", "Parts", "add_to"]


@cache
def _document() -> bytes:
    """Made when it is first asked for: that takes longer than all else at the start."""
    return openapi.document(OPERATIONS)


def add_to(app: web.Application, parts: Parts) -> None:
    """Serve the API, its document and its measures."""
    app.middlewares.append(parts.measures.middleware())
    app.middlewares.append(as_problems)
    for operation in OPERATIONS:
        app.router.add_route(operation.method, operation.path, handler_of(operation, parts))
    pages.add_to(app, _document, parts.measures)

    async def end_waits(_: web.Application) -> None:
        await parts.doors.close()
        await parts.tail.close()

    app.on_shutdown.append(end_waits)
    app.on_cleanup.append(end_waits)  # those that came meanwhile
