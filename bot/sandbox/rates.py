"""How often each method may be called, as token buckets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox import limits


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    def __init__(self, clock: Callable[[], float], *, channel_burst: int = limits.CHANNEL_BURST) -> None:
        self._clock = clock
        self._channel_burst = channel_burst
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, method: str, tier: int) -> int | None:
        """Count a call of `method`. Returns None, or the seconds to wait when it is one too many."""
        per_minute, burst = limits.TIERS[tier]
        return self._take((method, ""), per_minute / 60, burst)

    def take_message(self, channel: str) -> int | None:
        """Count a message to `channel`."""
        return self._take(("chat.postMessage", channel), limits.CHANNEL_MESSAGES_PER_S, self._channel_burst)

    def _take(self, key: tuple[str, str], per_second: float, burst: int) -> int | None:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(burst), now)
        bucket.tokens = min(float(burst), bucket.tokens + max(0.0, now - bucket.filled_at) * per_second)
        bucket.filled_at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return None
        return max(1, math.ceil((1 - bucket.tokens) / per_second))
