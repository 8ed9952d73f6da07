"""Calls agents back: takes one callback, makes the call, ticks it off, or puts it off for up to three days.

Signed as Standard Webhooks has it (https://www.standardwebhooks.com). A call may come twice, under one id.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TypeAlias
from urllib.parse import urlsplit

import aiohttp
from standardwebhooks import Webhook

from approvals import wire
from approvals.callback_secrets import CallbackSecrets
from approvals.callbacks import CallbackId, Callbacks, Kept
from approvals.errors import InvalidCall, Unavailable
from approvals.messages import Callback, Outcome, UndoAsk
from approvals.store import Store
from bot.addresses import Forbidden, Lookup, Receiver, Receivers, Settled, checked, system_lookup

logger = logging.getLogger(__name__)

AT_ONCE = 32  # of one worker; each may take ANSWER_S, and holds next to nothing
IDLE_S = 1.0
ANSWER_S = 15.0  # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
_MINUTE_S, _HOUR_S = 60, 3600
# When a failed call is tried again, as the scheme recommends: 75 hours in all.
RETRIES_S = (
    *(5, 5 * _MINUTE_S, 30 * _MINUTE_S),
    *(hours * _HOUR_S for hours in (2, 5, 10, 14, 20, 24)),
)
JITTER = 0.1  # of each, so that what failed together does not come back together
GONE = 410
_SECONDS = re.compile(r"[0-9]{1,9}")

Tell: TypeAlias = Callable[[str], Awaitable[None]]
CallbackCheck: TypeAlias = Callable[
    [str, str], Awaitable[None]
]  # of an agent, and where it wants to be called


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What is sent."""

    type: str
    timestamp: datetime
    data: Outcome | UndoAsk


