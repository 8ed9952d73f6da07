"""The HTTP door: agents' API, Slack's signed requests at /slack/events, and how the process is."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from approvals.errors import Unavailable
from bot import api
from bot.stepping_up import doors
from bot.stepping_up.opening import Whose
from bot.workspaces import installing as install_doors
from bot.workspaces.installing import Installing

logger = logging.getLogger(__name__)

LEAVE_S = 2.0  # from saying that we are about to end until we do: for load balancers to hear of it
DRAIN_S = 5.0  # for what has come when we are to stop: waits and streams are ended, clicks are answered
BODY_BYTES = 1024 * 1024
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class Hearing(Protocol):
    """What hears Slack: one workspace's Bolt app, or whoever knows all of them."""

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Deal with one request of Slack's."""


def web_app(
    bolt: Hearing | None,
    is_ready: Callable[[], Awaitable[None]],
    tenants: api.Tenants,
    stepping_up: Whose | None = None,
    installing: Installing | None = None,
) -> web.Application:
    """The aiohttp application: the API, and how the process is; Slack and browsers where they may come in."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_: web.Request) -> web.Response:
        try:
            await is_ready()
        except Unavailable as error:
            return web.json_response({"ok": False, "why": str(error)}, status=503)
        return web.json_response({"ok": True})

    app = web.Application(client_max_size=BODY_BYTES)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    api.add_to(app, tenants)
    if stepping_up is not None:
        doors.add_to(app, stepping_up)
    if installing is not None:
        install_doors.add_to(app, installing)
    if bolt is not None:
        app.router.add_post("/slack/events", _slack_door(bolt))
    return app


def _slack_door(bolt: Hearing) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def events(request: web.Request) -> web.StreamResponse:
        # Bolt answers 500, not 401, to signatures and timestamps that have not even the form of one.
        signature = request.headers.get("X-Slack-Signature", "")
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        if not _SIGNATURE.fullmatch(signature) or not _TIMESTAMP.fullmatch(timestamp):
            logger.warning("a request without Slack's signature was turned away")
            return web.Response(status=401)
        return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

    return events


async def serve(app: web.Application, *, host: str, port: int) -> web.AppRunner:
    """Start serving; the caller cleans the runner up.

    Raises:
        OSError: something else is there.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    logger.info("HTTP is served", extra={"addresses": [f"{each[0]}:{each[1]}" for each in runner.addresses]})
    return runner
