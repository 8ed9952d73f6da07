"""Slack over signed HTTP, with `web` and `worker` apart: the same deeds, and nobody but Slack gets in."""

import asyncio
import io
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from approvals import Approvals
from approvals.model import RequestId
from bot.app import Service
from bot.redis_server import RedisServer
from bot.sandbox.server import Sandbox
from tests.running import SECRET, a_bot, redrawn, the_card, the_dialog, until
from tests.stories.signing import (
    House,
    a_click,
    free_port,
    is_serving,
    over_http,
    post,
    post_click,
    signature,
    status_of,
)
from tests.stories.watching import REFUND, events, logged, whispered

# -- the same deeds ------------------------------------------------------------------------------------


async def test_a_click_a_dialog_and_a_command_work_over_http(house: House, approvals: Approvals) -> None:
    slack = house.slack
    clicked = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(clicked.id, timeout=20)).decided_by == "slack:U0ANA"
    await redrawn(slack, card, "Ana Duarte")

    filled = await approvals.submit("deploy", {"service": "checkout"})
    kim = slack.person("U0KIM")
    assert (await kim.press("Reject…", await the_card(slack, "checkout"))).ok
    await the_dialog(slack, "U0KIM")
    assert (await kim.fill_and_submit({"words": "Not on a Friday."})).ok
    assert kim.view is None
    assert (await approvals.wait(filled.id, timeout=20)).text == "Not on a Friday."

    typed = await approvals.submit("deploy", {"service": "search"})
    await the_card(slack, "search")
    assert (await slack.person("U0LEE").slash("/approve", f"{typed.id} go")).ok
    await whispered(slack, "U0LEE", "You approved")
    assert (await approvals.wait(typed.id, timeout=20)).text == "go"


async def test_an_answer_written_in_a_thread_arrives_over_http(house: House, approvals: Approvals) -> None:
    async with asyncio.TaskGroup() as agent:
        asking = agent.create_task(approvals.ask("Which colour?"))
        card = await the_card(house.slack, "Which colour?")
        house.slack.person("U0LEE").say("blue", thread_ts=card.ts)
    assert asking.result() == "blue"


