"""LangChain: `create_agent(…, middleware=[ApprovalMiddleware(approvals)])` asks before a tool runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from approvals.adapters import needs, words
from approvals.adapters.asking import approved, claimed, submitted
from approvals.adapters.pauses import signed
from approvals.errors import Answered, InvalidCall, NotApproved
from approvals.ids import new_id
from approvals.schema import check_schema

with needs("langchain"):
    from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware
    from langchain_core.messages import AIMessage, ToolMessage
    from langgraph.types import Command

    if not hasattr(AgentMiddleware, "wrap_tool_call") or not hasattr(AgentMiddleware, "awrap_tool_call"):
        raise ImportError("this langchain calls no middleware before a tool runs, so nothing would ask")

if TYPE_CHECKING:
    from langchain.agents.middleware import InterruptOnConfig, ToolCallRequest
    from langchain.agents.middleware.human_in_the_loop import InterruptMode
    from langchain_core.messages import ToolCall
    from langchain_core.tools import BaseTool

    from approvals.client import Approvals
    from approvals.gate import Run
    from approvals.model import Args, Json
    from approvals.submitting import Options, Span

Result: TypeAlias = "ToolMessage | Command[Any]"
About: TypeAlias = "Callable[[ToolCallRequest], Options]"

REASON_CHARS = 2000


class ApprovalMiddleware(AgentMiddleware[Any, Any, Any]):
    """Asks about every tool call but those of `free`, waits, and runs what was approved, once.

    List it last, next to the tools: what stands between them could change or repeat an approved call. With a
    thread_id a run that is started again finds what it has asked.
    """

    def __init__(
        self,
        approvals: Approvals,
        *,
        free: Collection[str] = (),  # tools that run without asking
        timeout: Span
        | None = None,  # of the wait; then StillPending stops the run, and the request stays open
        about: About | None = None,  # what else to say of a call: risk, on_behalf_of, …
    ) -> None:
        super().__init__()
        if isinstance(free, str):
            raise InvalidCall("free is a list of tools, not one text")
        self._approvals, self._free, self._timeout = approvals, frozenset(free), timeout
        self._about: About = about or (lambda _: {})

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        if request.tool_call["name"] in self._free:
            return await handler(request)
        try:
            call, run, edit = await self._admitted(request)
        except NotApproved as no:
            return _instead(request, no)
        try:
            result = await handler(call)
        except BaseException as error:
            await run.failed(error)
            raise
        await _report(run, result)
        return _noticed(result, edit)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]
    ) -> Result:
        if request.tool_call["name"] in self._free:
            return handler(request)
        run_background = self._approvals.background.run
        try:
            call, run, edit = run_background(self._admitted(request))
        except NotApproved as no:
            return _instead(request, no)
        try:
            result = handler(call)
        except BaseException as error:
            run_background(run.failed(error))
            raise
        run_background(_report(run, result))
        return _noticed(result, edit)

    async def _admitted(self, request: ToolCallRequest) -> tuple[ToolCallRequest, Run, Args | None]:
        """Ask, wait and claim; return the call to run, once, and its args if a person has changed them."""
        call, message = request.tool_call, _message(request.tool_call, request.state)
        configurable = request.runtime.config.get("configurable") or {}
        options: Options = {
            "reason": _said(message) or None,
            "schema": _schema(request.tool),
            **self._about(request),
        }
        request_id = await submitted(
            self._approvals,
            str(configurable.get("thread_id") or new_id()),  # without one there is no run to come back to
            _name(call, message),
            call["name"],
            call["args"],
            **options,
        )
        outcome = await approved(self._approvals, request_id, self._timeout)
        permit, run = await claimed(self._approvals, request_id, call["name"])
        edit = permit.args if outcome.edited else None
        return request.override(tool_call={**call, "args": permit.args}), run, edit


class PausingMiddleware(HumanInTheLoopMiddleware[Any, Any, Any]):
    """LangChain's pauses for the tools in `interrupt_on`, with the gate of `ApprovalMiddleware` before them.

    A `Resolver` answers the pauses. Whoever else does, or repeats a step, a tool runs only with an approval
    that is claimed here. List it last, too.
    """

    def __init__(
        self,
        approvals: Approvals,
        interrupt_on: dict[str, bool | InterruptOnConfig],
        *,
        interrupt_mode: InterruptMode = "batched",
        timeout: Span
        | None = None,  # if nobody has asked yet, since the pause was answered past the Resolver
        about: About | None = None,
    ) -> None:
        super().__init__(interrupt_on, edit_notice=None, interrupt_mode=interrupt_mode)
        self._gate = ApprovalMiddleware(approvals, timeout=timeout, about=about)
        for tool, config in self.interrupt_on.items():
            if "when" in config:
                raise InvalidCall(f"{tool}: `when` may change its mind while people decide; use the policy")
            config["description"] = _signing(config.get("description", ""))

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]
    ) -> Result:
        if request.tool_call["name"] not in self.interrupt_on:
            return handler(request)
        return super().wrap_tool_call(request, lambda _: self._gate.wrap_tool_call(request, handler))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        if request.tool_call["name"] not in self.interrupt_on:
            return await handler(request)
        return await super().awrap_tool_call(request, lambda _: self._gate.awrap_tool_call(request, handler))


def _signing(description: str | Callable[..., str]) -> Callable[..., str]:
    def tell(tool_call: ToolCall, state: Any, runtime: Any) -> str:
        message = _message(tool_call, state)
        told = description if isinstance(description, str) else description(tool_call, state, runtime)
        return signed(told or _said(message), _name(tool_call, message))

    return tell


def _said(message: AIMessage | None) -> str:
    """What the model says beside the call."""
    return str(message.text)[:REASON_CHARS] if message else ""


def _name(call: ToolCall, message: AIMessage | None) -> str:
    """Some models number their calls anew in each message."""
    return f"{message and message.id}/{call['id']}"


def _message(call: ToolCall, state: Any) -> AIMessage | None:
    """The model's message that makes the call."""
    messages = state.get("messages", ()) if isinstance(state, Mapping) else getattr(state, "messages", state)
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, AIMessage) and any(one["id"] == call["id"] for one in message.tool_calls):
            return message
    return None


