"""Confirming by a sign-in: /confirm/TOKEN/sign-in leads to the provider, /signed-in takes what it says.

What comes back must come back to the same browser, and name the person whom the link is for.
"""

from __future__ import annotations

import secrets

from aiohttp import web

from approvals import wire
from approvals.model import Assurance, Evidence
from bot.payloads import Who
from bot.stepping_up import page, passkeys
from bot.stepping_up.confirmations import LASTS
from bot.stepping_up.opening import (
    NOTHING,
    Dead,
    Opened,
    SteppingUp,
    answer,
    decided,
    denied,
    opened,
    safely,
)
from bot.stepping_up.sign_in import Attempt, Identity, SignIn, attempt
from bot.vault import SecretFault

PURPOSE = "sign-in"
MOST_CHARS = 2000  # of what a provider sends back
ATTEMPT: wire.Shape[Attempt] = wire.Shape(Attempt)

ELSEWHERE = "This sign-in was begun in another browser, or too long ago. Open the link from Slack once more."
NOT_YOURS = "You signed in as somebody else than the person whom this link is for. Nothing was decided."
DECLINED = "You didn't sign in, so nothing was decided."


def add_to(app: web.Application, parts: SteppingUp, sign_in: SignIn) -> None:
    """Serve it."""
    cookie = "__Host-sign-in" if parts.is_tls else "sign-in"

    async def begin(request: web.Request) -> web.StreamResponse:
        token = request.match_info["token"]
        await opened(parts, token)
        begun = attempt(token, await parts.confirmations.now())
        response = web.Response(status=303, headers=dict(page.HEADERS))
        response.headers["Location"] = await sign_in.begin(begun)
        sealed = parts.vault.seal(PURPOSE, wire.write(ATTEMPT, begun).encode())
        age = int(LASTS.total_seconds())
        response.set_cookie(
            cookie, sealed, max_age=age, path="/", httponly=True, samesite="Lax", secure=parts.is_tls
        )
        return response

    async def finish(request: web.Request) -> web.StreamResponse:
        begun = _begun(parts, request, cookie)
        link = await opened(parts, begun.token)
        code = request.query.get("code", "")
        if not code or len(code) > MOST_CHARS:
            raise Dead(NOTHING, DECLINED, 400)
        who = await _theirs(parts, link, await sign_in.finish(begun, code))
        response = answer("")
        asked = await passkeys.offer(parts, response, who.id)
        words = await decided(parts, link, who)
        response.text = page.saying("Done", words, page.offering(f"{parts.url}/passkeys", asked))
        response.del_cookie(cookie, path="/", httponly=True, samesite="Lax", secure=parts.is_tls)
        return response

    app.router.add_get("/confirm/{token}/sign-in", safely(begin), allow_head=False)
    app.router.add_get("/signed-in", safely(finish), allow_head=False)


def _begun(parts: SteppingUp, request: web.Request, cookie: str) -> Attempt:
    """The sign-in that this very browser has begun."""
    try:
        begun = wire.read(ATTEMPT, parts.vault.open(PURPOSE, request.cookies.get(cookie, "")))
    except (SecretFault, wire.Unreadable):
        raise Dead(NOTHING, ELSEWHERE, 400) from None
    if not secrets.compare_digest(request.query.get("state", "").encode(), begun.state.encode()):
        raise Dead(NOTHING, ELSEWHERE, 400)
    return begun


async def _theirs(parts: SteppingUp, link: Opened, identity: Identity) -> Who:
    """Who has signed in, if the link is for them."""
    evidence = Evidence(means="sign-in")
    who = Who(id=identity.person, team=identity.team, assurance=Assurance.STEP_UP, evidence=evidence)
    if identity.person != link.confirmation.person:
        why = f"signed in on a link that is for {link.confirmation.person}"
        raise await denied(parts, link, who, why, NOT_YOURS)
    return who