PAYLOAD: wire.Shape[Payload] = wire.Shape(Payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call has not arrived."""

    words: str
    is_final: bool = False
    after_s: float = 0  # the receiver does not want to be called before


class Webhooks:
    """Makes the callbacks of one tenant; any number of workers may do so side by side."""

    def __init__(
        self,
        store: Store,
        callbacks: Callbacks,
        signing: CallbackSecrets,
        receivers: Receivers,
        tell: Tell,
        *,
        lookup: Lookup = system_lookup,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._store, self._callbacks, self._signing = store, callbacks, signing
        self._receivers, self._tell, self._lookup = receivers, tell, lookup
        self._tls = tls or _trusting_known_authorities()

    async def run(self) -> None:
        """Make calls for ever. Woken by every commit, of this process or another."""
        free = asyncio.Semaphore(AT_ONCE)

        async def call(id: CallbackId) -> None:
            try:
                await self._call_safely(id)
            finally:
                free.release()

        async with asyncio.TaskGroup() as calling:
            while True:
                await free.acquire()
                calling.create_task(call(await self._next()))

    async def _next(self) -> CallbackId:
        """Wait for one that is due, and for Redis."""
        seq = 0
        while True:
            try:
                for id in await self._callbacks.claim(1):
                    return id
                seq = await self._store.until_changed(seq, IDLE_S)
            except Unavailable as error:
                logger.warning("no agent can be called back: %s", error)
                await asyncio.sleep(IDLE_S)

    async def _call_safely(self, id: CallbackId) -> None:
        """Make one; whatever goes wrong, its lease brings it back, and the others are made."""
        try:
            await self.call(id)
        except Unavailable as error:
            logger.warning("a callback was not ticked off: %s", error, extra={"callback": id})
        except Exception:
            logger.exception("a callback could not be made", extra={"callback": id})

    async def call(self, id: CallbackId) -> None:
        """Make one call, once, and say how that went."""
        kept = await self._callbacks.of(id)
        if kept is None:  # forgotten, with its request
            await self._callbacks.done(id)
            return
        failure = await self._made(kept)
        if failure is None:
            await self._callbacks.done(id)
            return
        logger.warning("a callback has failed: %s", failure.words, extra={"callback": id})
        if not failure.is_final and kept.failures < len(RETRIES_S):
            delay_s = max(_with_jitter(RETRIES_S[kept.failures]), failure.after_s)
            await self._callbacks.put_off(id, delay_s, failure.words)
            return
        count = await self._callbacks.bury(id, failure.words)
        if count is not None:
            await self._tell(_obituary(kept, failure.words, count))

    async def _made(self, kept: Kept) -> Failure | None:
        try:
            receiver = self._receivers.of(kept.callback.url)
        except InvalidCall as error:  # it was allowed when the request came, and is no more
            return Failure(words=str(error), is_final=True)
        known, now = await self._signing.of(kept.callback.agent), await self._store.now()
        if not known:
            return Failure(words="there is no secret to sign it with")
        headers, body = _signed(kept, known, now)
        async with asyncio.TaskGroup() as tasks:
            renewing = tasks.create_task(self._renew_lease(kept.id))
            try:
                return await self._post(receiver, kept.callback.url, headers, body)
            finally:
                renewing.cancel()

    async def _renew_lease(self, id: CallbackId) -> None:
        """Hold it for as long as the call takes: who held it as well would call twice."""
        while True:
            await asyncio.sleep(self._callbacks.lease_s / 3)
            try:
                await self._callbacks.renew(id)
            except Unavailable as error:
                logger.warning("a lease can't be renewed: %s", error, extra={"callback": id})

    async def _post(self, receiver: Receiver, url: str, headers: dict[str, str], body: str) -> Failure | None:
        """Send it, and read how it was answered but not with what. Redirects are answers like any other."""
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                self._line(receiver) as line,
                line.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        except Forbidden as error:
            return Failure(words=str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(words=f"no answer: {type(error).__name__}")  # its words may quote the address
        if 200 <= status < 300:
            return None
        words, after_s = f"it answered {status}", _seconds(retry_after)
        return Failure(words=words, is_final=status == GONE, after_s=after_s)

    @asynccontextmanager
    async def _line(self, receiver: Receiver) -> AsyncIterator[aiohttp.ClientSession]:
        """For one call alone, so that no cookies stay, to what was checked, and through no proxy."""
        connector = aiohttp.TCPConnector(
            resolver=Settled(await checked(receiver, self._lookup)),
            use_dns_cache=False,
            force_close=True,
            ssl=self._tls,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=ANSWER_S),
            auto_decompress=False,
            trust_env=False,
        ) as session:
            yield session


def callback_check(receivers: Receivers, signing: CallbackSecrets) -> CallbackCheck:
    """What intake asks before it takes a `callback_url` of an agent.

    The check raises InvalidCall if it is not allowed, or there is nothing to sign with.
    """

    async def check(agent: str, url: str) -> None:
        receivers.of(url)
        if not await signing.of(agent):
            raise InvalidCall(
                f"callback_url: there is no secret to sign calls to {agent} with;"
                f" `countersign webhook secret {agent}` makes one"
            )

    return check


async def no_callbacks(_agent: str, _url: str) -> None:
    """The check where nothing is allowed."""
    raise InvalidCall("callback_url: this service calls nobody back")


def _signed(kept: Kept, known: Iterable[str], now: datetime) -> tuple[dict[str, str], str]:
    """The headers and the body; while secrets overlap there is a signature by each."""
    callback = kept.callback
    body = wire.write(PAYLOAD, Payload(type=callback.type, timestamp=callback.at, data=callback.data))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Countersign",
        "webhook-id": kept.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(kept.id, now, body) for secret in known),
    }
    return headers, body


def _seconds(retry_after: str) -> float:
    """For how long it asks to be left alone, a day at most; as HTTP has it, in seconds or as a date."""
    if _SECONDS.fullmatch(retry_after):
        return min(int(retry_after), RETRIES_S[-1])
    try:
        left = parsedate_to_datetime(retry_after) - datetime.now(UTC)
    except (ValueError, TypeError):  # a date without a zone can't be compared
        return 0
    return min(max(0, left.total_seconds()), RETRIES_S[-1])


def host_of(callback: Callback) -> str:
    """Where it goes, as may be shown: the rest of an address may be a secret."""
    return urlsplit(callback.url).netloc


def _obituary(kept: Kept, words: str, count: int) -> str:
    return (
        f"A callback of agent {kept.callback.agent} to {host_of(kept.callback)} was given up: {words}."
        f" {count} are dead now: `countersign webhook dead` lists them, `countersign webhook redeliver ID`"
        " tries one again. This is told once in an hour."
    )


@cache
def _trusting_known_authorities() -> ssl.SSLContext:
    """Made once in a process: reading a machine's certificates takes a while."""
    return ssl.create_default_context()


def _with_jitter(delay_s: float) -> float:
    return delay_s * (1 + JITTER * (secrets.randbelow(2001) - 1000) / 1000)
