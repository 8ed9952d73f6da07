"""`countersign hook`: what a coding agent runs before each call of a tool. Whatever happens, it answers.

Both agents go on when a hook crashes, says nothing, or takes too long. So ours has a deadline of its own, and
each way out of it that isn't an approval prints a denial; exit code 2 denies where nothing could be printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from approvals.adapters import claude_code, gemini_cli
from approvals.adapters.tool_hooks import ToolHooks
from approvals.client import Approvals
from approvals.errors import InvalidCall
from approvals.submitting import Span, seconds_of

ALLOWED_OR_TOLD, DENIED = 0, 2
MARGIN_S = 2.0  # between the end of the wait and ours: for saying that it is still pending
STOPS = (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

LATE = "The call did not run: there was no answer in time. That is not a no; say that it is still to do."
STOPPED = "The call did not run: whoever asked for approval was stopped before there was an answer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """A coding agent that runs our hook."""

    agent: str  # the name under which it asks, unless told
    answer: Callable[[ToolHooks, Mapping[str, object]], Awaitable[dict[str, object]]]
    denial: Callable[[object, str], dict[str, object]]
    merges: bool


HARNESSES = {
    "claude": Harness(
        agent=claude_code.AGENT, answer=claude_code.answer, denial=claude_code.denial, merges=False
    ),
    "gemini": Harness(
        agent=gemini_cli.AGENT, answer=gemini_cli.answer, denial=gemini_cli.denial, merges=True
    ),
}


def run(name: str, timeout: Span) -> int:
    """Answer the event on stdin, within `timeout`, and return the exit code."""
    harness = HARNESSES[name]
    event: dict[str, object] = {}  # until it is read

    def stop(number: int, _: FrameType | None) -> NoReturn:
        _deny(harness, event, LATE if number == signal.SIGALRM else STOPPED)
        os._exit(DENIED)

    try:
        seconds = seconds_of("timeout", timeout) or 0.0
        if seconds <= 0:
            raise InvalidCall("--timeout is no time at all")
        for one in STOPS:
            signal.signal(one, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        event |= _event()
        said = asyncio.run(_answered(harness, event, seconds - min(MARGIN_S, seconds / 5)))
        text = json.dumps(said)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # one answer, and not a second one behind it
        _write(1, f"{text}\n".encode())
    except BaseException as error:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        _deny(
            harness,
            event,
            f"The call did not run, since it couldn't be asked for: {str(error) or repr(error)}",
        )
        return DENIED
    return ALLOWED_OR_TOLD


async def _answered(harness: Harness, event: Mapping[str, object], timeout_s: float) -> dict[str, object]:
    agent = os.environ.get("APPROVALS_AGENT") or harness.agent
    async with Approvals.connect(agent=agent, patience=timeout_s) as approvals:
        where = event.get("cwd")
        reason = f"{harness.agent} in {where}" if isinstance(where, str) else None
        hooks = ToolHooks(approvals, timeout_s, merges=harness.merges, reason=reason)
        return await harness.answer(hooks, event)


def _event() -> dict[str, object]:
    """What stands on stdin.

    Raises:
        InvalidCall: it is no JSON object.
    """
    try:
        event = json.loads(sys.stdin.buffer.read())
    except (ValueError, RecursionError) as error:
        raise InvalidCall(f"the event is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise InvalidCall("the event is no JSON object")
    return event


def _deny(harness: Harness, event: Mapping[str, object], why: str) -> None:
    """Say no in both ways that a hook can: the answer, and the words beside exit code 2."""
    denial = json.dumps(harness.denial(event.get("hook_event_name"), why))
    for where, text in ((1, denial), (2, why)):
        try:
            _write(where, f"{text}\n".encode(errors="replace"))
        except OSError:  # nobody reads it: the exit code says the same
            continue


def _write(where: int, text: bytes) -> None:
    """Write all of it: half an answer would be none, which both agents take for leave to go on."""
    while text:
        text = text[os.write(where, text) :]
