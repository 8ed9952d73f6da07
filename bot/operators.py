"""The operators' channel: where the people who run this are told what they must know."""

from __future__ import annotations

import logging
from collections.abc import Callable

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.policy import Policy
from blocks.text import escape
from bot.channels import Channels, NoSuchChannel
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)


class Operators:
    """Tells them, if the policy names a channel. What can't be told is in our log."""

    def __init__(self, policy: Callable[[], Policy], slack: AsyncWebClient, channels: Channels) -> None:
        self._policy, self._slack, self._channels = policy, slack, channels

    @property
    def channel(self) -> str | None:
        """As the policy in force names it; None: it names none."""
        return self._policy().operators_channel

    async def tell(self, text: str) -> None:
        """Say something plain in their channel."""
        name = self.channel
        if name is None:
            return
        try:
            channel = await self._channels.id_of(name)
            await self._slack.chat_postMessage(channel=channel, text=escape(text), unfurl_links=False)
        except (SlackApiError, aiohttp.ClientError, TimeoutError, NoSuchChannel) as error:
            logger.warning("the operators' channel was not told", extra={"error": word_of(error)})
