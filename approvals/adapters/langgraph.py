"""LangGraph: people answer what a graph pauses for: `Resolver(graph, approvals).ainvoke(input, config)`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from approvals.adapters import needs
from approvals.adapters.asking import approved, claimed, submitted
from approvals.adapters.pauses import Call, Decision, Pause, answer, instead, pause_of
from approvals.canonical import fingerprint
from approvals.errors import InvalidCall, NotApproved, NotClaimed
from approvals.messages import Outcome

with needs("langchain"):
    from langgraph.types import Command, Interrupt

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.pregel import Pregel
    from langgraph.types import StateSnapshot

    from approvals.client import Approvals
    from approvals.gate import Run
    from approvals.model import RequestId
    from approvals.submitting import Options, Span


class StaleInterrupt(NotApproved):
    """What the graph asks now is not what people were asked: nothing was answered, and nothing has run."""


@dataclass(frozen=True, slots=True)
class _Decided:
    """A pause, and for each of its calls the request about it and what was decided."""

    pause: Pause
    ids: tuple[RequestId, ...]
    said: tuple[Outcome | NotApproved, ...]


class Resolver:
    """Runs a graph with a checkpointer, and asks people whatever it pauses for.

    What `PausingMiddleware` pauses for is claimed just before its tool runs; what a node asks in Agent
    Inbox's shape, just before the graph is resumed. A process that was killed goes on with
    `ainvoke(None, config)`: the same call of the same thread is the same request.
    """

    def __init__(
        self,
        graph: Pregel[Any, Any, Any, Any],
        approvals: Approvals,
        *,
        timeout: Span
        | None = None,  # of each wait; then StillPending stops the run, and the request stays open
        **options: Unpack[Options],  # what to say of every call: on_behalf_of, risk, tags, …
    ) -> None:
        self._graph, self._approvals, self._timeout, self._options = graph, approvals, timeout, options
        self._running: dict[str, list[Run]] = {}  # by thread: claimed here, and not reported yet

    async def ainvoke(self, input: Any, config: RunnableConfig, **options: Any) -> Any:
        """Run it to its end, and return what `graph.ainvoke` returns.

        Raises:
            StaleInterrupt: somebody else has gone on with this thread meanwhile.
            NotApproved: the graph would take no answer but yes.
            StillPending: nobody has decided within the timeout; the request stays open.
            InvalidCall: it pauses for something that can't be asked.
            Unavailable: Redis was away.
        """
        result = await self._graph.ainvoke(input, config, **options)
        config = _newest(config)
        while _interrupts(result):
            command = await self.resolve(result, config)
            try:
                result = await self._graph.ainvoke(command, config, **options)
            except BaseException as error:
                await self.report(config, error)
                raise
            await self.report(config)
        return result

    def invoke(self, input: Any, config: RunnableConfig, **options: Any) -> Any:
        """The same for programs without async: the graph runs in this thread."""
        run = self._approvals.background.run
        result = self._graph.invoke(input, config, **options)
        config = _newest(config)
        while _interrupts(result):
            pauses = _pauses(result, self._graph.get_state(config))
            decided = run(self._decided(pauses, _thread(config)))
            _require(pauses, self._graph.get_state(config))
            command = run(self._command(decided, _thread(config)))
            error: BaseException | None = None
            try:
                result = self._graph.invoke(command, config, **options)
            except BaseException as raised:
                error = raised
                raise
            finally:
                run(self.report(config, error))
        return result

    async def resolve(self, result: Any, config: RunnableConfig) -> Command[Any]:
        """Ask people what `result` pauses for (None: what the thread waits for), and return how to resume.

        When it pauses for several things, it answers the one that is decided first: the others stay asked.
        Resume at once, and `report` afterwards.

        Raises:
            As `ainvoke`.
        """
        thread = _thread(config)
        pauses = _pauses(result, await self._graph.aget_state(config))
        decided = await self._decided(pauses, thread)
        _require(pauses, await self._graph.aget_state(config))
        return await self._command(decided, thread)

    async def report(self, config: RunnableConfig, error: BaseException | None = None) -> None:
        """Tell people how it went; `error` is what resuming it has raised."""
        for run in self._running.pop(_thread(config), ()):
            await (run.failed(error) if error else run.executed(None))

    async def _decided(self, pauses: Sequence[Pause], thread: str) -> _Decided:
        """Ask about all of them, and return the first that is decided."""
        asked = [(pause, [await self._submitted(call, thread) for call in pause.calls]) for pause in pauses]
        try:
            async with asyncio.TaskGroup() as group:
                waits = [group.create_task(self._outcomes(pause, ids)) for pause, ids in asked]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                first = next(wait for wait in waits if wait.done())
                for wait in waits:
                    wait.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return first.result()

    async def _submitted(self, call: Call, thread: str) -> RequestId:
        options: Options = {"reason": call.reason, "schema": call.schema, **self._options}
        return await submitted(self._approvals, thread, call.name, call.tool, call.args, **options)

    async def _outcomes(self, pause: Pause, ids: Sequence[RequestId]) -> _Decided:
        try:
            async with asyncio.TaskGroup() as group:
                waits = [group.create_task(self._outcome(id)) for id in ids]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return _Decided(pause, tuple(ids), tuple(wait.result() for wait in waits))

    async def _outcome(self, request_id: RequestId) -> Outcome | NotApproved:
        try:
            return await approved(self._approvals, request_id, self._timeout)
        except NotApproved as no:
            return no

    async def _command(self, decided: _Decided, thread: str) -> Command[Any]:
        """Take the leave for what was approved, and return the answer, which can reach no other pause."""
        decisions = [
            await self._decision(decided.pause, call, request_id, said, thread)
            for call, request_id, said in zip(decided.pause.calls, decided.ids, decided.said, strict=True)
        ]
        return Command(resume={decided.pause.id: answer(decided.pause, decisions)})

    async def _decision(
        self, pause: Pause, call: Call, request_id: RequestId, said: Outcome | NotApproved, thread: str
    ) -> Decision:
        if isinstance(said, NotApproved):
            return instead(pause, call, said)
        is_same = said.fingerprint == fingerprint(call.tool, call.args)
        if ("approve" if is_same else "edit") not in call.allowed:
            how = "" if is_same else " with changes"
            no = NotApproved(f"a person approved it{how}, which this agent doesn't accept")
            return instead(pause, call, no)
        if pause.shape != "inbox" and "approve" in call.allowed:
            return Decision(word="approve")  # the gate before the tool claims, and runs what was approved
        if pause.shape != "inbox":
            return Decision(word="edit", args=said.args)
        return await self._claimed(pause, call, request_id, thread, is_same)

    async def _claimed(
        self, pause: Pause, call: Call, request_id: RequestId, thread: str, is_same: bool
    ) -> Decision:
        """The answer to a node that runs the call itself: no gate of ours stands before that."""
        try:
            permit, run = await claimed(self._approvals, request_id, call.tool)
        except NotClaimed as no:
            return instead(pause, call, no)
        self._running.setdefault(thread, []).append(run)
        return Decision(word="approve") if is_same else Decision(word="edit", args=permit.args)


def _thread(config: RunnableConfig) -> str:
    thread = (config.get("configurable") or {}).get("thread_id")
    if not thread:
        raise InvalidCall('a graph that pauses needs a thread: config={"configurable": {"thread_id": …}}')
    return str(thread)


def _newest(config: RunnableConfig) -> RunnableConfig:
    """The same thread where it is now: a run may have begun in its past."""
    configurable = {
        name: one for name, one in config.get("configurable", {}).items() if name != "checkpoint_id"
    }
    return {**config, "configurable": configurable}


def _interrupts(result: Any) -> tuple[Interrupt[Any], ...]:
    """What a graph's result pauses for; `version="v2"` has a place of its own for it."""
    found = result.get("__interrupt__", ()) if isinstance(result, dict) else getattr(result, "interrupts", ())
    return tuple(found)


def _pauses(result: Any, now: StateSnapshot) -> tuple[Pause, ...]:
    """What it pauses for, if that is what the thread waits for."""
    pauses = _read(now.interrupts if result is None else _interrupts(result))
    _require(pauses, now)
    return pauses


def _require(pauses: Sequence[Pause], now: StateSnapshot) -> None:
    """Refuse to answer anything but what the thread waits for; people may have taken days.

    Raises:
        StaleInterrupt: it waits for something else, or for nothing.
    """
    if not pauses or _read(now.interrupts) != tuple(pauses):
        raise StaleInterrupt("the thread doesn't wait for what people were asked (any more): run it again")


def _read(interrupts: Sequence[Interrupt[Any]]) -> tuple[Pause, ...]:
    return tuple(pause_of(one.id, one.value, one.response_schema) for one in interrupts)
