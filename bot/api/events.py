"""The log as a stream of events: read once for all who listen, each of whom hears of their own requests."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from approvals.asked import agents_of
from approvals.audit import DECISIONS, Entry
from approvals.errors import ApprovalsError
from approvals.model import RequestId
from approvals.store import Store
from bot.api.answers import Happening

logger = logging.getLogger(__name__)

KEPT = 1000  # of the newest entries, for those who come back after a moment
PAGE = 200
FOLLOW_S = 30.0
PAUSE_S = 1.0
AGENTS_KEPT = 20_000

# What is told. Attempts that were not let through, and who has looked at what, are for the audit log alone.
TOLD = {
    word: word
    for word in (
        *("allowed", "denied", "voted", "objected", "approved", "edited", "redirected", "rejected"),
        *("answered", "changes_requested", "overridden", "withdrawn", "extended", "escalated", "revised"),
        *("expired", "cancelled", "undeliverable", "claimed", "executed", "failed", "lapsed"),
        *("confirmed", "flagged", "undo_asked", "undone", "undo_failed", "held", "released"),
    )
} | {"asked": "approval_required"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An entry of the log, as far as it is told; None: it is for nobody here."""

    seq: int
    happening: Happening | None


class Tail:
    """The newest part of the log."""

    def __init__(self, redis: Redis, store: Store) -> None:
        self._redis, self._store = redis, store
        self._kept: deque[Heard] = deque(maxlen=KEPT)
        self._agents: dict[str, str] = {}
        self._grown, self._listeners = asyncio.Condition(), asyncio.Event()
        self._last: int | None = None
        self.is_closed = False

    async def run(self) -> None:
        """Follow the log for ever, once somebody listens. While Redis is away the loop waits for it."""
        await self._listeners.wait()
        while True:
            try:
                if self._last is None:
                    await self._add([], await self._store.last_seq())
                await self._follow(self._last or 0)
            except ApprovalsError as error:
                logger.warning("the log can't be followed: %s", error)
                await asyncio.sleep(PAUSE_S)

    async def close(self) -> None:
        """Let nobody listen any longer: the process is about to end."""
        async with self._grown:
            self.is_closed = True
            self._grown.notify_all()

    async def end(self) -> int:
        """Where the log ends now."""
        return await self._store.last_seq()

    async def after(self, seq: int) -> list[Heard]:
        """What comes after number `seq`, a page at most. Also from long ago.

        Raises:
            Unavailable: Redis was away.
        """
        if self._kept and self._kept[0].seq <= seq + 1:
            return [heard for heard in self._kept if heard.seq > seq][:PAGE]
        return await self._heard(await self._store.entries(seq + 1, PAGE))

    async def until_grown(self, seq: int, timeout_s: float) -> bool:
        """Wait until there is more than `seq`; False: there wasn't, within `timeout_s`."""
        self._listeners.set()

        def has_grown() -> bool:
            return self.is_closed or (self._last is not None and self._last > seq)

        try:
            async with asyncio.timeout(timeout_s), self._grown:
                await self._grown.wait_for(has_grown)
        except TimeoutError:
            return False
        return True

    async def _follow(self, last: int) -> None:
        if await self._store.until_changed(last, FOLLOW_S) > last:
            while entries := await self._store.entries(last + 1, PAGE):
                last = entries[-1].seq
                await self._add(await self._heard(entries), last)

    async def _add(self, heard: list[Heard], last: int) -> None:
        async with self._grown:
            self._kept.extend(heard)
            self._last = last
            self._grown.notify_all()

    async def _heard(self, entries: list[Entry]) -> list[Heard]:
        if len(self._agents) > AGENTS_KEPT:
            self._agents.clear()
        unknown = {entry.request for entry in entries if entry.event in TOLD} - {"", *self._agents}
        self._agents |= await agents_of(self._redis, self._store.tenant, unknown)
        return [Heard(seq=entry.seq, happening=_told(entry, self._agents.get)) for entry in entries]


def _told(entry: Entry, agent_of: Callable[[str], str | None]) -> Happening | None:
    agent, name = agent_of(entry.request), TOLD.get(entry.event)
    if agent is None or name is None:
        return None
    detail = entry.detail or {}
    text, is_decided = detail.get("text"), entry.event in DECISIONS
    return Happening(
        seq=entry.seq,
        event=name,
        request=RequestId(entry.request),
        agent=agent,
        at=entry.at,
        actor=entry.actor,
        actor_name=str(detail.get("by", entry.actor)),
        tool=entry.tool,
        fingerprint=entry.fingerprint,
        args=entry.args,
        text=text if isinstance(text, str) else None,
        decided_by=entry.actor if is_decided else None,
        decided_at=entry.at if is_decided else None,
        latency_ms=entry.latency_ms,
    )
