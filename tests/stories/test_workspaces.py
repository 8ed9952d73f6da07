"""Many workspaces on one service: each comes, is served, and goes, and none touches another."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

from approvals import Approvals
from approvals.agent_tokens import AgentTokens, Role
from approvals.cli import FINE, NO
from approvals.errors import Undeliverable
from approvals.keys import key
from approvals.model import Actor, Tenant
from approvals.redis_door import open_redis
from bot import logs
from bot.settings import SlackApp
from bot.workspaces.installations import BotToken, Installation
from bot.workspaces.tokens import Tokens
from tests.lossy_line import LossyLine
from tests.operator import ROOT, countersign
from tests.running import redrawn, the_card, until
from tests.stories.many import Town, a_browser, a_town, installations, served
from tests.stories.signing import a_click
from tests.stories.watching import REFUND

ALLOWS = """
version = 1
[[rule]]
name = "free here"
tools = ["refund"]
action = "allow"
"""
FIRST, SECOND = "T0SANDBOX", "T0SECOND"
OPERATOR = Actor(id="operator:ops", name="ops")


@pytest.fixture
async def town(redis_url: str) -> AsyncIterator[Town]:
    """Both workspaces, with a service that nobody has installed yet."""
    async with a_town(redis_url) as found, served(found):
        yield found


@pytest.fixture
async def both(town: Town) -> Town:
    """Both, after they have installed it."""
    for slack in (town.first, town.second):
        assert "can use it now" in await town.install(slack)
        await town.serves(slack.app.team_id)
    return town


def agent_of(tenant: str, redis_url: str) -> Approvals:
    return Approvals.connect(redis_url, agent="billing", tenant=tenant)


@pytest.mark.attack("H98", "I107", "I110", "H104")
async def test_two_workspaces_ask_and_decide_apart(
    both: Town, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = both.first, both.second
    async with agent_of(FIRST, redis_url) as ours, agent_of(SECOND, redis_url) as theirs:
        asked, other = await ours.submit("refund", REFUND), await theirs.submit("refund", REFUND)
        card, their_card = await the_card(first), await the_card(second)

        forged = a_click(second, their_card)  # their card, said to have been clicked here, and the reverse
        assert await both.sends({**forged, "team": {"id": FIRST}}) == 200
        assert await both.sends({**a_click(first, card), "team": {"id": SECOND}}) == 200
        assert await both.sends({**forged, "team": {"id": "T0NOBODY"}}) == 404
        assert await both.sends({**forged, "team": {"id": "T0NOBODY"}}, signed="another body") == 401
        assert await both.sends({**forged, "team": None, "is_enterprise_install": True}) == 404
        assert await ours.get(asked.id) is await theirs.get(other.id) is None

        assert (await first.person("U0ANA").press("Approve", card)).ok
        assert (await ours.wait(asked.id, timeout=20)).status == "approved"
        await redrawn(first, card, "Ana Duarte")
        assert await theirs.get(other.id) is None
        assert (await second.person("U0KIM").press("Approve", their_card)).ok
        assert (await theirs.wait(other.id, timeout=20)).decided_by == "slack:U0KIM"
    assert len(first.messages()) == len(second.messages()) == 1
    told = "\n".join(logs.JsonLines().format(record) for record in caplog.records)
    assert not any(token in told for token in (str(first.bot_token), str(second.bot_token)))


@pytest.mark.attack("B33", "I107")
async def test_an_agents_token_opens_its_own_workspace_only(both: Town, redis: Redis) -> None:
    token = await AgentTokens(redis, FIRST).add("billing", Role.AGENT, OPERATOR)
    body = {"tool": "refund", "args": REFUND}

    async def asked(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{both.url}/v1/requests", json=body) as answer,
        ):
            return answer.status

    assert await asked(token) == 201
    await the_card(both.first)
    for other in (SECOND, "workspaces", "T0NOBODY", ""):
        assert await asked(token.replace(FIRST, other)) == 401
    assert both.second.messages() == []


@pytest.mark.attack("I109")
async def test_a_workspace_that_asks_without_end_and_answers_nothing_holds_nobody_up(
    both: Town, redis_url: str
) -> None:
    both.first.faults.next_calls("chat.postMessage", "timeout", times=1000)
    async with agent_of(FIRST, redis_url) as ours, agent_of(SECOND, redis_url) as theirs:
        for number in range(50):
            await ours.submit("refund", {"customer": f"c_{number}"})
        await both.first.until(lambda: both.first.calls["chat.postMessage"].count)
        asked = await theirs.submit("refund", REFUND)
        assert (await both.second.person("U0ANA").press("Approve", await the_card(both.second))).ok
        assert (await theirs.wait(asked.id, timeout=20)).status == "approved"
        assert both.first.messages() == []


@pytest.mark.attack("I114")
async def test_only_the_browser_that_set_out_can_bring_a_workspace_and_only_once(town: Town) -> None:
    async with a_browser() as ours, a_browser() as somebody:
        back = await town.allow(ours, town.first)
        assert "another browser" in await town.come_back(somebody, back)
        await town.allow(somebody, town.first)
        assert "another browser" in await town.come_back(somebody, back)
        assert "did not allow" in await town.come_back(ours, back.replace("code=", "denied="))
        assert "Nothing" in await town.come_back(ours, back)  # its state was used
        back = await town.allow(ours, town.first)
        assert "did not hand" in await town.come_back(ours, back.replace("code=", "code=9"))
        back = await town.allow(ours, town.first)
        assert "can use it now" in await town.come_back(ours, back)


@pytest.mark.attack("I116")
async def test_who_removes_the_app_can_decide_nothing_and_agents_learn_it_at_once(
    both: Town, redis_url: str
) -> None:
    async with agent_of(FIRST, redis_url) as ours, agent_of(SECOND, redis_url) as theirs:
        waiting = await ours.submit("refund", REFUND)
        card = await the_card(both.first)
        both.first.uninstall()
        assert "no longer installed" in str((await ours.wait(waiting.id, timeout=20)).text)
        with pytest.raises(Undeliverable):
            await ours.request("refund", {"customer": "c_1"})
        assert await both.sends(a_click(both.first, card)) == 404

        other = await theirs.submit("refund", REFUND)
        assert (await both.second.person("U0ANA").press("Approve", await the_card(both.second))).ok
        assert (await theirs.wait(other.id, timeout=20)).status == "approved"

        await both.install(both.first)
        await until(lambda: hears(both, a_click(both.first, card)))
        again = await ours.submit("refund", {"customer": "c_2"})
        card = await the_card(both.first, "c_2")
        assert (await both.first.person("U0ANA").press("Approve", card)).ok
        assert (await ours.wait(again.id, timeout=20)).status == "approved"


async def test_an_operator_sees_who_is_there_and_forgets_who_has_left(both: Town) -> None:
    both.first.uninstall()

    async def listed() -> dict[str, bool]:
        found = await countersign(both.env, "workspaces", "list", "--json")
        return {each["workspace"]: each["installed"] for each in json.loads(found.out)}

    async def is_removed() -> bool:
        return not (await listed())[FIRST]

    await until(is_removed)
    assert (await countersign(both.env, "workspaces", "forget", SECOND)).code == NO
    assert (await countersign(both.env, "workspaces", "forget", FIRST)).code == FINE
    assert await listed() == {SECOND: True}


@pytest.mark.attack("I116")
async def test_what_only_says_that_the_app_was_removed_removes_nothing(both: Town, redis: Redis) -> None:
    before = await installations(redis).all()
    for event in ("app_uninstalled", "tokens_revoked"):
        said = {"type": "event_callback", "team_id": FIRST, "event": {"type": event}}
        assert await both.sends(said) == 200
    assert await installations(redis).all() == before


@pytest.mark.attack("I115")
async def test_a_token_in_anothers_place_opens_nothing(
    both: Town, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    kept = await installations(redis).all()
    await redis.hset(key("workspaces", "installed"), "T0THIRD", kept[Tenant(FIRST)].sealed)
    assert (await installations(redis).all()).keys() == {FIRST, SECOND}
    assert "T0THIRD can't be read" in caplog.text
    ours = kept[Tenant(FIRST)].installation
    stolen = Installation(id=Tenant("T0FOURTH"), name="Fourth", since=ours.since, by="U0EVE", bot=ours.bot)
    await installations(redis).put(stolen)
    await until(lambda: said(caplog, "is another workspace's"))


async def hears(town: Town, click: dict[str, Any]) -> bool:
    return await town.sends(click) == 200


async def said(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return words in caplog.text


# -- tokens --------------------------------------------------------------------------------------------


@pytest.fixture
async def rotating(redis_url: str) -> AsyncIterator[Town]:
    """Workspaces whose tokens rotate; the first has installed the app, and its token is soon to end."""
    async with a_town(redis_url, token_rotation=True) as town, open_redis(redis_url) as redis:
        async with served(town):
            await town.install(town.first)
            await town.serves(FIRST)
        await soon_to_end(redis)
        yield town


async def soon_to_end(redis: Redis, hours: float = 1, **changes: str) -> BotToken:
    """Have the first's token end so soon that it is to be refreshed; returns what it was."""
    kept = await installations(redis).get(Tenant(FIRST))
    assert kept is not None and kept.installation.bot is not None
    ends = await installations(redis).now() + timedelta(hours=hours)
    bot = replace(kept.installation.bot, expires_at=ends, **changes)
    assert await installations(redis).change(kept, replace(kept.installation, bot=bot))
    return kept.installation.bot


