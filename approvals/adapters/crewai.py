"""CrewAI: `with approval_hooks(approvals):` asks before a tool runs; `Feedback` has people answer flows."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack
from uuid import uuid4

from approvals.adapters import needs
from approvals.adapters.tool_hooks import ToolCall, ToolHooks, Verdict
from approvals.errors import InvalidCall, StillPending
from approvals.submitting import Options, Span

with needs("crewai"):
    from crewai.flow.async_feedback import HumanFeedbackPending
    from crewai.hooks.dispatch import HookAborted, InterceptionPoint, register, unregister

if TYPE_CHECKING:
    from crewai.flow import Flow
    from crewai.flow.async_feedback import PendingFeedbackContext
    from crewai.hooks import ToolCallHookContext

    from approvals.client import Approvals

_log = logging.getLogger(__name__)

FAILED = (
    "Error executing tool",
    "I encountered an error",
)  # how CrewAI begins the result of a tool that raised
CONTEXT_CHARS = 8_000


@contextmanager
def approval_hooks(
    approvals: Approvals,
    *,
    free: Collection[str] = (),  # tools that run without asking, by CrewAI's name for them: `look_up`
    timeout: Span | None = None,
    run_id: str | None = None,  # a run that is started again goes on waiting for what it has asked
    **options: Unpack[Options],
) -> Iterator[None]:
    """Have people decide about every call of a tool, of all crews, while the block runs.

    Register no other hook that changes a tool's input afterwards.

    Raises:
        InvalidCall: an option can't be asked for.
    """
    if isinstance(free, str):
        raise InvalidCall("free is a list of tools, not one text")
    gate = _Gate(approvals, ToolHooks(approvals, timeout, **options), frozenset(free), run_id or uuid4().hex)
    register(InterceptionPoint.PRE_TOOL_CALL, gate.before)
    register(InterceptionPoint.POST_TOOL_CALL, gate.after)
    try:
        yield
    finally:
        unregister(InterceptionPoint.PRE_TOOL_CALL, gate.before)
        unregister(InterceptionPoint.POST_TOOL_CALL, gate.after)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A call on its way from one hook to the other, which know it by its input alone."""

    input: dict[str, Any]
    verdict: Verdict


class _Gate:
    """Both hooks. CrewAI calls them without async, and from several threads at once."""

    def __init__(self, approvals: Approvals, hooks: ToolHooks, free: frozenset[str], session: str) -> None:
        self._run = approvals.background.run
        self._hooks, self._free, self._session = hooks, free, session
        self._heard: dict[int, _Heard] = {}

    def before(self, context: ToolCallHookContext) -> None:
        if context.tool_name in self._free:
            return
        try:
            verdict = self._decided(context)
        except Exception as error:  # any but HookAborted would be swallowed, and the tool run
            raise HookAborted(f"it couldn't be asked for: {error!r}", source="countersign") from error
        self._heard[id(context.tool_input)] = _Heard(context.tool_input, verdict)
        if verdict.args is None:
            raise HookAborted(verdict.words, source="countersign")

    def after(self, context: ToolCallHookContext) -> str | None:
        """Report the result, and have the model read what people said, which CrewAI doesn't pass on."""
        heard = self._heard.pop(id(context.tool_input), None)
        if heard is None:
            return None
        if heard.verdict.args is None:
            return heard.verdict.words
        result = str(context.tool_result)
        call = ToolCall(session=self._session, tool=context.tool_name, args=heard.verdict.args)
        self._run(self._hooks.ran(call, not result.lstrip().startswith(FAILED), result))
        return f"{heard.verdict.words}\n{result}" if heard.verdict.edited else None

    def _decided(self, context: ToolCallHookContext) -> Verdict:
        given: dict[str, Any] = context.tool_input
        call = ToolCall(session=self._session, tool=context.tool_name, args=dict(given))
        verdict = self._run(self._hooks.ask(call))
        if verdict.args is None:
            return verdict
        if verdict.args and not given:  # CrewAI runs a call without input with another dict than ours
            said = "a person gave it arguments, which can't be passed on"
            self._run(self._hooks.ran(_with(call, verdict), ok=False, result=said))
            return Verdict(words=f"The call did not run: {said}.")
        given.clear()
        given.update(verdict.args)  # in place: CrewAI runs it with this very dict
        return verdict


def _with(call: ToolCall, verdict: Verdict) -> ToolCall:
    return ToolCall(session=call.session, tool=call.tool, args=verdict.args or {})


class Feedback:
    """`@human_feedback("Publish it?", provider=Feedback(approvals, ["publish", "drop"]))`: people answer.

    Route in code, on the words of the answer. `emit` is refused: CrewAI has a model guess what was meant.
    """

    def __init__(
        self,
        approvals: Approvals,
        answers: Sequence[str] | None = None,  # to choose from; without them it is answered in words
        *,
        timeout: Span | None = None,  # then the flow is paused, and `resume` goes on with it
        **options: Unpack[Options],
    ) -> None:
        self._approvals, self._answers, self._timeout, self._options = approvals, answers, timeout, options
        self._asked: dict[str, int] = {}  # how often the same has been asked by this process

    def request_feedback(self, context: PendingFeedbackContext, flow: Flow[Any]) -> str:
        """What CrewAI calls; also of flows that are resumed.

        Raises:
            HumanFeedbackPending: nobody has answered within the timeout.
            NotApproved: there is no answer, and the flow stops.
            InvalidCall: it can't be asked.
            Unavailable: Redis was away.
        """
        key = _key(context)
        self._asked[key] = self._asked.get(key, 0) + 1
        try:
            return self._ask(context, f"{key}/{self._asked[key]}")
        except StillPending as pending:
            raise HumanFeedbackPending(context, {"request_id": pending.request_id}) from pending

    def resume(self, flow: Flow[Any]) -> Any:
        """Go on with a flow of `from_pending`, once people have answered what it was paused for.

        Raises:
            StillPending: nobody has answered within the timeout.
            As `request_feedback`.
        """
        context = flow.pending_feedback
        if context is None:
            raise InvalidCall("this flow isn't paused for feedback")
        key = _key(context)
        self._asked[key] = max(self._asked.get(key, 0), 1)
        return flow.resume(self._ask(context, f"{key}/{self._asked[key]}"))

    def _ask(self, context: PendingFeedbackContext, key: str) -> str:
        if context.emit:
            raise InvalidCall("leave emit= out: CrewAI has a model guess which of its words a person meant")
        answer = self._approvals.background.run(
            self._approvals.ask(
                context.message,
                self._answers,
                str(context.method_output)[:CONTEXT_CHARS],
                timeout=self._timeout,
                **(self._options | {"key": key}),
            )
        )
        if not answer.strip():  # CrewAI takes silence for a word of its own
            raise InvalidCall("the answer has no words")
        return answer


def _key(context: PendingFeedbackContext) -> str:
    shown = hashlib.sha256(f"{context.message}\n{context.method_output}".encode(errors="replace")).hexdigest()
    return f"{context.flow_id[:200]}/{context.method_name[:100]}/{shown}"
