"""Lets the log's tree grow, signs checkpoints of it, and has a Slack channel witness one each day.

One worker at a time has the turn; what two do after all comes to the same. Before a checkpoint is signed the
log is held against the one before. If it doesn't go on from there, somebody has rewritten it: that is told
loudly, and nothing more is signed until it is as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import aiohttp
from slack_sdk.errors import SlackApiError

from approvals import notes
from approvals.audit import Entry, holds, leaf
from approvals.checkpoint_book import CheckpointBook
from approvals.dsse import SigningKey
from approvals.errors import Unavailable
from approvals.log_tree import LogTree, TreeFault
from approvals.merkle import leaf_hash
from approvals.model import Tenant
from approvals.notes import BadNote, Checkpoint
from approvals.places import Place, Posted
from approvals.policy import Policy
from approvals.store import Store
from approvals.wire import Unreadable
from approvals.witness import Day, Kept
from blocks.checkpoints import checkpoint as drawn
from bot.channels import Channels, NoSuchChannel
from bot.drawing.sending import Limited, Sending, Undrawable
from bot.operators import Operators
from bot.slack_errors import word_of
from bot.vault import Vault

logger = logging.getLogger(__name__)

PAUSE_S = 3.0
SIGNED_EVERY = timedelta(minutes=1)  # at most
PAGE = 100  # entries at once: some milliseconds, so that no click waits for it
PAGES = 100  # in one look
MAC = "checkpoint"
TROUBLE = (Limited, Undrawable, SlackApiError, aiohttp.ClientError, TimeoutError, NoSuchChannel)


class Rewritten(Exception):
    """The log is not what it was; the sentence says where."""


class Checkpoints:
    """The checkpoints of one tenant's log."""

    def __init__(
        self,
        store: Store,
        tree: LogTree,
        book: CheckpointBook,
        signing: Callable[[], SigningKey],
        vault: Vault,
        *,
        policy: Callable[[], Policy],
        operators: Operators,
        channels: Channels,
        sending: Sending,
    ) -> None:
        self._store, self._tree, self._book = store, tree, book
        self._signing, self._vault = signing, vault
        self._policy, self._operators = policy, operators
        self._channels, self._sending = channels, sending
        self._seen: Kept | None = None  # the newest that this process knows of
        self._patrolled = 0  # up to which entry the log was last compared with its tree

    async def run(self) -> None:
        while True:
            try:
                await self.look(await self._store.now())
            except Unavailable as error:
                logger.warning("no checkpoint can be signed: %s", error)
            except Exception:  # the log goes on, and so do we
                logger.exception("no checkpoint could be signed")
            await asyncio.sleep(PAUSE_S)

    async def look(self, now: datetime) -> None:
        """Add what is new to the tree, sign it if that is due, and tell it, if it is our turn.

        Raises:
            Unavailable: Redis was away.
        """
        async with self._book.turn() as is_ours:
            if not is_ours:
                return
            try:
                await self._patrol(await self._tree.size())
                size = await self._grown()
                await self._check_the_last(size)
            except (Rewritten, TreeFault, Unreadable, BadNote) as fault:
                await self._alarm(str(fault))
                return
            await self._book.alarm(None)
            await self._sign(size, now)
            await self._witness(now)

    # -- growing and checking -------------------------------------------------------------------------

    async def _grown(self) -> int:
        """The size of the tree, with what is new in the log."""
        size = await self._tree.size()
        if size > await self._store.last_seq():
            raise Rewritten(f"its newest entries are gone: there were {size}")
        for _ in range(PAGES):
            page = await self._store.entries(size + 1, PAGE)
            _check(page, size + 1)
            if not page or not await self._tree.grow(size, [leaf_hash(leaf(entry)) for entry in page]):
                break
            size = page[-1].seq
            await asyncio.sleep(0)
        return await self._tree.size()

    async def _patrol(self, size: int) -> None:
        """Compare a page of the log with its tree, the next one each time; one that fails again and again."""
        trimmed = await self._book.trimmed()
        begin = self._patrolled if trimmed <= self._patrolled < size else trimmed
        page = [entry for entry in await self._store.entries(begin + 1, PAGE) if entry.seq <= size]
        if await self._book.trimmed() != trimmed:
            return  # meanwhile; the next look knows
        if begin < size and not page:
            raise Rewritten(f"entry {begin + 1} is gone")
        _check(page, begin + 1)
        for entry, known in zip(page, await self._tree.leaves(begin, len(page)), strict=True):
            if leaf_hash(leaf(entry)) != known:
                raise Rewritten(f"entry {entry.seq} is another than it was")
        self._patrolled = begin + len(page)

    async def _check_the_last(self, size: int) -> None:
        """Hold the tree against the checkpoint that was signed last, and the last that we know of."""
        newest = await self._book.newest()
        for kept in (newest, self._seen):
            if kept is None:
                continue
            signed = notes.read(kept.note)
            if kept.mac != self._vault.mac(MAC, kept.note):
                raise Rewritten(f"the checkpoint over {kept.size} entries is not the service's own")
            if kept.size > size or await self._tree.root(kept.size) != signed.root:
                raise Rewritten(f"it does not go on from the checkpoint over {kept.size} entries")
        if newest is not None and (self._seen is None or newest.size > self._seen.size):
            self._seen = newest

    async def _alarm(self, what: str) -> None:
        logger.error("the audit log was rewritten: %s", what)
        if await self._book.alarm(what):
            await self._operators.tell(
                f"The audit log is not what it was: {what}. No checkpoint is signed until it is again."
                " `countersign audit verify` shows the first entry that is wrong;"
                " compare it with your exports and the checkpoints in Slack."
            )

    # -- signing --------------------------------------------------------------------------------------

    async def _sign(self, size: int, now: datetime) -> None:
        newest = self._seen
        is_due = newest is None or now - newest.at >= SIGNED_EVERY or now.date() > newest.at.date()
        if is_due and size > (newest.size if newest else 0):
            origin = notes.origin_of(Tenant(self._store.tenant))
            checkpoint = Checkpoint(origin=origin, size=size, root=await self._tree.root(size))
            note = notes.sign(checkpoint, self._signing())
            kept = Kept(at=now, size=size, note=note, mac=self._vault.mac(MAC, note))
            await self._book.put(kept)
            self._seen = kept

    # -- telling --------------------------------------------------------------------------------------

    async def _witness(self, now: datetime) -> None:
        """Tell the checkpoint that ends the day before, once; what came to nothing is tried again."""
        days, yesterday = await self._book.days(), now.date() - timedelta(days=1)
        last = days.get(max(days)) if days else None
        told = max((day.size for day in days.values()), default=0)
        untold = await self._store.entries(told + 1, 1)
        is_new = bool(untold) and untold[0].at.date() < now.date()
        if self._seen is not None and is_new and (last is None or last.day < yesterday):
            last = Day(day=yesterday, size=self._seen.size, note=self._seen.note)
            await self._book.put_day(last)
        if last is not None and (last.posted is None or last.posted.ts is None):
            await self._tell(last)

    async def _tell(self, day: Day) -> None:
        name = self._policy().audit_channel or self._operators.channel
        if name is None:
            return

        async def write(posted: Posted) -> None:
            await self._book.put_day(replace(day, posted=posted))

        try:
            posted = day.posted or Posted(place=Place("checkpoint"), channel=await self._channels.id_of(name))
            card = drawn(day.day, day.size, day.note)
            await self._sending.send(_owner(day.day), posted, card, write)
        except TROUBLE as error:
            logger.warning("the day's checkpoint is not told yet", extra={"error": word_of(error)})


def _owner(day: date) -> str:
    return f"checkpoint {day.isoformat()}"


def _check(page: list[Entry], first: int) -> None:
    for seq, entry in enumerate(page, start=first):
        if entry.seq != seq:
            raise Rewritten(f"entry {seq} is gone")
        if not holds(entry):
            raise Rewritten(f"entry {seq} was changed: its hash does not fit its content")