async def test_a_late_click_that_is_faster_than_the_timer_finds_the_deadlines_default(
    approvals: Approvals, redis_url: str, tenant: str
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with Sandbox(rate_limits=False, request_url=f"{url}/slack/events") as slack:
        env = over_http(slack, redis_url, tenant, url)
        async with a_bot(env, role="web") as service:
            await until(lambda: is_serving(url))
            async with a_bot(env, role="worker"):
                ticket = await approvals.submit("refund", REFUND, deadline=1)
                card = await the_card(slack)
            await until(lambda: _is_overdue(service, ticket.id))  # and no worker to notice
            assert (await slack.person("U0ANA").press("Approve", card)).ok
            await whispered(slack, "U0ANA", "expired")
            assert (await approvals.wait(ticket.id, timeout=20)).status == "expired"
            assert await events(service, ticket.id) == ["submitted", "asked", "expired", "refused"]


async def _is_overdue(service: Service, request_id: RequestId) -> bool:
    request, now = await service.store.get(request_id)
    return request.is_pending and request.deadline is not None and now >= request.deadline


# -- nobody else gets in -------------------------------------------------------------------------------


@pytest.mark.attack("A1", "A2")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "v0=short"},
        {"X-Slack-Signature": "v0=ünïcode"},
        {"X-Slack-Request-Timestamp": "abc"},
        {"X-Slack-Request-Timestamp": "-1"},
        {"X-Slack-Request-Timestamp": "9" * 20},
        {"X-Slack-Request-Timestamp": ""},
    ],
    ids=["of another body", "forged", "short", "not ASCII", "words", "negative", "far away", "no time"],
)
async def test_what_slack_did_not_sign_is_turned_away_unread(
    house: House, approvals: Approvals, headers: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    click = a_click(house.slack, await the_card(house.slack))
    body = urlencode({"payload": json.dumps(click)})
    signed = signature(body + ("" if headers else " "))
    assert await post(house, body, signed | headers) == 401
    assert await events(house.web, ticket.id) == ["submitted", "asked"]


@pytest.mark.attack("A2", "H100")
@pytest.mark.parametrize("age_s", [301, -301], ids=["old", "from the future"])
async def test_a_signature_of_another_time_is_turned_away(
    house: House, approvals: Approvals, age_s: int
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    body = urlencode({"payload": json.dumps(a_click(house.slack, await the_card(house.slack)))})
    assert await post(house, body, signature(body, at=time.time() - age_s)) == 401
    assert await events(house.web, ticket.id) == ["submitted", "asked"]


@pytest.mark.attack("H98")
@pytest.mark.parametrize(
    "other",
    [{"api_app_id": "A0OTHER"}, {"team": {"id": "T0OTHER"}}, {"team": None}],
    ids=["app", "team", "no team"],
)
async def test_a_payload_for_another_app_or_workspace_goes_no_further(
    house: House, approvals: Approvals, other: dict[str, Any]
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    click = a_click(house.slack, await the_card(house.slack)) | other
    assert await post_click(house, click) == 403
    assert await events(house.web, ticket.id) == ["submitted", "asked"]


@pytest.mark.attack("A8")
@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ("U0BOB", "U0BOB is bot"),
        ("USLACKBOT", "USLACKBOT is bot"),
        ("U0DEL", "U0DEL is deactivated"),
        ("U0EVE", "U0EVE is external"),
        ("U0NOBODY", "U0NOBODY is unknown"),
    ],
)
async def test_whoever_a_payload_names_is_looked_up_and_judged(
    house: House, approvals: Approvals, person: str, reason: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    click = a_click(house.slack, await the_card(house.slack), person)
    assert await post_click(house, click) == 200
    (refused,) = await logged(house.web, ticket.id, "refused")
    assert refused.detail is not None
    assert refused.detail["reason"] == reason
    assert await approvals.get(ticket.id) is None


@pytest.mark.attack("A9")
async def test_a_member_who_comes_by_way_of_another_team_is_external(
    house: House, approvals: Approvals
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    click = a_click(house.slack, await the_card(house.slack))
    click["user"]["team_id"] = "T0OTHER"
    assert await post_click(house, click) == 200
    (refused,) = await logged(house.web, ticket.id, "refused")
    assert refused.detail is not None
    assert refused.detail["reason"] == "U0ANA is external"


@pytest.mark.attack("A4", "A5")
async def test_the_same_signed_click_sent_again_counts_once(house: House, approvals: Approvals) -> None:
    ticket = await approvals.submit("refund", REFUND)
    body = urlencode({"payload": json.dumps(a_click(house.slack, await the_card(house.slack)))})
    headers = signature(body)
    assert [await post(house, body, headers) for _ in range(3)] == [200, 200, 200]
    assert await events(house.web, ticket.id) == ["submitted", "asked", "approved"]


@pytest.mark.attack("A15")
async def test_a_private_answer_goes_to_slack_and_to_no_other_address(
    house: House, approvals: Approvals
) -> None:
    heard: list[str] = []

    async def listen(request: web.Request) -> web.Response:
        heard.append(await request.text())
        return web.Response()

    elsewhere = web.Application()
    elsewhere.router.add_route("*", "/{any:.*}", listen)
    runner = web.AppRunner(elsewhere)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        ticket = await approvals.submit("refund", REFUND)
        click = a_click(house.slack, await the_card(house.slack), "U0GUS")
        click["response_url"] = f"http://127.0.0.1:{port}/actions/x"
        assert await post_click(house, click) == 200
        await logged(house.web, ticket.id, "refused")
    finally:
        await runner.cleanup()
    assert heard == []


# -- how it is -----------------------------------------------------------------------------------------


@pytest.mark.attack("H105")
async def test_web_alone_tells_its_health_and_that_redis_is_away(tmp_path: Path, tenant: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with RedisServer(tmp_path / "redis") as server, aiohttp.ClientSession(url) as session:
        env = {"REDIS_URL": server.url, "APPROVALS_TENANT": tenant, "PORT": url.rpartition(":")[2], **SECRET}
        async with a_bot(env, role="web"):
            await until(lambda: is_serving(url))
            assert await status_of(session, "/readyz") == 200
            await server.kill()
            assert await status_of(session, "/healthz") == 200
            assert await status_of(session, "/readyz") == 503
            await server.restart()
            assert await status_of(session, "/readyz") == 200
            async with session.post("/slack/events", data=b"{}") as answer:
                assert answer.status == 404


async def test_a_body_larger_than_slack_sends_is_turned_away(house: House) -> None:
    headers = signature("x")
    body = io.BytesIO(b"x" * (2 * 1024 * 1024))
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{house.url}/slack/events", data=body, headers=headers) as answer,
    ):
        assert answer.status == 413
