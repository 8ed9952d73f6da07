"""Private answers through a response_url, which answers for somebody and so is never logged or kept."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import urlsplit

import aiohttp

logger = logging.getLogger(__name__)

SLACK_HOOKS = "https://hooks.slack.com"  # where every response_url of the real Slack leads
REPLY_S = 1.5


class Replier:
    """Says something to one person, where they just clicked or typed."""

    def __init__(self, session: aiohttp.ClientSession, slack_api_url: str) -> None:
        self._session = session
        api = urlsplit(slack_api_url)
        is_slack = (api.hostname or "").endswith("slack.com")
        self._allowed = SLACK_HOOKS if is_slack else f"{api.scheme}://{api.netloc}"

    async def whisper(
        self,
        response_url: str | None,
        text: str,
        blocks: list[dict[str, Any]] | None = None,
        *,
        instead: bool = False,
    ) -> None:
        """Tell the person alone; `instead` of the message that was clicked on.

        Best effort: what happened is in Redis, and this only tells of it.
        """
        if response_url is None or not self._is_allowed(response_url):
            return
        body: dict[str, Any] = {"response_type": "ephemeral", "replace_original": instead, "text": text}
        if blocks is not None:
            body["blocks"] = blocks
        try:
            async with asyncio.timeout(REPLY_S), self._session.post(response_url, json=body) as answer:
                if answer.status >= 400:
                    logger.warning("a private answer was not taken", extra={"error": str(answer.status)})
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.warning("a private answer was not taken", extra={"error": type(error).__name__})

    def _is_allowed(self, url: str) -> bool:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" == self._allowed
