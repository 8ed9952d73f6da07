"""What a person looks at on their Home tab, and what was published there last. Values, pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_LOOK = re.compile(r"1\|([0-9]{1,4})\|((?:risk|(?:agent|tool):[0-9a-f]{12})?)")
_PUBLISHED = re.compile(r"1\|([0-9]{1,18})\|([0-9a-f]*)\|(.{0,200})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The part of their queue that somebody looks at."""

    page: int = 0
    only: str = ""  # "risk", or the mark of an agent or a tool; "": all of it

    @property
    def packed(self) -> str:
        """As it rides in the view's private_metadata, and stands in Redis."""
        return f"1|{self.page}|{self.only}"

    @classmethod
    def unpacked(cls, text: str) -> Look:
        """What `packed` wrote; of anything else the beginning of the whole queue."""
        found = _LOOK.fullmatch(text)
        return cls(page=int(found[1]), only=found[2]) if found else cls()

    def at(self, page: int) -> Look:
        return replace(self, page=max(page, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What Slack was given last."""

    seq: int  # how far the log went when it was drawn
    digest: str  # of what was drawn; "": nobody knows
    hash: str = ""  # Slack's own name for it, by which it refuses what is older; "": nobody knows

    @property
    def packed(self) -> str:
        return f"1|{self.seq}|{self.digest}|{self.hash}"

    @classmethod
    def unpacked(cls, text: str) -> Published | None:
        found = _PUBLISHED.fullmatch(text)
        return cls(seq=int(found[1]), digest=found[2], hash=found[3]) if found else None
