"""Says when an agent's run is stuck, so that people hear of it before it does harm. For any agent loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from approvals.errors import InvalidCall

if TYPE_CHECKING:
    from approvals.client import Approvals

PHRASES = ("i don't know", "i'm not sure", "i cannot", "i can't", "i am stuck", "ask a human")
SAID_CHARS = 80  # of a phrase, in the reason


class Watcher:
    """Told what a run says, tries and does, it knows `why` that needs people; None: it doesn't."""

    def __init__(
        self,
        *,
        phrases: Iterable[str] = PHRASES,
        attempts: int | None = 3,
        turns: int | None = 20,
    ) -> None:
        if isinstance(phrases, str):
            raise InvalidCall("phrases is a list of texts, not one text")
        for name, limit in (("attempts", attempts), ("turns", turns)):
            if limit is not None and limit < 1:
                raise InvalidCall(f"{name} is {limit}; it is 1 or more, or None")
        self._phrases = tuple(_plain(phrase) for phrase in phrases)
        if "" in self._phrases:
            raise InvalidCall("a phrase needs words")
        self._attempts, self._turns = attempts, turns
        self.reset()

    def reset(self) -> None:
        """Count anew, as after guidance."""
        self.why: str | None = None
        self._failed: Counter[str] = Counter()
        self._turn = 0

    def saw(self, text: str) -> str | None:
        """The model has said this."""
        plain = _plain(text)
        for phrase in self._phrases:
            if phrase in plain:
                return self._stuck(f"it said “{phrase[:SAID_CHARS]}”")
        return self.why

    def tried(self, tool: str, ok: bool) -> str | None:
        """A tool was tried; one that works ends its row of failures."""
        if ok:
            del self._failed[tool]
            return self.why
        self._failed[tool] += 1
        count = self._failed[tool]
        if self._attempts is not None and count >= self._attempts:
            return self._stuck(
                f"{tool} has failed {count} times in a row" if count > 1 else f"{tool} has failed"
            )
        return self.why

    def turn(self) -> str | None:
        """A turn begins."""
        self._turn += 1
        if self._turns is not None and self._turn > self._turns:
            return self._stuck(f"it has gone on for more than {self._turns} turns")
        return self.why

    async def escalate_if_stuck(
        self, approvals: Approvals, *, context: str | None = None, transcript_url: str | None = None
    ) -> str | None:
        """Hand a stuck run to people, and return their guidance; None: it isn't stuck.

        Raises:
            TakenOver: a person goes on in its place; it must stop.
            Rejected, Expired, Cancelled, Undeliverable, Unavailable: as `escalate`. It is still stuck then.
        """
        if self.why is None:
            return None
        guidance = await approvals.escalate(f"A run is stuck: {self.why}.", context, transcript_url)
        self.reset()
        return guidance

    def _stuck(self, why: str) -> str:
        self.why = self.why or why
        return self.why


def _plain(text: str) -> str:
    """In one case, with one sort of apostrophe and single spaces."""
    return " ".join(text.replace("’", "'").casefold().split())
