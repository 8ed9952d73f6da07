"""What one person may see and decide of many requests: who they are is looked up once for all alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import TypeVar

from approvals.deputies import stood_in_for
from approvals.errors import Refusal
from approvals.machine import check_person
from approvals.model import Person, Request
from approvals.quorum import principals_of
from bot.channels import DM, Channels
from bot.payloads import Who
from bot.people import LookupFailed, People

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Sight:
    """For one look at a list: it remembers what it was told, also where Slack could not be asked."""

    def __init__(self, who: Who, people: People, channels: Channels) -> None:
        self._who, self._people, self._channels = who, people, channels
        self._persons: dict[Hashable, Person] = {}
        self._ids: dict[str, str | None] = {}
        self._memberships: dict[str, bool] = {}
        self._is_deputy: bool | None = None

    async def may_see(self, request: Request) -> bool:
        """As somebody whom it names, or as a member of its channel."""
        if (await self.person(request)).principals:
            return True
        channel = await self.shown_in(request)
        if channel is None:
            return False
        return await _once(self._memberships, channel, lambda: self._is_in(channel))

    async def may_decide(self, request: Request, now: datetime) -> bool:
        """Asking is no attempt, so nothing is recorded."""
        try:
            check_person(request, await self.person(request), now=now)
        except Refusal:
            return False
        return True

    async def person(self, request: Request) -> Person:
        """Who they are with regard to a request."""
        alike: Hashable = (request.terms.channel, principals_of(request))
        if await self._stands_in():  # what is lent depends on who has had their say
            said = tuple(vote.person for vote in (*request.votes, *request.objections))
            alike = (alike, said, request.on_behalf_of, request.terms.self_approval)

        async def find() -> Person:
            channel = await self.shown_in(request)
            return await self._people.person(self._who.id, request, channel, team=self._who.team)

        return await _once(self._persons, alike, find)

    async def shown_in(self, request: Request) -> str | None:
        """The channel whose members "channel" means; None where requests go to people's own messages."""
        name = request.terms.channel
        return None if name == DM else await _once(self._ids, name, lambda: self._channels.known_id(name))

    async def _is_in(self, channel: str) -> bool:
        try:
            return self._who.id in await self._people.members.get(channel)
        except LookupFailed:
            return False

    async def _stands_in(self) -> bool:
        if self._is_deputy is None:
            try:
                self._is_deputy = bool(stood_in_for(self._who.id, await self._people.away()))
            except LookupFailed:
                self._is_deputy = False
        return self._is_deputy


async def _once(known: dict[K, V], key: K, find: Callable[[], Awaitable[V]]) -> V:
    if key not in known:
        known[key] = await find()
    return known[key]
