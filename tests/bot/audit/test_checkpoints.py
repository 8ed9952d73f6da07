"""The log is signed, witnessed, and held against what was signed; whoever rewrites it is found."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from redis.asyncio import Redis

from approvals import notes
from approvals.audit import leaf
from approvals.keys import key
from approvals.machine import SERVICE
from approvals.merkle import Frontier, leaf_hash
from approvals.model import Args, RequestId
from bot.app import Service
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.auditing import a_worker, asked, book, logged, new_tree, put_anew, rewritten, tree

OPS = "C0OPS"
DAY = timedelta(days=1)


@pytest.fixture
async def now(house: Service) -> datetime:
    return (await house.store.now()).replace(hour=12)


async def sizes(house: Service) -> list[int]:
    return [kept.size for kept in await book(house).checkpoints()]


def told(slack: Sandbox, words: str) -> list[Message]:
    return [message for message in slack.messages(OPS) if words in message.shown]


async def test_what_was_logged_is_signed_as_soon_as_a_minute_has_passed(
    house: Service, now: datetime
) -> None:
    worker = a_worker(house)
    await worker.look(now)
    begin = await house.store.last_seq()
    await logged(house, 2)
    await worker.look(now + timedelta(seconds=30))
    await worker.look(now + timedelta(seconds=61))
    await worker.look(now + timedelta(seconds=200))
    assert await sizes(house) == [begin + 4, *([begin] if begin else [])], (
        "one for what is new, none for nothing"
    )
    newest = await book(house).newest()
    assert newest is not None
    assert house.signing is not None
    public = notes.key(house.signing.current.public, notes.origin_of(house.store.tenant))
    signed = notes.verify(newest.note, [public])
    whole = Frontier()
    for entry in await house.store.entries():
        whole.add(leaf_hash(leaf(entry)))
    assert signed.root == whole.root()


@pytest.mark.attack("G90")
async def test_each_day_is_told_once_in_the_operators_channel(
    house: Service, slack: Sandbox, now: datetime
) -> None:
    await logged(house, 3)
    await a_worker(house).look(now)
    assert not told(slack, "The audit log at the end of")
    for worker in (a_worker(house), a_worker(house)):
        await worker.look(now + DAY)
        await worker.look(now + 2 * DAY)
    (message,) = told(slack, f"The audit log at the end of {now:%d %B %Y}")
    newest = await book(house).newest()
    assert newest is not None
    assert newest.note.splitlines()[2] in message.shown
    await logged(house, 1)
    await a_worker(house).look(now + 2 * DAY)
    await a_worker(house).look(now + 3 * DAY)
    assert len(told(slack, "The audit log at the end of")) == 2


async def test_a_post_whose_reply_was_lost_is_found_again(
    house: Service, slack: Sandbox, now: datetime
) -> None:
    await logged(house, 1)
    slack.faults.next_calls("chat.postMessage", "drop")
    worker = a_worker(house)
    await worker.look(now + DAY)
    await worker.look(now + DAY)
    assert len(told(slack, "The audit log at the end of")) == 1


@pytest.mark.parametrize("has_seen_it", [True, False])
async def test_whoever_rewrites_the_log_is_told_of_and_nothing_more_is_signed(
    house: Service, slack: Sandbox, now: datetime, has_seen_it: bool
) -> None:
    worker = a_worker(house)
    await logged(house, 3)
    await worker.look(now)
    before, entries = await sizes(house), await house.store.entries()
    await put_anew(house, await rewritten(house, 3))
    await logged(house, 1)
    worker = worker if has_seen_it else a_worker(house)
    await worker.look(now + DAY)
    await worker.look(now + DAY)
    assert await sizes(house) == before
    assert len(told(slack, "not what it was: entry 3 is another than it was")) == 1
    await put_anew(house, [*entries, *(await house.store.entries(entries[-1].seq + 1))])
    await worker.look(now + DAY)
    assert len(await sizes(house)) == len(before) + 1, "it is as it was"


@pytest.mark.attack("G90")
@pytest.mark.parametrize("has_seen_it", [True, False])
async def test_a_log_that_was_rewritten_with_its_tree_does_not_fit_what_was_signed(
    house: Service, slack: Sandbox, now: datetime, has_seen_it: bool
) -> None:
    worker = a_worker(house)
    await logged(house, 3)
    await worker.look(now)
    before = await sizes(house)
    await put_anew(house, await rewritten(house, 3))
    await new_tree(house)
    await (worker if has_seen_it else a_worker(house)).look(now + DAY)
    assert await sizes(house) == before
    assert told(slack, "does not go on from the checkpoint")


@pytest.mark.attack("J2")
async def test_a_checkpoint_that_the_service_has_not_signed_is_not_gone_on_from(
    house: Service, slack: Sandbox, now: datetime
) -> None:
    await logged(house, 3)
    await a_worker(house).look(now)
    (kept,) = await book(house).checkpoints()
    await put_anew(house, await rewritten(house, 3))
    await new_tree(house)
    root = notes.Checkpoint(
        origin=notes.origin_of(house.store.tenant), size=kept.size, root=await tree(house).root(kept.size)
    )
    await house.redis.delete(key(house.store.tenant, "audit:checkpoints"))
    await book(house).put(replace(kept, note=f"{root.text}\n{kept.note.splitlines()[-1]}\n"))
    await a_worker(house).look(now + DAY)
    assert told(slack, "is not the service's own")


@pytest.mark.attack("D65", "G91")
async def test_a_log_that_was_cut_short_is_told_of(house: Service, slack: Sandbox, now: datetime) -> None:
    await logged(house, 3)
    await a_worker(house).look(now)
    entries = (await house.store.entries())[:-2]
    await put_anew(house, entries)
    await house.redis.set(key(house.store.tenant, "audit:seq"), entries[-1].seq)
    await a_worker(house).look(now + DAY)
    assert told(slack, "its newest entries are gone")


async def test_what_was_erased_or_trimmed_is_no_alarm(house: Service, slack: Sandbox, now: datetime) -> None:
    await logged(house, 3)
    worker = a_worker(house)
    await worker.look(now)
    entries = await house.store.entries()
    await book(house).erase("R-1", [entries[3]], SERVICE, "asked for")
    await worker.look(now)
    await book(house).trim(3, SERVICE, {})
    await logged(house, 1)
    for each in (worker, a_worker(house)):
        await each.look(now + DAY)
        await each.look(now + DAY)
    assert not told(slack, "not what it was")
    assert (await sizes(house))[0] == entries[-1].seq + 4
    assert [entry.seq for entry in await house.store.entries()][:2] == [4, 5]


async def test_what_was_erased_is_not_in_redis_any_more(house: Service) -> None:
    await logged(house, 60)
    seq = await house.store.last_seq() + 1
    args: Args = {"customer": "Ms Erased"}
    await asked(house, RequestId("R-" + "A" * 26), args=args, tool="call")
    await logged(house, 60)
    before = await house.store.entries(count=400)
    assert await holding(house, "Ms Erased") == ["audit"]
    await book(house).erase("R-1", [before[seq - 1]], SERVICE, "asked for")
    assert await holding(house, "Ms Erased") == []
    found = (await house.store.entries(count=400))[:-1]
    assert [each.seq for each in found] == [each.seq for each in before]
    assert [each for each in found if each.seq != seq] == [each for each in before if each.seq != seq]
    assert (found[seq - 1].args, found[seq - 1].hash) == (None, before[seq - 1].hash)
    assert [entry.seq for entry in await house.store.entries(seq - 1, 5)] == list(range(seq - 1, seq + 4))


async def holding(house: Service, words: str) -> list[str]:
    """Which parts of the log have these words in Redis's memory, deleted or not."""
    await house.redis.config_set("rdbcompression", "no")
    async with Redis.from_url(house.settings.redis_url) as raw:
        dumps = {name: await raw.dump(key(house.store.tenant, name)) for name in ("audit", "audit:beside")}
    return [name for name, dump in dumps.items() if words.encode() in (dump or b"")]
