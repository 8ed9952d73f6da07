"""When requests are held for a digest instead of being posted one by one, and become one message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from approvals.digest import (
    BURST,
    MOST,
    Digest,
    DigestId,
    GroupBy,
    batch_name,
    in_order,
    is_batch,
    new_digest_id,
    row_of,
)
from approvals.digest_times import BATCH_WAIT, due_at
from approvals.digests import Digests, Queue
from approvals.errors import Unavailable
from approvals.model import Kind, PersonId, Request
from approvals.policy import Policy
from approvals.policy.rules import Digest as Wish
from approvals.store import Store
from blocks.digest import page_starts
from blocks.rows import row_words
from bot.facts import facts_of

logger = logging.getLogger(__name__)

TICK_S = 0.1
AT_ONCE = 8  # digests gathered in one go


class Holding:
    """Says of a request that is to be shown in a channel whether it waits for a digest there."""

    def __init__(self, policy: Callable[[], Policy], digests: Digests) -> None:
        self._policy, self._digests = policy, digests

    async def holds(self, request: Request, channel: str, now: datetime) -> bool:
        """Hold it, if its rule names a digest, its agent asks for more with it, or too much comes at once.

        False: it gets a card.

        Raises:
            Unavailable: Redis was away.
        """
        name, wishes = request.terms.digest, self._policy().digests
        if name is None and (batch := batch_name(request)):
            return await self._digests.hold(request, Queue(batch, channel), now + BATCH_WAIT)
        if name is None:
            if request.terms.burst == 0 or request.kind is Kind.QUESTION:
                return False
            return await self._digests.hold(request, Queue(BURST, channel), due_at(None, request, now))
        wish = wishes.get(name)  # None: the policy of today knows it no more, and it comes at once
        due = now if wish is None else due_at(wish, request, now)
        return await self._digests.hold(request, Queue(name, channel), due, when=wish.when if wish else None)


class Amounts:
    """What requests add to the sum of a digest, by the policy that is in force."""

    def __init__(self, policy: Callable[[], Policy], environment: str) -> None:
        self._policy, self._environment = policy, environment

    def of(self, name: str, now: datetime) -> Callable[[Request], int | None]:
        """For the digest of that name: in millionths; None where it has no sum, or the call has none."""
        policy = self._policy()
        wish = policy.digests.get(name)

        def amount(request: Request) -> int | None:
            if wish is None or wish.sum is None:
                return None
            view = policy.view(facts_of(request, request.args, environment=self._environment, now=now))
            micros = None if view is None else wish.sum.micros(view)
            return micros if isinstance(micros, int) else None

        return amount


def new_digest(
    requests: Iterable[Request],
    *,
    name: str,
    channel: str,
    tenant: str,
    now: datetime,
    wish: Wish | None = None,
    amount: Callable[[Request], int | None],
    person: PersonId | None = None,
    id: DigestId | None = None,
) -> Digest:
    """A digest of these, in the order in which people read them."""
    group_by = wish.group_by if wish else GroupBy.TOOL
    ordered = in_order(requests, group_by)
    rows = tuple(
        row_of(request, is_whole=lambda each: row_words(each).is_whole, amount=amount) for request in ordered
    )
    return Digest(
        id=id or new_digest_id(),
        tenant=tenant,
        name=name,
        channel=channel,
        made_at=now,
        rows=rows,
        starts=page_starts(ordered),
        person=person,
        group_by=group_by,
        unit=wish.unit if wish else "",
    )


class Digesting:
    """Makes digests of what is held, when they are due. Any number of workers may run it."""

    def __init__(
        self, policy: Callable[[], Policy], store: Store, digests: Digests, amounts: Amounts
    ) -> None:
        self._policy, self._store, self._digests = policy, store, digests
        self._amounts = amounts

    async def run(self) -> None:
        while True:
            try:
                due = await self._digests.due(AT_ONCE)
                for queue in due:
                    await self._gather_safely(queue)
                if not due:
                    await asyncio.sleep(TICK_S)
            except Unavailable as error:
                logger.warning("no digest can be made: %s", error)
                await asyncio.sleep(TICK_S)

    async def _gather_safely(self, queue: Queue) -> None:
        """Gather one; what goes wrong must not keep all others from coming, and is tried again."""
        try:
            await self.gather(queue)
        except Unavailable:
            raise
        except Exception:
            logger.exception("a digest could not be made", extra={"digest": queue.name})

    async def gather(self, queue: Queue) -> None:
        """Make one message of what is held; what is too much for it stays held and is due at once."""
        ids = await self._digests.held(queue, MOST)
        comes_at_once = queue.name == BURST or is_batch(queue.name)
        if comes_at_once and len(ids) < MOST and await self._digests.still_coming(queue):
            return
        found, now = await self._store.get_many(ids), await self._store.now()
        waiting = [request for request in found.values() if request.is_pending and request.twin_of is None]
        digest = new_digest(
            waiting,
            name=queue.name,
            channel=queue.channel,
            tenant=self._store.tenant,
            now=now,
            wish=self._policy().digests.get(queue.name),
            amount=self._amounts.of(queue.name, now),
        )
        let_go = set(ids) - {request.id for request in waiting}
        await self._digests.make(digest, queue, let_go=let_go)
