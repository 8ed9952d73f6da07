"""Confirming by a sign-in: a link’s /sign-in leads to the provider, /signed-in takes what it says.

What comes back must come back to the same browser, and name the person whom the link is for.
"""

from __future__ import annotations

import secrets

from aiohttp import web

from approvals import wire
from approvals.model import Assurance, Evidence
from bot.cookies import Cookie
from bot.payloads import Who
from bot.stepping_up import page, passkeys
from bot.stepping_up.confirmations import LASTS
from bot.stepping_up.opening import (
    ELSEWHERE,
    NOTHING,
    Dead,
    Opened,
    SteppingUp,
    Whose,
    answer,
    decided,
    denied,
    opened,
    opened_by,
    safely,
)
from bot.stepping_up.sign_in import Attempt, Identity, SignIn, attempt
from bot.vault import SecretFault

PURPOSE = "sign-in"
MOST_CHARS = 2000  # of what a provider sends back
ATTEMPT: wire.Shape[Attempt] = wire.Shape(Attempt)

NOT_YOURS = "You signed in as somebody else than the person whom this link is for. Nothing was decided."
NO_SIGN_IN = "Nobody can sign in here: those who run this have to set up where. Nothing was decided."
DECLINED = "You didn't sign in, so nothing was decided."


def add_to(app: web.Application, whose: Whose) -> None:
    """Serve it."""
    app.router.add_get("/confirm/{tenant}/{token}/sign-in", safely(whose, _begin), allow_head=False)
    app.router.add_get("/signed-in", safely(whose, _finish), allow_head=False)


def provider(parts: SteppingUp) -> SignIn:
    """Where people sign in."""
    if parts.sign_in is None:
        raise Dead(NOTHING, NO_SIGN_IN, 404)
    return parts.sign_in


async def _begin(parts: SteppingUp, request: web.Request) -> web.StreamResponse:
    link = await opened(parts, request)
    begun = attempt(parts.tenant, link.token, await parts.confirmations.now())
    response = web.Response(status=303, headers=dict(page.HEADERS))
    response.headers["Location"] = await provider(parts).begin(begun)
    _cookie(parts).put(response, parts.vault.seal(PURPOSE, wire.write(ATTEMPT, begun).encode()))
    return response


async def _finish(parts: SteppingUp, request: web.Request) -> web.StreamResponse:
    begun = _begun(parts, request)
    link = await opened_by(parts, begun.token)
    code = request.query.get("code", "")
    if not code or len(code) > MOST_CHARS:
        raise Dead(NOTHING, DECLINED, 400)
    who = await _theirs(parts, link, await provider(parts).finish(begun, code))
    response = answer("")
    offer = await passkeys.offer(parts, response, who.id)
    words = await decided(parts, link, who)
    response.text = page.saying("Done", words, offer)
    _cookie(parts).drop(response)
    return response


def _begun(parts: SteppingUp, request: web.Request) -> Attempt:
    """The sign-in that this very browser has begun."""
    try:
        begun = wire.read(ATTEMPT, parts.vault.open(PURPOSE, _cookie(parts).read(request)))
    except (SecretFault, wire.Unreadable):
        raise Dead(NOTHING, ELSEWHERE, 400) from None
    if not secrets.compare_digest(request.query.get("state", "").encode(), begun.state.encode()):
        raise Dead(NOTHING, ELSEWHERE, 400)
    return begun


def _cookie(parts: SteppingUp) -> Cookie:
    return Cookie(called="sign-in", lasts=LASTS, is_tls=parts.is_tls)


async def _theirs(parts: SteppingUp, link: Opened, identity: Identity) -> Who:
    """Who has signed in, if the link is for them."""
    evidence = Evidence(means="sign-in")
    who = Who(id=identity.person, team=identity.team, assurance=Assurance.STEP_UP, evidence=evidence)
    if identity.person != link.confirmation.person:
        why = f"signed in on a link that is for {link.confirmation.person}"
        raise await denied(parts, link, who, why, NOT_YOURS)
    return who
