"""A Merkle tree over a growing list, as in RFC 9162 §2.1: roots, proofs, and checking them.

A proof is planned as ranges of leaves, so whoever keeps the tree (in tiles, say) finds the hash of each, and
nobody needs all the leaves. Indices count from 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

HASH_BYTES = 32
EMPTY = hashlib.sha256().digest()  # the root of no leaves

Range: TypeAlias = "tuple[int, int]"  # of leaves, without the second
HashOf: TypeAlias = Callable[[int, int], bytes]  # level, index → the node over the 2^level leaves from there


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: all that is needed to let it grow, and to know its root."""

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Go on from `size` leaves, of which `nodes` are the hashes of the full subtrees, from the left.

        Raises:
            ValueError: that tree has another number of them.
        """
        self.size, self.nodes = size, list(nodes)
        if len(self.nodes) != size.bit_count():
            raise ValueError(f"a tree of {size} has {size.bit_count()} full subtrees, not {len(self.nodes)}")

    def add(self, leaf: bytes) -> None:
        """Add the hash of one more leaf."""
        self.nodes.append(leaf)
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):
            right, left = self.nodes.pop(), self.nodes.pop()
            self.nodes.append(node_hash(left, right))

    def root(self) -> bytes:
        return _folded(self.nodes)


def _folded(nodes: Sequence[bytes]) -> bytes:
    """The root over subtrees that become smaller to the right."""
    if not nodes:
        return EMPTY
    *rest, found = nodes
    for left in reversed(rest):
        found = node_hash(left, found)
    return found


def subtrees(begin: int, end: int) -> list[tuple[int, int]]:
    """The full subtrees (level, index) that a range is made of, from the left."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def root_of(span: Range, hash_of: HashOf) -> bytes:
    """The hash over a range that begins where a subtree does."""
    return _folded([hash_of(level, index) for level, index in subtrees(*span)])


# -- proofs -------------------------------------------------------------------------------------------


def inclusion(index: int, size: int) -> list[Range]:
    """Whose hashes prove that a leaf is in the tree of `size` leaves (PATH)."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    return _path(index, 0, size)


def _path(index: int, begin: int, end: int) -> list[Range]:
    if end - begin == 1:
        return []
    middle = begin + _half(end - begin)
    if index < middle:
        return [*_path(index, begin, middle), (middle, end)]
    return [*_path(index, middle, end), (begin, middle)]


def consistency(old: int, size: int) -> list[Range]:
    """Whose hashes prove that the tree of `size` leaves begins with that of `old` leaves (PROOF)."""
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} does not begin with one of {old}")
    return [] if old == 0 else _subproof(old, 0, size, is_known=True)


def _subproof(old: int, begin: int, end: int, *, is_known: bool) -> list[Range]:
    if old == end:
        return [] if is_known else [(begin, end)]
    middle = begin + _half(end - begin)
    if old <= middle:
        return [*_subproof(old, begin, middle, is_known=is_known), (middle, end)]
    return [*_subproof(old, middle, end, is_known=False), (begin, middle)]


def _half(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


# -- checking -----------------------------------------------------------------------------------------


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the leaf with this hash is at `index` of the tree (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def continues(old_root: bytes, old: int, root: bytes, size: int, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the newer tree begins with the older one (RFC 9162 §2.1.4.2)."""
    if not 0 <= old <= size:
        return False
    if old in (0, size):
        return not proof and (root == old_root if old else old_root == EMPTY)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was = found = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was, found = node_hash(each, was), node_hash(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and (was, found) == (old_root, root)
