"""What the log has told lately: what each person decided, and which agents are at work."""

from __future__ import annotations

from collections import Counter, OrderedDict

from approvals.audit import Entry
from approvals.model import RequestId

REMEMBERED = 10  # decisions of each person
_DECIDED = frozenset(
    {
        *("voted", "approved", "edited", "rejected", "objected", "answered", "overridden"),
        *("changes_requested", "withdrawn"),
    }
)
_BEGAN, _ENDED = "claimed", frozenset({"executed", "failed", "lapsed"})


class Recent:
    """Grows with the log, entry by entry, and holds no more than what is asked of it."""

    def __init__(self) -> None:
        self.seq = 0
        self._decided: dict[str, OrderedDict[RequestId, None]] = {}
        self._running: dict[RequestId, str] = {}

    def add(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        self.seq = entry.seq
        if not entry.request:
            return
        request_id = RequestId(entry.request)
        if entry.event in _DECIDED and entry.actor.startswith("slack:"):
            theirs = self._decided.setdefault(entry.actor, OrderedDict())
            theirs[request_id] = None
            theirs.move_to_end(request_id)
            while len(theirs) > REMEMBERED:
                theirs.popitem(last=False)
        elif entry.event == _BEGAN:
            self._running[request_id] = entry.actor.removeprefix("agent:")
        elif entry.event in _ENDED:
            self._running.pop(request_id, None)

    def decided_by(self, person: str) -> list[RequestId]:
        """What a person decided, the newest first."""
        return list(reversed(self._decided.get(f"slack:{person}", OrderedDict())))

    def at_work(self) -> Counter[str]:
        """How many calls each agent runs."""
        return Counter(self._running.values())
