"""An MCP server by which an agent asks people. Nothing in it decides: one can only ask, and wait."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import Field

from approvals.adapters import needs, words
from approvals.adapters.asking import misfits
from approvals.adapters.mcp_asking import TIMEOUT_S, Asking, decided, instead, take_back
from approvals.adapters.mcp_stdio import STOPPED, client_on_stdio
from approvals.client import Approvals, not_approved
from approvals.errors import Answered, ApprovalsError, ChangesRequested, NotApproved, StillPending
from approvals.messages import OutcomeStatus
from approvals.model import I_TAKE_OVER, QUESTION_TOOL, Kind, RequestId, Risk
from approvals.submitting import own_id, question_args, submission

with needs("mcp"):
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

INSTRUCTIONS = """\
People decide here what you may do. Before you do anything that needs their leave, call `request` with exactly
what you want to do, and do it only if the answer's status is "approved", once, with the args of the answer.
Status "pending": call `wait` with the id. "asked_back": people want to know more, call `reply`. "taken_over":
stop. Any other status: don't do it. Afterwards call `report`. `ask` asks people a question. Nothing here can
approve or reject."""

PENDING = "Nobody has decided yet. Call wait with this id to go on waiting; until then don't do it."
APPROVED = "Approved: call exactly this tool with these args, once. Then call report."

TAKEN_OVER = "A person goes on in your place. Stop here, and leave the rest to them."
ASKED_BACK = (
    "Before they decide, people want to know or to change something: {words} Call reply with this id."
)

Id = Annotated[str, Field(description="The request's id, as `request` or `ask` told it.")]
Ctx = Context[Any, Any]


@dataclass(frozen=True, kw_only=True)  # no slots: the SDK would take them for defaults
class Answer:
    """What became of a request so far."""

    status: Literal["approved", "answered", "pending", "asked_back", "taken_over", "no"]
    id: str
    words: str  # what to do now; of a question, its answer, with `many` and `schema` in JSON
    tool: str | None = None  # approved: what to call, and nothing else
    args: dict[str, Any] | None = None  # approved: the args to use, which people may have changed


def server(approvals: Approvals, *, timeout_s: float = TIMEOUT_S) -> MCPServer[None]:
    """The server; each of its calls waits `timeout_s` at most.

    `ask_permission` is for Claude Code's `--permission-prompt-tool`, the others for any agent.
    """
    desk = _Desk(approvals, timeout_s)

    @asynccontextmanager
    async def living(_: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await desk.asking.take_back_parked()

    tools = (
        *(desk.request, desk.ask, desk.wait, desk.reply, desk.status, desk.cancel, desk.report),
        desk.ask_permission,
    )
    made = MCPServer("countersign", instructions=INSTRUCTIONS, lifespan=living, log_level="WARNING")
    for tool in tools:
        made.tool(structured_output=tool != desk.ask_permission)(tool)  # Claude Code reads the text
    return made


async def serve(approvals: Approvals, *, timeout_s: float = TIMEOUT_S) -> int:
    """Serve one client on stdin and stdout until it closes, or SIGTERM comes; returns the exit code."""
    made = server(approvals, timeout_s=timeout_s)
    lowlevel = made._lowlevel_server  # as its own `run_stdio_async` does, whose stdin can't be ended
    async with client_on_stdio() as ((read, write), stdin):
        # When `read` ends, calls that wait are cancelled, taken back, and answered with an error.
        await lowlevel.run(read, write, lowlevel.create_initialization_options())
    return STOPPED if stdin.was_stopped else 0


class _Desk:
    """The tools: their docstrings are what a model reads of them."""

    def __init__(self, approvals: Approvals, timeout_s: float) -> None:
        self._approvals, self._timeout_s = approvals, timeout_s
        self.asking = Asking(approvals, timeout_s)

    async def request(
        self,
        tool: Annotated[str, Field(description="What you want to call, by its name.")],
        args: Annotated[dict[str, Any], Field(description="With which arguments, all of them.")],
        ctx: Ctx,
        reason: Annotated[str | None, Field(description="Why, for the people who decide.")] = None,
        risk: Risk | None = None,
        key: Annotated[str | None, Field(description="The same key is the same request.")] = None,
    ) -> Answer:
        """Ask people whether you may make a call, and wait for their answer. This does not make the call."""
        with _telling():
            ticket = await self._approvals.submit(tool, args, reason=reason, risk=risk, key=key)
            return await self._answer(ticket.id, ctx, given_up=True)

    async def wait(self, id: Id, ctx: Ctx) -> Answer:
        """Go on waiting for the answer to a request or question that was pending."""
        with _telling():
            return await self._answer(own_id(id), ctx)

    async def status(self, id: Id) -> Answer:
        """Look at what became of a request so far. To act on an approval, call wait."""
        with _telling():
            outcome = await self._approvals.get(id)
        if outcome is None:
            return Answer(status="pending", id=id, words=PENDING)
        if outcome.status is OutcomeStatus.APPROVED:
            return Answer(status="pending", id=id, words="It was approved. Call wait to take the approval.")
        if outcome.status in (OutcomeStatus.ANSWERED, OutcomeStatus.CHANGES_REQUESTED):
            return _no(id, not_approved(outcome))
        return Answer(status="no", id=id, words=f"{outcome.status}: {outcome.text or 'without a reason'}")

    async def cancel(self, id: Id, reason: str | None = None) -> str:
        """Take a request or question back that nobody has decided yet."""
        with _telling():
            await self._approvals.cancel(id, reason)
        return "Taken back, unless it was decided before."

    async def ask(
        self,
        question: str,
        ctx: Ctx,
        options: Annotated[list[str] | None, Field(description="To choose one from.")] = None,
        context: Annotated[str | None, Field(description="What one must know to answer.")] = None,
        free_text: Annotated[bool | None, Field(description="With options: other words will do.")] = None,
        many: Annotated[bool, Field(description="Several options may be chosen: a JSON list.")] = False,
        schema: Annotated[
            dict[str, Any] | None, Field(description="JSON Schema of a form instead: a JSON object.")
        ] = None,
    ) -> Answer:
        """Ask people a question, and wait for their answer."""
        with _telling():
            args = question_args(question, options, context, free_text, many=many, schema=schema)
            one = submission(QUESTION_TOOL, args, kind=Kind.QUESTION, schema=schema)
            await self._approvals.submit_all([one])
            return await self._answer(one.id, ctx, given_up=True)

    async def reply(
        self, id: Id, text: Annotated[str, Field(description="What people read on the card.")], ctx: Ctx
    ) -> Answer:
        """Answer what people have asked back, and go on waiting for their decision."""
        with _telling():
            await self._approvals.reply(id, text)
            return await self._answer(own_id(id), ctx)

    async def report(
        self,
        id: Id,
        ok: Annotated[bool, Field(description="Whether the approved call went well.")],
        result: Annotated[str | None, Field(description="A few words about the result.")] = None,
    ) -> str:
        """Report how an approved call went, once you have made it."""
        with _telling():
            await self._approvals.receipt(id, ok, result)
        return "Reported."

    async def ask_permission(
        self, tool_name: str, input: dict[str, Any], ctx: Ctx, tool_use_id: str | None = None
    ) -> str:
        """For Claude Code's --permission-prompt-tool: asks people about a call; returns what they say."""
        try:
            call_id = tool_use_id or uuid4().hex
            taken = await self.asking.leave(call_id, tool_name, input, _progress(ctx))
            if names := misfits(input, taken.permit.args):
                no = NotApproved(words.MISTYPED.format(names=", ".join(names)))
                await taken.report.failed(no)
                raise no
        except ApprovalsError as error:
            return json.dumps({"behavior": "deny", "message": instead(error)})
        return json.dumps({"behavior": "allow", "updatedInput": taken.permit.args})

    async def _answer(self, id: RequestId, ctx: Ctx, *, given_up: bool = False) -> Answer:
        """Wait for it, and claim what was approved; `given_up`: take it back if the call is cancelled."""
        tell = _progress(ctx)
        try:
            await decided(
                lambda within_s: self._approval(id, within_s),
                timeout_s=self._timeout_s,
                tell=lambda: tell(f"Waiting for people to decide {id}"),
            )
            permit = await self._approvals.claim(id)
        except StillPending:
            return Answer(status="pending", id=id, words=PENDING)
        except NotApproved as no:
            return _no(id, no)
        except asyncio.CancelledError:
            if given_up:
                await take_back(self._approvals, id)
            raise
        return Answer(status="approved", id=id, words=APPROVED, tool=permit.tool, args=permit.args)

    async def _approval(self, id: RequestId, within_s: float) -> None:
        """Wait until it is approved. What is asked back stays open, since it can be replied to."""
        outcome = await self._approvals.wait(id, within_s)
        if outcome.status is not OutcomeStatus.APPROVED:
            raise not_approved(outcome)


def _no(id: str, no: NotApproved) -> Answer:
    if isinstance(no, ChangesRequested):
        return Answer(status="asked_back", id=id, words=ASKED_BACK.format(words=no.feedback))
    if isinstance(no, Answered) and no.feedback == I_TAKE_OVER:
        return Answer(status="taken_over", id=id, words=TAKEN_OVER)
    if isinstance(no, Answered):
        return Answer(status="answered", id=id, words=no.feedback or "")
    return Answer(status="no", id=id, words=words.instead(no))


def _progress(ctx: Ctx) -> Callable[[str], Awaitable[None]]:
    steps = itertools.count()

    async def tell(text: str) -> None:
        await ctx.report_progress(next(steps), None, text)

    return tell


@contextmanager
def _telling() -> Iterator[None]:
    """Have the model read what went wrong, but for bugs."""
    try:
        yield
    except ApprovalsError as error:
        raise ToolError(instead(error)) from error
