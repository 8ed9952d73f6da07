"""Faults on demand: what Slack and the network do on a bad day, once, when asked to."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, get_args

from bot.sandbox.wire import Json

MethodFault = Literal["429", "500", "503", "timeout", "drop", "error"]
EnvelopeFault = Literal["duplicate", "late", "lose"]

METHOD_FAULTS: tuple[str, ...] = get_args(MethodFault)
ENVELOPE_FAULTS: tuple[str, ...] = get_args(EnvelopeFault)


@dataclass(slots=True)
class OnCall:
    """What the next calls of one method come to.

    `drop` does what was asked and then breaks the connection; `timeout` does nothing and never answers;
    `error` answers with `code`.
    """

    fault: MethodFault
    times: int = 1
    retry_after: int = 1
    code: str = "internal_error"


@dataclass(slots=True)
class OnEnvelope:
    """What becomes of the next delivery to the app.

    `duplicate` brings it twice, `lose` never; `late` brings it after `seconds`, or when `release` is called.
    """

    fault: EnvelopeFault
    seconds: float | None = None
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self._released.set()

    async def held(self) -> None:
        try:
            async with asyncio.timeout(self.seconds if self.seconds is not None else _HELD_AT_MOST_S):
                await self._released.wait()
        except TimeoutError:
            return


class Misbehaviour:
    def __init__(self) -> None:
        self._methods: dict[str, deque[OnCall]] = {}
        self._envelopes: deque[OnEnvelope] = deque()

    def next_calls(
        self,
        method: str,
        fault: MethodFault,
        *,
        times: int = 1,
        retry_after: int = 1,
        code: str = "internal_error",
    ) -> None:
        """Let the next `times` calls of `method` come to `fault`."""
        if fault not in METHOD_FAULTS:
            raise ValueError(f"unknown fault {fault!r}; known are {', '.join(METHOD_FAULTS)}")
        self._methods.setdefault(method, deque()).append(OnCall(fault, times, retry_after, code))

    def next_envelope(self, fault: EnvelopeFault, *, seconds: float | None = None) -> OnEnvelope:
        """Let the next interaction be delivered twice, late, or never."""
        if fault not in ENVELOPE_FAULTS:
            raise ValueError(f"unknown fault {fault!r}; known are {', '.join(ENVELOPE_FAULTS)}")
        self._envelopes.append(OnEnvelope(fault, seconds))
        return self._envelopes[-1]

    def take_call(self, method: str) -> OnCall | None:
        queue = self._methods.get(method)
        if not queue:
            return None
        fault = queue[0]
        fault.times -= 1
        if fault.times <= 0:
            queue.popleft()
        return fault

    def take_envelope(self) -> OnEnvelope | None:
        return self._envelopes.popleft() if self._envelopes else None

    def clear(self) -> None:
        self._methods.clear()
        self._envelopes.clear()

    def pending(self) -> list[Json]:
        """Every fault that is still to come."""
        calls: list[Json] = [
            {"method": method, "fault": fault.fault, "times": fault.times, "retry_after": fault.retry_after}
            for method, queue in self._methods.items()
            for fault in queue
        ]
        return calls + [{"fault": fault.fault, "seconds": fault.seconds} for fault in self._envelopes]


_HELD_AT_MOST_S = 60.0
