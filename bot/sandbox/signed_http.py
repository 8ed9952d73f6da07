"""Signed HTTP: we call the app's request URL, as Slack does where Socket Mode is off."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.sandbox.delivery import TIMED_OUT, UNREACHABLE, Ack, Envelope

_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"


class SignedHttp:
    def __init__(self, request_url: str, signing_secret: str, clock: Callable[[], float]) -> None:
        self._url = request_url
        self._secret = signing_secret.encode()
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def send(self, envelope: Envelope, timeout_s: float) -> Ack:
        """POST `envelope` and take what the response says as its acknowledgement."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        content_type, body = _body(envelope)
        headers = {"Content-Type": content_type, "User-Agent": _AGENT, **self._signature(body)}
        if envelope.attempt:
            headers["X-Slack-Retry-Num"] = str(envelope.attempt)
            headers["X-Slack-Retry-Reason"] = envelope.reason
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.post(self._url, data=body, headers=headers, timeout=timeout) as response:
                said = await response.text()
                if response.status == 200:
                    return Ack(answer=_answer(said, response.content_type))
                return Ack() if response.headers.get("X-Slack-No-Retry") == "1" else UNREACHABLE
        except TimeoutError:
            return TIMED_OUT
        except aiohttp.ClientError:
            return UNREACHABLE

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _signature(self, body: bytes) -> dict[str, str]:
        """How the app knows that it is us: docs.slack.dev/authentication/verifying-requests-from-slack."""
        at = str(int(self._clock()))
        digest = hmac.new(self._secret, b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}


def _body(envelope: Envelope) -> tuple[str, bytes]:
    match envelope.kind:
        case "events_api":
            return "application/json", json.dumps(envelope.payload, separators=(",", ":")).encode()
        case "slash_commands":
            return _FORM, urlencode(envelope.payload).encode()
        case "interactive":
            return _FORM, urlencode({"payload": json.dumps(envelope.payload, separators=(",", ":"))}).encode()


def _answer(said: str, content_type: str) -> Any:
    if not said:
        return None
    if content_type == "application/json":
        try:
            return json.loads(said)
        except ValueError:
            return None
    return {"text": said}


_FORM = "application/x-www-form-urlencoded"
