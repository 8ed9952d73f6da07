"""Whether people could see exactly the call that would run: on a card, or in the row of a digest."""

from __future__ import annotations

from contextlib import suppress

from approvals.cards import Cards
from approvals.digest import DigestId, shows_whole
from approvals.digests import Digests
from approvals.errors import DigestNotFound
from approvals.model import Request
from approvals.places import digests_in, is_card


class Shown:
    def __init__(self, cards: Cards, digests: Digests) -> None:
        self._cards, self._digests = cards, digests

    async def is_shown(self, request: Request) -> bool:
        """Whether some message shows it as it is now, and all of it.

        Raises:
            Unavailable: Redis was away.
        """
        posted = await self._cards.posted(request.id)
        for place, card in posted.items():
            if is_card(place) and card.ts is not None and card.fingerprint == request.fingerprint:
                return True
        for digest_id in digests_in(posted):
            with suppress(DigestNotFound):
                kept = await self._digests.of(DigestId(digest_id))
                if kept.posted.ts is not None and shows_whole(kept.digest, request):
                    return True
        return False
