"""The gate in Pydantic AI: a capability that has people decide about the tools that require approval."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Unpack
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from approvals.adapters import needs, words
from approvals.adapters.asking import approved, claimed, submitted
from approvals.canonical import fingerprint
from approvals.client import Approvals
from approvals.errors import ApprovalsError, InvalidCall, NotApproved
from approvals.model import QUESTION_TOOL, Args, Json
from approvals.submitting import Options, Span, submission

with needs("pydantic-ai"):
    from pydantic_ai import (
        Agent,
        AgentRunResult,
        DeferredToolRequests,
        DeferredToolResults,
        ModelMessage,
        RunContext,
        ToolApproved,
        ToolDenied,
        ToolFailed,
        ToolReturn,
        __version__,
    )
    from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
    from pydantic_ai.messages import ToolCallPart
    from pydantic_ai.toolsets import AbstractToolset, ToolsetTool, WrapperToolset

FRAMEWORK = f"pydantic-ai {__version__}"
OURS = "countersign"  # under which a call's metadata names its request

_RUN_ID: ContextVar[str | None] = ContextVar("the run that is driven", default=None)


@dataclass(kw_only=True)
class _Kept:
    """A run that is put by."""

    messages: list[ModelMessage]
    requests: DeferredToolRequests


_KEPT = TypeAdapter(_Kept)


class AskPeople(AbstractCapability[Any]):
    """`Agent(capabilities=[AskPeople(approvals)])`: tools that require approval wait for people, then run.

    Those are `requires_approval=True`, toolsets with `.approval_required()`, and tools that raise
    `ApprovalRequired`. A call is claimed just before its tool runs, whoever says that it is approved.
    """

    def __init__(
        self, approvals: Approvals, *, timeout: Span | None = None, **options: Unpack[Options]
    ) -> None:
        submission("tool", {}, **options)  # for its checks: what is wrong shows when the program starts
        self.approvals, self.timeout, self.options = approvals, timeout, options
        self.schemas: dict[
            str, dict[str, Json]
        ] = {}  # of the tools that there are: the forms that people edit

    @classmethod
    def get_serialization_name(cls) -> str | None:
        return None

    def get_ordering(self) -> CapabilityOrdering | None:
        return CapabilityOrdering(position="innermost")  # nothing may change a call after it is claimed

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any] | None:
        return _Claiming(toolset, self)

    async def handle_deferred_tool_calls(
        self, ctx: RunContext[Any], *, requests: DeferredToolRequests
    ) -> DeferredToolResults | None:
        if _RUN_ID.get() is not None:
            return None  # `run` puts the whole run by
        return await self._answers(ctx.run_id or uuid4().hex, requests)

    # -- runs that are put by -------------------------------------------------------------------------

    async def run(
        self, agent: Agent[Any, Any], prompt: str | None, *, run_id: str | None = None, **options: Any
    ) -> AgentRunResult[Any]:
        """Run `agent`, which has this capability, to its end; put by whenever its tools wait for people.

        With a `run_id` it can be killed and started again, anywhere: it goes on where it was put by.
        `options` are those of `Agent.run`.

        Raises:
            StillPending: not all is decided within `timeout`.
            InvalidCall: another version has put the run by, or the run waits for something else than people.
            Unavailable: Redis was away.
        """
        name = run_id or uuid4().hex
        options["output_type"] = _or_requests(options.get("output_type", agent.output_type))
        kept = None if run_id is None else await self._kept(run_id)
        with _driving(name):
            while True:
                if kept is not None:
                    prompt, options["message_history"] = None, kept.messages
                    options["deferred_tool_results"] = await self._answers(name, kept.requests)
                result = await agent.run(prompt, **options)
                if not isinstance(result.output, DeferredToolRequests):
                    break
                kept = _Kept(messages=result.all_messages(), requests=result.output)
                if run_id is not None:
                    await self.approvals.runs.put_by(run_id, FRAMEWORK, _KEPT.dump_json(kept).decode())
        if run_id is not None:
            await self.approvals.runs.forget(run_id)
        return result

    async def _kept(self, run_id: str) -> _Kept | None:
        state = await self.approvals.runs.state(run_id, FRAMEWORK)
        return None if state is None else _KEPT.validate_json(state)

    # -- asking ---------------------------------------------------------------------------------------

    async def _answers(self, run_id: str, requests: DeferredToolRequests) -> DeferredToolResults | None:
        """What people say to each call, once they have said it to all. None: there is none for people."""
        questions = [call for call in requests.calls if requests.kind(call.tool_call_id) == "question"]
        if len(questions) < len(requests.calls) and _RUN_ID.get() is not None:
            raise InvalidCall("the run waits for a tool that runs elsewhere, which people can't do for it")
        results, troubles = requests.build_results(), list[ApprovalsError]()

        async def tried(answering: Awaitable[None]) -> None:
            try:
                await answering
            except ApprovalsError as trouble:
                troubles.append(trouble)

        async with asyncio.TaskGroup() as group:
            for call in requests.approvals:
                reason = requests.metadata.get(call.tool_call_id, {}).get("reason")
                group.create_task(tried(self._approve(run_id, call, reason, results)))
            for call in questions:
                group.create_task(tried(self._answer(run_id, call, results)))
        if troubles:
            raise troubles[0]
        return results if results.approvals or results.calls else None

    async def _approve(
        self, run_id: str, call: ToolCallPart, reason: object, results: DeferredToolResults
    ) -> None:
        id, options = call.tool_call_id, self.options_of(call.tool_name)
        if isinstance(reason, str):
            options["reason"] = reason  # ApprovalRequired(metadata={"reason": …})
        try:
            request_id = await submitted(
                self.approvals, run_id, id, call.tool_name, call.args_as_dict(), **options
            )
            outcome = await approved(self.approvals, request_id, self.timeout)
        except InvalidCall as fault:
            results.approvals[id] = ToolDenied(words.unaskable(fault))
        except NotApproved as no:
            results.approvals[id] = ToolDenied(words.instead(no))
        else:
            results.approvals[id] = ToolApproved(override_args=outcome.args if outcome.edited else None)
            results.metadata[id] = {OURS: request_id, "edited": outcome.edited}
            results.answered_by[id] = outcome.decided_by

    def options_of(self, tool: str) -> Options:
        options: Options = {"schema": self.schemas.get(tool)}
        options.update(self.options)
        return options

    async def _answer(self, run_id: str, call: ToolCallPart, results: DeferredToolResults) -> None:
        args = call.args_as_dict()
        question, choices = args.get("question"), args.get("options")
        if not isinstance(question, str):
            question = f"{call.tool_name}: {json.dumps(args, ensure_ascii=False)}"
        is_choice = isinstance(choices, list) and all(isinstance(one, str) for one in choices)
        key = f"{run_id[:200]}/{call.tool_call_id[:200]}/{fingerprint(QUESTION_TOOL, args)}"
        try:
            results.calls[call.tool_call_id] = await self.approvals.ask(
                question,
                choices if is_choice else None,
                timeout=self.timeout,
                **(self.options | {"key": key}),
            )
        except InvalidCall as fault:
            results.calls[call.tool_call_id] = ToolFailed(words.unaskable(fault))
        except NotApproved as no:
            results.calls[call.tool_call_id] = ToolFailed(words.instead(no))


@contextmanager
def _driving(run_id: str) -> Iterator[None]:
    token = _RUN_ID.set(run_id)
    try:
        yield
    finally:
        _RUN_ID.reset(token)


def _or_requests(output_type: Any) -> list[Any]:
    types = [*output_type] if isinstance(output_type, list | tuple) else [output_type]
    return types if DeferredToolRequests in types else [*types, DeferredToolRequests]


# -- running ------------------------------------------------------------------------------------------


@dataclass
class _Claiming(WrapperToolset[Any]):
    """All tools of the agent; those that need an approval run with one that is claimed here, or not."""

    people: AskPeople

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        tools = await self.wrapped.get_tools(ctx)
        self.people.schemas |= {name: tool.tool_def.parameters_json_schema for name, tool in tools.items()}
        return tools

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        if not ctx.tool_call_approved and tool.tool_def.kind != "unapproved":
            return await self.wrapped.call_tool(
                name, tool_args, ctx, tool
            )  # which may raise ApprovalRequired
        try:
            return await self._call_approved(name, tool_args, ctx, tool)
        except InvalidCall as fault:
            raise ToolFailed(words.unaskable(fault)) from fault
        except NotApproved as no:
            raise ToolFailed(words.instead(no)) from no

    async def _call_approved(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        told = ctx.tool_call_metadata if isinstance(ctx.tool_call_metadata, dict) else {}
        if OURS not in told:  # somebody else says that it is approved; people haven't been asked
            told = await self._asked(name, to_jsonable_python(tool_args), ctx)
        permit, report = await claimed(self.people.approvals, told[OURS], name)
        try:
            args = _in_its_types(tool, permit.args, ctx)
            result = await self.wrapped.call_tool(name, args, ctx, tool)
        except BaseException as error:
            await report.failed(error)
            raise
        await report.executed(result)
        return _noticed(result, permit.args) if told["edited"] else result

    async def _asked(self, name: str, args: Args, ctx: RunContext[Any]) -> dict[str, Any]:
        people, call_id = self.people, ctx.tool_call_id or uuid4().hex
        run_id = _RUN_ID.get() or ctx.run_id or uuid4().hex
        request_id = await submitted(people.approvals, run_id, call_id, name, args, **people.options_of(name))
        outcome = await approved(people.approvals, request_id, people.timeout)
        return {OURS: request_id, "edited": outcome.edited}


def _in_its_types(tool: ToolsetTool[Any], args: Args, ctx: RunContext[Any]) -> dict[str, Any]:
    try:
        read: dict[str, Any] = tool.args_validator.validate_json(
            json.dumps(args), context=ctx.validation_context
        )
    except ValidationError as error:
        raise ToolFailed(words.UNFIT) from error
    return read


def _noticed(result: Any, args: Args) -> Any:
    """The result, with a notice that the call was changed."""
    notice = words.edited(args)
    if isinstance(result, str):
        return f"{notice}\n{result}"
    if isinstance(result, ToolReturn):
        return replace(result, content=notice) if result.content is None else result
    return ToolReturn(result, content=notice)