def _schema(tool: BaseTool | None) -> dict[str, Json] | None:
    """The form that people edit, if the tool has one that a form can be made from."""
    shown: Any = tool.tool_call_schema if tool else None
    schema = shown.model_json_schema() if hasattr(shown, "model_json_schema") else shown
    try:
        check_schema(schema or {})
    except InvalidCall:
        return None
    return cast("dict[str, Json] | None", schema)


def _instead(request: ToolCallRequest, no: NotApproved) -> ToolMessage:
    return ToolMessage(
        content=words.instead(no),
        name=request.tool_call["name"],
        tool_call_id=request.tool_call["id"],
        status="success" if isinstance(no, Answered) else "error",
    )


async def _report(run: Run, result: Result) -> None:
    if isinstance(result, ToolMessage) and result.status == "error":
        await run.failed(RuntimeError(str(result.text)))
    else:
        await run.executed(str(result.text) if isinstance(result, ToolMessage) else None)


def _noticed(result: Result, edit: Args | None) -> Result:
    """Tell the model, before the result, that a person has changed the call."""
    if edit is None:
        return result
    if isinstance(result, ToolMessage):
        return _with_notice(result, edit)
    if not isinstance(result.update, dict) or not isinstance(result.update.get("messages"), list):
        return result
    messages = [
        _with_notice(one, edit) if isinstance(one, ToolMessage) else one for one in result.update["messages"]
    ]
    return replace(result, update={**result.update, "messages": messages})


def _with_notice(message: ToolMessage, edit: Args) -> ToolMessage:
    content = message.content
    notice = words.edited_in_vain(edit) if message.status == "error" else words.edited(edit)
    told: object = (
        f"{notice}\n{content}" if isinstance(content, str) else [{"type": "text", "text": notice}, *content]
    )
    return message.model_copy(update={"content": told})
