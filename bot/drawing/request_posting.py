"""Makes every message that shows a request equal to Redis: its cards, their threads, what is said once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from slack_sdk.errors import SlackApiError

from approvals import tracing
from approvals.brakes import freeze_on
from approvals.cards import Cards
from approvals.commands import GiveUp
from approvals.digest import DigestId
from approvals.digests import Digests
from approvals.errors import DigestNotFound, Refusal
from approvals.freezes import NOT_FROZEN
from approvals.ladder import may_call
from approvals.model import CHANNEL, Freeze, Request, RequestId
from approvals.places import FILE, TRAIL, Place, Posted, digests_in, is_card, is_said_once
from approvals.policy import why_unanswerable
from approvals.quorum import can_be_met
from approvals.store import Store
from blocks.pieces import Card
from blocks.request import Offer, call_file, card, moved, offer_for, trail
from bot.channels import DM, Channels, NoSuchChannel
from bot.digesting import Holding
from bot.drawing.attention import Attention
from bot.drawing.sayings import PEOPLE_IN_DM, Saying, Sayings, mark_of, pings_to_say
from bot.drawing.sending import CLOSED, GONE, Sending, Tick, Undrawable, Write, closed
from bot.operators import Operators
from bot.people import LookupFailed, People
from bot.routes import MARKED, channels_of, is_to_be_routed, left_behind, mark_of_lost, mark_of_route
from bot.slack_errors import word_of

logger = logging.getLogger(__name__)

PEOPLE_ASKED = 200  # who are looked up to see whether every group of a quorum can be filled
SAID, UNSAID = "said", "undeliverable"  # the states of what is said once


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One request while it is drawn; `posted` grows with what is."""

    request: Request
    now: datetime
    posted: dict[Place, Posted]
    ladder: dict[Place, str]  # channels that its ladder has brought it to, by the policy's names for them
    freeze: Freeze | None = None

    @property
    def left(self) -> frozenset[Place]:
        """Cards that only tell where it is now."""
        return left_behind(self.request, self.posted, self.ladder)


