"""A provider of identities in little, as OpenID Connect has them: who signs in is whoever a test says."""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "123.456", "for tests alone, nobody uses it"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Identity:
    """It knows one person at a time; `claims` and `signing` let it tell lies."""

    person: str = "U0ANA"
    team: str = ""
    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)  # told instead; None: left out
    is_forging: bool = False  # signs with a key that it doesn't publish
    secret_algorithm: bool = False  # signs with the client's secret
    is_declining: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        usual = {
            "iss": self.url,
            "sub": self.person,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "auth_time": now,
            "nonce": asked["nonce"],
            "https://slack.com/user_id": self.person,
            "https://slack.com/team_id": self.team,
        }
        told = {name: value for name, value in (usual | self.claims).items() if value is not None}
        if self.secret_algorithm:
            return jwt.encode(told, SECRET * 2, algorithm="HS256", headers={"kid": "one"})
        return jwt.encode(
            told, _OTHER if self.is_forging else _KEY, algorithm="RS256", headers={"kid": "one"}
        )

    async def discovery(self, _: web.Request) -> web.Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        found = {name: f"{self.url}/{path}" for name, path in names.items()}
        return web.json_response({"issuer": self.url, **found})

    async def authorize(self, request: web.Request) -> web.Response:
        """Sign in at once, as whoever it knows, and send the browser back."""
        asked = dict(request.query)
        assert (asked["client_id"], asked["response_type"], asked["max_age"]) == (CLIENT, "code", "0")
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        answer = {"error": "access_denied"} if self.is_declining else {"code": code}
        back = urlencode({**answer, "state": asked["state"]})
        return web.Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{back}"})

    async def redeem(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.codes.pop(str(form["code"]), None)
        verifier = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        is_right = (
            asked is not None and asked["code_challenge"] == challenge and form["client_secret"] == SECRET
        )
        if asked is None or not is_right:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"ok": True, "token_type": "Bearer", "id_token": self.token(asked)})

    async def keys(self, _: web.Request) -> web.Response:
        told = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_KEY.public_key()))
        return web.json_response({"keys": [{**told, "kid": "one", "use": "sig", "alg": "RS256"}]})


@asynccontextmanager
async def an_identity() -> AsyncIterator[Identity]:
    """One that is served until the block ends."""
    identity = Identity()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", identity.discovery)
    app.router.add_get("/authorize", identity.authorize)
    app.router.add_post("/token", identity.redeem)
    app.router.add_get("/keys", identity.keys)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        identity.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield identity
    finally:
        await runner.cleanup()
