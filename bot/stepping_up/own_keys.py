"""Signing with an SSH key of one's own: a link's /statement and /call give what is signed, /signature takes
the signature. It counts if a key that is registered for this very person has made it, over this text.
"""

from __future__ import annotations

from aiohttp import web

from approvals.approver_keys import is_of
from approvals.countersigning import ASKED, Asked
from approvals.errors import NotSigned
from approvals.masking import pointers, shown_args
from approvals.model import Assurance, Evidence
from approvals.sshsig import signed_by
from approvals.statements import NAMESPACE, Statement
from bot.payloads import Who
from bot.stepping_up import page
from bot.stepping_up.opening import (
    NOTHING,
    Dead,
    Opened,
    SteppingUp,
    Whose,
    decided,
    denied,
    opened,
    safely,
    told,
)

NO_KEY = (
    "No key is registered for you, so nothing was decided. Give your public key to those who run this;"
    " they add it with: countersign approver-keys add {person} FILE"
)
NOT_THEIRS = "This was signed with a key that is not registered for you. Nothing was decided."
NO_SIGNATURE = "Nothing was decided: {why}."


def add_to(app: web.Application, whose: Whose) -> None:
    """Serve it."""
    app.router.add_get("/confirm/{tenant}/{token}/statement", safely(whose, _text))
    app.router.add_get("/confirm/{tenant}/{token}/call", safely(whose, _call))
    app.router.add_post("/confirm/{tenant}/{token}/signature", safely(whose, _take))


async def _text(parts: SteppingUp, request: web.Request) -> web.StreamResponse:
    asked = await statement(parts, await opened(parts, request))
    return web.Response(text=asked.text, headers=dict(page.HEADERS))


async def _call(parts: SteppingUp, request: web.Request) -> web.StreamResponse:
    link = await opened(parts, request)
    asked, wanted = await statement(parts, link), page.wanted(link.request, link.confirmation)
    who = await parts.people.name_of(link.confirmation.person)
    shown = Asked(
        statement=asked.text,
        about=page.facts(link.request, link.confirmation, who),
        args=shown_args(wanted),
        masked=tuple(pointers(wanted)),
    )
    return web.json_response(ASKED.plain(shown), headers=dict(page.HEADERS))


async def _take(parts: SteppingUp, request: web.Request) -> web.StreamResponse:
    link = await opened(parts, request)
    form = await request.post()
    who = await _theirs(parts, link, str(form.get("signature", "")))
    return told(request, "Done", await decided(parts, link, who))


async def statement(parts: SteppingUp, link: Opened) -> Statement:
    """What this person is to sign, if they have a key for it."""
    person = link.confirmation.person
    if not any(each.kind == "ssh" for each in await parts.keys.of(person)):
        raise Dead(NOTHING, NO_KEY.format(person=person), 403)
    return link.confirmation.statement(link.request, link.token)


async def _theirs(parts: SteppingUp, link: Opened, signature: str) -> Who:
    """The person whom the link is for, if a key of theirs has signed."""
    person, text = link.confirmation.person, link.confirmation.statement(link.request, link.token).text
    tidy = "".join(f"{line.strip()}\n" for line in signature.strip().splitlines())
    evidence = Evidence(means="key", statement=text, signature=tidy)
    who = Who(id=person, team=None, assurance=Assurance.KEY, evidence=evidence)
    try:
        key = signed_by(tidy, NAMESPACE, text.encode())
    except NotSigned as error:
        why = f"on their link: {error}"
        raise await denied(parts, link, who, why, NO_SIGNATURE.format(why=error)) from None
    if not is_of(key, await parts.keys.of(person)):
        raise await denied(parts, link, who, f"on their link: {key.name} is no key of theirs", NOT_THEIRS)
    return who
