"""Who is called: whom a request's terms name for it, but for those who want to be left alone now."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from approvals.model import CHANNEL, Person, PersonId, Principal, Request
from approvals.preference_book import PreferenceBook
from approvals.preferences import may_ping
from approvals.quorum import called_of
from bot.people import People

logger = logging.getLogger(__name__)


class Attention:
    """Spends people's attention: every mention and every reminder is of somebody whom this names."""

    def __init__(self, people: People, book: PreferenceBook) -> None:
        self._people, self._book = people, book

    async def first(self, request: Request, channel: str | None) -> list[Principal]:
        """Whom a first post mentions: those whom the terms call, and who stands in for them.

        Raises:
            LookupFailed: Slack could not be asked. So for all that follow.
            Unavailable: Redis was away. So for all that follow.
        """
        called = called_of(request)
        standing_in = await self._people.standing_in(request, channel, among=called)
        deputies = [Principal(deputy) for deputy in standing_in.values()]
        return await self.awake(dict.fromkeys((*called, *deputies)), channel)

    async def awake(self, principals: Iterable[Principal], channel: str | None) -> list[Principal]:
        """`principals` as mentions name them: a group as such, unless somebody in it is to be left alone."""
        silent, found = await self.silent(), []
        for principal in principals:
            if principal == CHANNEL:
                continue  # a whole channel is never called
            members = await self._people.expand(principal, channel) if silent else frozenset[str]()
            if members & silent:
                found += [Principal(member) for member in sorted(members - silent)]
            elif (named := await self._people.group_of(principal)) is not None:
                found.append(named)
        return list(dict.fromkeys(found))

    async def to_remind(
        self, request: Request, channel: str | None, principals: Collection[Principal], at_most: int
    ) -> list[Person]:
        """Those of `principals` who may act on it now, and want to be told so."""
        silent = await self.silent()
        found = await self._people.to_act(request, channel, principals, at_most, but=silent)
        if not found and silent:
            logger.info("nobody is called: they want to be left alone", extra={"request_id": request.id})
        return found

    async def silent(self) -> frozenset[PersonId]:
        """Who is not to be called now."""
        wishes = await self._book.all()
        if not wishes:
            return frozenset()
        now = await self._book.now()
        return frozenset(
            {
                who
                for who, wanted in wishes.items()
                if not may_ping(wanted, now, await self._people.zone_of(who))
            }
        )
