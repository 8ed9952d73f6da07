"""Several Redis servers at once, on free ports of loopback: a primary and replica, Sentinels, a Cluster."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AuthenticationError, RedisError

from bot.redis_server import find_server

START_S = 20.0
SLOTS = 16384
# Redis ends with the test that started it, even if that one is killed.
_TETHER = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)


class Node:
    """One server process, which a test may stop, freeze or kill."""

    def __init__(self, directory: Path, options: list[str]) -> None:
        self.port = free_port()
        self._directory, self._options = directory, options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Return once it answers."""
        await asyncio.to_thread(self._spawn)
        await until(self._answers, "it answers")

    def _spawn(self) -> None:
        directory = self._directory / str(self.port)
        directory.mkdir(parents=True, exist_ok=True)
        tether = [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid())]
        with (directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(tether if sys.platform == "linux" else []),
                    str(find_server()),
                    *self._options_in(directory),
                ],
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def _options_in(self, directory: Path) -> list[str]:
        """A configuration file that Sentinel may rewrite."""
        path = directory / "redis.conf"
        lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {directory}", *self._options]
        path.write_text("\n".join(lines) + "\n")
        return [str(path), *(["--sentinel"] if any("sentinel" in line for line in self._options) else [])]

    def freeze(self) -> None:
        """It answers nobody until it is thawed, as behind a partition."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """It is gone at once, as in a power cut."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    async def do(self, *words: str | int) -> Any:
        """Ask it something."""
        async with a_client(self.port) as redis:
            return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py

    async def _answers(self) -> bool:
        try:
            return await self.do("PING") in (True, "PONG")
        except AuthenticationError:  # who is let in is another question
            return True


@asynccontextmanager
async def _running(nodes: list[Node]) -> AsyncIterator[None]:
    try:
        async with asyncio.TaskGroup() as starting:
            for node in nodes:
                starting.create_task(node.start())
        yield
    finally:
        for node in nodes:
            node.kill()


def _server(directory: Path, *more: str) -> Node:
    return Node(
        directory,
        [
            'save ""',
            "appendonly yes",
            "appendfsync always",
            "repl-diskless-sync-delay 0",
            "repl-ping-replica-period 1",
            *more,
        ],
    )


@asynccontextmanager
async def replicated(directory: Path) -> AsyncIterator[tuple[Node, Node]]:
    """A primary, and the replica that follows it."""
    primary = _server(directory)
    replica = _server(directory, f"replicaof 127.0.0.1 {primary.port}")
    async with _running([primary]), _running([replica]):
        await until(lambda: follows(primary), "the replica follows")
        yield primary, replica


async def follows(primary: Node, count: int = 1) -> bool:
    """Whether so many replicas follow."""
    return int((await primary.do("INFO", "replication"))["connected_slaves"]) >= count


