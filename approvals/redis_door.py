"""The door to Redis: opening it, its troubles made ours, its clock, its scripts, waiting on a stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ExecAbortError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from approvals.errors import InvalidCall, Unavailable
from approvals.replicas import ReplicatedRedis, confirmed
from approvals.whereabouts import UNREADABLE, following

try:
    from redis.driver_info import DriverInfo
except ImportError:  # a redis-py that has none yet
    _DRIVER: dict[str, Any] = {}
else:
    _DRIVER = {"driver_info": DriverInfo()}  # made once; each connection would read its package's metadata

SOCKET_S = 5.0
BLOCK_S = 3.0  # of one blocking read: within SOCKET_S, so that a dead line is noticed while we wait
CONNECTIONS = 64  # of one process; who wants one more waits SOCKET_S at most

StreamEntry: TypeAlias = tuple[str, dict[str, str]]
Script: TypeAlias = Callable[..., Awaitable[Any]]

_AWAY = (
    RedisConnectionError,
    RedisTimeoutError,
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    ExecAbortError,
    TryAgainError,
    MovedError,
    AskError,
    NoScriptError,
    NoPermissionError,
    OSError,
)
# redis-py has no class for some of these, and for none that Redis 6.2 reports from within a script.
_AWAY_WORDS = re.compile(
    r"(?:^|-)(?:MISCONF|NOREPLICAS|BUSY|LOADING|READONLY|OOM|MASTERDOWN|CLUSTERDOWN|NOPERM|UNBLOCKED) "
    r"|^EXEC without MULTI"  # which was refused by such a word, and what followed was not
)
_IN_PIPELINE = re.compile(r"Command # \d+ \(.*\) of pipeline caused error: \(['\"](.*)['\"],?\)", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def open_redis(url: str, *, tenant: str = "default", replicas: int = 0) -> Redis:
    """Make a client for `url`; it connects when it is first used.

    In a Cluster it follows the node that has `tenant`'s keys, and with Sentinel the primary. With `replicas`,
    what is told as done waits until so many have it. It never tries anything twice by itself: a script whose
    reply was lost would run again unasked.

    Raises:
        InvalidCall: the URL is of no kind that we can open.
    """
    scheme = url.partition("://")[0]
    options: dict[str, Any] = {
        "max_connections": CONNECTIONS,
        "timeout": SOCKET_S,
        "socket_timeout": SOCKET_S,
        "socket_connect_timeout": SOCKET_S,
        "health_check_interval": 30,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # one shape of replies, whatever a redis-py version prefers
        "decode_responses": True,
        "encoding_errors": "backslashreplace",  # what isn't UTF-8 is no JSON then, and stops no reader
        **_DRIVER,
    }
    if scheme in ("redis", "rediss"):
        try:
            pool = BlockingConnectionPool.from_url(url, **options)
        except ValueError:
            raise InvalidCall(UNREADABLE) from None  # its text may hold a password
    elif scheme.removesuffix("+sentinel").removesuffix("+cluster") in ("redis", "rediss"):
        pool = BlockingConnectionPool(**following(url, tenant) | options)
    else:
        raise InvalidCall(
            "the address of Redis must begin with redis://, rediss://, redis+sentinel:// or redis+cluster://"
        )
    if not replicas:
        return Redis.from_pool(pool)
    return ReplicatedRedis.waiting(pool, tenant, replicas)


@contextmanager
def translated(redis: Redis) -> Iterator[None]:
    """Turn what Redis raises when it is away, or can't write now, into `Unavailable`.

    A cancellation is delivered here too if redis-py has lost it: it sends by `asyncio.wait_for`, which until
    Python 3.12 drops one that comes just as the sending is done (https://github.com/python/cpython/issues/86296).
    """
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task else 0
    try:
        yield
    except _AWAY as error:
        raise Unavailable(f"Redis at {place(redis)} is not available: {_said(error)}") from error
    except ResponseError as error:
        if _AWAY_WORDS.search(said := _said(error)):
            raise Unavailable(f"Redis at {place(redis)} is not available: {said}") from error
        raise
    finally:  # whatever else is raised: who catches that must not go on
        if task and task.cancelling() > cancelled_before:
            raise asyncio.CancelledError


def _said(error: Exception) -> str:
    """Redis's own words: in a pipeline redis-py puts the command before them, which may hold arguments."""
    quoted = _IN_PIPELINE.fullmatch(str(error))
    return quoted[1] if quoted else str(error)


def place(redis: Redis) -> str:
    """Where it is, as may be shown: without user and password."""
    options = redis.connection_pool.connection_kwargs
    if whereabouts := options.get("whereabouts"):
        return str(whereabouts)
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


def script(redis: Redis, verb: str, *, is_told: bool = False) -> Script:
    """The script `lua/VERB.lua`: run by its hash, and loaded again whenever Redis has forgotten it.

    `is_told`: what it has done is told to somebody as done, so it waits for replicas where that is wanted.
    """
    registered = redis.register_script(_source(verb))
    return partial(confirmed, redis, registered) if is_told else registered


@cache
def _source(verb: str) -> str:
    return (Path(__file__).parent / "lua" / f"{verb}.lua").read_text()


def moment(time: tuple[int, int]) -> datetime:
    """Redis's TIME as a datetime."""
    seconds, microseconds = time
    return _EPOCH + timedelta(seconds=seconds, microseconds=microseconds)


def ms(at: datetime) -> int:
    """Whole milliseconds since the epoch."""
    return (at - _EPOCH) // _MS


def due_ms(at: datetime) -> int:
    """The same, rounded up: nothing is due before its time."""
    return -((_EPOCH - at) // _MS)


async def ms_from_now(redis: Redis, seconds: float) -> int:
    """So long from now by Redis's clock, in whole milliseconds since the epoch."""
    at, microseconds = await redis.time()
    return round((at + seconds) * 1000) + microseconds // 1000


async def follow(redis: Redis, stream: str, after: str, *, timeout_s: float, count: int) -> list[StreamEntry]:
    """Wait up to `timeout_s` for what comes after the entry `after` of `stream`; nothing came: [].

    Raises:
        Unavailable: Redis was away.
    """
    clock = asyncio.get_running_loop()
    end = clock.time() + timeout_s
    while True:
        block_s = min(end - clock.time(), BLOCK_S)
        with translated(redis):
            reply = await redis.xread({stream: after}, count=count, block=max(1, round(block_s * 1000)))
        if reply:
            return entries(reply)
        if clock.time() >= end:
            return []


def entries(reply: object) -> list[StreamEntry]:
    """All entries of an XREAD's reply."""
    return [entry for _, found in streams(reply) for entry in found]


def streams(reply: object) -> list[tuple[str, list[StreamEntry]]]:
    """The reply of XREAD or XREADGROUP under RESP2, which redis-py types more widely than we let it be."""
    return [(stream, found) for stream, found in reply] if isinstance(reply, list) else []
