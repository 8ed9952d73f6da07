"""Where an agent puts by a run that waits for people, so that any of its processes can go on with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from redis.asyncio import Redis

from approvals import wire
from approvals.errors import InvalidCall
from approvals.keys import key
from approvals.redis_door import translated

KEPT_S = 90 * 24 * 3600  # as long as the keys of requests
RUN_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBy:
    """A run as its framework wrote it down, and which version of the framework that was."""

    framework: str
    state: str


_PUT_BY: wire.Shape[PutBy] = wire.Shape(PutBy)


class Runs:
    """One agent's runs, by the names that it gives them. Only that agent reads them."""

    def __init__(self, redis: Redis, tenant: str, agent: str) -> None:
        self._redis, self._tenant, self._agent = redis, tenant, agent

    async def put_by(self, run_id: str, framework: str, state: str) -> None:
        """Keep it in the place of what was kept under that name.

        Raises:
            InvalidCall: it is too large.
            Unavailable: Redis was away.
        """
        text = wire.write(_PUT_BY, PutBy(framework=framework, state=state))
        if (size := len(text.encode())) > RUN_BYTES:
            raise InvalidCall(f"run {run_id!r} is {size:,} bytes; at most {RUN_BYTES:,} are kept")
        with translated(self._redis):
            await self._redis.set(self._at(run_id), text, ex=KEPT_S)

    async def state(self, run_id: str, framework: str) -> str | None:
        """What was put by under that name, if anything was.

        Raises:
            InvalidCall: another framework, or another version of it, has put it by.
            Unreadable: it isn't ours.
            Unavailable: Redis was away.
        """
        with translated(self._redis):
            text = await self._redis.get(self._at(run_id))
        if text is None:
            return None
        kept = wire.read(_PUT_BY, text)
        if kept.framework != framework:
            raise InvalidCall(
                f"run {run_id!r} was put by with {kept.framework}, and this is {framework}: go on with it "
                f"there, or give it up with `await approvals.runs.forget({run_id!r})`"
            )
        return kept.state

    async def forget(self, run_id: str) -> None:
        """Raises Unavailable: Redis was away."""
        with translated(self._redis):
            await self._redis.getdel(self._at(run_id))

    def _at(self, run_id: str) -> str:
        hashed = hashlib.sha256(run_id.encode(errors="surrogatepass")).hexdigest()
        return key(self._tenant, "run", self._agent, hashed)
