"""Answers that are given when replicas have what was written: a client whose scripts and transactions WAIT.

WAIT counts for the connection that wrote, and newer servers remember for it only what it changed. So what is
to be confirmed, a write that always changes something, and WAIT go together over one connection.
"""

from __future__ import annotations

from typing import Any, Self

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from approvals.errors import InvalidCall, Unavailable
from approvals.keys import key

MOST = 16
WAIT_MS = 500  # three times within the 2 seconds that a change may take


class NotReplicated(Unavailable):
    """It is written, but too few replicas have said so: it could be lost, and so it isn't told as done."""

    def __init__(self, have: int, wanted: int) -> None:
        super().__init__(
            f"{have} of {wanted} replicas have confirmed it in time; ask again whether it stands"
        )


class ReplicatedRedis(Redis):
    """A client whose transactions, and scripts that are `confirmed`, are answered once replicas have them."""

    replicas: int  # how many must
    tenant: str

    @classmethod
    def waiting(cls, pool: ConnectionPool, tenant: str, replicas: int) -> Self:
        """A client of `tenant` that waits for so many."""
        redis = cls(connection_pool=pool)
        redis.auto_close_connection_pool = True  # as from_pool has it, which is typed as a plain client
        redis.tenant, redis.replicas = tenant, replicas
        return redis

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Make a pipeline; a transaction waits after its EXEC."""
        pipeline = _ReplicatedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.replicas = self.replicas
        return pipeline


class _ReplicatedPipeline(Pipeline):
    replicas = 1

    async def _execute_transaction(self, connection: Any, commands: Any, raise_on_error: bool) -> Any:
        replies = await super()._execute_transaction(connection, commands, raise_on_error)
        await connection.send_command("WAIT", self.replicas, WAIT_MS)
        _check(int(await connection.read_response()), self.replicas)
        return replies


def replicas_of(text: str | None) -> int | None:
    """How many APPROVALS_REPLICAS wants; None where it says nothing.

    Raises:
        InvalidCall: it is no such number.
    """
    if not text:
        return None
    if not text.isdecimal() or int(text) > MOST:
        raise InvalidCall(f"APPROVALS_REPLICAS must be a number of replicas, at most {MOST}, not {text!r}")
    return int(text)


async def confirmed(redis: Redis, script: AsyncScript, keys: list[str], args: list[str | int]) -> Any:
    """Run a script, and return its reply once the replicas have what it wrote.

    Raises:
        NotReplicated: they have not said so in time. To run it again is as harmless as ever.
    """
    if not isinstance(redis, ReplicatedRedis):
        return await script(keys=keys, args=args)
    try:
        return await _run(redis, script, keys, args)
    except NoScriptError:
        script.sha = await redis.script_load(script.script)
        return await _run(redis, script, keys, args)


async def confirm(redis: Redis) -> None:
    """Return once the replicas have all that was written until now, by whomever; a plain client doesn't wait.

    Raises:
        NotReplicated: they have not said so in time.
    """
    if isinstance(redis, ReplicatedRedis):
        await _run(redis, None, [], [])


async def _run(
    redis: ReplicatedRedis, script: AsyncScript | None, keys: list[str], args: list[str | int]
) -> Any:
    async with redis.pipeline(transaction=False) as pipe:
        if script is not None:
            pipe.evalsha(script.sha, len(keys), *keys, *args)
        pipe.set(key(redis.tenant, "replicated"), 1)
        pipe.wait(redis.replicas, WAIT_MS)
        *replies, _, have = await pipe.execute()
    _check(int(have), redis.replicas)
    return replies[0] if replies else None


def _check(have: int, wanted: int) -> None:
    if have < wanted:
        raise NotReplicated(have, wanted)
