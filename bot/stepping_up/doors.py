"""The door of the sign-in: /confirm/TOKEN shows the call, /signed-in takes what the provider says.

Nothing is decided on the way there. What comes back must come back to the same browser, be about this link,
and name the person whom the link is for; then it goes through the desk like a click.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from approvals import wire
from approvals.errors import ArgumentsChanged, RequestNotFound, Unavailable
from approvals.model import Assurance, Person, Request, Via
from bot.desk import Decides, Desk
from bot.payloads import Who
from bot.people import People
from bot.plain import plain
from bot.redirecting import Redirecting
from bot.stepping_up import page
from bot.stepping_up.confirmations import LASTS, Confirmation, Confirmations
from bot.stepping_up.sign_in import SLACK, Attempt, Identity, SignIn, SignInFailed, attempt
from bot.vault import SecretFault, Vault

logger = logging.getLogger(__name__)

PURPOSE = "sign-in"
MOST_CHARS = 2000  # of what a provider sends back
ATTEMPT: wire.Shape[Attempt] = wire.Shape(Attempt)
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

OVER = "This link is over: it was used, or its five minutes have passed. Press Approve on the card once more."
CHANGED = "This has been decided, or has changed, since you pressed the button. Look at its card in Slack."
ELSEWHERE = "This sign-in was begun in another browser, or too long ago. Open the link from Slack once more."
NOT_YOURS = "You signed in as somebody else than the person whom this link is for. Nothing was decided."
NOT_PROVEN = "The sign-in could not be checked, so nothing was decided. Press Approve on the card once more."
DECLINED = "You didn't sign in, so nothing was decided."
AWAY = "The service can't reach what it needs just now, so nothing was decided. Try it again in a minute."


class Dead(Exception):
    """What is said instead of going on."""

    def __init__(self, title: str, sentence: str, status: int = 410) -> None:
        super().__init__(sentence)
        self.title, self.sentence, self.status = title, sentence, status


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppingUp:
    """All that it takes."""

    confirmations: Confirmations
    sign_in: SignIn
    vault: Vault
    desk: Desk
    people: People
    redirecting: Redirecting
    issuer: str
    is_tls: bool  # whether browsers reach us by TLS

    @property
    def cookie(self) -> str:
        return "__Host-sign-in" if self.is_tls else "sign-in"


def add_to(app: web.Application, parts: SteppingUp) -> None:
    """Serve it."""

    async def show(request: web.Request) -> web.StreamResponse:
        confirmation, asked = await _open(parts, request.match_info["token"])
        who = await parts.people.name_of(confirmation.person)
        onward = f"/confirm/{request.match_info['token']}/sign-in"
        provider = "Slack" if parts.issuer == SLACK else "your sign-in"
        return _answer(page.asking(asked, confirmation, who, onward, provider))

    async def begin(request: web.Request) -> web.StreamResponse:
        token = request.match_info["token"]
        await _open(parts, token)
        begun = attempt(token, await parts.confirmations.now())
        response = web.Response(status=303, headers=dict(page.HEADERS))
        response.headers["Location"] = await parts.sign_in.begin(begun)
        sealed = parts.vault.seal(PURPOSE, wire.write(ATTEMPT, begun).encode())
        age = int(LASTS.total_seconds())
        response.set_cookie(
            parts.cookie, sealed, max_age=age, path="/", httponly=True, samesite="Lax", secure=parts.is_tls
        )
        return response

    async def finish(request: web.Request) -> web.StreamResponse:
        begun = _begun(parts, request)
        confirmation, asked = await _open(parts, begun.token)
        code = request.query.get("code", "")
        if not code or len(code) > MOST_CHARS:
            raise Dead("Nothing was decided", DECLINED, 400)
        identity = await parts.sign_in.finish(begun, code)
        response = _answer(await _decided(parts, begun.token, confirmation, asked, identity))
        response.del_cookie(parts.cookie, path="/", httponly=True, samesite="Lax", secure=parts.is_tls)
        return response

    app.router.add_get("/confirm/{token}", _safely(show))
    app.router.add_get("/confirm/{token}/sign-in", _safely(begin), allow_head=False)
    app.router.add_get("/signed-in", _safely(finish), allow_head=False)


async def _open(parts: SteppingUp, token: str) -> tuple[Confirmation, Request]:
    """What the link is for, if it can still be given."""
    confirmation = await parts.confirmations.look(token)
    if confirmation is None:
        raise Dead("This link is over", OVER)
    try:
        request, _ = await parts.desk.store.get(confirmation.request)
    except RequestNotFound:
        raise Dead("This link is over", OVER) from None
    if not confirmation.fits(request):
        raise Dead("This link is over", CHANGED)
    return confirmation, request


def _begun(parts: SteppingUp, request: web.Request) -> Attempt:
    """The sign-in that this very browser has begun."""
    try:
        begun = wire.read(ATTEMPT, parts.vault.open(PURPOSE, request.cookies.get(parts.cookie, "")))
    except (SecretFault, wire.Unreadable):
        raise Dead("Nothing was decided", ELSEWHERE, 400) from None
    if not secrets.compare_digest(request.query.get("state", "").encode(), begun.state.encode()):
        raise Dead("Nothing was decided", ELSEWHERE, 400)
    return begun


async def _decided(
    parts: SteppingUp, token: str, confirmation: Confirmation, asked: Request, identity: Identity
) -> str:
    """Give the yes, if it is theirs to give."""
    who = Who(id=identity.person, team=identity.team, assurance=Assurance.STEP_UP)
    if identity.person != confirmation.person:
        why = f"signed in on a link that is for {confirmation.person}"
        await parts.desk.deny(who, asked, confirmation.verb, why, via=Via.WEB)
        raise Dead("Nothing was decided", NOT_YOURS, 403)
    if confirmation.edited is not None and await parts.redirecting.terms(asked, confirmation.edited):
        raise Dead("Nothing was decided", CHANGED)  # the policy has changed since
    taken = await parts.confirmations.take(token)
    if taken is None:
        raise Dead("This link is over", OVER)

    def command(person: Person, request: Request) -> Decides:
        if not taken.fits(request):
            raise ArgumentsChanged(request)
        return taken.command(person)

    verdict = await parts.desk.decide(who, taken.request, taken.verb, command, via=Via.WEB)
    if verdict.refusal is not None:
        raise Dead("Nothing was decided", plain(verdict.refusal), 409)
    return page.saying("Done", plain(verdict.words))


def _answer(html: str, status: int = 200) -> web.Response:
    return web.Response(text=html, status=status, content_type="text/html", headers=dict(page.HEADERS))


def _safely(handle: Handler) -> Handler:
    """Whatever goes wrong decides nothing, and says so."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except Dead as dead:
            return _answer(page.saying(dead.title, dead.sentence), dead.status)
        except SignInFailed as error:
            logger.warning("a sign-in was not believed: %s", error)
            return _answer(page.saying("Nothing was decided", NOT_PROVEN), 403)
        except Unavailable as error:
            logger.warning("a sign-in could not be taken: %s", error)
            return _answer(page.saying("Nothing was decided", AWAY), 503)

    return handler
