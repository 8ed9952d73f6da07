"""Slack over Socket Mode: one connection kept alive, and rebuilt when it has gone quiet."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

logger = logging.getLogger(__name__)

CONNECT_S = 15.0
PING_S = 5.0
QUIET_S = 6 * PING_S  # without a pong for so long, the connection is taken for dead and made anew
DRAIN_S = 4.0  # more than Slack waits for an answer
BACK_OFF_S = (1.0, 5.0, 15.0, 60.0)  # apps.connections.open is a Tier 1 method: about one a minute


class SocketDoor:
    """Keeps one Socket Mode connection for as long as the process runs."""

    def __init__(self, bolt: AsyncApp, app_token: str, client: AsyncWebClient) -> None:
        self._bolt, self._app_token, self._client = bolt, app_token, client

    async def run(self) -> None:
        failures = 0
        while True:
            handler = _Handler(self._bolt, self._app_token, web_client=self._client, ping_interval=PING_S)
            try:
                async with asyncio.timeout(CONNECT_S):
                    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
                logger.info("connected to Slack by Socket Mode")
                failures = 0
                await _until_quiet(handler.client)
                logger.warning("the connection to Slack went quiet; making another")
            except TimeoutError:
                logger.warning(
                    "Slack did not open a Socket Mode connection; check SLACK_APP_TOKEN if this goes on"
                )
                await asyncio.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
            finally:
                await handler.until_idle()
                async with asyncio.timeout(CONNECT_S):
                    await handler.close_async()  # type: ignore[no-untyped-call]  # as above


class _Handler(AsyncSocketModeHandler):
    """Knows what it is at, so that a process that is asked to stop answers first what people have clicked."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._at_work = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def handle(self, client: Any, req: Any) -> None:
        self._at_work += 1
        self._is_idle.clear()
        try:
            await super().handle(client, req)
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._is_idle.set()

    async def until_idle(self) -> None:
        """Return when everything is answered that has come, or too much time has passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._is_idle.wait()


async def _until_quiet(client: SocketModeClient) -> None:
    """Return when no pong has come for QUIET_S; the client itself mends what it notices."""
    opened = time.time()
    while True:
        await asyncio.sleep(PING_S)
        last = max(client.last_ping_pong_time or 0.0, opened)
        if time.time() - last > QUIET_S:
            return
