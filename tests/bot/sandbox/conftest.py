"""A sandbox with nobody connected, and a hand that calls its Web API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from bot.sandbox.server import Sandbox

BOT = "xoxb-sandbox"

Api = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def slack() -> AsyncIterator[Sandbox]:
    async with Sandbox(rate_limits=False, event_retry_delays_s=()) as sandbox:
        yield sandbox


@pytest.fixture
async def api(slack: Sandbox) -> AsyncIterator[Api]:
    """`await api("chat.postMessage", channel=…)`: the answer, as JSON."""
    async with aiohttp.ClientSession() as session:

        async def call(method: str, *, token: str = BOT, **args: Any) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {token}"}
            async with session.post(slack.api_url + method, json=args, headers=headers) as response:
                answer: dict[str, Any] = await response.json()
                return answer

        yield call
