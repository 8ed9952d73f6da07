"""What all calls of the API have in common: who calls, how often, what they send and what they get."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from aiohttp import web
from pydantic import ValidationError

from approvals.agent_tokens import AgentTokens, Holder, Role
from approvals.asked import Asked
from approvals.errors import Unavailable
from approvals.model import AgentName, RequestId
from approvals.stages import Stages
from approvals.store import Store
from bot.api.doors import Door, Doors
from bot.api.events import Tail
from bot.api.limits import Limits
from bot.api.measures import Measures
from bot.api.problems import Trouble
from bot.api.shapes import adapter
from bot.desk import Desk
from bot.judging import Judge

B = TypeVar("B")
Q = TypeVar("Q")
T = TypeVar("T")

AUTH_S = 5.0
IN_PATH = {"id": r"R-[0-9A-HJKMNP-TV-Z]{26}", "person": r"[UW][A-Z0-9]{2,40}"}  # what else is not found
_BEARER = re.compile(r"bearer +([!-~]{1,300})", re.IGNORECASE)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="countersign"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the API is made of."""

    store: Store
    tokens: AgentTokens
    doors: Doors
    tail: Tail
    measures: Measures
    limits: Limits
    judge: Judge
    stages: Stages
    desk: Desk | None  # None where Slack can't be asked who somebody is
    asked: Callable[[AgentName], Asked]  # always the same for one agent

    async def close(self) -> None:
        """Let nobody wait any longer."""
        await self.doors.close()
        await self.tail.close()


class Tenants(Protocol):
    """Whose agents are served."""

    def of(self, request: web.Request) -> Parts | None:
        """The tenant that a call is for; None: none that is here."""

    def all(self) -> Iterable[Parts]:
        """All that are here now."""


@dataclass(frozen=True, slots=True)
class OneTenant:
    """The only one."""

    parts: Parts

    def of(self, _: web.Request) -> Parts:
        return self.parts

    def all(self) -> Iterable[Parts]:
        return (self.parts,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[B, Q]):
    """One call, as far as it is checked: who, what they sent, what stands in the address."""

    request: web.Request
    holder: Holder
    parts: Parts
    body: B
    query: Q

    @property
    def id(self) -> RequestId:
        return RequestId(self.request.match_info["id"])

    @property
    def key(self) -> str | None:
        return self.request.headers.get("Idempotency-Key")

    @property
    def door(self) -> Door:
        return self.parts.doors.of(self.holder.name)

    @property
    def asked(self) -> Asked:
        return self.parts.asked(self.holder.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered: a value of the shape that the operation has for this status."""

    status: int
    value: object
    headers: Mapping[str, str] = field(default_factory=dict)


Result: TypeAlias = Answer | web.StreamResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[B, Q]):
    """One thing that can be done. Routes, checks of what is sent, and the document are made from these."""

    method: Literal["GET", "POST"]
    path: str
    name: str
    summary: str
    handle: Callable[[Call[B, Q]], Awaitable[Result]]
    answers: Mapping[int, Any]  # the shape of each status' body; str: it is no JSON
    role: Role = Role.AGENT
    also: tuple[Role, ...] = ()
    body: type[B] | None = None
    is_body_optional: bool = False
    query: type[Q] | None = None
    takes_key: bool = False
    problems: tuple[str, ...] = ()  # besides those that every operation may have


def handler_of(
    operation: Operation[Any, Any], tenants: Tenants
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler that aiohttp calls."""

    async def handle(request: web.Request) -> web.StreamResponse:
        parts = tenants.of(request)
        if parts is None:
            raise _nobodys()
        holder = await _admitted(operation, parts, request)
        _check_path(request)
        call = Call(
            request=request,
            holder=holder,
            parts=parts,
            query=_query(operation, request),
            body=await _body(operation, request),
        )
        with _kept_open(operation, call):
            result = await operation.handle(call)
        if isinstance(result, web.StreamResponse):
            return result
        shape = operation.answers[result.status]
        return web.Response(
            status=result.status,
            body=adapter(shape).dump_json(result.value),
            content_type="application/json",
            headers=result.headers,
        )

    return handle


def _kept_open(operation: Operation[Any, Any], call: Call[Any, Any]) -> AbstractContextManager[None]:
    """Count it among what its token keeps open, if it is to last."""
    if str in operation.answers.values():
        return call.parts.limits.one(call.holder, "streams")
    if getattr(call.query, "wait", 0):
        return call.parts.limits.one(call.holder, "waits")
    return nullcontext()


async def holder_of(parts: Parts, request: web.Request) -> Holder:
    """Whose token came with it.

    Raises:
        Trouble: none came, or none that is good.
    """
    token = token_of(request)
    holder = None if token is None else await parts.tokens.holder_of(token)
    if holder is None:
        raise _nobodys()
    return holder


def token_of(request: web.Request) -> str | None:
    """The token that came with a call, whosever it is."""
    found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return None if found is None else found[1]


def _nobodys() -> Trouble:
    return Trouble("unauthorized", "Send the header Authorization: Bearer TOKEN.", _CHALLENGE)


async def _admitted(operation: Operation[Any, Any], parts: Parts, request: web.Request) -> Holder:
    try:
        async with asyncio.timeout(AUTH_S):
            holder = await holder_of(parts, request)
            count, left_s = await parts.tokens.calls(holder)
    except TimeoutError as error:
        raise Unavailable("it could not be looked up whose token this is") from error
    if count > holder.calls_a_minute:
        retry = {"Retry-After": str(math.ceil(left_s) or 1)}
        raise Trouble("too-many", f"{holder.calls_a_minute} calls a minute are let through.", retry)
    if holder.role not in (operation.role, *operation.also):
        raise Trouble(
            "wrong-role", f"It takes a token for an {operation.role}; this is for an {holder.role}."
        )
    return holder


def _check_path(request: web.Request) -> None:
    for name, value in request.match_info.items():
        if not re.fullmatch(IN_PATH[name], value):
            raise Trouble("not-found", f"{value[:64]!r}: there can't be such a thing.")


def _query(operation: Operation[B, Q], request: web.Request) -> Q | None:
    if operation.query is None:
        if request.query:
            raise Trouble("malformed", f"{next(iter(request.query))}: nothing is asked for in this address")
        return None
    try:
        return adapter(operation.query).validate_python(dict(request.query))
    except ValidationError as error:
        raise Trouble("malformed", _told(error)) from error


async def _body(operation: Operation[B, Q], request: web.Request) -> B | None:
    if operation.body is None:
        return None
    raw = await request.read()
    if operation.is_body_optional and not raw:
        raw = b"{}"
    elif request.content_type != "application/json":
        raise Trouble("not-json", "Send the header Content-Type: application/json.")
    try:
        return adapter(operation.body).validate_json(raw, strict=True)
    except ValidationError as error:
        raise Trouble("malformed", _told(error)) from error


def _told(error: ValidationError) -> str:
    """Where it goes wrong and how, without quoting what was sent."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


EVERY = ("malformed", "unauthorized", "wrong-role", "too-many", "unavailable")
