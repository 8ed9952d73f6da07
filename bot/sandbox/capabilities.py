"""The two short-lived keys that an interaction hands to the app: triggers and response URLs."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox import limits
from bot.sandbox.wire import SlackError


@dataclass(slots=True)
class Trigger:
    user: str
    expires: float
    view_id: str | None  # the dialog it came from, which is what `views.push` needs
    used: bool = False


class Triggers:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._triggers: OrderedDict[str, Trigger] = OrderedDict()

    def issue(self, user: str, view_id: str | None = None) -> str:
        now = self._clock()
        while self._triggers and next(iter(self._triggers.values())).expires < now - _REMEMBERED_S:
            self._triggers.popitem(last=False)
        ident = f"{int(now * 1000)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self._triggers[ident] = Trigger(user, now + limits.TRIGGER_S, view_id)
        return ident

    def exchange(self, ident: str) -> Trigger:
        """Use a trigger up."""
        trigger = self._triggers.get(ident)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._clock() > trigger.expires:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger


@dataclass(slots=True)
class ResponseUrl:
    channel: str
    user: str
    ts: str | None  # of the message that was clicked
    ephemeral: bool
    expires: float
    uses_left: int = limits.RESPONSE_URL_USES


class ResponseUrls:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._urls: OrderedDict[str, ResponseUrl] = OrderedDict()

    def issue(self, *, channel: str, user: str, ts: str | None = None, ephemeral: bool = False) -> str:
        """Return the secret last part of the address."""
        now = self._clock()
        while self._urls and next(iter(self._urls.values())).expires < now - _REMEMBERED_S:
            self._urls.popitem(last=False)
        key = secrets.token_urlsafe(18)
        self._urls[key] = ResponseUrl(channel, user, ts, ephemeral, now + limits.RESPONSE_URL_S)
        return key

    def use(self, key: str) -> ResponseUrl:
        url = self._urls.get(key)
        if url is None or self._clock() > url.expires:
            raise SlackError("expired_url")
        if url.uses_left == 0:
            raise SlackError("used_url")
        url.uses_left -= 1
        return url


_REMEMBERED_S = 60.0  # long enough after the end to say why a key no longer works
