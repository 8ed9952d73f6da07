"""Keeps the tokens of workspaces good: refreshed before they end, and given up when Slack takes them back.

https://docs.slack.dev/authentication/using-token-rotation
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.errors import Unavailable
from approvals.model import Tenant
from bot.settings import SlackApp
from bot.slack_errors import word_of
from bot.workspaces.installations import BotToken, Installation, Installations, Kept

logger = logging.getLogger(__name__)

EARLY = timedelta(hours=2)  # before its end a token is refreshed: time for people to mend what is wrong
SAVE_S, PAUSE_S = 20.0, 0.5
OVER = frozenset({"account_inactive", "token_revoked"})  # not `invalid_auth`: our address may have changed


async def access(slack: AsyncWebClient, app: SlackApp, **asked: str | None) -> Mapping[str, Any]:
    """Call oauth.v2.access as the app itself. (The SDK's own way there warns of aiohttp's next version.)

    Raises:
        SlackApiError, aiohttp.ClientError, TimeoutError: it gave nothing.
    """
    who = aiohttp.encode_basic_auth(app.client_id, app.client_secret)
    answer = await slack.api_call("oauth.v2.access", data=asked, headers={"Authorization": who})
    return answer.data if isinstance(answer.data, dict) else {}


def issued(answer: Mapping[str, Any], now: datetime) -> BotToken:
    """What oauth.v2.access answered, for a code or for a refresh token."""
    lasts = answer.get("expires_in")
    return BotToken(
        token=str(answer["access_token"]),
        refresh_token=answer.get("refresh_token"),
        expires_at=None if lasts is None else now + timedelta(seconds=int(lasts)),
    )


class Tokens:
    """Looks after them. Many may at once: one refreshes, and the others find what it got."""

    def __init__(self, installations: Installations, app: SlackApp, slack: AsyncWebClient) -> None:
        self._installations, self._app, self._slack = installations, app, slack

    async def keep(self, id: Tenant) -> None:
        """See whether Slack still takes a workspace's token, and refresh it if it is time.

        Raises:
            Unavailable: Redis was away.
        """
        kept = await self._installations.get(id)
        if kept is None or kept.installation.bot is None:
            return
        bot, now = kept.installation.bot, await self._installations.now()
        is_past = bot.expires_at is not None and now >= bot.expires_at
        try:
            if not is_past:
                await self._slack.auth_test(token=bot.token)
            if bot.expires_at is not None and now >= bot.expires_at - EARLY:
                await self._refresh(kept, bot, now)
        except SlackApiError as error:
            await self._judge(kept, word_of(error), is_past=is_past)
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.warning("Slack can't be asked about a token", extra={"error": word_of(error)})

    async def _refresh(self, kept: Kept, bot: BotToken, now: datetime) -> None:
        """A refresh token is good once. If its answer is lost, Slack takes it again for a moment."""
        id = kept.installation.id
        if not await self._installations.lease(id) or await self._installations.get(id) != kept:
            return  # somebody else is at it, or was a moment ago
        answer = await access(
            self._slack, self._app, grant_type="refresh_token", refresh_token=bot.refresh_token
        )
        await self._save(kept, replace(kept.installation, bot=issued(answer, now)))
        logger.info("a token was refreshed")

    async def _save(self, kept: Kept, renewed: Installation) -> None:
        """Nobody gets these tokens again, so a Redis that is away is waited for."""
        async with asyncio.timeout(SAVE_S):
            while True:
                with suppress(Unavailable):
                    await self._installations.change(kept, renewed)
                    return
                await asyncio.sleep(PAUSE_S)

    async def _judge(self, kept: Kept, word: str, *, is_past: bool) -> None:
        """What Slack's no to a token means."""
        if word in OVER or (is_past and word == "invalid_refresh_token"):
            if await self._installations.change(kept, replace(kept.installation, bot=None)):
                logger.error("the app was removed from %s (%s)", kept.installation.name, word)
            return
        logger.error(
            "the token can't be kept good: Slack says %s; unless this ends, install the app anew", word
        )
