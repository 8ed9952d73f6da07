"""The tree as Redis keeps it: the same as over all leaves at once, in whatever steps it has grown."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from approvals import merkle
from approvals.keys import key
from approvals.log_tree import WIDTH, LogTree, TreeFault
from approvals.merkle import Frontier, leaf_hash
from approvals.redis_door import open_redis

LEAVES = [leaf_hash(str(number).encode()) for number in range(3 * WIDTH + 7)]


def root(size: int) -> bytes:
    whole = Frontier()
    for leaf in LEAVES[:size]:
        whole.add(leaf)
    return whole.root()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as connected:
        yield connected


@pytest.fixture
def tree(redis: Redis, tenant: str) -> LogTree:
    return LogTree(redis, tenant)


async def grown(tree: LogTree, *sizes: int) -> LogTree:
    for size in sizes:
        before = await tree.size()
        assert await tree.grow(before, LEAVES[before:size])
    return tree


@pytest.mark.parametrize("steps", [(1,), (1, 2, 3), (255, 256, 257), (700,), (256, 512, len(LEAVES)), (0, 5)])
async def test_its_root_does_not_depend_on_the_steps_in_which_it_grew(
    tree: LogTree, steps: tuple[int, ...]
) -> None:
    await grown(tree, *steps)
    assert await tree.size() == steps[-1]
    for size in {0, 1, *steps}:
        assert await tree.root(min(size, steps[-1])) == root(min(size, steps[-1]))


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 512, 700, len(LEAVES)])
async def test_entries_are_proved_in_every_tree_that_it_has_been(tree: LogTree, size: int) -> None:
    await grown(tree, len(LEAVES))
    for seq in {1, 2, (size + 1) // 2, size}:
        if seq <= size:
            path = await tree.inclusion(seq, size)
            assert merkle.includes(root(size), size, seq - 1, LEAVES[seq - 1], path)
    for old in {1, size // 2, size - 1, size}:
        way = await tree.consistency(old, size)
        assert merkle.continues(root(old), old, root(size), size, way)


async def test_its_edge_and_its_leaves_are_as_they_were_added(tree: LogTree) -> None:
    await grown(tree, len(LEAVES))
    assert (await tree.frontier(300)).root() == root(300)
    assert await tree.leaves(250, 10) == LEAVES[250:260]
    assert await tree.leaves(len(LEAVES) - 2, 10) == LEAVES[-2:]


async def test_two_workers_who_let_it_grow_do_no_harm(tree: LogTree) -> None:
    await grown(tree, 250)
    assert await tree.grow(250, LEAVES[250:260])
    assert await tree.grow(250, LEAVES[250:260]), "the same has been done already"
    assert not await tree.grow(250, LEAVES[250:261])
    assert await tree.root(260) == root(260)


@pytest.mark.parametrize("text", [None, "", "00", "no hex"])
async def test_a_lost_tile_is_told(tree: LogTree, redis: Redis, tenant: str, text: str | None) -> None:
    await grown(tree, 600)
    if text is None:
        await redis.hdel(key(tenant, "audit:tree"), "0/1")
    else:
        await redis.hset(key(tenant, "audit:tree"), "0/1", text)
    with pytest.raises(TreeFault):
        await tree.inclusion(300, 600)
