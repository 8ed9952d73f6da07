"""Sees that Redis goes on from what we have seen of it, and gives it its pulse.

What is behind that, or another database, is served no longer, and operators are told. Where nobody has looked
for a while it can't be known whether it is a copy: then approvals that are not used yet are taken back.
docs/decisions/restore.md tells why.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from approvals.commands import Void
from approvals.epochs import Epochs, NotContinued, Standing
from approvals.errors import Refusal, Unavailable
from approvals.machine import SERVICE
from approvals.model import Actor, Request
from approvals.pulse import is_stale
from approvals.redis_door import ms
from approvals.store import Store
from bot.settings import Settings
from bot.vault import Vault

logger = logging.getLogger(__name__)

LOOK_S = 1.0
BEAT_MS = 5000
PAGE = 500
UNATTENDED = "nobody had looked after Redis for a while: whether it was used already can't be known"
Tell = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest that was seen of a Redis. A file keeps it for the next process on this machine."""

    epoch: str
    pulse: str
    seq: int
    hash: str


class Continuity:
    """Of one tenant's Redis, as one process sees it."""

    def __init__(self, epochs: Epochs, store: Store, file: Path, tell: Tell) -> None:
        self._epochs, self._store, self._file, self._tell = epochs, store, file, tell
        self._seen = _read(file)
        self._is_kept = True
        self.fault: str | None = None
        store.guard = self.check

    def check(self) -> None:
        """Raises NotContinued: this is not the Redis that it was."""
        if self.fault is not None:
            raise NotContinued(self.fault)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                logger.warning("nobody can look after Redis: %s", error)
            except Exception:  # it is looked at again; agents stop claiming meanwhile
                logger.exception("nobody can look after Redis")
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Hold Redis against what was seen of it, and give it its pulse if it is due.

        Raises:
            Unavailable: Redis was away.
        """
        standing = await self._epochs.standing(self._seen.seq if self._seen else 0)
        if standing.epoch is None and self._seen is None:
            await self._epochs.begin()
            standing = await self._epochs.standing()
        fault = self._fault(standing)
        if fault != self.fault:
            self.fault = fault
            await self._say(fault)
        if fault is None:
            await self._go_on(standing)

    def _fault(self, standing: Standing) -> str | None:
        epoch, seen = standing.epoch, self._seen
        if epoch is None:
            return "Redis has lost everything, or it is another database" + _MEND
        if not self._epochs.is_ours(epoch):
            return "this Redis belongs to another installation, or APPROVALS_SECRET is another" + _MEND
        if seen is None or seen.epoch in epoch.follows:
            return None
        if seen.epoch != epoch.id:
            return "this is another database than it was, or an older copy of it" + _MEND
        if standing.seq < seen.seq:
            return f"Redis's log ends with entry {standing.seq}, and it had {seen.seq}: an older copy" + _MEND
        if standing.known and standing.known != seen.hash:
            return f"entry {seen.seq} of Redis's log is another than it was: a copy that went on" + _MEND
        return None

    async def _say(self, fault: str | None) -> None:
        if fault is None:
            logger.warning("Redis goes on from what it was: it is served again")
            return
        logger.error("nothing is decided: %s", fault)
        await self._tell(f"Nothing is decided now: {fault}.")

    async def _go_on(self, standing: Standing) -> None:
        pulse, is_known = standing.pulse, self._seen is not None and self._seen.pulse == standing.pulse
        if is_stale(pulse, standing.now) and not is_known:
            taken = await void(self._store, await everything(self._store.approved), SERVICE, UNATTENDED)
            logger.warning("nobody looked after Redis since %s; approvals taken back: %d", pulse, taken)
        if not pulse.isdecimal() or abs(ms(standing.now) - int(pulse)) >= BEAT_MS:
            pulse = await self._epochs.beat(standing.now)
        if standing.epoch is not None:
            seen = Seen(epoch=standing.epoch.id, pulse=pulse, seq=standing.seq, hash=standing.hash)
            self._remember(seen)

    def _remember(self, seen: Seen) -> None:
        if seen == self._seen:
            return
        self._seen = seen
        try:
            _write(self._file, seen)
        except OSError as error:
            if self._is_kept:
                logger.warning("what was seen of Redis can't be kept in %s: %s", self._file, error.strerror)
            self._is_kept = False


_MEND = (
    ". If it is the wrong one, mend REDIS_URL. If a backup was restored, or it was emptied on purpose, run"
    " `countersign restored`"
)


async def void(store: Store, requests: list[Request], by: Actor, because: str) -> int:
    """Take back what nobody knows the end of; returns how many that were."""
    count = 0
    for request in requests:
        with suppress(Refusal):  # it was used, or ended, a moment ago
            await store.change(request.id, Void(by=by, reason=because))
            count += 1
    return count


async def everything(pages: Callable[..., Awaitable[list[Request]]]) -> list[Request]:
    """All of them, read before any is changed: what changes leaves the pages."""
    found: list[Request] = []
    while page := await pages(limit=PAGE, offset=len(found)):
        found += page
    return found


def file_of(settings: Settings, vault: Vault) -> Path:
    """Where this machine keeps what it has seen of this installation's Redis."""
    name = vault.mac("seen", settings.tenant)[:12]
    return settings.state / f"seen-{settings.tenant}-{name}.json"


def known(file: Path) -> str | None:
    """The epoch that was seen last on this machine."""
    seen = _read(file)
    return None if seen is None else seen.epoch


def _read(file: Path) -> Seen | None:
    try:
        return replace(Seen(epoch="", pulse="", seq=0, hash=""), **json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        logger.warning("%s can't be read; what was seen of Redis before is not known", file)
        return None


def _write(file: Path, seen: Seen) -> None:
    """Whole or not at all; it needn't survive a power cut, since older ones are as true."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = file.with_name(f"{file.name}.{os.getpid()}")
    made.write_text(json.dumps(asdict(seen)))
    made.replace(file)
