"""Bringing payloads to the app, over whichever way it listens, and waiting for it to say that it has them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bot.sandbox import limits
from bot.sandbox.background import Background
from bot.sandbox.misbehaviour import Misbehaviour, OnEnvelope
from bot.sandbox.wire import Json, new_id

EnvelopeKind = Literal["interactive", "slash_commands", "events_api"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    id: str
    kind: EnvelopeKind
    payload: Json
    attempt: int = 0
    reason: str = ""

    @property
    def takes_answer(self) -> bool:
        return self.kind == "slash_commands" or self.payload.get("type") == "view_submission"


@dataclass(frozen=True, slots=True)
class Ack:
    """How a delivery went: `error` is what Slack calls it, `answer` what the app acknowledged with."""

    error: str | None = None
    answer: Any = None


TIMED_OUT = Ack("operation_timeout")
UNREACHABLE = Ack("dispatch_failed")


class Transport(Protocol):
    async def send(self, envelope: Envelope, timeout_s: float) -> Ack:
        """Deliver once and wait for the acknowledgement, `timeout_s` at most."""


class Delivery:
    def __init__(
        self,
        transport: Transport,
        background: Background,
        faults: Misbehaviour,
        *,
        ack_timeout_s: float = limits.ACK_S,
        retry_delays_s: tuple[float, ...] = limits.EVENT_RETRY_DELAYS_S,
    ) -> None:
        self._transport = transport
        self._background = background
        self._faults = faults
        self._ack_timeout_s = ack_timeout_s
        self._retry_delays_s = retry_delays_s

    async def interact(self, kind: EnvelopeKind, payload: Json) -> Ack:
        """Deliver something that a person did, once; nobody retries a click."""
        envelope = Envelope(id=new_id("env"), kind=kind, payload=payload)
        fault = self._faults.take_envelope()
        if fault is None:
            return await self._transport.send(envelope, self._ack_timeout_s)
        if fault.fault == "duplicate":
            self._background.spawn(self._again(envelope))
            return await self._transport.send(envelope, self._ack_timeout_s)
        acked: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        if fault.fault == "late":
            self._background.spawn(self._late(envelope, fault, acked))
        try:
            async with asyncio.timeout(self._ack_timeout_s):
                return await acked
        except TimeoutError:
            return TIMED_OUT

    async def _late(self, envelope: Envelope, fault: OnEnvelope, acked: asyncio.Future[Ack]) -> None:
        await fault.held()
        ack = await self._transport.send(envelope, self._ack_timeout_s)
        if not acked.done():
            acked.set_result(ack)

    async def _again(self, envelope: Envelope) -> None:
        await self._transport.send(envelope, self._ack_timeout_s)

    def tell(self, payload: Json) -> None:
        """Deliver an event in the background, trying again as Slack does."""
        self._background.spawn(self._tell(payload))

    async def _tell(self, payload: Json) -> None:
        envelope = Envelope(id=new_id("env"), kind="events_api", payload=payload)
        ack = await self._transport.send(envelope, self._ack_timeout_s)
        for attempt, delay in enumerate(self._retry_delays_s, start=1):
            if ack.error is None:
                return
            reason = "http_timeout" if ack == TIMED_OUT else "http_error"
            await asyncio.sleep(delay)
            envelope = Envelope(
                id=new_id("env"), kind="events_api", payload=payload, attempt=attempt, reason=reason
            )
            ack = await self._transport.send(envelope, self._ack_timeout_s)
