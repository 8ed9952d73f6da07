"""Confirming with a passkey: made by whoever has just signed in, and asked for in the place of a sign-in.

What a passkey signs is the hash of the statement that an SSH key would sign: one yes, by one person, to one
call, on one link. So an answer counts once, and for nothing else.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

import webauthn
from aiohttp import web
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from approvals import wire
from approvals.approver_keys import ApproverKey
from approvals.errors import InvalidCall
from approvals.model import Actor, Assurance, Evidence, PersonId, Via
from approvals.sshsig import fingerprint
from bot.cookies import Cookie
from bot.payloads import Who
from bot.stepping_up import page
from bot.stepping_up.confirmations import LASTS
from bot.stepping_up.opening import Dead, Opened, SteppingUp, Whose, decided, denied, opened, safely, told
from bot.vault import SecretFault

ANSWER_CHARS = 16 * 1024  # of what a browser sends
NAME = "Countersign"

NOT_MADE = "No passkey was made"
NOT_ASKED = (
    "A passkey is made right after a sign-in, in the same browser. Confirm the next call with a sign-in."
)
NOT_READ = "What the browser sent is no new passkey for this service."
NOT_THEIRS = (
    "This is no passkey that is registered for you, or it was made for something else. Nothing was decided."
)
MADE = "From now on you can confirm calls with it. Those who run this can take it out again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Somebody has signed in, and may make a passkey."""

    person: PersonId
    challenge: str
    until_s: float


_OFFER: wire.Shape[Offer] = wire.Shape(Offer)


def add_to(app: web.Application, whose: Whose) -> None:
    """Serve it."""
    app.router.add_post("/confirm/{tenant}/{token}/passkey", safely(whose, _confirm))
    app.router.add_post("/passkeys/{tenant}", safely(whose, _make))


# -- confirming ---------------------------------------------------------------------------------------


async def asked(parts: SteppingUp, link: Opened) -> str | None:
    """What the browser asks passkeys for; None: this person has none."""
    theirs = await _of(parts, link.confirmation.person)
    if not theirs:
        return None
    options = webauthn.generate_authentication_options(
        rp_id=_host(parts),
        challenge=_challenge(link),
        allow_credentials=_described(theirs),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


async def _confirm(parts: SteppingUp, request: web.Request) -> web.StreamResponse:
    link = await opened(parts, request)
    who = await _theirs(parts, link, await _credential(request))
    return told(request, "Done", await decided(parts, link, who))


async def _theirs(parts: SteppingUp, link: Opened, credential: str) -> Who:
    """The person whom the link is for, if a passkey of theirs has answered for it."""
    person = link.confirmation.person
    who = Who(id=person, team=None, assurance=Assurance.STEP_UP, evidence=Evidence(means="passkey"))
    try:
        read = webauthn.helpers.parse_authentication_credential_json(credential)
        one = next(each for each in await _of(parts, person) if each.credential == read.id)
        verified = webauthn.verify_authentication_response(
            credential=read,
            expected_challenge=_challenge(link),
            expected_rp_id=_host(parts),
            expected_origin=parts.url,
            credential_public_key=base64url_to_bytes(one.key),
            credential_current_sign_count=one.uses,
            require_user_verification=True,
        )
    except StopIteration:
        raise await denied(parts, link, who, "on their link: no passkey of theirs", NOT_THEIRS) from None
    except (WebAuthnException, ValueError) as error:
        raise await denied(parts, link, who, f"on their link: {error}", NOT_THEIRS) from None
    if verified.new_sign_count != one.uses:
        await parts.keys.count(person, one, verified.new_sign_count)
    return who


def _challenge(link: Opened) -> bytes:
    return hashlib.sha256(link.confirmation.statement(link.request, link.token).text.encode()).digest()


# -- making one ---------------------------------------------------------------------------------------


async def offer(parts: SteppingUp, response: web.Response, person: PersonId) -> str:
    """The part of a page that makes one, for whoever has just signed in; the cookie holds it to them."""
    made = Offer(
        person=person,
        challenge=secrets.token_urlsafe(32),
        until_s=(await parts.confirmations.now() + LASTS).timestamp(),
    )
    _cookie(parts).put(response, parts.vault.seal(_purpose(parts), wire.write(_OFFER, made).encode()))
    name = await parts.people.name_of(person)
    options = webauthn.generate_registration_options(
        rp_id=_host(parts),
        rp_name=NAME,
        user_id=person.encode(),
        user_name=name,
        challenge=base64url_to_bytes(made.challenge),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_described(await _of(parts, person)),
    )
    return page.offering(f"{parts.url}/passkeys/{parts.tenant}", webauthn.options_to_json(options))


async def _make(parts: SteppingUp, request: web.Request) -> web.StreamResponse:
    person, one = await _made(parts, request)
    by = Actor(id=f"slack:{person}", name=await parts.people.name_of(person))
    try:
        await parts.keys.add(person, one, by, Via.WEB)
    except InvalidCall as error:
        raise Dead(NOT_MADE, f"{error}.", 409) from None
    response = told(request, "Your passkey is made", MADE)
    _cookie(parts).drop(response)
    return response


async def _made(parts: SteppingUp, request: web.Request) -> tuple[PersonId, ApproverKey]:
    """What the browser has made, and for whom."""
    try:
        sealed = parts.vault.open(_purpose(parts), _cookie(parts).read(request))
        made = wire.read(_OFFER, sealed)
    except (SecretFault, wire.Unreadable):
        raise Dead(NOT_MADE, NOT_ASKED, 400) from None
    now = await parts.confirmations.now()
    if now.timestamp() > made.until_s:
        raise Dead(NOT_MADE, NOT_ASKED, 400)
    try:
        verified = webauthn.verify_registration_response(
            credential=await _credential(request),
            expected_challenge=base64url_to_bytes(made.challenge),
            expected_rp_id=_host(parts),
            expected_origin=parts.url,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        raise Dead(NOT_MADE, NOT_READ, 403) from None
    one = ApproverKey(
        kind="passkey",
        name=fingerprint(verified.credential_id),
        key=bytes_to_base64url(verified.credential_public_key),
        credential=bytes_to_base64url(verified.credential_id),
        uses=verified.sign_count,
        since=now,
    )
    return made.person, one


async def _of(parts: SteppingUp, person: PersonId) -> list[ApproverKey]:
    return [each for each in await parts.keys.of(person) if each.kind == "passkey"]


def _described(theirs: list[ApproverKey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.credential)) for each in theirs]


async def _credential(request: web.Request) -> str:
    return str((await request.post()).get("credential", ""))[:ANSWER_CHARS]


def _host(parts: SteppingUp) -> str:
    return urlsplit(parts.url).hostname or ""


def _purpose(parts: SteppingUp) -> str:
    return f"passkey {parts.tenant}"


def _cookie(parts: SteppingUp) -> Cookie:
    return Cookie(called="passkey", lasts=LASTS, is_tls=parts.is_tls, same_site="Strict")
