"""One thing that goes wrong in a trial: the k-th command to Redis, call of Slack, or await of a process."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar, cast

from bot.sandbox.misbehaviour import MethodFault, OnCall
from tests.proof.relay import AFTER, BEFORE, FORGET, WORDS, Command

T = TypeVar("T")
Where: TypeAlias = Literal["redis", "slack", "awaits"]

# Of each place, all that can go wrong there.
KINDS: dict[Where, tuple[str, ...]] = {
    "redis": (BEFORE, AFTER, "an error", FORGET),
    "slack": ("429", "500", "drop", "timeout", "error"),
    "awaits": ("killed",),
}
_HANDSHAKE = frozenset({b"CLIENT", b"SELECT", b"HELLO", b"AUTH"})


class Died(Exception):
    """The process is gone, in the middle of what it did."""


@dataclass(slots=True)
class Fault:
    """`at` counts from 1. `has_struck` stays False where less happened than that."""

    where: Where
    kind: str
    at: int
    counted: int = 0
    is_on: bool = False
    has_struck: bool = False

    def __str__(self) -> str:
        return f"{self.where} {self.at}: {self.kind}"

    def of_command(self, command: Command) -> str | None:
        """What becomes of a command to Redis."""
        name = command[0].upper()
        if self.where != "redis" or name in _HANDSHAKE or (self.kind == FORGET and name != b"EVALSHA"):
            return None
        if not self._strikes():
            return None
        return WORDS[self.at % len(WORDS)] if self.kind == "an error" else self.kind

    def of_call(self, method: str) -> OnCall | None:
        """What becomes of a call of Slack."""
        if self.where != "slack" or not self._strikes():
            return None
        return OnCall(cast(MethodFault, self.kind), retry_after=0, code="internal_error")

    def ends_here(self) -> bool:
        """Whether the process that waits now dies of it."""
        return self.where == "awaits" and self._strikes()

    def _strikes(self) -> bool:
        if not self.is_on or self.has_struck:
            return False
        self.counted += 1
        self.has_struck = self.counted == self.at
        return self.has_struck


async def lived(work: Coroutine[Any, Any, T], fault: Fault) -> T:
    """What comes of `work`, each of whose awaits may be its last.

    Raises:
        Died: one was. Also where it went on all the same: nobody hears of that.
    """
    had_struck = fault.has_struck

    async def run() -> T:
        return await _counted(work, fault)

    task = asyncio.get_running_loop().create_task(run())
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:  # it is we who are to stop
        task.cancel()
        raise
    if fault.where == "awaits" and fault.has_struck and not had_struck:
        if not task.cancelled():
            task.exception()  # which nobody hears of either
        raise Died
    return task.result()


@types.coroutine
def _counted(work: Coroutine[Any, Any, T], fault: Fault) -> Generator[Any, Any, T]:
    step: Callable[[Any], Any] = work.send
    given: Any = None
    while True:
        try:
            waits_for = step(given)
        except StopIteration as end:
            return cast(T, end.value)
        if fault.ends_here() and (task := asyncio.current_task()):
            task.cancel()  # as asyncio does it, so that it arrives at this very await
        try:
            given, step = (yield waits_for), work.send
        except BaseException as error:
            given, step = error, work.throw
