"""A digest of one's own: what waits for a person, by direct message, at the times that they chose."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import datetime

from approvals.digest import MOST, YOURS, DigestId
from approvals.digests import Digests
from approvals.errors import Unavailable
from approvals.ids import ALPHABET, LETTERS
from approvals.model import PersonId
from approvals.preference_book import PreferenceBook
from approvals.preferences import Preferences, digest_time
from bot.channels import Channels
from bot.desk import Desk
from bot.digesting import new_digest
from bot.payloads import Who
from bot.people import People

logger = logging.getLogger(__name__)

TICK_S = 5.0


class OwnDigests:
    """Makes them, each once, however many workers look at the clock."""

    def __init__(
        self,
        desk: Desk,
        digests: Digests,
        book: PreferenceBook,
        people: People,
        channels: Channels,
    ) -> None:
        self._desk, self._digests, self._book = desk, digests, book
        self._people, self._channels = people, channels

    async def run(self) -> None:
        while True:
            try:
                await self.look(await self._book.now())
            except Unavailable as error:
                logger.warning("nobody's own digest can be made: %s", error)
            await asyncio.sleep(TICK_S)

    async def look(self, now: datetime) -> None:
        """Make those whose time has come."""
        for preferences in (await self._book.all()).values():
            try:
                await self._look_at(preferences, now)
            except Unavailable:
                raise
            except Exception:  # one person's must not keep the others' from coming
                logger.exception("a digest could not be made", extra={"person": preferences.person})

    async def _look_at(self, preferences: Preferences, now: datetime) -> None:
        who = preferences.person
        last = await self._digests.last_own(who)
        if last is None:  # they have just asked for it: it begins with the next of their times
            await self._digests.made_own(who, now)
            return
        time = digest_time(preferences, last, now, await self._people.zone_of(who))
        if time is not None:
            await self.make(who, time, now)
            await self._digests.made_own(who, time)

    async def make(self, who: PersonId, time: datetime, now: datetime) -> None:
        """Show a person all that they could decide; nothing, if that is nothing."""
        queue = await self._desk.visible(Who(id=who, team=None), only_decidable=True)
        for number, first in enumerate(range(0, len(queue.requests), MOST)):
            requests = queue.requests[first : first + MOST]
            digest = new_digest(
                requests,
                name=YOURS,
                channel=await self._channels.dm_of(who),
                tenant=self._desk.store.tenant,
                now=now,
                amount=lambda _: None,  # what waits for one person adds up to nothing
                person=who,
                id=_id_of(who, time, number),
            )
            await self._digests.make(digest)


def _id_of(who: PersonId, time: datetime, number: int) -> DigestId:
    """The same for everybody who makes it, so that it is made once."""
    digest = hashlib.sha256(f"{who} {time.isoformat()} {number}".encode()).digest()
    return DigestId("D-" + "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:LETTERS]))