async def refreshed_twice(town: Town, redis: Redis) -> str:
    """Have Slack end the first's token, since it lets two live; returns that."""
    before = await soon_to_end(redis)
    for _ in range(2):
        await soon_to_end(redis)
        await redis.delete(key("workspaces", "refreshing", FIRST))
        async with keeping(town, redis) as tokens:
            await tokens.keep(Tenant(FIRST))
    return before.token


async def test_of_many_who_would_refresh_a_token_one_does(rotating: Town, redis: Redis) -> None:
    async with keeping(rotating, redis) as tokens, asyncio.TaskGroup() as workers:
        for _ in range(5):
            workers.create_task(tokens.keep(Tenant(FIRST)))
    assert rotating.first.calls["oauth.v2.access"].count == 2  # the first gave the first token
    bot = (await installations(redis).all())[Tenant(FIRST)].installation.bot
    assert bot is not None and bot.token == rotating.first.bot_token
    assert bot.expires_at is not None
    assert bot.expires_at > await installations(redis).now() + timedelta(hours=11)


async def test_a_refresh_whose_answer_was_lost_is_made_again(rotating: Town, redis: Redis) -> None:
    rotating.first.faults.next_calls("oauth.v2.access", "drop")
    async with keeping(rotating, redis) as tokens:
        await tokens.keep(Tenant(FIRST))
        await redis.delete(key("workspaces", "refreshing", FIRST))  # half a minute later
        await tokens.keep(Tenant(FIRST))
    bot = (await installations(redis).all())[Tenant(FIRST)].installation.bot
    assert bot is not None and bot.token == rotating.first.bot_token


