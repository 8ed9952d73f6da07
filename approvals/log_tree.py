"""The Merkle tree over the log, as Redis keeps it: in tiles of 256 hashes, one field of a hash for each.

Tiles (https://c2sp.org/tlog-tiles) take 65 bytes for an entry of the log, a quarter of what a field for each
node would take, and a proof needs few of them. A full one is never written again. They stay when the log is
trimmed, so that the tree keeps growing and entries that are only left in exports can be proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from redis.asyncio import Redis

from approvals import merkle
from approvals.errors import ApprovalsError
from approvals.keys import key
from approvals.merkle import HASH_BYTES, Frontier, Range
from approvals.redis_door import script, translated

BITS = 8  # of a tile: 256 hashes
WIDTH = 1 << BITS
_SIZE = "size"

Tiles: TypeAlias = "dict[tuple[int, int], list[bytes]]"  # level, number → its hashes


class TreeFault(ApprovalsError):
    """The tree in Redis is not what it should be; the message says where."""


class LogTree:
    """The tree of one tenant's log. Entry N is leaf N - 1."""

    def __init__(self, redis: Redis, tenant: str) -> None:
        self._redis, self._key = redis, key(tenant, "audit:tree")
        self._grow = script(redis, "grow", is_told=True)

    async def size(self) -> int:
        """Of how many entries it is.

        Raises:
            Unavailable: Redis was away. So for all that follow.
        """
        with translated(self._redis):
            return int(await self._redis.hget(self._key, _SIZE) or 0)

    async def grow(self, size: int, leaves: Iterable[bytes]) -> bool:
        """Add the hashes of leaves to the tree of `size`; False: somebody else has added others meanwhile."""
        tiles = await self._tiles({(level, size >> BITS * (level + 1)) for level in range(_levels(size))})
        growing = _Growing(size, tiles)
        for leaf in leaves:
            growing.add(leaf)
        args = [str(size), str(growing.size)]
        for level, number in sorted(growing.changed):
            args += [f"{level}/{number}", b"".join(tiles[level, number]).hex()]
        with translated(self._redis):
            return bool(await self._grow(keys=[self._key], args=args))

    async def leaves(self, first: int, count: int) -> list[bytes]:
        """The hashes of leaves from index `first` on, as far as there are any."""
        end = min(first + count, await self.size())
        tiles = await self._tiles({(0, number) for number in range(first >> BITS, (end + WIDTH - 1) >> BITS)})
        return [_node(tiles, 0, index) for index in range(first, end)]

    async def root(self, size: int) -> bytes:
        """The root over the first `size` entries.

        Raises:
            TreeFault: it has lost some of them.
        """
        return (await self.frontier(size)).root()

    async def frontier(self, size: int) -> Frontier:
        """The right edge of the tree over the first `size` entries. Raises as `root`."""
        nodes = merkle.subtrees(0, size)
        tiles = await self._tiles({_tile(level, index) for level, index in nodes})
        return Frontier(size, [_node(tiles, level, index) for level, index in nodes])

    async def inclusion(self, seq: int, size: int) -> list[bytes]:
        """The path that proves entry `seq` to be in the tree over the first `size`. Raises as `root`."""
        return await self._hashes(merkle.inclusion(seq - 1, size))

    async def consistency(self, old: int, size: int) -> list[bytes]:
        """What proves that the tree over the first `size` begins with that over `old`. Raises as `root`."""
        return await self._hashes(merkle.consistency(old, size))

    async def _hashes(self, ranges: Sequence[Range]) -> list[bytes]:
        wanted = {_tile(*node) for span in ranges for node in merkle.subtrees(*span)}
        tiles = await self._tiles(wanted)
        return [merkle.root_of(span, lambda level, index: _node(tiles, level, index)) for span in ranges]

    async def _tiles(self, wanted: set[tuple[int, int]]) -> Tiles:
        names = sorted(wanted)
        if not names:
            return {}
        with translated(self._redis):
            found = await self._redis.hmget(self._key, [f"{level}/{number}" for level, number in names])
        return {name: _split(str(text or "")) for name, text in zip(names, found, strict=True)}


class _Growing:
    """Tiles to which leaves are added; a full one gives a hash to the level above."""

    def __init__(self, size: int, tiles: Tiles) -> None:
        self.size, self._tiles = size, tiles
        self.changed: set[tuple[int, int]] = set()
        for level, number in tiles:  # somebody may have added to it since; whose come to nothing is told then
            tiles[level, number] = tiles[level, number][: (size >> BITS * level) % WIDTH]

    def add(self, leaf: bytes) -> None:
        self._put(0, self.size, leaf)
        self.size += 1

    def _put(self, level: int, index: int, hashed: bytes) -> None:
        name = (level, index >> BITS)
        tile = self._tiles.setdefault(name, [])
        if len(tile) != index % WIDTH:
            raise TreeFault(f"tile {level}/{name[1]} of the log's tree is not as long as it should be")
        tile.append(hashed)
        self.changed.add(name)
        if len(tile) == WIDTH:
            self._put(level + 1, index >> BITS, _top(tile))


def _top(hashes: Sequence[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [merkle.node_hash(*hashes[at : at + 2]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def _levels(size: int) -> int:
    """How many levels of tiles a tree has, and one more, which the next leaf may begin."""
    return (size.bit_length() + BITS - 1) // BITS + 1


def _tile(level: int, index: int) -> tuple[int, int]:
    """Where a node of the tree is found: in the tile whose hashes are at its level or least below it."""
    return level // BITS, (index << level % BITS) >> BITS


def _node(tiles: Tiles, level: int, index: int) -> bytes:
    number = _tile(level, index)
    begin = (index << level % BITS) % WIDTH
    hashes = tiles[number][begin : begin + (1 << level % BITS)]
    if len(hashes) != 1 << level % BITS:
        raise TreeFault(f"tile {number[0]}/{number[1]} of the log's tree is gone, or too short")
    return _top(hashes)


def _split(text: str) -> list[bytes]:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise TreeFault("a tile of the log's tree is not written as it should be") from None
    return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]
