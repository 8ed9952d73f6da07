"""Undoing what has run and people don't want: the functions that do it, and the loop that waits for asks."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from inspect import Parameter
from typing import Protocol, TypeAlias

from approvals.doors import UndoInbox
from approvals.errors import ApprovalsError, InvalidCall, Unavailable
from approvals.form import Form
from approvals.messages import UndoAsk

logger = logging.getLogger(__name__)

READ_S = 30.0  # of one look at the stream of hints; the next one follows at once
PAUSE_S = 1.0  # while Redis is away
RESULT = "result"  # the parameter that gets what the call returned, as its receipt told

Undo: TypeAlias = Callable[..., object]


class Reports(Protocol):
    """What tells how it went."""

    async def report_undone(self, request_id: str, ok: bool, text: str | None = None) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoer:
    """A function that undoes the calls of one tool, worked out when that is decorated."""

    function: Undo
    form: Form
    takes: frozenset[str] | None  # which parameters; None: all there are

    async def undo(self, asked: UndoAsk) -> object:
        """Call it with the args that ran, in its own types. One that isn't async runs in a thread."""
        values = dict(self.form.read(asked.args).values)
        values.setdefault(RESULT, asked.result)
        if self.takes is not None:
            values = {name: value for name, value in values.items() if name in self.takes}
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**values)
        return await asyncio.to_thread(self.function, **values)


def undoer(function: Undo, form: Form) -> Undoer:
    """Work out what `function` takes of the calls that `form` describes.

    Raises:
        InvalidCall: it takes something else.
    """
    known = {name for name, one in form.signature.parameters.items() if one.kind is not Parameter.VAR_KEYWORD}
    named: set[str] = set()
    for name, one in inspect.signature(function).parameters.items():
        if one.kind is Parameter.VAR_KEYWORD:
            return Undoer(function=function, form=form, takes=None)
        if one.kind in (Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL):
            raise InvalidCall(f"undo= gets its arguments by name, and takes {name!r} in another way")
        if name not in known | {RESULT} and one.default is Parameter.empty:
            raise InvalidCall(f"undo= takes {name!r}, which is none of {', '.join(sorted(known))}, {RESULT}")
        named.add(name)
    return Undoer(function=function, form=form, takes=frozenset(named))


async def asked(
    inbox: UndoInbox, timeout_s: float | None, *, tools: Mapping[str, object] | None = None
) -> list[UndoAsk]:
    """Wait until people want something undone, and take it; [] when the time is up. `tools`: only of these.

    Raises:
        Unavailable: Redis was away.
    """
    clock = asyncio.get_running_loop()
    end = None if timeout_s is None else clock.time() + timeout_s
    place, is_hinted = await inbox.last_wake(), True
    while True:
        if is_hinted and (taken := await take(inbox, tools)):
            return taken
        left_s = READ_S if end is None else min(READ_S, end - clock.time())
        if left_s <= 0:
            return []
        is_hinted, place = await inbox.undo_wakes(place, left_s)


async def take(inbox: UndoInbox, tools: Mapping[str, object] | None = None) -> list[UndoAsk]:
    """Take what people want undone by now, as far as nobody else is faster."""
    wanted = [ask.id for ask in await inbox.undos() if tools is None or ask.tool in tools]
    taken = [await inbox.take_undo(id) for id in wanted]
    return [ask for ask in taken if ask is not None]


@asynccontextmanager
async def undoing(inbox: UndoInbox, reports: Reports, undoers: Mapping[str, Undoer]) -> AsyncIterator[None]:
    """Undo what people want undone, while this is open. What has begun by its end is done first."""
    failed: Exception | None = None
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_wait(inbox, lambda: group.create_task(deal())))

        async def deal() -> None:
            try:
                for ask in await take(inbox, undoers):
                    group.create_task(_undo(ask, undoers[ask.tool], reports))
            except ApprovalsError as error:
                logger.warning("what is to be undone can't be read: %s", error)

        try:
            yield
        except Exception as error:  # raised below as it is: the group would wrap it
            failed = error
        finally:
            waiting.cancel()
    if failed is not None:
        raise failed


async def _wait(inbox: UndoInbox, deal: Callable[[], object]) -> None:
    """Have `deal` look whenever there is a hint, and now and then without one. It is not awaited: the end
    must not come between taking an ask and doing it.
    """
    place: str | None = None
    while True:
        try:
            before = place
            if place is None:
                place, is_hinted = await inbox.last_wake(), True
            else:
                is_hinted, place = await inbox.undo_wakes(place, READ_S)
            if is_hinted or place == before:
                deal()
        except Unavailable as error:
            logger.warning("no hint of what is to be undone: %s", error)
            place = None
            await asyncio.sleep(PAUSE_S)


async def _undo(ask: UndoAsk, by: Undoer, reports: Reports) -> None:
    """Undo one, once; whatever goes wrong is told to the people who wanted it."""
    try:
        result = await by.undo(ask)
        ok, text = True, None if result is None else str(result)
    except Exception as error:  # it is the agent's own function, and its failure is what people must hear
        logger.exception("not undone", extra={"request_id": ask.id})
        ok, text = False, f"{type(error).__name__}: {error}"
    try:
        await reports.report_undone(ask.id, ok, text)
    except Unavailable:
        logger.warning("how it went could not be told", extra={"request_id": ask.id}, exc_info=True)
