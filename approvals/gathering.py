"""Looking up for many at once: whoever comes while one look is under way has a part in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from approvals.errors import ApprovalsError, Unavailable

K = TypeVar("K")
V = TypeVar("V")

AT_ONCE = 500


@dataclass(slots=True, eq=False)
class _Seat(Generic[K, V]):
    """One who asks: called when there is an answer, or when it is their turn to look."""

    key: K
    called: asyncio.Future[None]
    answer: list[V] | ApprovalsError | None = None  # a list of one: the answer may be None


class Gathered(Generic[K, V]):
    """One kind of look-up, of which there is never more than one under way.

    There is no task in the background: one of those who ask looks for the others too. What is answered was
    looked up after it was asked.
    """

    def __init__(self, look: Callable[[list[K]], Awaitable[list[V]]]) -> None:
        self._look = look
        self._seats: deque[_Seat[K, V]] = deque()
        self._is_looking = False

    async def get(self, one: K) -> V:
        """What `look` finds for it. Raises as that does."""
        seat: _Seat[K, V] = _Seat(one, asyncio.get_running_loop().create_future())
        self._seats.append(seat)
        if self._is_looking:
            await self._called(seat)
        if seat.answer is None:
            await self._look_for_all(seat)
        if isinstance(seat.answer, list):
            return seat.answer[0]
        raise seat.answer or Unavailable("nobody has looked")

    async def _called(self, seat: _Seat[K, V]) -> None:
        try:
            await seat.called
        except asyncio.CancelledError:
            if not seat.called.cancelled() and seat.answer is None:  # its turn had come
                self._hand_on()
            raise

    async def _look_for_all(self, own: _Seat[K, V]) -> None:
        """Look for those who sit there by now, oneself among them."""
        self._is_looking = True
        some = [self._seats.popleft() for _ in range(min(len(self._seats), AT_ONCE))]
        try:
            await self._answer([seat for seat in some if not seat.called.cancelled()])
        finally:
            own.called.cancel()  # without an answer it is our end: we aren't called again
            self._seats.extendleft(seat for seat in reversed(some) if seat.answer is None)
            self._hand_on()

    async def _answer(self, some: list[_Seat[K, V]]) -> None:
        try:
            found = await self._look([seat.key for seat in some])
        except ApprovalsError as trouble:
            if len(some) > 1 and not isinstance(trouble, Unavailable):  # it may be that of only one of them
                for seat in some:
                    await self._answer([seat])
                return
            for seat in some:
                _tell(seat, trouble)
        else:
            for seat, each in zip(some, found, strict=True):
                _tell(seat, [each])

    def _hand_on(self) -> None:
        self._is_looking = False
        while self._seats:
            if not self._seats[0].called.done():
                self._seats[0].called.set_result(None)
                self._is_looking = True
                return
            self._seats.popleft()


def _tell(seat: _Seat[K, V], answer: list[V] | ApprovalsError) -> None:
    seat.answer = answer
    if not seat.called.done():
        seat.called.set_result(None)
