"""Tells whoever clicked on many rows what became of them."""

from __future__ import annotations

import logging

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.bulk import Progress, has_said
from approvals.store import Store
from blocks import bulk as blocks
from blocks.bulk import Done
from bot.channels import Channels
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)


class BulkTelling:
    """Speaks to the clicker alone, also where the click itself can no longer be answered."""

    def __init__(self, store: Store, slack: AsyncWebClient, channels: Channels) -> None:
        self._store, self._slack, self._channels = store, slack, channels

    async def words(self, progress: Progress) -> str:
        """How many were done, which not, and why."""
        asked, covered = progress.bulk, progress.bulk.covered
        rows = [*covered.rows, *(row for row, _ in covered.left_out)]
        requests = await self._store.get_many([row.request_id for row in rows])
        done = [
            Done(blocks.label_of(row, requests), progress.results[place].why_not)
            for place, row in enumerate(covered.rows)
        ]
        for row, why in covered.left_out:
            request = requests.get(row.request_id)
            if request is not None and has_said(request, asked.by, asked.verb):
                done.append(Done(blocks.label_of(row, requests)))  # a click that Slack delivered twice, say
            else:
                done.append(blocks.left_out_row(row, why, requests))
        return blocks.told(asked.verb, done)

    async def tell(self, progress: Progress) -> None:
        """By the digest, else in their direct messages. Best effort: what happened is in Redis."""
        who, text = progress.bulk.by, await self.words(progress)
        try:
            await self._slack.chat_postEphemeral(channel=progress.bulk.channel, user=who, text=text)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            logger.info("not told by the digest", extra={"error": word_of(error)})
            await self._tell_directly(who, text)

    async def _tell_directly(self, who: str, text: str) -> None:
        try:
            await self._slack.chat_postMessage(channel=await self._channels.dm_of(who), text=text)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            logger.warning("nobody was told of a bulk", extra={"error": word_of(error)})
