"""Where the primary is, in a Sentinel or a Cluster, and connections that follow it there.

All keys of a tenant are in one slot, so in a Cluster too one node at a time holds all that one client needs.
Such a client is a plain one, of which only the address changes: docs/decisions/cluster.md.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlencode

from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from approvals.errors import InvalidCall
from approvals.keys import key

ASK_S = 1.0  # that one node has to tell where the primary is
SENTINEL_PORT, CLUSTER_PORT = 26379, 6379

UNREADABLE = "the address of Redis can't be read"

Address: TypeAlias = tuple[str, int]

_LOGIN = ("username", "password")

_URL = re.compile(
    r"(?P<redis>rediss?)\+(?P<kind>sentinel|cluster)://(?P<user>[^/?]*@)?(?P<hosts>[^@/?]+)"
    r"(?:/(?P<path>[^?]*))?(?:\?(?P<query>.*))?"
)
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
# It is no primary any more. Scripts of Redis 6.2 say so in the middle of a sentence.
_NO_PRIMARY = (MovedError, ReadOnlyError, ClusterDownError, MasterDownError)
_NO_PRIMARY_WORDS = re.compile(r"(?:^|-)(?:READONLY|UNBLOCKED) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is asked of a node, and how its reply is read: the primary, and nodes that know of it too."""

    words: tuple[str, ...]
    read: Callable[[Any, Address], tuple[Address | None, list[Address]]]


class Whereabouts:
    """Finds the primary by asking the nodes it knows in turn: whoever is alive tells."""

    def __init__(
        self, nodes: Iterable[Address], question: _Question, connect: Callable[..., Connection]
    ) -> None:
        self._nodes = deque(dict.fromkeys(nodes))
        self._question, self._connect = question, connect
        self._hint: Address | None = None
        self.epoch = 0  # counts how often the primary turned out to be none

    def __str__(self) -> str:
        return ",".join(f"{host}:{port}" for host, port in self._nodes)

    async def find(self) -> Address:
        """Where the primary is now.

        Raises:
            RedisConnectionError: no node tells.
        """
        if self._hint is not None:
            return self._hint
        for _ in range(len(self._nodes)):
            node = self._nodes[0]
            self._nodes.rotate(-1)  # who tells of a primary that is dead is not asked again at once
            try:
                async with asyncio.timeout(ASK_S):
                    primary, others = self._question.read(await self._reply(node), node)
            except (RedisError, OSError, TimeoutError):
                continue
            self._nodes.extend(other for other in others if other not in self._nodes)
            if primary is not None:
                return primary
        raise RedisConnectionError(f"none of {self} tells where the primary is")

    def lost(self, epoch: int, hint: Address | None = None) -> None:
        """What was the primary in `epoch` is none any more: every connection to it is opened anew.

        `hint`: who is, in its words; nodes that have not heard of it yet may still name the old one.
        """
        if epoch == self.epoch:
            self.epoch += 1
            self._hint = hint

    def missed(self) -> None:
        """Nothing answers there: ask again."""
        self._hint = None

    async def _reply(self, node: Address) -> Any:
        connection = self._connect(host=node[0], port=node[1])
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py left it so
            await connection.send_command(*self._question.words)
            return await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)