async def test_a_fresh_token_is_kept_though_redis_went_away_just_then(
    rotating: Town, redis_url: str, redis: Redis
) -> None:
    sha = await redis.script_load((ROOT / "approvals" / "lua" / "swap.lua").read_text())
    async with LossyLine(redis_url) as line, open_redis(line.url) as far, keeping(rotating, far) as tokens:
        line.lose_reply_to(sha.encode())
        await tokens.keep(Tenant(FIRST))
    assert line.has_lost
    bot = (await installations(redis).all())[Tenant(FIRST)].installation.bot
    assert bot is not None and bot.token == rotating.first.bot_token


async def test_a_service_that_slept_past_a_tokens_end_refreshes_it_and_goes_on(
    rotating: Town, redis: Redis, redis_url: str
) -> None:
    await soon_to_end(redis, hours=-1, token=await refreshed_twice(rotating, redis))
    await redis.delete(key("workspaces", "refreshing", FIRST))
    async with served(rotating), agent_of(FIRST, redis_url) as ours:
        asked = await ours.submit("refund", REFUND)
        assert (await rotating.first.person("U0ANA").press("Approve", await the_card(rotating.first))).ok
        assert (await ours.wait(asked.id, timeout=20)).status == "approved"


async def test_a_service_that_runs_goes_on_with_the_token_that_another_refreshed(
    rotating: Town, redis: Redis, redis_url: str
) -> None:
    async with served(rotating), agent_of(FIRST, redis_url) as ours:
        await rotating.serves(FIRST)
        await refreshed_twice(rotating, redis)
        await ours.submit("refund", REFUND)
        await the_card(rotating.first)


