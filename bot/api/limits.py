"""How much one token may keep open in one process: streams of events, and calls that wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from approvals.agent_tokens import Holder
from bot.api.problems import Trouble

Kept: TypeAlias = Literal["streams", "waits"]

STREAMS = 50  # a front end hears of everybody's requests on one, and tells its own screens itself
RETRY_S = 5


class Limits:
    """What is open now, by token."""

    def __init__(self) -> None:
        self._open: Counter[tuple[str, Kept]] = Counter()

    @contextmanager
    def one(self, holder: Holder, kept: Kept) -> Iterator[None]:
        """One more, until the block ends.

        Raises:
            Trouble: there are too many already.
        """
        most = STREAMS if kept == "streams" else holder.calls_a_minute
        if self._open[holder.name, kept] >= most:
            retry = {"Retry-After": str(RETRY_S)}
            raise Trouble("too-many", f"{most} {kept} of one token are kept open at a time.", retry)
        self._open[holder.name, kept] += 1
        try:
            yield
        finally:
            self._open[holder.name, kept] -= 1
