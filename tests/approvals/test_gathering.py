"""Looking up for many at once: nobody is left out, whatever becomes of whom."""

import asyncio

import pytest

from approvals.errors import ApprovalsError, Unavailable
from approvals.gathering import AT_ONCE, Gathered
from approvals.wire import Unreadable


class Library:
    """What is looked up in: it answers when it is told to."""

    def __init__(self) -> None:
        self.looks: list[list[str]] = []
        self.open = asyncio.Event()
        self.is_away = False
        self.gathered = Gathered(self.look)

    async def look(self, keys: list[str]) -> list[str | None]:
        self.looks.append(keys)
        await self.open.wait()
        if self.is_away:
            raise Unavailable("closed today")
        if "torn" in keys:
            raise Unreadable("torn")
        return [None if key == "lost" else key.upper() for key in keys]


@pytest.fixture
def library() -> Library:
    return Library()


async def _begun(library: Library, looks: int) -> None:
    async with asyncio.timeout(5):
        while len(library.looks) < looks:  # noqa: ASYNC110 - it is not the library's to say so
            await asyncio.sleep(0)


async def test_who_comes_during_a_look_has_a_part_in_the_next(library: Library) -> None:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(library.gathered.get("a"))
        await _begun(library, 1)
        later = [group.create_task(library.gathered.get(key)) for key in ("b", "lost", "a")]
        await asyncio.sleep(0)
        library.open.set()
    assert [first.result(), *(one.result() for one in later)] == ["A", "B", None, "A"]
    assert library.looks == [["a"], ["b", "lost", "a"]]


async def test_so_many_are_looked_up_by_turns(library: Library) -> None:
    keys = [f"k{number}" for number in range(2 * AT_ONCE)]
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(library.gathered.get(key)) for key in keys]
        await asyncio.sleep(0)
        library.open.set()
    assert [one.result() for one in asked] == [key.upper() for key in keys]
    assert list(map(len, library.looks)) == [1, AT_ONCE, AT_ONCE - 1]


async def test_when_the_one_who_looks_is_cancelled_another_looks_for_the_rest(library: Library) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        first = group.create_task(library.gathered.get("a"))
        await _begun(library, 1)
        second, third = (group.create_task(library.gathered.get(key)) for key in "bc")
        await asyncio.sleep(0)
        first.cancel()
        await _begun(library, 2)
        second.cancel()  # which looks by now, for the third too
        await _begun(library, 3)
        library.open.set()
        assert await third == "C"
    assert library.looks == [["a"], ["b", "c"], ["c"]]


async def test_who_is_cancelled_as_their_turn_comes_hands_it_on(library: Library) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        first = group.create_task(library.gathered.get("a"))
        await _begun(library, 1)
        second, third = (group.create_task(library.gathered.get(key)) for key in "bc")
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)  # it is told so, and calls the second
        second.cancel()
        library.open.set()
        assert await third == "C"
    assert library.looks == [["a"], ["c"]]


async def test_that_it_was_away_is_told_to_all_who_asked(library: Library) -> None:
    library.is_away = True
    library.open.set()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_trouble(library, key)) for key in "abc"]
    assert [type(one.result()) for one in asked] == [Unavailable] * 3
    library.is_away = False
    assert await library.gathered.get("a") == "A"


async def test_what_cannot_be_read_troubles_nobody_else(library: Library) -> None:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(library.gathered.get("a"))
        await _begun(library, 1)
        good = group.create_task(library.gathered.get("b"))
        torn = group.create_task(_trouble(library, "torn"))
        await asyncio.sleep(0)
        library.open.set()
    assert (first.result(), good.result(), type(torn.result())) == ("A", "B", Unreadable)


async def _trouble(library: Library, key: str) -> ApprovalsError | None:
    try:
        await library.gathered.get(key)
    except ApprovalsError as trouble:
        return trouble
    return None
