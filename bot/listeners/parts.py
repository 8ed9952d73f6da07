"""What the listeners share: the desk, a voice, the names of the commands; and how a verdict is told."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.absences import Absences
from approvals.digests import Digests
from approvals.grant_book import GrantBook
from approvals.model import PersonId, Request, Risk
from approvals.preference_book import PreferenceBook
from approvals.stages import Stages
from blocks import dialogs, overrides, replies
from blocks.queue import queue_view
from blocks.replies import Commands
from blocks.request import Offer, offer_for
from bot.bulk import Bulking
from bot.channels import Channels
from bot.daily.statistics import Statistics
from bot.desk import Desk, Verdict
from bot.drawing.homes import Homes
from bot.judging import Judge
from bot.levers.freezing import Freezing
from bot.operators import Operators
from bot.owners import Owners
from bot.payloads import Click, Shortcut, Slash, Who, laid_on
from bot.people import People
from bot.proposing import Proposing
from bot.replying import Replier
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)

Json: TypeAlias = dict[str, Any]
Errors: TypeAlias = dict[str, str]  # of a dialog: what is wrong, by block id


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    desk: Desk
    people: People
    channels: Channels
    slack: AsyncWebClient
    replier: Replier
    commands: Commands
    owners: Owners
    operators: Operators
    freezing: Freezing
    grants: GrantBook
    absences: Absences
    preferences: PreferenceBook
    homes: Homes
    stages: Stages
    judge: Judge
    digests: Digests
    bulking: Bulking
    statistics: Statistics
    proposing: Proposing
    channel: str  # where requests go when the policy names none

    async def tell(self, click: Click, text: str) -> None:
        """Say something to the person who clicked, where they clicked: by the message, or in the dialog."""
        if click.response_url is not None:
            await self.replier.whisper(click.response_url, text)
        elif click.view_id is not None and not click.is_home:
            await self._show(self.slack.views_update(view_id=click.view_id, view=dialogs.notice_view(text)))
        else:
            await self.open(click, dialogs.notice_view(text))

    async def tell_verdict(self, click: Click, verdict: Verdict) -> None:
        """After a decision: silence where the card shows it, else words."""
        if click.is_home:
            await self.homes.show(click.who)
        if verdict.link is not None and verdict.request is not None and click.response_url is not None:
            blocks = replies.link_to_confirm(verdict.request, verdict.link)
            await self.replier.whisper(click.response_url, verdict.words, blocks)
        elif verdict.refusal is not None or (click.response_url is None and not click.is_home):
            await self.tell(click, verdict.words)

    async def request_view(self, who: Who, request: Request) -> Json:
        """All there is to know of a request, with the buttons for whoever may decide it."""
        now = await self.desk.store.now()
        may = await self.desk.may_decide(who, request, now=now)
        standing_in = await self.desk.standing_in(request) if request.is_pending else {}
        file_url = await self._file_url(request)
        freeze = await self.desk.freeze_on(request) if request.is_pending else None
        return dialogs.details_view(
            request, now, can_act=may, file_url=file_url, standing_in=standing_in, freeze=freeze
        )

    async def call_view(self, who: Who, request: Request) -> Json:
        """The whole call as a dialog: with Approve for whoever may approve it, to read for everybody else."""
        now = await self.desk.store.now()
        file_url = await self._file_url(request)
        is_all_there = offer_for(request) is not Offer.FILE or file_url is not None
        if is_all_there and await self.desk.may_decide(who, request, now=now):
            is_own = request.on_behalf_of == who.id
            return dialogs.read_view(request, now, file_url=file_url, is_own=is_own)
        return dialogs.details_view(request, now, file_url=file_url)

    async def override_view(self, request: Request, reason: str) -> Json:
        """The whole call, to be let through past its normal path."""
        file_url = await self._file_url(request)
        return overrides.override_view(request, await self.desk.store.now(), reason, file_url=file_url)

    async def must_be_read(self, request: Request) -> bool:
        """Whether a typed yes is too little: what is long, risky, or on no card as it is, is read first."""
        if offer_for(request) is not Offer.WHOLE or request.terms.risk.is_at_least(Risk.HIGH):
            return True
        return not await self.desk.is_drawn(request)

    async def _file_url(self, request: Request) -> str | None:
        return await self.desk.file_of(request) if offer_for(request) is Offer.FILE else None

    async def queue_view(self, who: Who) -> Json:
        """What waits for this person, as a dialog."""
        mine = await self.desk.visible(who, only_decidable=True)
        return queue_view(mine.requests)

    async def whisper_in(self, channel: str, person: PersonId, text: str, *, thread_ts: str | None) -> None:
        """Say something to one person in a thread, where there is no response_url to say it through."""
        try:
            await self.slack.chat_postEphemeral(channel=channel, user=person, text=text, thread_ts=thread_ts)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            logger.warning("a private answer was not taken", extra={"error": type(error).__name__})

    async def open(self, asked: Click | Slash | Shortcut, view: Json, *, on_top: bool = False) -> None:
        """Open a dialog, or put it on top of the one that was clicked in; say so if Slack doesn't."""
        method = self.slack.views_push if on_top else self.slack.views_open
        if isinstance(asked, Click) and asked.stack.beneath:
            view = laid_on(view, asked.stack.beneath)
        if not await self._show(method(trigger_id=asked.trigger_id, view=view)):
            await self.replier.whisper(asked.response_url, replies.NOT_OPENED)

    async def _show(self, call: Any) -> bool:
        try:
            await call
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            # The three seconds of a trigger are over, or the dialog was closed: the person tries again.
            logger.warning("a dialog could not be shown", extra={"error": word_of(error)})
            return False
        return True
