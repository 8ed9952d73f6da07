"""Signing in for one decision: OpenID Connect's code flow, with PKCE, state and nonce."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import jwt

from approvals.errors import ApprovalsError
from approvals.model import PersonId

SLACK = "https://slack.com"
USER_CLAIM: Final = "https://slack.com/user_id"
TEAM_CLAIM: Final = "https://slack.com/team_id"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # asymmetric ones: nothing that our secret could sign
REQUIRED = ["exp", "iat", "iss", "aud", "sub", "nonce"]
LEEWAY = timedelta(seconds=30)
ANSWER_S = 5.0
ANSWER_BYTES = 256 * 1024
_LOCAL = ("127.0.0.1", "localhost", "::1")


class SignInFailed(ApprovalsError):
    """What the provider answered proves nothing; the message is for operators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who says who somebody is."""

    client_id: str
    client_secret: str = field(repr=False)
    issuer: str = SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sign-in that has been begun, in one browser."""

    token: str  # of the link that it is for
    state: str
    nonce: str
    verifier: str
    begun_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who has signed in, as Slack names them."""

    person: PersonId
    team: str


def attempt(tenant: str, token: str, now: datetime) -> Attempt:
    """A sign-in that nobody can guess anything of, but whose it is."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Attempt(token=token, state=f"{tenant}.{state}", nonce=nonce, verifier=verifier, begun_at=now)


def is_safe(url: str) -> bool:
    """Whether what is sent there stays between us: TLS, or this machine."""
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in _LOCAL
    return bool(parts.hostname) and parts.username is None and (parts.scheme == "https" or is_local)


class SignIn:
    """Talks to the provider. Nothing of it is kept: people sign in rarely, and keys are rotated."""

    def __init__(self, provider: Provider, redirect_uri: str, team: str) -> None:
        self._provider, self._redirect_uri, self._team = provider, redirect_uri, team

    @property
    def name(self) -> str:
        """As people know it."""
        return "Slack" if self._is_slack else "your sign-in"

    async def begin(self, attempt: Attempt) -> str:
        """Where the browser is sent.

        Raises:
            SignInFailed: the provider is not to be reached, or not what it should be. So for `finish`.
        """
        async with _session() as session:
            endpoints = await self._endpoints(session)
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "scope": "openid",
            "client_id": self._provider.client_id,
            "redirect_uri": self._redirect_uri,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "max_age": "0",
        }
        asked |= {"team": self._team} if self._is_slack else {"prompt": "login"}
        begun = endpoints["authorization_endpoint"]
        return f"{begun}{'&' if urlsplit(begun).query else '?'}{urlencode(asked)}"

    async def finish(self, attempt: Attempt, code: str) -> Identity:
        """Who has signed in with that code, for this attempt, just now."""
        async with _session() as session:
            endpoints = await self._endpoints(session)
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "client_id": self._provider.client_id,
                "client_secret": self._provider.client_secret,
                "code_verifier": attempt.verifier,
            }
            told = await _json(session.post(endpoints["token_endpoint"], data=form, allow_redirects=False))
            keys = await _json(session.get(endpoints["jwks_uri"], allow_redirects=False))
        claims = self._verified(told.get("id_token"), keys)
        self._check_claims(claims, attempt)
        person, team = claims.get(USER_CLAIM), claims.get(TEAM_CLAIM)
        if not isinstance(person, str) or not isinstance(team, str):
            raise SignInFailed(f"the id token lacks the claims {USER_CLAIM} and {TEAM_CLAIM}")
        return Identity(person=PersonId(person), team=team)

    @property
    def _is_slack(self) -> bool:
        return self._provider.issuer == SLACK

    async def _endpoints(self, session: aiohttp.ClientSession) -> dict[str, str]:
        issuer = self._provider.issuer
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        told = await _json(session.get(url, allow_redirects=False))
        if told.get("issuer") != issuer:
            raise SignInFailed("the provider calls itself by another name than APPROVALS_OIDC_ISSUER")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        found = {name: str(told.get(name, "")) for name in names}
        if not all(map(is_safe, found.values())):
            raise SignInFailed("the provider leads to addresses without TLS")
        return found

    def _verified(self, token: object, keys: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(token, str):
            raise SignInFailed("the provider gave no id token")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            known = jwt.PyJWKSet.from_dict(keys).keys
            fitting = [one for one in known if kid is None or one.key_id == kid]
            if len(fitting) != 1:
                raise SignInFailed("the id token is signed with a key that the provider does not publish")
            claims: dict[str, Any] = jwt.decode(
                token,
                fitting[0],
                algorithms=ALGORITHMS,
                audience=self._provider.client_id,
                issuer=self._provider.issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED},
            )
        except jwt.PyJWTError as error:
            raise SignInFailed(f"the id token does not hold: {error}") from error
        return claims

    def _check_claims(self, claims: Mapping[str, Any], attempt: Attempt) -> None:
        if not secrets.compare_digest(str(claims["nonce"]).encode(), attempt.nonce.encode()):
            raise SignInFailed("the id token is for another sign-in")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._provider.client_id:
            raise SignInFailed("the id token is for another app")
        # Slack does not say when somebody typed a password last; whoever else is asked must.
        signed_in = claims["iat"] if self._is_slack else claims.get("auth_time")
        if not isinstance(signed_in, int | float) or signed_in < (attempt.begun_at - LEEWAY).timestamp():
            raise SignInFailed("the id token is of an earlier sign-in")


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))


async def _json(asked: Any) -> dict[str, Any]:
    try:
        async with asked as answer:
            if answer.status != 200:
                raise SignInFailed(f"the provider answered {answer.status}")
            body = b""
            async for piece in answer.content.iter_chunked(ANSWER_BYTES):
                body += piece
                if len(body) > ANSWER_BYTES:
                    raise SignInFailed("the provider answers without end")
        told = json.loads(body)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SignInFailed(f"the provider does not answer: {type(error).__name__}") from error
    except ValueError as error:
        raise SignInFailed("the provider answered no JSON") from error
    if not isinstance(told, dict):
        raise SignInFailed("the provider answered no JSON object")
    return told