@asynccontextmanager
async def watched(directory: Path, *, sentinels: int = 3) -> AsyncIterator[tuple[str, Node, Node]]:
    """The address of these Sentinels, the primary, and the replica that takes over when it is gone."""
    async with replicated(directory) as (primary, replica):
        watchers = [_sentinel(directory, primary, sentinels // 2 + 1) for _ in range(sentinels)]
        async with _running(watchers):
            await until(lambda: _know_each_other(watchers), "the sentinels know each other and the replica")
            hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
            yield f"redis+sentinel://{hosts}/house", primary, replica


def _sentinel(directory: Path, primary: Node, quorum: int) -> Node:
    return Node(
        directory,
        [
            f"sentinel monitor house 127.0.0.1 {primary.port} {quorum}",
            "sentinel down-after-milliseconds house 600",
            "sentinel failover-timeout house 3000",
        ],
    )


async def _know_each_other(watchers: list[Node]) -> bool:
    for watcher in watchers:
        told = await watcher.do("SENTINEL", "MASTER", "house")
        found = told if isinstance(told, dict) else dict(zip(told[::2], told[1::2], strict=True))
        if int(found["num-other-sentinels"]) < len(watchers) - 1 or int(found["num-slaves"]) < 1:
            return False
    return True


class Cluster:
    """Three primaries, and a replica of each."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    async def owner(self, tenant: str, *, but: Node | None = None) -> Node:
        """The node that has the tenant's keys, as the others tell (`but` one that is dead)."""
        asked = next(node for node in self.nodes if node is not but)
        for first, last, (_, port, *_), *_ in await raw(asked, "CLUSTER", "SLOTS"):
            if first <= slot_of(tenant) <= last:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(tenant)

    async def replica_of(self, primary: Node) -> Node:
        """Who takes over when it is gone."""
        for _, _, (_, port, *_), (_, follower, *_), *_ in await raw(primary, "CLUSTER", "SLOTS"):
            if port == primary.port:
                return next(node for node in self.nodes if node.port == follower)
        raise LookupError(primary.url)

    async def migrate(self, tenant: str, to: Node) -> None:
        """Move the tenant's slot, with all that is in it, to another primary."""
        slot, source = slot_of(tenant), await self.owner(tenant)
        source_id, target_id = [await raw(node, "CLUSTER", "MYID") for node in (source, to)]
        await raw(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        await raw(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        while keys := await raw(source, "CLUSTER", "GETKEYSINSLOT", slot, 100):
            await raw(source, "MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)
        for node in (to, source, *self.nodes):
            with contextlib.suppress(RedisError):  # replicas may not be told
                await raw(node, "CLUSTER", "SETSLOT", slot, "NODE", target_id)


def slot_of(tenant: str) -> int:
    return key_slot(f"{{{tenant}}}".encode())


async def raw(node: Node, *words: str | int) -> Any:
    """The reply as it comes, which redis-py would make something of."""
    async with a_client(node.port) as redis:
        redis.response_callbacks.clear()
        return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py


@asynccontextmanager
async def clustered(directory: Path) -> AsyncIterator[Cluster]:
    """A Cluster of six nodes that serves."""
    options = ["cluster-enabled yes", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0"]
    nodes = [_server(directory, *options) for _ in range(6)]
    async with _running(nodes):
        primaries, replicas = nodes[:3], nodes[3:]
        bounds = [SLOTS * number // 3 for number in range(4)]
        for number, primary in enumerate(primaries):
            await raw(primary, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            await raw(primary, "CLUSTER", "ADDSLOTS", *range(bounds[number], bounds[number + 1]))
        for node in nodes[1:]:
            await raw(nodes[0], "CLUSTER", "MEET", "127.0.0.1", node.port)
        await until(lambda: _all_know(nodes, 6), "all nodes know each other")
        for primary, replica in zip(primaries, replicas, strict=True):
            await raw(replica, "CLUSTER", "REPLICATE", await raw(primary, "CLUSTER", "MYID"))
        await until(lambda: _all_serve(nodes), "the cluster serves")
        yield Cluster(nodes)


async def _all_know(nodes: list[Node], count: int) -> bool:
    found = [await raw(node, "CLUSTER", "NODES") for node in nodes]
    return all(len(text.splitlines()) == count and "handshake" not in text for text in found)


async def _all_serve(nodes: list[Node]) -> bool:
    for node in nodes:
        if "cluster_state:ok" not in await raw(node, "CLUSTER", "INFO"):
            return False
        if [len(told) for told in await raw(node, "CLUSTER", "SLOTS")] != [
            4,
            4,
            4,
        ]:  # bounds, primary, replica
            return False
    return all([await follows(primary) for primary in nodes[:3]])


def a_client(port: int) -> Redis:
    """One that tries nothing again by itself: `until` does."""
    return Redis(port=port, decode_responses=True, protocol=2, retry=Retry(NoBackoff(), 0))


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition, bounded; a server that doesn't answer yet doesn't fulfil it."""
    try:
        async with asyncio.timeout(START_S):
            while True:
                with contextlib.suppress(RedisError, OSError):
                    if await holds():
                        return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"in {START_S:.0f} s it did not come about that {what}") from None


def free_port() -> int:
    """One below 50000: a node of a Cluster listens 10000 above it too."""
    while True:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                bus.bind(("127.0.0.1", port + 10000))
                return port
