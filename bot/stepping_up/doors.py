"""The doors of a yes that takes more than a click: /confirm/TOKEN shows the call, and how the yes is given.

Nothing is decided on the way there. What comes back must be about this link, and prove that it is the person
whom the link is for; then it goes through the desk like a click.
"""

from __future__ import annotations

from aiohttp import web

from approvals.model import Assurance
from bot.stepping_up import own_keys, page, passkeys, signing_in
from bot.stepping_up.opening import NOTHING, Dead, SteppingUp, answer, opened, safely

NO_SIGN_IN = "Nobody can sign in here: those who run this have to set up where. Nothing was decided."


def add_to(app: web.Application, parts: SteppingUp) -> None:
    """Serve them."""

    async def show(request: web.Request) -> web.StreamResponse:
        link = await opened(parts, request.match_info["token"])
        who = await parts.people.name_of(link.confirmation.person)
        at = f"{parts.url}/confirm/{link.token}"
        if link.request.terms.assurance is Assurance.KEY:
            statement = await own_keys.statement(parts, link)
            return answer(page.to_sign(link.request, link.confirmation, who, at, statement))
        if parts.sign_in is None:
            raise Dead(NOTHING, NO_SIGN_IN, 404)
        provider = parts.sign_in.provider
        asked = await passkeys.asked(parts, link)
        return answer(page.to_sign_in(link.request, link.confirmation, who, at, provider, asked))

    app.router.add_get("/confirm/{token}", safely(show))
    own_keys.add_to(app, parts)
    if parts.sign_in is not None:
        signing_in.add_to(app, parts, parts.sign_in)
        passkeys.add_to(app, parts)
