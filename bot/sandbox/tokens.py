"""The app's bot tokens in one workspace: given out for a code, refreshed, revoked.

https://docs.slack.dev/authentication/installing-with-oauth and …/using-token-rotation
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox import limits
from bot.sandbox.wire import Json, SlackError


@dataclass(slots=True)
class Code:
    """What the redirect carries: good once, for ten minutes, for the address that it was sent to."""

    redirect_uri: str
    expires: float
    used: bool = False


class Tokens:
    """`first` is there without an installation; None: the app is not installed yet."""

    def __init__(self, clock: Callable[[], float], *, first: str | None, rotates: bool) -> None:
        self._clock, self._rotates = clock, rotates
        self._codes: dict[str, Code] = {}
        self._bot: dict[str, float | None] = {first: None} if first else {}  # until when
        self._ended: dict[str, str] = {}  # what Slack says of tokens that were good once
        self._refreshing: dict[str, float | None] = {}  # since when each is used up

    @property
    def is_installed(self) -> bool:
        return bool(self._bot)

    @property
    def newest(self) -> str | None:
        """The one that was given out last."""
        return next(reversed(self._bot), None)

    def knows(self, text: str) -> bool:
        """Whether this was ever given out here: a code, or a token of any kind."""
        return any(text in kept for kept in (self._codes, self._bot, self._ended, self._refreshing))

    def check(self, token: str) -> None:
        """Raises SlackError: it is no good, or no longer."""
        if token not in self._bot:
            raise SlackError(self._ended.get(token, "invalid_auth"))
        until = self._bot[token]
        if until is not None and self._clock() >= until:
            raise SlackError("token_expired")

    def code(self, redirect_uri: str) -> str:
        """Somebody pressed Allow."""
        code = f"{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._codes[code] = Code(redirect_uri, self._clock() + limits.OAUTH_CODE_S)
        return code

    def redeem(self, code: str, redirect_uri: str) -> Json:
        """Tokens for a code."""
        known = self._codes.get(code)
        if known is None or self._clock() > known.expires:
            raise SlackError("invalid_code")
        if known.used:
            raise SlackError("code_already_used")
        if known.redirect_uri != redirect_uri:
            raise SlackError("bad_redirect_uri")
        known.used = True
        return self._issue()

    def refresh(self, refresh_token: str) -> Json:
        """Tokens for a refresh token: it is good once, and for a moment more if the answer was lost."""
        if not self._rotates or refresh_token not in self._refreshing:
            raise SlackError("invalid_refresh_token")
        now = self._clock()
        used = self._refreshing[refresh_token]
        if used is not None and now > used + limits.REFRESH_GRACE_S:
            raise SlackError("invalid_refresh_token")
        self._refreshing[refresh_token] = now if used is None else used
        return self._issue()

    def _issue(self) -> Json:
        mark = secrets.token_hex(12)
        if not self._rotates:
            self._bot[f"xoxb-{mark}"] = None
            return {"access_token": f"xoxb-{mark}"}
        while len(self._bot) >= limits.ACTIVE_TOKENS:
            self._end(next(iter(self._bot)), "token_expired")
        self._bot[f"xoxe.xoxb-1-{mark}"] = self._clock() + limits.ROTATED_TOKEN_S
        self._refreshing[f"xoxe-1-{mark}"] = None
        return {
            "access_token": f"xoxe.xoxb-1-{mark}",
            "refresh_token": f"xoxe-1-{mark}",
            "expires_in": limits.ROTATED_TOKEN_S,
        }

    def revoke(self, token: str) -> None:
        self._end(token, "token_revoked")

    def end_all(self) -> None:
        """The app is removed from the workspace."""
        for token in list(self._bot):
            self._end(token, "account_inactive")
        self._refreshing.clear()

    def _end(self, token: str, why: str) -> None:
        del self._bot[token]
        self._ended[token] = why
