"""Whether somebody looks after this Redis: a copy that was restored has the pulse of its own time."""

from __future__ import annotations

from datetime import datetime, timedelta

from approvals.redis_door import ms

STALE = timedelta(seconds=60)  # a copy that is restored sooner after it was made is taken for the same


def is_stale(pulse: str | None, now: datetime) -> bool:
    """Whether nobody has looked after it for so long that it may be a copy; without a pulse, nobody ever."""
    if not pulse:
        return False
    return not pulse.isdecimal() or ms(now) - int(pulse) > STALE // timedelta(milliseconds=1)
