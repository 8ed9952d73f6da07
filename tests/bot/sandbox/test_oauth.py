"""The app comes into workspaces, keeps its tokens fresh, and is removed again: as on Slack."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from bot.sandbox.server import Sandbox
from tests.bot.sandbox.conftest import listening

BACK = "https://app.example/back"
CLIENT = aiohttp.encode_basic_auth("1.sandbox", "sandbox-client-secret")
ASKED = {"client_id": "1.sandbox", "scope": "chat:write", "redirect_uri": BACK, "state": "s1"}


class Clock:
    """Slack's clock, which a test turns."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(
        rate_limits=False, redirect_urls=[BACK], token_rotation=True, clock=clock, event_retry_delays_s=()
    ) as sandbox:
        yield sandbox


@pytest.fixture
async def second(slack: Sandbox, clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(
        rate_limits=False, redirect_urls=[BACK], clock=clock, team_id="T0SECOND", beside=slack
    ) as sandbox:
        yield sandbox


async def allowed(slack: Sandbox, team: str = "T0SANDBOX", **changed: str) -> str:
    """The code, or what Slack says instead."""
    form = {**ASKED, "team": team, **changed}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{slack.url}/oauth/v2/authorize", data=form, allow_redirects=False) as answer,
    ):
        if answer.status != 302:
            return await answer.text()
        back = urlsplit(answer.headers["Location"])
        assert parse_qs(back.query)["state"] == ["s1"]
        return parse_qs(back.query)["code"][0]


async def called(slack: Sandbox, method: str, authorization: str, args: dict[str, str]) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": authorization}) as session,
        session.post(slack.api_url + method, data=args) as answer,
    ):
        said: dict[str, Any] = await answer.json()
        return said


async def as_bot(slack: Sandbox, token: str, method: str = "auth.test", **args: str) -> dict[str, Any]:
    return await called(slack, method, f"Bearer {token}", args)


async def access(slack: Sandbox, **args: str) -> dict[str, Any]:
    return await called(slack, "oauth.v2.access", CLIENT, args)


async def test_a_code_is_good_once_for_the_address_that_it_was_sent_to(slack: Sandbox) -> None:
    code = await allowed(slack)
    assert (await access(slack, code=code, redirect_uri="https://evil.example"))[
        "error"
    ] == "bad_redirect_uri"
    got = await access(slack, code=code, redirect_uri=BACK)
    assert got["team"]["id"] == "T0SANDBOX"
    assert (await as_bot(slack, got["access_token"]))["ok"]
    assert (await access(slack, code=code, redirect_uri=BACK))["error"] == "code_already_used"
    assert (await access(slack, code="1.x", redirect_uri=BACK))["error"] == "invalid_code"


async def test_only_the_app_itself_gets_tokens(slack: Sandbox) -> None:
    code, wrong = await allowed(slack), aiohttp.encode_basic_auth("1.sandbox", "wrong")
    assert (await called(slack, "oauth.v2.access", wrong, {"code": code}))["error"] == "bad_client_secret"
    assert (await as_bot(slack, "xoxb-1", "oauth.v2.access", code=code))["error"] == "invalid_client_id"
    assert await allowed(slack, redirect_uri="https://evil.example") == "bad_redirect_uri"
    assert await allowed(slack, client_id="2.other") == "invalid_client_id"


async def test_a_rotated_token_lasts_twelve_hours_and_its_refresh_token_is_good_once(
    slack: Sandbox, clock: Clock
) -> None:
    first = await access(slack, code=await allowed(slack), redirect_uri=BACK)
    clock.now += 11 * 3600
    renew = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = await access(slack, **renew)
    assert (await access(slack, **renew))["ok"]  # its answer might have been lost
    clock.now += 120
    assert (await access(slack, **renew))["error"] == "invalid_refresh_token"
    clock.now += 3600
    expired = await as_bot(slack, first["access_token"])
    assert expired["error"] == "token_expired"
    assert (await as_bot(slack, second["access_token"]))["ok"]


async def test_a_token_tells_which_of_two_workspaces_is_meant(slack: Sandbox, second: Sandbox) -> None:
    mine = await access(slack, code=await allowed(slack), redirect_uri=BACK)
    theirs = await access(slack, code=await allowed(slack, "T0SECOND"), redirect_uri=BACK)
    hello = {"channel": "C0APPROVALS", "text": "hello"}
    assert (await as_bot(slack, theirs["access_token"], "chat.postMessage", **hello))["ok"]
    assert [len(each.messages()) for each in (slack, second)] == [0, 1]
    who = await as_bot(slack, mine["access_token"])
    assert who["team_id"] == "T0SANDBOX"


async def test_a_workspace_that_removed_the_app_says_so_and_nothing_more(slack: Sandbox) -> None:
    async with listening(slack) as app:
        got = await access(slack, code=await allowed(slack), redirect_uri=BACK)
        slack.uninstall()
        slack.person("U0ANA").say("anybody there?")
        await slack.settled()
        heard = {envelope["payload"]["event"]["type"] for envelope in app.envelopes}
        assert heard == {"tokens_revoked", "app_uninstalled"}
    assert (await as_bot(slack, got["access_token"]))["error"] == "account_inactive"
