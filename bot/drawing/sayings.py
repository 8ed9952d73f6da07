"""What is said once beside the cards: the pings of a ladder, and that somebody let a request through.

Who is called is found out when it is said. A ping that has been said to everybody leaves a mark, so that
whoever becomes an approver later is not called by an old one.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from approvals.events import Overridden
from approvals.ladder import steps_of
from approvals.model import CHANNEL, Ping, Principal, Remind, Request, Step
from approvals.places import LOUD, PING, Place, Posted, is_card
from approvals.quorum import called_of
from blocks.overrides import override_told
from blocks.people import MENTIONS
from blocks.pieces import Card
from blocks.pings import ping as ping_card
from bot.channels import DM, Channels, NoSuchChannel
from bot.drawing.attention import Attention
from bot.operators import Operators
from bot.routes import MARKED

logger = logging.getLogger(__name__)

PEOPLE_IN_DM = 50  # more private copies of one request than so many help nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One message that is to be posted once."""

    posted: Posted
    card: Card


class Sayings:
    """Works out what is still to be said of a request, given what has been."""

    def __init__(self, attention: Attention, channels: Channels, operators: Operators) -> None:
        self._attention, self._channels, self._operators = attention, channels, operators

    async def of(self, request: Request, posted: Mapping[Place, Posted]) -> AsyncIterator[Saying]:
        """What nobody has been told yet.

        Raises:
            LookupFailed: Slack could not be asked.
        """
        cards = [each for place, each in posted.items() if is_card(place) and each.thread_ts is None]
        if request.decision is not None and request.decision.word == Overridden.word:
            async for saying in self._override(request, cards):
                if not _is_said(saying.posted.place, posted):
                    yield saying
        for ping in pings_to_say(request, posted):
            async for saying in self._ping(request, ping, cards):
                if not _is_said(saying.posted.place, posted):
                    yield saying

    async def _override(self, request: Request, cards: list[Posted]) -> AsyncIterator[Saying]:
        """Always loud: in the thread of every card, and where the operators are told."""
        for card in cards:
            below = Posted(place=Place(f"{card.place}{LOUD}"), channel=card.channel, thread_ts=card.ts)
            yield Saying(posted=below, card=override_told(request, is_in_thread=True))
        name = self._operators.channel
        if name is None:
            return
        try:
            channel = await self._channels.id_of(name)
        except NoSuchChannel as error:
            logger.error("the operators were not told of an override: %s", error)
            return
        place = Posted(place=Place(f"{LOUD}:operators"), channel=channel)
        yield Saying(posted=place, card=override_told(request, is_in_thread=False))

    async def _ping(self, request: Request, ping: Ping, cards: list[Posted]) -> AsyncIterator[Saying]:
        step = steps_of(request)[ping.step]
        is_redirect = ping.turn > 0 and ping.step == 0
        shown_in = await self._shown_in(request)
        if ping.where is Remind.DM:
            everybody = called_of(request)
            for person in await self._attention.to_remind(request, shown_in, everybody, PEOPLE_IN_DM):
                dm = await self._channels.dm_of(person.id)
                said = ping_card(request, step, [], is_in_thread=False)
                yield Saying(posted=Posted(place=_place(ping, dm), channel=dm), card=said)
            return
        named = [each for each in called_of(request) if each != CHANNEL]
        people = await self._attention.to_remind(request, shown_in, named, MENTIONS)
        step = replace(step, add=tuple(await self._attention.awake(step.add, shown_in)))
        if named and not people and not step.add and CHANNEL not in called_of(request):
            return  # all whom it would call want to be left alone, or have had their say
        called = [Principal(person.id) for person in people]
        is_in_thread = ping.where is Remind.THREAD
        said = ping_card(request, step, called, is_in_thread=is_in_thread)
        own = await self._own_channel(step)
        waiting = {await self._channels.dm_of(person.id) for person in people} if _has_dm(cards) else set()
        for card in cards:
            if is_redirect and shown_in not in (None, card.channel):
                continue  # who sees the card where it was before has seen how it changed
            if card.channel == own or (card.channel.startswith("D") and card.channel not in waiting):
                continue  # the card that has just come there calls people itself; who has spoken isn't called
            place = _place(ping, card.place)
            thread_ts = card.ts if is_in_thread else None
            yield Saying(posted=Posted(place=place, channel=card.channel, thread_ts=thread_ts), card=said)

    async def _shown_in(self, request: Request) -> str | None:
        if request.terms.channel == DM:
            return None
        return await self._channels.known_id(request.terms.channel)

    async def _own_channel(self, step: Step) -> str | None:
        return None if step.channel is None else await self._channels.known_id(step.channel)


def pings_to_say(request: Request, posted: Mapping[Place, Posted]) -> list[Ping]:
    """Those that not everybody has got, while somebody can still act on them."""
    if not request.is_pending or request.sent_back is not None:
        return []
    return [ping for ping in request.pings if mark_of(ping).place not in posted]


def mark_of(ping: Ping) -> Posted:
    """What is kept when a ping has been said to everybody."""
    return Posted(place=_place(ping), channel=MARKED, ts=MARKED)


def _place(ping: Ping, where: str = "") -> Place:
    return Place(f"{where}{PING}:{ping.turn}.{ping.step}")


def _is_said(place: Place, posted: Mapping[Place, Posted]) -> bool:
    known = posted.get(place)
    return known is not None and known.ts is not None


def _has_dm(cards: list[Posted]) -> bool:
    return any(card.channel.startswith("D") for card in cards)
