"""What the log says of a span of time, counted as it is read: the log may be too long to hold."""

from __future__ import annotations

from datetime import datetime, timedelta

from approvals.stats import EVERYTHING, Counting, Only, Tally
from approvals.store import OUT_OF_ORDER, Store

LOOK_BACK = timedelta(days=1)  # to learn whose the requests are that wait when the span begins


async def of(store: Store, since: datetime, until: datetime, only: Only = EVERYTHING) -> Tally:
    """Count what happened from `since` until just before `until`. Raises as `Store.entries`."""
    counting = Counting(since=since, until=until, only=only)
    last_seq = await store.last_seq()
    async for entry in store.log(await store.first_seq_at(since - LOOK_BACK)):
        if entry.seq > last_seq or entry.at > until + OUT_OF_ORDER:
            break
        counting.add(entry)
    return counting.tally
