"""The gateway's calls: each is asked about, waited for, and passed on once, with what was approved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from approvals.adapters import needs, words
from approvals.adapters.asking import misfits
from approvals.adapters.mcp_asking import Asking, Claimed, Definition, Tell, instead
from approvals.canonical import fingerprint
from approvals.errors import ApprovalsError, InvalidCall, NotApproved
from approvals.model import Args, Fingerprint
from approvals.schema import check_schema
from approvals.submitting import Options

with needs("mcp"):
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, ValidationError, best_match
    from jsonschema.validators import validator_for
    from mcp.types import CallToolResult, TextContent
    from mcp.types.jsonrpc import JSONRPCError, JSONRPCRequest, JSONRPCResponse
    from mcp.types.methods import is_input_required
    from referencing import Registry
    from referencing.exceptions import Unresolvable

Reply: TypeAlias = JSONRPCResponse | JSONRPCError
Forward: TypeAlias = Callable[[Args], Awaitable[Reply]]


class ServerGone(ApprovalsError):
    """The server behind the gateway has ended."""


class ToolError(ApprovalsError):
    """The call has run, and went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What a client wants to call."""

    request: JSONRPCRequest
    tool: str
    args: Args
    name: str  # of the tool in the policy
    fingerprint: Fingerprint


class Calls:
    """The calls that pass through one gateway."""

    def __init__(self, asking: Asking, server: str | None) -> None:
        self._asking, self._server = asking, server
        self._definitions: dict[str, Definition] = {}
        # Whose servers have asked something back: their clients call once more, with the answers.
        self._begun: dict[tuple[Fingerprint, object], Claimed] = {}

    def note_tools(self, listed: object) -> None:
        """Keep the tools as the server lists them, page by page."""
        for tool in listed if isinstance(listed, list) else ():
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                self._definitions[tool["name"]] = tool

    async def answer(self, request: JSONRPCRequest, forward: Forward, tell: Tell) -> Reply:
        """What the client gets in reply to a call, whether it ran or not."""
        try:
            call = self._read(request)
            run = self._goes_on(call) or await self._begin(call, tell)
            return await self._pass_on(call, run, forward)
        except ApprovalsError as error:
            return refusal(request, instead(error))

    def _read(self, request: JSONRPCRequest) -> _Call:
        params = request.params or {}
        tool, args = params.get("name"), params.get("arguments")
        args = {} if args is None else args
        if not isinstance(tool, str) or not isinstance(args, dict):
            raise InvalidCall("a call has a name, and an object of arguments")
        if "task" in params:
            raise InvalidCall("calls that are answered later (tasks) don't pass through the gateway")
        name = f"{self._server}.{tool}" if self._server else tool
        return _Call(request=request, tool=tool, args=args, name=name, fingerprint=fingerprint(name, args))

    async def _begin(self, call: _Call, tell: Tell) -> Claimed:
        definition = self._definitions.get(call.tool)
        options = _options(definition)
        id = repr(call.request.id)
        return await self._asking.leave(id, call.name, call.args, tell, definition=definition, **options)

    async def _pass_on(self, call: _Call, run: Claimed, forward: Forward) -> Reply:
        edit = None if run.permit.fingerprint == call.fingerprint else run.permit.args
        try:
            self._check(call, run, edit)
            reply = await forward(run.permit.args)
        except BaseException as error:
            await run.report.failed(error)
            raise
        if isinstance(reply, JSONRPCResponse) and is_input_required(reply.result):
            self._begun[call.fingerprint, reply.result.get("requestState")] = run
            return reply
        try:
            await run.report.executed(_result(reply))
        except ToolError as error:
            await run.report.failed(error)
        return _noticed(reply, edit)

    def _goes_on(self, call: _Call) -> Claimed | None:
        """The run that this goes on with, if it is no new call but brings what the server had asked for."""
        params = call.request.params or {}
        if not params.keys() & {"requestState", "inputResponses"}:
            return None
        state = params.get("requestState")
        return self._begun.pop((call.fingerprint, state), None) if isinstance(state, str | None) else None

    def _check(self, call: _Call, run: Claimed, edit: Args | None) -> None:
        if run.definition is None:  # nobody has listed the tools, so there is no schema
            if edit is not None and (names := misfits(call.args, edit)):
                raise NotApproved(words.MISTYPED.format(names=", ".join(names)))
            return
        if self._definitions.get(call.tool) != run.definition:
            raise NotApproved("its server describes the tool otherwise now than when people were asked")
        if edit is not None:
            _check_fit(edit, run.definition)


def refusal(request: JSONRPCRequest, text: str) -> JSONRPCResponse:
    """A call's reply that the model reads instead of a result."""
    result = CallToolResult(content=[TextContent(text=text)], is_error=True)
    return JSONRPCResponse(
        jsonrpc="2.0", id=request.id, result=result.model_dump(mode="json", by_alias=True, exclude_none=True)
    )


def _options(definition: Definition | None) -> Options:
    """What the tool's definition gives: the form that people edit, and a name for exactly this definition."""
    if definition is None:
        return {}
    encoded = json.dumps(definition, sort_keys=True).encode()
    options: Options = {"tags": [f"definition:{hashlib.sha256(encoded).hexdigest()[:16]}"]}
    schema = definition.get("inputSchema")
    with suppress(InvalidCall):  # where no form can be made from it, people see the arguments as they are
        check_schema(schema if isinstance(schema, dict) else {})
        options["schema"] = schema
    return options


def _check_fit(args: Args, definition: Definition) -> None:
    schema: dict[str, Any] = definition.get("inputSchema", {})
    try:
        # An own registry, since the default one would fetch what a schema refers to.
        validator = validator_for(schema, default=Draft202012Validator)(schema, registry=Registry())
        fault: ValidationError | None = best_match(validator.iter_errors(cast("Any", args)))
    except (SchemaError, Unresolvable) as error:
        raise NotApproved(f"what people approved can't be held against the tool's schema: {error}") from error
    if fault is not None:
        where = "".join(f"{name}: " for name in fault.absolute_path)
        raise NotApproved(f"what people approved doesn't fit the tool: {where}{fault.message}")


def _result(reply: Reply) -> str:
    """The result in words, for people.

    Raises:
        ToolError: the tool, or its server, says that it went wrong.
    """
    if isinstance(reply, JSONRPCError):
        raise ToolError(reply.error.message)
    content = reply.result.get("content", [])
    if not isinstance(content, list):
        raise ToolError("its server has answered with something that is no result")
    texts = [block.get("text") for block in content if isinstance(block, dict)]
    text = "\n".join(text for text in texts if isinstance(text, str))
    if reply.result.get("isError"):
        raise ToolError(text)
    return text


def _noticed(reply: Reply, edit: Args | None) -> Reply:
    """The server's reply; where a person has changed the call, the model reads so before the result."""
    if edit is None or isinstance(reply, JSONRPCError) or not isinstance(reply.result.get("content"), list):
        return reply
    notice = {"type": "text", "text": words.edited(edit)}
    return reply.model_copy(update={"result": reply.result | {"content": [notice, *reply.result["content"]]}})
