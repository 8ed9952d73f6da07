"""One service for many workspaces, for stories: two Slacks at one address, and the app between them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from redis.asyncio import Redis

from bot import settings
from bot.app import Role
from bot.sandbox.server import Sandbox
from bot.vault import Vault
from bot.workspaces import supervisor
from bot.workspaces.installations import Installations
from tests.running import SECRET, a_machine, until
from tests.stories.signing import SECRET as SIGNING_SECRET
from tests.stories.signing import free_port, is_serving, signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Two workspaces, `first` and `second`, and what serves them at `url`."""

    first: Sandbox
    second: Sandbox
    url: str
    env: dict[str, str]

    async def install(self, slack: Sandbox) -> str:
        """Let the app in, as somebody with a browser does; returns what the last page says."""
        async with a_browser() as browser:
            return await self.come_back(browser, await self.allow(browser, slack))

    async def allow(self, browser: aiohttp.ClientSession, slack: Sandbox) -> str:
        """Set out and press Allow; returns where that leads."""
        async with browser.get(f"{self.url}/slack/install", allow_redirects=False) as answer:
            asked = urlsplit(answer.headers["Location"])
        form = {**dict(parse_qsl(asked.query)), "team": slack.app.team_id}
        allow = f"{asked.scheme}://{asked.netloc}{asked.path}"
        async with browser.post(allow, data=form, allow_redirects=False) as answer:
            return answer.headers["Location"]

    async def come_back(self, browser: aiohttp.ClientSession, address: str) -> str:
        async with browser.get(address, allow_redirects=False) as answer:
            return await answer.text()

    async def sends(self, click: dict[str, Any], *, signed: str | None = None) -> int:
        """What is answered to a click that Slack signs, or to one whose signature is of another body."""
        body = urlencode({"payload": json.dumps(click)})
        headers = {"Content-Type": "application/x-www-form-urlencoded", **signature(signed or body)}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/slack/events", data=body, headers=headers) as answer,
        ):
            return answer.status

    async def serves(self, tenant: str) -> None:
        """Wait until a workspace is served."""
        await until(lambda: self._is_served(tenant))

    async def _is_served(self, tenant: str) -> bool:
        watched = f"{self.url}/metrics?workspace={tenant}"
        async with aiohttp.ClientSession() as session, session.get(watched) as answer:
            return answer.status == 200


@contextlib.asynccontextmanager
async def a_town(
    redis_url: str, *, token_rotation: bool = False, is_org_wide: bool = False
) -> AsyncIterator[Town]:
    """Two workspaces that know the app, and nobody who serves them yet."""
    url = f"http://127.0.0.1:{free_port()}"
    first = Sandbox(
        rate_limits=False,
        ack_timeout_s=10.0,
        request_url=f"{url}/slack/events",
        redirect_urls=[f"{url}/slack/oauth_redirect"],
        token_rotation=token_rotation,
        enterprise_id="E0ACME" if is_org_wide else None,
        is_org_wide=is_org_wide,
    )
    async with first:
        second = Sandbox(
            rate_limits=False,
            ack_timeout_s=10.0,
            request_url=f"{url}/slack/events",
            redirect_urls=[f"{url}/slack/oauth_redirect"],
            team_id="T0SECOND",
            beside=first,
        )
        async with second:
            env = {
                "SLACK_API_URL": first.api_url,
                "SLACK_CLIENT_ID": first.app.client_id,
                "SLACK_CLIENT_SECRET": first.app.client_secret,
                "SLACK_SIGNING_SECRET": SIGNING_SECRET,
                "APPROVALS_URL": url,
                "APPROVALS_HOST": "127.0.0.1",
                "REDIS_URL": redis_url,
                "PORT": url.rpartition(":")[2],
                **a_machine(),
                **SECRET,
            }
            yield Town(first=first, second=second, url=url, env=env)


@contextlib.asynccontextmanager
async def served(town: Town, *, role: Role = "all", **more: str) -> AsyncIterator[None]:
    """The service of many workspaces, in this process, until the block ends."""
    read = settings.read({**town.env, **more}, needs="workspace")
    assert read.slack_app is not None
    task = asyncio.get_running_loop().create_task(supervisor.run(read, read.slack_app, role, asyncio.Event()))
    try:
        if role != "worker":
            await until(lambda: is_serving(town.url))
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def a_browser() -> aiohttp.ClientSession:
    """Somebody's, that keeps cookies."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


def installations(redis: Redis) -> Installations:
    """What the service keeps, opened with its secret."""
    return Installations(redis, Vault(SECRET["APPROVALS_SECRET"]))
