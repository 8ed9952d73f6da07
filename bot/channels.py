"""Where a policy's words for a channel lead: "#approvals", an id, or "dm"."""

from __future__ import annotations

import asyncio
import re
import time

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.errors import ApprovalsError

DM = "dm"
NAMES_S = 300.0
PAGE = 200
LOOKUP_S = 2.0  # of the three seconds that Slack gives an interaction
_ID = re.compile(r"[CGD][A-Z0-9]{4,}")


class NoSuchChannel(ApprovalsError):
    """The workspace has no such channel, as far as the app can see."""


class Channels:
    """Channel names and people's direct messages, by id."""

    def __init__(self, slack: AsyncWebClient) -> None:
        self._slack = slack
        self._ids: dict[str, str] = {}
        self._read_at = -NAMES_S
        self._dms: dict[str, str] = {}

    async def id_of(self, channel: str) -> str:
        """The id of a channel that a policy names.

        Raises:
            NoSuchChannel: with a sentence for the operator.
        """
        if _ID.fullmatch(channel):
            return channel
        name = channel.removeprefix("#")
        if name not in self._ids or time.monotonic() - self._read_at > NAMES_S:
            await self._read_names()
        if name not in self._ids:
            raise NoSuchChannel(
                f"there is no channel #{name} that the app can see; create it, or invite the app to it"
            )
        return self._ids[name]

    async def known_id(self, channel: str) -> str | None:
        """The id, or None where it can't be found out: "channel" names nobody then."""
        try:
            async with asyncio.timeout(LOOKUP_S):
                return await self.id_of(channel)
        except (NoSuchChannel, SlackApiError, aiohttp.ClientError, TimeoutError):
            return None

    async def dm_of(self, person: str) -> str:
        """The direct message between the app and a person."""
        if person not in self._dms:
            opened = await self._slack.conversations_open(users=person)
            self._dms[person] = str(opened["channel"]["id"])
        return self._dms[person]

    def forget_names(self) -> None:
        self._ids.clear()

    async def _read_names(self) -> None:
        ids: dict[str, str] = {}
        cursor = ""
        while True:
            page = await self._slack.conversations_list(
                types="public_channel,private_channel", limit=PAGE, cursor=cursor, exclude_archived=False
            )
            # An archived channel gives its name free: a living one of the same name comes first.
            for channel in sorted(page["channels"], key=lambda each: bool(each.get("is_archived"))):
                ids.setdefault(str(channel["name"]), str(channel["id"]))
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        self._ids, self._read_at = ids, time.monotonic()
