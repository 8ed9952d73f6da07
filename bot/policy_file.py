"""The policy that is in force: read at the start, and again whenever its file has changed."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from approvals.errors import ApprovalsError
from approvals.policy import DEFAULT, Policy, PolicyFaults, parse

logger = logging.getLogger(__name__)

LOOK_S = 2.0
FAULTS_TOLD = 10  # in one message to the operators


class CannotRead(ApprovalsError):
    """There is no such file, or what is in it is no text."""


class PolicyFile:
    """A file whose faults change nothing: what was in force stays so. Without a file: the built-in policy."""

    def __init__(self, path: Path | None, lacks: Callable[[Policy], str | None] = lambda _: None) -> None:
        """Read it. `lacks` says what this service would need to keep a policy, and has not.

        Raises:
            CannotRead, PolicyFaults: it can't be used.
        """
        self.path, self._lacks = path, lacks
        self._looked = asyncio.Event()  # somebody wants it to be read now
        self._mark, self.text = self._read()  # the text is that of `current`
        self.current: Policy = DEFAULT if self.text is None else parse(self.text)

    def look(self) -> None:
        """Have it read at once, whether it seems to have changed or not."""
        self._looked.set()

    async def watch(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Follow the file for ever; `tell` gets the sentences that operators must know."""
        while self.path is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._looked.wait()
            self._looked.clear()
            if sentence := await self.refresh():
                await tell(sentence)

    async def refresh(self) -> str | None:
        """Take what the file says now, and say so; None where it says what it said before."""
        before = self._mark
        try:
            self._mark, text = await asyncio.to_thread(self._read)
            if self._mark == before or text is None:
                return None
            new = await asyncio.to_thread(parse, text)
        except PolicyFaults as faults:
            return self._refused([str(fault) for fault in faults.faults])
        except CannotRead as error:
            self._mark = str(error)
            return None if self._mark == before else self._refused([str(error)])
        if why := self._lacks(new):
            return self._refused([why])
        if new.version == self.current.version:  # it was faulty, and is what it was before that
            return None
        logger.warning("the policy is now %s, before %s", new.version, self.current.version)
        old, self.current, self.text = self.current, new, text
        return f"The policy is now version {new.version}, before {old.version}. What waits keeps its terms."

    def _refused(self, faults: list[str]) -> str:
        logger.error("the changed policy can't be used; version %s stays: %s", self.current.version, faults)
        more = f"\n… and {len(faults) - FAULTS_TOLD} more" if len(faults) > FAULTS_TOLD else ""
        told = "\n".join(f"• {fault}" for fault in faults[:FAULTS_TOLD])
        stays = f"so version {self.current.version} stays in force"
        return f"The changed policy can't be used, {stays}:\n{told}{more}"

    def _read(self) -> tuple[str, str | None]:
        """What marks the content, and the content."""
        if self.path is None:
            return "", None
        try:
            content = self.path.read_bytes()
            return hashlib.sha256(content).hexdigest(), content.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise CannotRead(f"the policy file {self.path} can't be read: {error}") from error


@contextmanager
def hearing_hangups(look: Callable[[], None]) -> Iterator[None]:
    """Take SIGHUP as the wish that the file be read again; on a terminal it means that that is gone."""
    if sys.stdin is not None and sys.stdin.isatty():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, look)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
