"""The doors of a yes that takes more than a click: a link shows the call, and how the yes is given.

Nothing is decided on the way there. What comes back must be about this link, and prove that it is the person
whom the link is for; then it goes through the desk like a click.
"""

from __future__ import annotations

from aiohttp import web

from approvals.model import Assurance
from bot.stepping_up import own_keys, page, passkeys, signing_in
from bot.stepping_up.opening import SteppingUp, Whose, answer, opened, safely


def add_to(app: web.Application, whose: Whose) -> None:
    """Serve them, for each tenant that `whose` knows."""
    app.router.add_get("/confirm/{tenant}/{token}", safely(whose, _show))
    for way in (own_keys, signing_in, passkeys):
        way.add_to(app, whose)


async def _show(parts: SteppingUp, request: web.Request) -> web.StreamResponse:
    link = await opened(parts, request)
    who = await parts.people.name_of(link.confirmation.person)
    if link.request.terms.assurance is Assurance.KEY:
        statement = await own_keys.statement(parts, link)
        return answer(page.to_sign(link.request, link.confirmation, who, parts.at(link), statement))
    provider, asked = signing_in.provider(parts).name, await passkeys.asked(parts, link)
    return answer(page.to_sign_in(link.request, link.confirmation, who, parts.at(link), provider, asked))