class _Following:
    """What a connection does that follows the primary. It is stale when the primary was lost since."""

    host: str
    port: int
    is_connected: bool

    def __init__(self, *, whereabouts: Whereabouts, **options: Any) -> None:
        super().__init__(**options)
        self._whereabouts, self._epoch = whereabouts, 0

    async def connect_check_health(
        self, check_health: bool = True, retry_socket_connect: bool = True
    ) -> None:
        """Connect to where the primary is now: the pool calls it whenever it hands the connection out."""
        if self.is_connected and self._epoch != self._whereabouts.epoch:
            await self.disconnect()  # type: ignore[attr-defined]  # Connection's
        if not self.is_connected:
            self._epoch = self._whereabouts.epoch
            self.host, self.port = await self._whereabouts.find()
        try:
            await super().connect_check_health(check_health, retry_socket_connect)  # type: ignore[misc]  # Connection's
        except (RedisError, OSError):
            self._whereabouts.missed()
            raise

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply, and take note if it says that this is no primary any more."""
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]  # Connection's
        except ResponseError as error:
            if isinstance(error, _NO_PRIMARY) or _NO_PRIMARY_WORDS.search(str(error)):
                self._whereabouts.lost(self._epoch, _named_by(error))
            raise


class FollowingConnection(_Following, Connection):
    """A connection to wherever the primary is."""


class FollowingSSLConnection(_Following, SSLConnection):
    """The same, with TLS."""


def _named_by(error: ResponseError) -> Address | None:
    """Where MOVED says that the slot is. An empty host means the one that was asked: better to ask anew."""
    return (error.host, error.port) if isinstance(error, MovedError) and error.host else None


def following(url: str, tenant: str) -> dict[str, Any]:
    """What a pool is made of whose connections follow the primary that holds `tenant`'s keys.

    Raises:
        InvalidCall: the URL can't be read; nothing of it is told, since it may hold a password.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise InvalidCall(UNREADABLE)
    query = {name: values[0] for name, values in parse_qs(parts["query"] or "").items()}
    sentinel_login = {name: query.pop(f"sentinel_{name}") for name in _LOGIN if f"sentinel_{name}" in query}
    options = _options(f"{parts['redis']}://{parts['user'] or ''}host?{urlencode(query)}")
    is_tls = options.pop("connection_class", None) is SSLConnection
    if parts["kind"] == "sentinel":
        db, question = _sentinel(parts["path"] or "")
        asking = {name: value for name, value in options.items() if name not in _LOGIN} | sentinel_login
        nodes = _addresses(parts["hosts"], SENTINEL_PORT)
    else:
        db, question = _cluster(parts["path"] or "", tenant)
        asking, nodes = options, _addresses(parts["hosts"], CLUSTER_PORT)

    def connect(host: str, port: int) -> Connection:
        told = dict(asking, host=host, port=port, socket_connect_timeout=ASK_S, decode_responses=True)
        told["retry"] = Retry(NoBackoff(), 0)
        return SSLConnection(**told) if is_tls else Connection(**told)

    return options | {
        "db": db,
        "whereabouts": Whereabouts(nodes, question, connect),
        "connection_class": FollowingSSLConnection if is_tls else FollowingConnection,
    }


def _options(url: str) -> dict[str, Any]:
    try:
        options = dict(parse_url(url))
    except ValueError:
        raise InvalidCall(UNREADABLE) from None
    del options["host"]
    return options


def _addresses(hosts: str, port: int) -> list[Address]:
    found = [_HOST.fullmatch(host) for host in hosts.split(",")]
    if not all(found):
        raise InvalidCall(UNREADABLE)
    return [(each["v6"] or each["name"], int(each["port"] or port)) for each in found if each]


def _sentinel(path: str) -> tuple[int, _Question]:
    service, _, db = path.partition("/")
    if not service or (db and not db.isdecimal()):
        raise InvalidCall(
            "the address of a Sentinel ends with the name of its service: redis+sentinel://host:26379/mymaster"
        )

    def read(reply: Any, _: Address) -> tuple[Address | None, list[Address]]:
        return (None if reply is None else (str(reply[0]), int(reply[1]))), []

    return int(db or 0), _Question(words=("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service), read=read)


def _cluster(path: str, tenant: str) -> tuple[int, _Question]:
    if path.strip("/") not in ("", "0"):
        raise InvalidCall("a Redis Cluster has no database but 0")
    slot = key_slot(key(tenant, "audit").encode())

    def read(reply: Any, asked: Address) -> tuple[Address | None, list[Address]]:
        primary, nodes = None, []
        for first, last, *told in reply:
            addresses = [(str(node[0] or asked[0]), int(node[1])) for node in told]
            nodes += addresses
            if int(first) <= slot <= int(last):
                primary = addresses[0]
        return primary, nodes

    return 0, _Question(words=("CLUSTER", "SLOTS"), read=read)
