"""One message of ours: posted once, found again if its reply was lost, updated when it should say else.

Slack has no idempotency key. So a post is intended in Redis before it is sent and recorded after; where the
reply was lost, Slack is asked for the message before another is sent.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.places import Posted
from blocks.pieces import Card
from bot.slack_errors import word_of

LOOK_BACK_S = 60.0  # Slack's clock and ours may differ by so much when a lost message is looked for
RECENT = 100  # messages in which a lost one is looked for
METADATA = "countersign_request"

# Slack's words for "this will not work however often you try", by what they mean for the card.
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
CLOSED = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "is_inactive",
        "no_permission",
        "missing_scope",
        "restricted_action",
        "restricted_action_thread_only_channel",
        "restricted_action_read_only_channel",
        "messages_tab_disabled",
        "team_access_not_granted",
        "ekm_access_denied",
        "user_not_found",
        "user_disabled",
        "cannot_dm_bot",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "invalid_auth",
        "not_authed",
    }
)
LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})


class Undrawable(Exception):
    """A place will never take the card; `why` is for the operator and the agent."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Limited(Exception):
    """Slack wants to be left alone for `after_s` seconds."""

    def __init__(self, after_s: float) -> None:
        super().__init__(f"rate limited for {after_s} s")
        self.after_s = after_s


Write: TypeAlias = Callable[[Posted], Awaitable[None]]  # into Redis, before and after it is sent


Tick: TypeAlias = Callable[[], Awaitable[float | None]]  # ticks off what was drawn: in so many s again


class Sending:
    """Sends messages, and remembers where Slack wants to be left alone."""

    def __init__(self, slack: AsyncWebClient) -> None:
        self.slack = slack
        self._paused: dict[str, float] = {}  # channel → when it may be posted to again (monotonic)

    async def send(
        self, owner: str, posted: Posted, wanted: Card, write: Write, *, as_drawn: Posted | None = None
    ) -> Posted:
        """Post or update one message, if it isn't already what it should be, and return it as it is recorded.

        `owner` names in the message what it shows. `as_drawn`: what else the record says once it is drawn.

        Raises:
            Limited: Slack wants to be left alone.
            Undrawable: the place will never take it.
            SlackApiError, ClientError, TimeoutError: whatever else went wrong.
        """
        state = state_of(wanted)
        if posted.ts is not None and posted.state == state:
            return posted
        drawn = as_drawn or posted
        if posted.ts is None:
            posted = await self.find_lost(owner, posted) or posted
        if posted.ts is not None:
            try:
                await self._update(posted, wanted)
                return await _recorded(drawn, posted.ts, state, write)
            except SlackApiError as error:
                if word_of(error) not in GONE:
                    raise
                posted = replace(posted, ts=None, attempt=None)  # an admin deleted it: show it again
        ts = await self.post(owner, posted, wanted, write)
        return await _recorded(drawn, ts, state, write)

    async def post(self, owner: str, posted: Posted, wanted: Card, write: Write) -> str:
        """Post a new message, intended before; returns its `ts`. Raises as `send`."""
        self._respect_pause(posted.channel)
        attempt = secrets.token_hex(8)
        intended = replace(posted, ts=None, attempt=attempt, attempted_at=datetime.now(UTC))
        await write(intended)
        try:
            answer = await self.slack.chat_postMessage(
                channel=posted.channel,
                thread_ts=posted.thread_ts,
                text=wanted.text,
                blocks=wanted.blocks,
                metadata={"event_type": METADATA, "event_payload": {"id": owner, "attempt": attempt}},
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackApiError as error:
            if error.response.status_code < 500:  # a plain no: nothing was posted
                await write(replace(intended, attempt=None, attempted_at=None))
            raise self._judged(error, posted.channel, posted.channel) from error
        return str(answer["ts"])

    async def find_lost(self, owner: str, posted: Posted) -> Posted | None:
        """The message of an attempt whose reply never came, if Slack did take it."""
        if posted.attempt is None or posted.attempted_at is None:
            return None
        oldest = f"{posted.attempted_at.timestamp() - LOOK_BACK_S:.6f}"
        channel, thread_ts = posted.channel, posted.thread_ts
        if thread_ts is None:
            page = await self.slack.conversations_history(
                channel=channel, oldest=oldest, include_all_metadata=True, limit=RECENT
            )
        else:
            page = await self.slack.conversations_replies(
                channel=channel, ts=thread_ts, oldest=oldest, include_all_metadata=True, limit=RECENT
            )
        for message in page["messages"]:
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if payload.get("id") == owner and payload.get("attempt") == posted.attempt:
                return replace(posted, ts=str(message["ts"]))
        return None

    async def _update(self, posted: Posted, wanted: Card) -> None:
        pause = f"{posted.channel} update"
        self._respect_pause(pause)
        try:
            await self.slack.chat_update(
                channel=posted.channel, ts=str(posted.ts), text=wanted.text, blocks=wanted.blocks
            )
        except SlackApiError as error:
            raise self._judged(error, posted.channel, pause) from error

    def _respect_pause(self, key: str) -> None:
        left = self._paused.get(key, 0.0) - time.monotonic()
        if left > 0:
            raise Limited(left)

    def _judged(self, error: SlackApiError, channel: str, pause: str) -> Exception:
        """What Slack's no means: wait, give this place up, or something for the caller to know."""
        word = word_of(error)
        if word in LIMITED or error.response.status_code == 429:
            after_s = float(error.response.headers.get("Retry-After", 1))
            self._paused[pause] = time.monotonic() + after_s
            return Limited(after_s)
        return Undrawable(closed(channel, word)) if word in CLOSED else error


async def _recorded(drawn: Posted, ts: str, state: str, write: Write) -> Posted:
    recorded = replace(drawn, ts=ts, state=state, attempt=None, attempted_at=None)
    await write(recorded)
    return recorded


def state_of(wanted: Card) -> str:
    """By which it is known again what a message shows."""
    whole = json.dumps([wanted.text, wanted.blocks], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def closed(channel: str, word: str) -> str:
    """What an operator is to do about a channel that takes no messages."""
    mend = {
        "not_in_channel": "invite the app to it",
        "channel_not_found": "create it, or invite the app to it",
        "is_archived": "unarchive it, or name another channel in the policy",
    }.get(word, "see the app's settings in Slack")
    return f"Slack does not let the app post to {channel} ({word}); {mend}"