@contextlib.asynccontextmanager
async def keeping(town: Town, redis: Redis) -> AsyncIterator[Tokens]:
    """What another process of the service would have."""
    app = SlackApp(client_id=town.first.app.client_id, client_secret=town.first.app.client_secret)
    async with aiohttp.ClientSession() as session:
        slack = AsyncWebClient(base_url=town.first.api_url, session=session, retry_handlers=[])
        yield Tokens(installations(redis), app, slack)


# -- processes apart, whole organisations, workspaces that can't be served -----------------------------


@pytest.mark.long
async def test_web_and_workers_apart_serve_all_alike(redis_url: str) -> None:
    async with (
        a_town(redis_url) as town,
        served(town, role="web"),
        served(town, role="worker"),
        served(town, role="worker"),
        agent_of(FIRST, redis_url) as ours,
    ):
        await town.install(town.first)
        await town.serves(FIRST)
        asked = await ours.submit("refund", REFUND)
        assert (await town.first.person("U0ANA").press("Approve", await the_card(town.first))).ok
        assert (await ours.wait(asked.id, timeout=20)).status == "approved"
        town.first.uninstall()
        with pytest.raises(Undeliverable):
            await ours.request("refund", {"customer": "c_1"})


async def test_an_app_installed_for_a_whole_organisation_is_one_tenant(redis_url: str) -> None:
    async with a_town(redis_url, is_org_wide=True) as town, served(town):
        await town.install(town.first)
        async with agent_of("E0ACME", redis_url) as ours:
            await town.serves("E0ACME")
            asked = await ours.submit("refund", REFUND)
            card = await the_card(town.first)
            assert (await town.first.person("U0EVE").press("Approve", card)).ok  # of another organisation
            click = a_click(town.first, card) | {"team": None, "is_enterprise_install": True}
            assert await town.sends(click | {"enterprise": {"id": "E0OTHER"}}) == 404
            assert await ours.get(asked.id) is None
            assert (await town.first.person("U0ANA").press("Approve", card)).ok
            assert (await ours.wait(asked.id, timeout=20)).decided_by == "slack:U0ANA"
            asked = await ours.submit("deploy", {})
            await the_card(town.first, "deploy")
            assert (await town.first.person("U0KIM").slash("/approve", asked.id)).ok
            assert (await ours.wait(asked.id, timeout=20)).decided_by == "slack:U0KIM"


async def test_each_has_its_own_policy_and_one_with_faults_stops_nobody_else(
    redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(logs.JsonLines())
    (tmp_path / "default.toml").write_text("nonsense = true\n")
    (tmp_path / f"{SECOND}.toml").write_text(ALLOWS)
    async with a_town(redis_url) as town, served(town, APPROVALS_POLICY=str(tmp_path)):
        for slack in (town.first, town.second):
            await town.install(slack)
        await town.serves(SECOND)
        async with agent_of(SECOND, redis_url) as theirs:
            assert (await theirs.request("refund", REFUND)).status == "approved"
        await until(lambda: said(caplog, "can't be served now"))
    told = [json.loads(line) for line in caplog.text.splitlines()]
    assert {line["tenant"] for line in told if "can't be served" in line["message"]} == {FIRST}
