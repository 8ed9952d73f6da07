"""The tree over the log: the vectors of RFC 6962's authors, and every proof of every small tree."""

import hashlib
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import merkle
from approvals.merkle import EMPTY, Frontier, leaf_hash

# The inputs and roots by which implementations of Certificate Transparency are tested.
DATA = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
PATH_OF_5_IN_8 = (
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
)
FROM_6_TO_8 = (
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
)
SIZES = st.integers(1, 70)


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


def node(hashes: list[bytes], level: int, index: int) -> bytes:
    return root(hashes[index << level : (index + 1) << level])


def root(hashes: list[bytes]) -> bytes:
    """By the definition: split at the largest power of two."""
    if len(hashes) < 2:
        return hashes[0] if hashes else EMPTY
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return merkle.node_hash(root(hashes[:half]), root(hashes[half:]))


def proof(hashes: list[bytes], ranges: list[merkle.Range]) -> list[bytes]:
    return [merkle.root_of(span, partial(node, hashes)) for span in ranges]


class TestTheKnownVectors:
    def test_no_leaves_and_the_roots_of_one_to_eight(self) -> None:
        assert hashlib.sha256(b"").digest() == EMPTY
        growing = Frontier()
        assert growing.root() == EMPTY
        for data, expected in zip(DATA, ROOTS, strict=True):
            growing.add(leaf_hash(data))
            assert growing.root().hex() == expected

    def test_the_path_of_a_leaf(self) -> None:
        hashes = [leaf_hash(data) for data in DATA]
        path = proof(hashes, merkle.inclusion(5, 8))
        assert tuple(each.hex() for each in path) == PATH_OF_5_IN_8
        assert merkle.includes(bytes.fromhex(ROOTS[7]), 8, 5, hashes[5], path)

    def test_the_way_from_an_older_tree(self) -> None:
        hashes = [leaf_hash(data) for data in DATA]
        way = proof(hashes, merkle.consistency(6, 8))
        assert tuple(each.hex() for each in way) == FROM_6_TO_8
        assert merkle.continues(bytes.fromhex(ROOTS[5]), 6, bytes.fromhex(ROOTS[7]), 8, way)


class TestAnyTree:
    @given(SIZES, st.data())
    def test_each_leaf_can_be_proved_and_nothing_else(self, size: int, data: st.DataObject) -> None:
        hashes = leaves(size)
        index = data.draw(st.integers(0, size - 1))
        path = proof(hashes, merkle.inclusion(index, size))
        holds = partial(merkle.includes, root(hashes))
        assert holds(size, index, hashes[index], path)
        assert not holds(size, index, leaf_hash(b"another"), path)
        assert not holds(size, index, hashes[index], [*path, EMPTY])
        assert not holds(size, size, hashes[index], path)
        if size > 1:
            assert not holds(size, (index + 1) % size, hashes[index], path)
            assert not holds(size, index, hashes[index], path[:-1])
            at = data.draw(st.integers(0, len(path) - 1))
            assert not holds(size, index, hashes[index], [*path[:at], EMPTY, *path[at + 1 :]])

    @given(SIZES, st.data())
    def test_it_is_told_whether_it_goes_on_from_an_older_one(self, size: int, data: st.DataObject) -> None:
        old = data.draw(st.integers(0, size))
        hashes = leaves(size)
        way = proof(hashes, merkle.consistency(old, size))
        was, now = root(hashes[:old]), root(hashes)
        assert merkle.continues(was, old, now, size, way)
        assert not merkle.continues(leaf_hash(b"another"), old, now, size, way)
        assert not merkle.continues(was, old, now, size, [*way, EMPTY])
        if old:
            assert not merkle.continues(was, old, leaf_hash(b"another"), size, way)
        if way:
            assert not merkle.continues(was, old, now, size, way[:-1])

    @given(SIZES, st.data())
    def test_its_edge_is_enough_to_let_it_grow(self, size: int, data: st.DataObject) -> None:
        hashes = leaves(size)
        at = data.draw(st.integers(0, size))
        edge = [node(hashes, level, index) for level, index in merkle.subtrees(0, at)]
        growing = Frontier(at, edge)
        assert growing.root() == root(hashes[:at])
        for each in hashes[at:]:
            growing.add(each)
        assert growing.root() == root(hashes)

    def test_an_edge_that_is_none_is_refused(self) -> None:
        with pytest.raises(ValueError, match="has 2 full subtrees, not 1"):
            Frontier(3, [EMPTY])
        with pytest.raises(ValueError, match="no leaf 3"):
            merkle.inclusion(3, 3)
        with pytest.raises(ValueError, match="does not begin"):
            merkle.consistency(4, 3)
