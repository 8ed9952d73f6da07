"""What goes wrong, as an HTTP answer: problem details (RFC 9457), with one page that explains their types."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field, TypeAdapter

from approvals.agent_tokens import HolderExists, NoSuchHolder
from approvals.errors import (
    ApprovalsError,
    Forged,
    InvalidCall,
    KeyReused,
    NotClaimed,
    RequestNotFound,
    Unavailable,
)
from bot.api.measures import PROBLEM

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
RETRY_S = 1
SLACK = "/slack/"  # answers as Slack wants it

KINDS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The call doesn't fit the API's document"),
    "unauthorized": (401, "A token is needed, and this is none that is good"),
    "wrong-role": (403, "This token is not for that"),
    "refused": (403, "This is not let through for that person"),
    "not-found": (404, "There is no such thing of yours"),
    "method-not-allowed": (405, "That can't be done here"),
    "key-reused": (409, "The key was used for something else"),
    "not-claimed": (409, "There is no leave to run it"),
    "forged": (409, "What says that it is approved is not what was signed"),
    "not-taken": (409, "There is nothing to undo (any more)"),
    "conflict": (409, "It isn't as it was when that was decided"),
    "too-large": (413, "The body is too large"),
    "not-json": (415, "The body is not application/json"),
    "invalid-call": (422, "It can't be asked for as it is"),
    "too-many": (429, "Too many calls"),
    "internal": (500, "A fault of ours"),
    "unavailable": (503, "Something that is needed is away"),
    "maybe-claimed": (503, "It may or may not have been claimed, so it must not be run"),
}
_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
_BY_ERROR: tuple[tuple[type[ApprovalsError], str], ...] = (
    (InvalidCall, "invalid-call"),
    (KeyReused, "key-reused"),
    (RequestNotFound, "not-found"),
    (NotClaimed, "not-claimed"),
    (Forged, "forged"),
    (NoSuchHolder, "not-found"),
    (HolderExists, "conflict"),
    (Unavailable, "unavailable"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Problem details: what went wrong, for a program (type) and for people (title, detail)."""

    type: Annotated[str, Field(description="Where this kind of problem is explained; it stays the same")]
    title: str
    status: int
    detail: str


_SHAPE = TypeAdapter(Problem)


class Trouble(ApprovalsError):
    """Something of KINDS, with a sentence about this case."""

    def __init__(self, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind, self.headers = kind, dict(headers or {})


def answer(trouble: Trouble) -> web.Response:
    """The answer that tells a trouble."""
    status, title = KINDS[trouble.kind]
    problem = Problem(type=f"/docs#{trouble.kind}", title=title, status=status, detail=str(trouble))
    response = web.Response(
        status=status,
        body=_SHAPE.dump_json(problem),
        content_type=CONTENT_TYPE,
        headers=trouble.headers,
    )
    response[PROBLEM] = trouble.kind
    return response


@web.middleware
async def as_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer with problem details wherever something is raised."""
    if request.path.startswith(SLACK):
        return await handler(request)
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status not in _BY_STATUS:
            raise
        return answer(_of_http(error))
    except Trouble as trouble:
        return answer(trouble)
    except ApprovalsError as error:
        return answer(_of_ours(error))
    except Exception:
        logger.exception("a call of the API failed", extra={"path": request.path})
        return answer(Trouble("internal", "The log of the service says more."))


def _of_http(error: web.HTTPException) -> Trouble:
    kind = _BY_STATUS[error.status]
    allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return Trouble(kind, f"{error.reason}.", allowed)


def _of_ours(error: ApprovalsError) -> Trouble:
    kind = next((kind for known, kind in _BY_ERROR if isinstance(error, known)), "internal")
    if kind == "internal":
        logger.error("a call of the API failed: %s", error)
        return Trouble(kind, "The log of the service says more.")
    if kind == "unavailable":
        if "must not be run" in str(error):
            return Trouble("maybe-claimed", str(error))
        return Trouble(kind, "Redis, or Slack, doesn't answer.", {"Retry-After": str(RETRY_S)})
    return Trouble(kind, str(error))
