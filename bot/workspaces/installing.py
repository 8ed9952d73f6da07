"""The app comes into a workspace: /slack/install leads to Slack, /slack/oauth_redirect takes what it says.

What comes back must come back to the browser that set out, once, within ten minutes.
https://docs.slack.dev/authentication/installing-with-oauth
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urljoin

import aiohttp
from aiohttp import web
from redis.asyncio import Redis
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals import wire
from approvals.errors import Unavailable
from approvals.keys import is_written_as, key
from approvals.model import Tenant
from approvals.redis_door import translated
from bot.checks.slack_checks import SCOPES
from bot.cookies import Cookie
from bot.settings import SlackApp
from bot.slack_errors import word_of
from bot.stepping_up import page
from bot.vault import SecretFault, Vault
from bot.workspaces.installations import WORKSPACES, Installation, Installations
from bot.workspaces.tokens import access, issued

logger = logging.getLogger(__name__)

INSTALL, BACK = "/slack/install", "/slack/oauth_redirect"
LASTS = timedelta(minutes=10)  # as long as Slack's code
PURPOSE = "installing"
MOST_CHARS = 2000  # of a code
NOTHING = "Nothing was installed"
DECLINED = "You did not allow it. You can start again at any time."
ELSEWHERE = (
    "This was begun in another browser, was used already, or is more than ten minutes old. Start again."
)
NOT_TAKEN = (
    "Slack did not hand the workspace over. Start again; if it goes on, tell whoever runs this service."
)
AWAY = "The service can't reach what it needs just now. Try it again in a minute."


@dataclass(frozen=True, slots=True, kw_only=True)
class Installing:
    """All that it takes."""

    redis: Redis
    vault: Vault
    installations: Installations
    app: SlackApp
    slack: AsyncWebClient
    url: str  # where browsers reach this service
    installed: Callable[[], None]  # called when there is one more

    @property
    def back(self) -> str:
        return f"{self.url}{BACK}"

    @property
    def cookie(self) -> Cookie:
        return Cookie(called="installing", lasts=LASTS, is_tls=self.url.startswith("https:"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """That one browser has set out; it alone keeps this, sealed."""

    state: str
    at: datetime


_BEGUN: wire.Shape[Begun] = wire.Shape(Begun)


class NotInstalled(Exception):
    """What is said instead of going on."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.sentence, self.status = sentence, status


def add_to(app: web.Application, parts: Installing) -> None:
    """Serve it."""

    async def set_out(_: web.Request) -> web.StreamResponse:
        state = secrets.token_urlsafe(32)
        begun = Begun(state=state, at=await parts.installations.now())
        response = web.Response(status=303, headers=dict(page.HEADERS))
        response.headers["Location"] = _slack_page(parts, state)
        parts.cookie.put(response, parts.vault.seal(PURPOSE, wire.write(_BEGUN, begun).encode()))
        return response

    async def come_back(request: web.Request) -> web.StreamResponse:
        await _check_state(parts, request)
        code = request.query.get("code", "")
        if not code or len(code) > MOST_CHARS:
            raise NotInstalled(DECLINED, 400)
        installation = await _redeemed(parts, code)
        await parts.installations.put(installation)
        parts.installed()
        logger.warning("the app was installed in %s", installation.name)
        response = _answer(
            "Countersign is in", f"{installation.name} can use it now. Invite it to a channel."
        )
        parts.cookie.drop(response)
        return response

    async def safely(request: web.Request) -> web.StreamResponse:
        try:
            return await (set_out if request.path == INSTALL else come_back)(request)
        except NotInstalled as error:
            return _answer(NOTHING, error.sentence, error.status)
        except Unavailable as error:
            logger.warning("an installation could not be taken: %s", error)
            return _answer(NOTHING, AWAY, 503)

    app.router.add_get(INSTALL, safely, allow_head=False)
    app.router.add_get(BACK, safely, allow_head=False)


def _slack_page(parts: Installing, state: str) -> str:
    asked = {
        "client_id": parts.app.client_id,
        "scope": ",".join(sorted(SCOPES)),
        "state": state,
        "redirect_uri": parts.back,
    }
    return f"{urljoin(parts.slack.base_url, '../oauth/v2/authorize')}?{urlencode(asked)}"


async def _check_state(parts: Installing, request: web.Request) -> None:
    """Whether this very browser set out for this, not long ago, and has not come back yet."""
    try:
        begun = wire.read(_BEGUN, parts.vault.open(PURPOSE, parts.cookie.read(request)))
    except (SecretFault, wire.Unreadable):
        raise NotInstalled(ELSEWHERE, 400) from None
    is_ours = secrets.compare_digest(request.query.get("state", "").encode(), begun.state.encode())
    if not is_ours or await parts.installations.now() - begun.at > LASTS:
        raise NotInstalled(ELSEWHERE, 400)
    used = key(WORKSPACES, "installing", hashlib.sha256(begun.state.encode()).hexdigest())
    with translated(parts.redis):
        is_first = await parts.redis.set(used, "", nx=True, ex=LASTS)
    if not is_first:
        raise NotInstalled(ELSEWHERE, 400)


async def _redeemed(parts: Installing, code: str) -> Installation:
    """What Slack gives for the code."""
    now = await parts.installations.now()
    try:
        said = await access(parts.slack, parts.app, code=code, redirect_uri=parts.back)
    except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
        logger.warning("a code was not taken", extra={"error": word_of(error)})
        raise NotInstalled(NOT_TAKEN, 502) from error
    where = said.get("enterprise" if said.get("is_enterprise_install") else "team") or {}
    id = str(where.get("id"))
    if not is_written_as("tenant name", id) or said.get("token_type") != "bot":
        raise NotInstalled(NOT_TAKEN, 502)
    return Installation(
        id=Tenant(id),
        name=str(where.get("name") or id),
        since=now,
        by=str((said.get("authed_user") or {}).get("id")),
        bot=issued(said, now),
    )


def _answer(title: str, sentence: str, status: int = 200) -> web.Response:
    html = page.saying(title, sentence)
    return web.Response(text=html, status=status, content_type="text/html", headers=dict(page.HEADERS))
