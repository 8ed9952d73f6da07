"""What every way through a link has in common: opening it, giving the yes at the desk, and saying no."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from approvals.approver_keys import ApproverKeys
from approvals.errors import ArgumentsChanged, RequestNotFound, Unavailable
from approvals.model import Person, Request, Tenant, Via
from bot import logs
from bot.desk import Decides, Desk
from bot.payloads import Who
from bot.people import People
from bot.plain import plain
from bot.redirecting import Redirecting
from bot.stepping_up import page
from bot.stepping_up.confirmations import Confirmation, Confirmations
from bot.stepping_up.sign_in import SignIn, SignInFailed
from bot.vault import Vault

logger = logging.getLogger(__name__)

Whose: TypeAlias = "Callable[[Tenant], SteppingUp | None]"
Handler: TypeAlias = "Callable[[SteppingUp, web.Request], Awaitable[web.StreamResponse]]"

NOTHING = "Nothing was decided"
IS_OVER = "This link is over"
OVER = "This link is over: it was used, or its five minutes have passed. Press Approve on the card once more."
CHANGED = "This has been decided, or has changed, since you pressed the button. Look at its card in Slack."
ELSEWHERE = "This sign-in was begun in another browser, or too long ago. Open the link from Slack once more."
NOT_PROVEN = "The sign-in could not be checked, so nothing was decided. Press Approve on the card once more."
AWAY = "The service can't reach what it needs just now, so nothing was decided. Try it again in a minute."


class Dead(Exception):
    """What is said instead of going on."""

    def __init__(self, title: str, sentence: str, status: int = 410) -> None:
        super().__init__(sentence)
        self.title, self.sentence, self.status = title, sentence, status


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppingUp:
    """All that it takes, of one tenant."""

    tenant: Tenant
    confirmations: Confirmations
    sign_in: SignIn | None  # None where no provider is set up: then only keys of one's own count
    keys: ApproverKeys
    vault: Vault
    desk: Desk
    people: People
    redirecting: Redirecting
    url: str  # where browsers reach us

    @property
    def is_tls(self) -> bool:
        return self.url.startswith("https:")

    def at(self, link: Opened) -> str:
        """The address of a link's page."""
        return self.confirmations.address(link.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A link that can still be used."""

    token: str
    confirmation: Confirmation
    request: Request


async def opened(parts: SteppingUp, request: web.Request) -> Opened:
    """What the link of this address is for, if it can still be given."""
    return await opened_by(parts, request.match_info["token"])


async def opened_by(parts: SteppingUp, token: str) -> Opened:
    """The same, by the link's token."""
    confirmation = await parts.confirmations.look(token)
    if confirmation is None:
        raise Dead(IS_OVER, OVER)
    try:
        request, _ = await parts.desk.store.get(confirmation.request)
    except RequestNotFound:
        raise Dead(IS_OVER, OVER) from None
    if not confirmation.fits(request):
        raise Dead(IS_OVER, CHANGED)
    return Opened(token=token, confirmation=confirmation, request=request)


async def decided(parts: SteppingUp, link: Opened, who: Who) -> str:
    """Use the link up and give the yes, as far as it is theirs to give; what they are told."""
    edited = link.confirmation.edited
    if edited is not None and await parts.redirecting.terms(link.request, edited):
        raise Dead(NOTHING, CHANGED)  # the policy has changed since
    taken = await parts.confirmations.take(link.token)
    if taken is None:
        raise Dead(IS_OVER, OVER)

    def command(person: Person, request: Request) -> Decides:
        if not taken.fits(request):
            raise ArgumentsChanged(request)
        return taken.command(person)

    verdict = await parts.desk.decide(who, taken.request, taken.verb, command, via=Via.WEB)
    if verdict.refusal is not None:
        raise Dead(NOTHING, plain(verdict.refusal), 409)
    return plain(verdict.words)


async def denied(parts: SteppingUp, link: Opened, who: Who, why: str, sentence: str) -> Dead:
    """Log an attempt that doesn't count; what is said of it."""
    await parts.desk.deny(who, link.request, link.confirmation.verb, why, via=Via.WEB)
    return Dead(NOTHING, sentence, 403)


def answer(html: str, status: int = 200) -> web.Response:
    return web.Response(text=html, status=status, content_type="text/html", headers=dict(page.HEADERS))


def told(request: web.Request, title: str, sentence: str, status: int = 200) -> web.Response:
    """What came of it: as a page, or for a program that asks so as JSON."""
    if request.headers.get("Accept") == "application/json":
        return web.json_response({"told": sentence}, status=status, headers=dict(page.HEADERS))
    return answer(page.saying(title, sentence), status)


def safely(whose: Whose, handle: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Whatever goes wrong decides nothing, and says so."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            parts = _parts(whose, request)
            logs.TENANT.set(parts.tenant)
            return await handle(parts, request)
        except Dead as dead:
            return told(request, dead.title, dead.sentence, dead.status)
        except SignInFailed as error:
            logger.warning("a sign-in was not believed: %s", error)
            return told(request, NOTHING, NOT_PROVEN, 403)
        except Unavailable as error:
            logger.warning("a yes could not be taken: %s", error)
            return told(request, NOTHING, AWAY, 503)

    return handler


def _parts(whose: Whose, request: web.Request) -> SteppingUp:
    """Those of the tenant that the address names; what comes back from a provider names it in its state."""
    named, state = request.match_info.get("tenant"), request.query.get("state", "")
    parts = whose(Tenant(state.partition(".")[0] if named is None else named))
    if parts is None:
        raise Dead(IS_OVER, OVER) if named is not None else Dead(NOTHING, ELSEWHERE, 400)
    return parts
