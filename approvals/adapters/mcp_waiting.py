"""Waiting within a call over MCP: bounded, as clients give calls up, and told of, so that they don't."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from approvals.adapters import words
from approvals.errors import ApprovalsError, InvalidCall, NotApproved, StillPending, Unavailable

R = TypeVar("R")
Tell: TypeAlias = Callable[[], Awaitable[None]]

TIMEOUT_S = 50.0  # unless told: most clients give a call up after a minute
TELL_S = 15  # between two notifications of progress, which make some clients wait longer


async def decided(wait: Callable[[float], Awaitable[R]], *, timeout_s: float, tell: Tell) -> R:
    """What `wait` returns within `timeout_s`, while `tell` says now and then that we wait.

    Raises:
        StillPending: nobody has decided by then.
    """
    now = asyncio.get_running_loop().time
    end = now() + timeout_s
    while True:
        await tell()
        try:
            return await wait(max(0.0, min(TELL_S, end - now())))
        except StillPending:
            if now() >= end:
                raise


def instead(error: ApprovalsError) -> str:
    """What the model reads when a call did not run, or did and its end isn't known.

    Over MCP errors are results, so unlike elsewhere an outage is in words too: the call did not run.
    """
    match error:
        case NotApproved():
            return words.instead(error)
        case StillPending():
            return (
                f"The call has not run: nobody has decided on {error.request_id} yet. Call the tool again "
                "with the same arguments to go on waiting. Don't do it in another way."
            )
        case InvalidCall():
            return words.unaskable(error)
        case Unavailable():
            return f"The call did not run: approvals are out of reach; try again later. ({error})"
        case _:
            return str(error)