class RequestPosting:
    """Draws requests."""

    def __init__(
        self,
        store: Store,
        cards: Cards,
        sending: Sending,
        people: People,
        channels: Channels,
        operators: Operators,
        attention: Attention,
        digests: Digests,
        holding: Holding,
    ) -> None:
        self._store, self._cards, self._sending = store, cards, sending
        self._digests, self._holding = digests, holding
        self._people, self._channels = people, channels
        self._operators = operators
        self._attention = attention
        self._sayings = Sayings(attention, channels, operators)

    async def draw(self, request_id: RequestId) -> Tick:
        """Make every message of one request equal to Redis; what is returned ticks it off."""
        try:
            request, now, posted = await self._cards.of(request_id)
        except Refusal:  # forgotten meanwhile
            return partial(self._drop, request_id)
        frozen = await self._store.freezes.now() if request.is_pending else NOT_FROZEN
        drawing = Drawing(
            request=request,
            now=now,
            posted=dict(posted),
            ladder=await self._ladder(request, posted),
            freeze=freeze_on(frozen.freezes, request.agent, request.tool),
        )
        try:
            if request.is_pending:
                await self._find_places(drawing)
        except Undrawable as undrawable:
            await self._give_up(request, undrawable.why)
            return partial(asyncio.sleep, 0)
        await self._draw_places(drawing)
        await self._say(drawing)
        await self._digests.stir(_digests_of(drawing))
        return partial(self._tick, request, frozen.version)

    async def _drop(self, request_id: RequestId) -> None:
        await self._cards.drop(request_id)

    async def _tick(self, request: Request, freezes: str) -> None:
        await self._cards.drawn(request.id, request.version)
        if request.is_pending and (await self._store.freezes.now()).version != freezes:
            await self._cards.draw_again([request.id])  # nobody could mark it while it was being drawn

    async def _draw_places(self, drawing: Drawing) -> None:
        failures: dict[Place, str] = {}
        cards = [place for place in drawing.posted if is_card(place)]
        for place in cards:
            try:
                await self._draw_card(drawing, place)
            except Undrawable as undrawable:
                failures[place] = undrawable.why
                await self._cards.forget_place(drawing.request.id, place)
        if not drawing.request.is_pending:
            return
        for place, name in drawing.ladder.items():
            if place in failures:
                await self._tell_lost(drawing.request, drawing.posted, name, failures[place])
        current = [place for place in cards if place not in drawing.left]
        if current and failures.keys() >= set(current):
            await self._give_up(drawing.request, failures[current[0]])

    # -- where ----------------------------------------------------------------------------------------

    async def _find_places(self, drawing: Drawing) -> None:
        """Note all places where it is to be shown from now on.

        Raises:
            Undrawable: nobody who may decide it would see it.
        """
        request, posted = drawing.request, drawing.posted
        if is_to_be_routed(request, posted, drawing.ladder):
            posted |= await self._route(request, drawing.now)
        for place in drawing.ladder.keys() - posted.keys():
            posted |= await self._cards.add_place(request.id, place, place)
        for place in drawing.left:
            if posted[place].ts is None and posted[place].attempt is None:  # it never came to be shown there
                await self._cards.forget_place(request.id, place)
                del posted[place]
        if drawing.freeze is not None:
            await self._cards.shown_frozen(request.id)

    async def _route(self, request: Request, now: datetime) -> dict[Place, Posted]:
        """Where a new request is to be shown, having made sure that enough people there may decide it."""
        terms = request.terms
        hopeless = why_unanswerable(terms, request.on_behalf_of)
        if hopeless is not None:
            raise Undrawable(hopeless)
        try:
            channel = None if terms.channel == DM else await self._channels.id_of(terms.channel)
            enough = PEOPLE_ASKED if terms.groups else terms.quorum if channel else PEOPLE_IN_DM
            approvers = await self._people.qualified(request, channel, enough)
        except NoSuchChannel as error:
            raise Undrawable(str(error)) from error
        except LookupFailed as failed:
            if isinstance(failed.__cause__, SlackApiError) and word_of(failed.__cause__) in CLOSED:
                raise Undrawable(closed(terms.channel, word_of(failed.__cause__))) from failed
            raise
        if not can_be_met(terms, approvers, request.created_at):
            raise Undrawable(_nobody(request, len(approvers)))
        channels = [channel] if channel else [await self._channels.dm_of(person.id) for person in approvers]
        posted: dict[Place, Posted] = {}
        for each in channels:
            if not await self._holding.holds(request, each, now):
                posted |= await self._cards.add_place(request.id, Place(each), each)
        if request.turn > 0:
            mark = mark_of_route(request, channels)
            await self._cards.record(request.id, mark)
            posted[mark.place] = mark
        return posted

    async def _ladder(self, request: Request, posted: Mapping[Place, Posted]) -> dict[Place, str]:
        """The channels that its ladder has brought it to; one that isn't there must not hide the others."""
        found: dict[Place, str] = {}
        for name in request.channels if request.is_pending else ():
            try:
                found[Place(await self._channels.id_of(name))] = name
            except NoSuchChannel as error:
                await self._tell_lost(request, posted, name, str(error))
        return found

    async def _tell_lost(self, request: Request, posted: Mapping[Place, Posted], name: str, why: str) -> None:
        """A channel of its ladder can't be shown it: the operators are told so once."""
        mark = mark_of_lost(request, name)
        if mark.place in posted:
            return
        logger.error("not shown in %s: %s", name, why, extra={"request_id": request.id})
        await self._operators.tell(
            f"{request.agent}'s request {request.short} waits longer than its rule “{request.terms.rule}” "
            f"likes, and can't be shown in {name} as that wants: {why}. It still waits where it was."
        )
        await self._cards.record(request.id, mark)

    async def _give_up(self, request: Request, why: str) -> None:
        """Nobody can be shown it: the agent learns so at once, and the operators' channel is told."""
        logger.error("undeliverable: %s", why, extra={"request_id": request.id, "agent": request.agent})
        try:
            await self._store.change(request.id, GiveUp(reason=why))
        except Refusal:
            return  # it was decided, or ended, a moment ago
        await self._operators.tell(
            f"{request.agent}'s request {request.short} could not be shown to anyone: {why}."
        )

    # -- one place ------------------------------------------------------------------------------------

    async def _draw_card(self, drawing: Drawing, place: Place) -> None:
        """A card, and what hangs under it in its thread: the file of a long call, and the trail."""
        request, posted = drawing.request, drawing.posted[place]
        # What is asked at night calls by its first step; so does what comes here because it was changed.
        is_day = request.climbed > 1 if request.turn > 0 else may_call(request) or request.climbed > 0
        is_calling = posted.ts is None and is_day and request.is_pending
        called = await self._attention.first(request, posted.channel) if is_calling else ()
        wanted = card(request, drawing.now, called=called, freeze=drawing.freeze)
        is_left = place in drawing.left
        if is_left:
            channels = channels_of(request, drawing.posted)
            wanted = moved(request, None if request.terms.channel == DM else channels[0])
        drawn = await self._send(drawing, posted, wanted)
        if posted.ts is None:
            tracing.step("post", request.tenant, request.id, parent=request.trace, began=drawing.now)
        if request.is_pending and not is_left and offer_for(request) is Offer.FILE:
            await self._upload(drawing, drawn)
        if posted.thread_ts is None and len(request.trail) > 1:
            below = Place(f"{place}{TRAIL}")
            known = drawing.posted.get(below)
            if known is None or known.thread_ts != drawn.ts:  # none yet, or its card was posted anew
                known = Posted(place=below, channel=drawn.channel, thread_ts=drawn.ts)
            await self._send(drawing, known, trail(request))

    async def _say(self, drawing: Drawing) -> None:
        """Post what is said once and never drawn again."""
        request = drawing.request
        current = {place: posted for place, posted in drawing.posted.items() if place not in drawing.left}
        async for saying in self._sayings.of(request, current | await self._in_digests(drawing)):
            await self._say_once(drawing, saying)
        for ping in pings_to_say(request, drawing.posted):
            await self._cards.record(request.id, mark_of(ping))
        for place, posted in drawing.posted.items():
            if is_said_once(place) and posted.ts is None:  # it was about to be said, and is no longer needed
                await self._cards.forget_place(request.id, place)

    async def _in_digests(self, drawing: Drawing) -> dict[Place, Posted]:
        """The messages of digests that show it, in whose threads it is spoken of."""
        found: dict[Place, Posted] = {}
        for digest_id in _digests_of(drawing) if drawing.request.pings or drawing.request.decision else ():
            with suppress(DigestNotFound):
                posted = (await self._digests.of(digest_id)).posted
                found |= {posted.place: posted} if posted.ts else {}
        return found

    async def _say_once(self, drawing: Drawing, saying: Saying) -> None:
        posted = drawing.posted.get(saying.posted.place, saying.posted)
        owner, write = drawing.request.id, self._writer(drawing)
        try:
            found = await self._sending.find_lost(owner, posted)
            ts = found.ts if found else await self._sending.post(owner, posted, saying.card, write)
            await write(replace(_as_drawn(drawing, posted), ts=ts, state=SAID))
        except Undrawable as undrawable:
            await self._leave_unsaid(drawing, posted, undrawable.why)
        except SlackApiError as error:
            if word_of(error) not in GONE:
                raise
            await self._leave_unsaid(drawing, posted, word_of(error))

    async def _leave_unsaid(self, drawing: Drawing, posted: Posted, why: str) -> None:
        logger.warning("not said: %s", why, extra={"request_id": drawing.request.id})
        marked = replace(_as_drawn(drawing, posted), ts=MARKED, state=UNSAID)
        await self._writer(drawing)(marked)

    async def _send(self, drawing: Drawing, posted: Posted, wanted: Card) -> Posted:
        """Post or update one message, if it isn't already what it should be."""
        as_drawn, write = _as_drawn(drawing, posted), self._writer(drawing)
        return await self._sending.send(drawing.request.id, posted, wanted, write, as_drawn=as_drawn)

    def _writer(self, drawing: Drawing) -> Write:
        async def write(posted: Posted) -> None:
            keep = self._cards.record if posted.ts is not None else self._cards.intend
            await keep(drawing.request.id, posted)
            drawing.posted[posted.place] = posted

        return write

    async def _upload(self, drawing: Drawing, parent: Posted) -> None:
        """Put the whole call into the thread as a file, before any dialog offers to approve it."""
        request = drawing.request
        place = file_place(parent.place, request)
        if place in drawing.posted:
            return
        name, content = call_file(request)
        uploaded = await self._sending.slack.files_upload_v2(
            channel=parent.channel,
            thread_ts=parent.thread_ts or parent.ts,
            filename=name,
            title=f"The whole call of {request.short}",
            content=content,
        )
        (file,) = uploaded["files"]
        posted = Posted(
            place=place,
            channel=parent.channel,
            ts=str(file["id"]),
            fingerprint=request.fingerprint,
            state=str(file.get("permalink", "")),
        )
        await self._cards.record(request.id, posted)
        drawing.posted[place] = posted


def _digests_of(drawing: Drawing) -> list[DigestId]:
    return [DigestId(id) for id in digests_in(drawing.posted)]


def _as_drawn(drawing: Drawing, posted: Posted) -> Posted:
    """What the record is to say once the message shows the request as it is now."""
    request = drawing.request
    return replace(
        posted,
        version=request.version,
        fingerprint=request.fingerprint,
        attempt=None,
        attempted_at=None,
    )


def file_place(card_place: Place, request: Request) -> Place:
    """Where the file of a long call stands in the record; another call has another file."""
    return Place(f"{card_place}{FILE}:{request.fingerprint[:16]}")


def _nobody(request: Request, found: int) -> str:
    terms = request.terms
    who = "members of the channel" if terms.approvers == (CHANNEL,) else ", ".join(terms.approvers)
    counted = "none" if found == 0 else f"only {found} of the {terms.quorum} needed"
    besides = ", not counting the person it is asked for" if request.on_behalf_of else ""
    return f"{counted} of its approvers ({who}{besides}) can see {terms.channel}"
