"""Where a person's wish becomes a command: who are they, may they, and what are they told.

Used by the buttons, the dialogs, the slash commands and the terminal, so that all of them check the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from approvals.approver_keys import ApproverKeys, is_signed
from approvals.brakes import freeze_on
from approvals.cards import Cards
from approvals.commands import (
    Answer,
    Approve,
    AskUndo,
    Command,
    Confirm,
    Extend,
    Flag,
    LookAt,
    Override,
    RecordRefusal,
    Redirect,
    Reject,
    RequestChanges,
    Snooze,
    TakeBack,
)
from approvals.errors import (
    AlreadyResolved,
    AlreadyReviewed,
    ArgumentsChanged,
    NeedsAssurance,
    NotClaimable,
    NothingSaid,
    Refusal,
    RequestNotFound,
    RequestRefusal,
)
from approvals.events import Approved, Event, Expired
from approvals.machine import TIMER, check_person, may_count
from approvals.model import Actor, Assurance, Freeze, Person, PersonId, Request, RequestId, Status, Via
from approvals.places import FILE, Place
from approvals.store import Store
from blocks import replies
from blocks.ids import Pick, Seen
from bot.channels import DM, Channels
from bot.payloads import Who
from bot.people import LookupFailed, People
from bot.shown import Shown
from bot.sight import Sight
from bot.stepping_up.confirmations import Confirmations

logger = logging.getLogger(__name__)

LISTED = 200  # of what nobody has looked at, how many are looked through for one person's list
PAGE = 500  # pending requests that are read at once
MOST = 5000  # that are looked through for one person's list
TYPED_CHARS = 64
DELAYS = ("extend", "snooze")  # which decide nothing, so no freeze forbids them

# Which words of the audit log are the same wish as a verb: a second click of the same person is no error.
_SAME = {
    "approve": ("approved", "edited"),
    "edit": ("approved", "edited"),
    "reject": ("rejected",),
    "answer": ("answered",),
    "respond": ("answered",),
    "override": ("overridden",),
    "confirm": ("confirmed",),
    "flag": ("flagged",),
    "undo": ("undo_asked",),
}

Decides: TypeAlias = (
    Approve
    | Redirect
    | Reject
    | Answer
    | RequestChanges
    | Extend
    | Snooze
    | Override
    | TakeBack
    | LookAt
    | Confirm
    | Flag
    | AskUndo
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a wish. `refusal` is the sentence for the person where nothing did."""

    request: Request | None
    event: Event | None = None
    refusal: str | None = None
    link: str | None = None  # where they can give the yes that a click is too little for
    needs_reason: bool = False  # it is their own request, which they may approve if they say why

    @property
    def words(self) -> str:
        """What the person is told where no card tells it."""
        if self.refusal is not None:
            return self.refusal
        return replies.recorded(self.request) if self.request is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits, as far as one person may see it."""

    requests: list[Request]
    now: datetime


class Desk:
    """Decides on behalf of people, and records every attempt that it doesn't let through."""

    def __init__(
        self,
        store: Store,
        cards: Cards,
        shown: Shown,
        people: People,
        channels: Channels,
        commands: replies.Commands,
        confirmations: Confirmations | None = None,
        keys: ApproverKeys | None = None,
    ) -> None:
        self._confirmations, self._keys = confirmations, keys
        self.store, self.cards, self._shown = store, cards, shown
        self._people, self._channels, self._commands = people, channels, commands

    async def decide(
        self,
        who: Who,
        request_id: RequestId,
        verb: str,
        command: Callable[[Person, Request], Decides],
        *,
        via: Via = Via.SLACK,
    ) -> Verdict:
        """Let `who` decide, or say why not.

        Raises:
            Unavailable: Redis was away; nothing was recorded.
        """

        asked: list[Decides] = []

        async def made(request: Request) -> Command:
            wanted = replace(command(await self.person(who, request), request), via=via)
            asked[:] = [wanted]
            if isinstance(wanted, Approve) and request.votes:
                return replace(wanted, gone=await self._gone(request))
            return wanted

        try:
            change = await self.store.change(request_id, made)
        except RequestNotFound as refusal:
            return await self._unknown(who, request_id, verb, refusal, via)
        except NeedsAssurance as refusal:
            return await self._to_confirm(who, verb, refusal, asked[0], via)
        except RequestRefusal as refusal:
            if isinstance(refusal, NothingSaid) and refusal.request.on_behalf_of == who.id:
                told = replies.refused(refusal, await self.store.now(), by=who.id)
                return Verdict(request=refusal.request, refusal=told, needs_reason=True)
            return await self._refused(who, verb, refusal, via)
        if _came_late(change.event):
            return await self._refused(who, verb, AlreadyResolved(change.request), via)
        return Verdict(request=change.request, event=change.event)

    async def _to_confirm(
        self, who: Who, verb: str, refusal: NeedsAssurance, wanted: Decides, via: Via
    ) -> Verdict:
        """Say where they give a yes that takes more than a click. A link is for who is in Slack."""
        verdict = await self._refused(who, verb, refusal, via)
        if self._confirmations is None or via is not Via.SLACK or not isinstance(wanted, Approve | Override):
            return verdict
        link = await self._confirmations.make(who, refusal.request, verb, wanted)
        return replace(verdict, refusal=replies.to_confirm(refusal.request, verb, link), link=link)

    async def _gone(self, request: Request) -> frozenset[PersonId]:
        """Who said yes earlier and may decide no longer: it is looked up before their yes is counted."""
        voters = [await self.person(Who(id=vote.person, team=None), request) for vote in request.votes]
        unsigned = await self._unsigned(request)
        return unsigned | {voter.id for voter in voters if not may_count(request, voter)}

    async def _unsigned(self, request: Request) -> frozenset[PersonId]:
        """Whose earlier yes no key of theirs has signed, where it takes one: removed since, or never made."""
        if request.terms.assurance is not Assurance.KEY:
            return frozenset()
        keys = {} if self._keys is None else await self._keys.all()
        return frozenset(
            vote.person for vote in request.votes if not is_signed(request, vote, keys.get(vote.person, []))
        )

    async def admit(self, who: Who, seen: Seen | Pick, verb: str, *, via: Via = Via.SLACK) -> Verdict:
        """Check that `who` may decide what they saw, before a dialog opens; it is checked again after."""
        try:
            request, now = await self.store.get(seen.request_id)
            freeze = None if verb in DELAYS else await self.freeze_on(request)
            check_person(request, await self.person(who, request), now=now, freeze=freeze)
            if not seen.fits(request):
                raise ArgumentsChanged(request)
        except RequestNotFound as refusal:
            return await self._unknown(who, seen.request_id, verb, refusal, via)
        except RequestRefusal as refusal:
            return await self._refused(who, verb, refusal, via)
        return Verdict(request=request)

    async def freeze_on(self, request: Request) -> Freeze | None:
        """The freeze that keeps it from people now."""
        frozen = await self.store.freezes.now()
        return freeze_on(frozen.freezes, request.agent, request.tool)

    async def deny(self, who: Who, request: Request, verb: str, why: str, *, via: Via = Via.SLACK) -> None:
        """Log an attempt that the policy does not let through."""
        note = RecordRefusal(by=await self._actor(who), attempted=verb, reason=why, via=via)
        await self.store.change(request.id, note)

    async def find(self, who: Who, typed: str, verb: str, *, via: Via = Via.SLACK) -> Verdict:
        """The request that a person means by what they typed, if they may see it."""
        try:
            return await self.read(who, await self.store.find(typed), verb, via=via)
        except Refusal as refusal:
            return await self._unknown(who, typed, verb, refusal, via)

    async def read(
        self, who: Who, request_id: RequestId, verb: str = "read", *, via: Via = Via.SLACK
    ) -> Verdict:
        """The request, if this person may see it: as an approver, or as a member of its channel."""
        try:
            request, _ = await self.store.get(request_id)
        except RequestNotFound as refusal:
            return await self._unknown(who, request_id, verb, refusal, via)
        if not await self.sight(who).may_see(request):
            return await self._unknown(who, request_id, verb, RequestNotFound(request_id), via)
        return Verdict(request=request)

    async def visible(self, who: Who, *, only_decidable: bool) -> Queue:
        """What waits: all that this person may see, or only what they could decide."""
        requests, now, sight = await self.waiting(), await self.store.now(), self.sight(who)
        found = []
        for request in requests:
            may = sight.may_decide(request, now) if only_decidable else sight.may_see(request)
            if await may:
                found.append(request)
        return Queue(requests=found, now=now)

    async def waiting(self) -> list[Request]:
        """What waits for anybody, the oldest first; what changes while the pages are read may be left out."""
        found: list[Request] = []
        for offset in range(0, min(await self.store.count_pending(), MOST), PAGE):
            found += await self.store.pending(limit=PAGE, offset=offset)
        return found

    def sight(self, who: Who) -> Sight:
        """For one look at a list of requests."""
        return Sight(who, self._people, self._channels)

    async def unseen(self, who: Who) -> list[Request]:
        """What ended without people's regular yes or no and nobody has looked at, as far as `who` may see."""
        sight = self.sight(who)
        return [one for one in await self.store.unseen(limit=LISTED) if await sight.may_see(one)]

    async def reviews(self, who: Who) -> list[Request]:
        """What ran without asking and is up for a look, as far as `who` could have decided it."""
        found, sight = await self.store.reviews(limit=LISTED), self.sight(who)
        return [one for one in found if may_count(one, await sight.person(one))]

    async def may_override(self, who: Who, request: Request) -> bool:
        """Whether the policy names `who` for that; asking is no attempt."""
        person = await self.person(who, request)
        return person.barred is None and bool(person.principals & frozenset(request.terms.override))

    async def may_decide(self, who: Who, request: Request, *, now: datetime) -> bool:
        """Whether `who` could decide now. Asking is no attempt, so nothing is recorded."""
        try:
            check_person(request, await self.person(who, request), now=now)
        except Refusal:
            return False
        return True

    async def is_drawn(self, request: Request) -> bool:
        """Whether some message shows exactly the call that would be approved now."""
        return await self._shown.is_shown(request)

    async def file_of(self, request: Request) -> str | None:
        """Where the file of a long call is, once it has been uploaded."""
        _, _, posted = await self.cards.of(request.id)
        files = [each for place, each in posted.items() if FILE in place]
        return next((each.state for each in files if each.fingerprint == request.fingerprint), None)

    async def show_in(self, request: Request, channel: str, thread_ts: str) -> bool:
        """Have the card drawn in a thread as well. Only where its channel sees it anyway."""
        if channel != await self.shown_in(request):
            return False
        place = Place(f"{channel}/{thread_ts}")
        await self.cards.add_place(request.id, place, channel, thread_ts)
        return True

    async def leave(self, channel: str) -> None:
        """Have whatever waits in `channel` shown elsewhere; where there is no elsewhere, posting says so."""
        offset = 0
        while requests := await self.store.pending(limit=LISTED, offset=offset):
            for request in requests:
                await self.cards.leave(request.id, channel)
            offset += len(requests)

    async def person(self, who: Who, request: Request) -> Person:
        found = await self._people.person(who.id, request, await self.shown_in(request), team=who.team)
        return replace(found, through=who.through, assurance=who.assurance, evidence=who.evidence)

    async def standing_in(self, request: Request) -> dict[PersonId, PersonId]:
        """Who of its approvers is away, and who stands in; nobody where Slack doesn't tell."""
        try:
            return await self._people.standing_in(request, await self.shown_in(request))
        except LookupFailed:
            return {}

    async def shown_in(self, request: Request) -> str | None:
        """The channel whose members "channel" means; None where requests go to people's own messages."""
        if request.terms.channel == DM:
            return None
        return await self._channels.known_id(request.terms.channel)

    async def _refused(self, who: Who, verb: str, refusal: RequestRefusal, via: Via) -> Verdict:
        request = refusal.request
        if isinstance(refusal, AlreadyResolved) and _did_the_same(request, who, verb):
            return Verdict(request=request)
        if isinstance(refusal, AlreadyReviewed) and _said_the_same(request, who, verb):
            return Verdict(request=request)
        if isinstance(refusal, NotClaimable) and verb == "take back" and _took_it_back(request, who):
            return Verdict(request=request)
        note = RecordRefusal(by=await self._actor(who), attempted=verb, reason=refusal.why, via=via)
        recorded = await self.store.change(request.id, note)
        return Verdict(request=request, refusal=replies.refused(refusal, recorded.event.at, by=who.id))

    async def _unknown(self, who: Who, typed: str, verb: str, refusal: Refusal, via: Via) -> Verdict:
        at = await self.store.refuse(typed[:TYPED_CHARS], await self._actor(who), verb, str(refusal), via)
        told = replies.refused(refusal, at, by=who.id, commands=self._commands)
        return Verdict(request=None, refusal=told)

    async def _actor(self, who: Who) -> Actor:
        name = await self._people.name_of(who.id)
        return Actor(id=f"slack:{who.id}", name=name, through=who.through)


def _came_late(event: Event) -> bool:
    """A wish that comes after the deadline finds the deadline's default instead of its own effect."""
    return isinstance(event, Expired) or (isinstance(event, Approved) and event.by == TIMER)


def _did_the_same(request: Request, who: Who, verb: str) -> bool:
    decision = request.decision
    return (
        decision is not None and decision.by.id == f"slack:{who.id}" and decision.word in _SAME.get(verb, ())
    )


def _said_the_same(request: Request, who: Who, verb: str) -> bool:
    last = request.trail[-1]
    return last.by.id == f"slack:{who.id}" and last.word in _SAME.get(verb, ())


def _took_it_back(request: Request, who: Who) -> bool:
    last = next((line for line in reversed(request.trail) if line.word == "withdrawn"), None)
    return request.status is Status.WITHDRAWN and last is not None and last.by.id == f"slack:{who.id}"
