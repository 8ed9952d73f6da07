"""The API in the whole house: agents that come by HTTP, and people who decide on other screens than Slack."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from approvals import Approvals
from approvals.agent_tokens import AgentTokens, Role
from approvals.model import Actor
from bot.sandbox.server import Sandbox
from tests.bot.api.calling import REFUND, get, post
from tests.bot.api.fuzzing import fuzzed
from tests.running import a_bot, a_policy, redrawn, the_card, until
from tests.stories.signing import House, free_port, is_serving, over_http
from tests.stories.watching import events, logged

OPERATOR = Actor(id="operator:ops", name="ops")


async def session_of(house: House, name: str, role: Role) -> ClientSession:
    token = await AgentTokens(house.web.redis, house.web.settings.tenant).add(name, role, OPERATOR)
    return ClientSession(house.url, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
async def agent(house: House) -> AsyncIterator[ClientSession]:
    async with await session_of(house, "billing", Role.AGENT) as session:
        yield session


@pytest.fixture
async def phone(house: House) -> AsyncIterator[ClientSession]:
    """An approver front end."""
    async with await session_of(house, "phone", Role.APPROVER_FRONT_END) as session:
        yield session


async def decide(
    phone: ClientSession, request: dict[str, Any], person: str, decision: str, **more: Any
) -> Any:
    body = {"person": person, "decision": decision, "fingerprint": request["fingerprint"], **more}
    return await post(phone, f"/v1/requests/{request['id']}/decisions", body)


async def waiting_for(phone: ClientSession, person: str) -> dict[str, Any]:
    """The first that this person could decide, as soon as there is one."""

    async def found() -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = (await get(phone, f"/v1/people/{person}/requests")).body["requests"]
        return requests

    return (await until(found))[0]


async def test_a_request_by_http_is_clicked_in_slack_claimed_and_reported(
    house: House, agent: ClientSession
) -> None:
    asked = await post(agent, "/v1/requests", REFUND | {"reason": "Charged twice."})
    id = asked.body["id"]
    card = await the_card(house.slack)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(get(agent, f"/v1/requests/{id}?wait=30"))
        assert (await house.slack.person("U0ANA").press("Approve", card)).ok
    assert waiting.result().body["outcome"]["decided_by"] == "slack:U0ANA"
    assert (await post(agent, f"/v1/requests/{id}/claim")).body["args"] == REFUND["args"]
    assert (await post(agent, f"/v1/requests/{id}/receipt", {"ok": True, "result": "re_1"})).status == 202
    await redrawn(house.slack, card, "re_1")
    assert await events(house.web, id) == ["submitted", "asked", "approved", "claimed", "executed"]


async def test_it_looks_in_slack_and_in_the_log_like_one_by_the_sdk(
    house: House, agent: ClientSession, approvals: Approvals
) -> None:
    id = (await post(agent, "/v1/requests", REFUND | {"reason": "why"})).body["id"]
    by_http = await the_card(house.slack)
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940}, reason="why")
    await house.slack.until(lambda: len([m for m in house.slack.messages("C0APPROVALS") if m.blocks]) == 2)
    by_sdk = await the_card(house.slack)
    shorts = [(await house.web.store.get(each))[0].short for each in (id, ticket.id)]
    assert by_http.shown.replace(shorts[0], "R") == by_sdk.shown.replace(shorts[1], "R")
    chains = [await house.web.store.chain(each) for each in (id, ticket.id)]
    told = [[(e.event, e.actor, e.via, e.tool, e.args, e.rule) for e in chain] for chain in chains]
    assert told[0] == told[1]


async def test_a_front_end_approves_for_a_person_and_the_card_follows(
    house: House, agent: ClientSession, phone: ClientSession
) -> None:
    id = (await post(agent, "/v1/requests", REFUND)).body["id"]
    card = await the_card(house.slack)
    request = await waiting_for(phone, "U0ANA")
    assert (request["id"], request["args"], request["agent"]) == (id, REFUND["args"], "billing")
    said = await decide(phone, request, "U0ANA", "approve", note="fine")
    assert (said.status, said.body["status"]) == (200, "approved")
    await redrawn(house.slack, card, "Ana Duarte approved through phone")
    (approved,) = await logged(house.web, id, "approved")
    assert (approved.actor, approved.via) == ("slack:U0ANA", "http")
    assert (approved.detail or {})["through"] == "phone"
    assert (await get(agent, f"/v1/requests/{id}")).body["outcome"]["text"] == "fine"


@pytest.mark.parametrize(
    ("decision", "more", "status", "text"),
    [
        ("reject", {"note": "no"}, "rejected", "no"),
        ("respond", {"note": "done by hand"}, "answered", "done by hand"),
        ("edit", {"args": {"customer": "c_42", "amount": 9}}, "approved", None),
        ("request_changes", {"note": "less"}, "changes_requested", "less"),
    ],
)
async def test_a_front_end_decides_in_every_way(
    house: House,
    agent: ClientSession,
    phone: ClientSession,
    decision: str,
    more: dict[str, Any],
    status: str,
    text: str | None,
) -> None:
    id = (await post(agent, "/v1/requests", REFUND)).body["id"]
    said = await decide(phone, await waiting_for(phone, "U0ANA"), "U0ANA", decision, **more)
    assert said.status == 200
    outcome = (await get(agent, f"/v1/requests/{id}")).body["outcome"]
    assert (outcome["status"], outcome["text"]) == (status, text)
    if decision == "edit":
        assert outcome["args"] == more["args"]


async def test_a_front_end_sees_no_secret_and_its_edit_keeps_it(
    house: House, agent: ClientSession, phone: ClientSession
) -> None:
    args = {"host": "db", "password": "hunter2"}
    id = (await post(agent, "/v1/requests", {"tool": "log_in", "args": args})).body["id"]
    request = await waiting_for(phone, "U0ANA")
    assert request["args"]["host"] == "db" and request["args"]["password"].startswith(
        "‹secret, 7 characters, #"
    )
    moved = {"host": request["args"]["password"]}
    assert (await decide(phone, request, "U0ANA", "edit", args=moved)).status == 422
    changed = {**request["args"], "host": "db2"}
    said = await decide(phone, request, "U0ANA", "edit", args=changed)
    assert said.status == 200 and "hunter2" not in str(said.body)
    outcome = (await get(agent, f"/v1/requests/{id}")).body["outcome"]
    assert outcome["args"] == {"host": "db2", "password": "hunter2"}


async def test_a_question_is_answered_through_a_front_end_with_its_options_only(
    house: House, agent: ClientSession, phone: ClientSession
) -> None:
    id = (await post(agent, "/v1/questions", {"question": "Where?", "options": ["eu", "us"]})).body["id"]
    request = await waiting_for(phone, "U0KIM")
    assert (await decide(phone, request, "U0KIM", "respond", note="mars")).status == 403
    assert (await decide(phone, request, "U0KIM", "respond", note="eu")).status == 200
    assert (await get(agent, f"/v1/questions/{id}")).body["outcome"]["text"] == "eu"


@pytest.mark.parametrize("person", ["U0GUS", "U0EVE", "U0BOB", "U0DEL", "U0NOBODY"])
async def test_who_may_not_decide_in_slack_may_not_elsewhere(
    house: House, agent: ClientSession, phone: ClientSession, person: str
) -> None:
    id = (await post(agent, "/v1/requests", REFUND)).body["id"]
    request = await waiting_for(phone, "U0ANA")
    assert (await get(phone, f"/v1/people/{person}/requests")).body["requests"] == []
    said = await decide(phone, request, person, "approve")
    assert (said.status, said.body["type"]) == (403, "/docs#refused")
    (refused,) = await logged(house.web, id, "refused")
    assert (refused.actor, refused.via) == (f"slack:{person}", "http")
    assert (refused.detail or {})["through"] == "phone"
    assert (await get(agent, f"/v1/requests/{id}")).body["status"] == "pending"


@pytest.mark.attack("J15")
@pytest.mark.parametrize("decision", ["approve", "reject", "respond", "request_changes"])
async def test_a_decision_of_another_call_than_is_asked_is_refused(
    house: House, agent: ClientSession, phone: ClientSession, decision: str
) -> None:
    id = (await post(agent, "/v1/requests", REFUND)).body["id"]
    request = await waiting_for(phone, "U0ANA")
    said = await decide(phone, request | {"fingerprint": "0" * 64}, "U0ANA", decision, note="x")
    assert (said.status, said.body["type"]) == (409, "/docs#conflict")
    assert (await get(agent, f"/v1/requests/{id}")).body["status"] == "pending"


async def test_a_second_decision_finds_the_first(
    house: House, agent: ClientSession, phone: ClientSession
) -> None:
    await post(agent, "/v1/requests", REFUND)
    request = await waiting_for(phone, "U0ANA")
    assert (await decide(phone, request, "U0ANA", "approve")).status == 200
    late = await decide(phone, request, "U0KIM", "reject")
    assert (late.status, late.body["type"]) == (409, "/docs#conflict")
    assert "Ana Duarte" in late.body["detail"]


async def test_a_person_sees_through_a_front_end_what_they_may_see_in_slack(
    house: House, agent: ClientSession, phone: ClientSession
) -> None:
    id = (await post(agent, "/v1/requests", REFUND)).body["id"]
    await waiting_for(phone, "U0ANA")
    assert (await get(phone, f"/v1/people/U0ANA/requests/{id}")).status == 200
    assert (await get(phone, f"/v1/people/U0NOBODY/requests/{id}")).status == 404


JUDGED = """
version = 1
[people]
directors = ["@directors"]
[[rule]]
name = "never so much"
tools = ["refund"]
when = "args.amount > 10000"
action = "deny"
[[rule]]
name = "large refunds"
tools = ["refund"]
when = "args.amount > 5000"
approvers = ["directors"]
quorum = 2
"""


async def test_an_edit_goes_through_the_policy_again(redis_url: str, tenant: str, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with Sandbox(rate_limits=False, request_url=f"{url}/slack/events") as slack:
        env = over_http(slack, redis_url, tenant, url) | {"APPROVALS_POLICY": a_policy(tmp_path, JUDGED)}
        async with a_bot(env, role="worker"), a_bot(env, role="web") as web:
            await until(lambda: is_serving(url))
            house = House(slack=slack, web=web, url=url)
            async with (
                await session_of(house, "billing", Role.AGENT) as agent,
                await session_of(house, "phone", Role.APPROVER_FRONT_END) as phone,
            ):
                id = (await post(agent, "/v1/requests", REFUND)).body["id"]
                request = await waiting_for(phone, "U0ANA")
                denied = await decide(phone, request, "U0ANA", "edit", args={"amount": 20_000})
                assert (denied.status, denied.body["type"]) == (403, "/docs#refused")
                assert "never so much" in denied.body["detail"]
                (refused,) = await logged(web, id, "refused")
                assert refused.via == "http"
                sent = await decide(phone, request, "U0ANA", "edit", args={"amount": 6_000}, note="all of it")
                assert (sent.status, sent.body["status"], sent.body["event"]) == (
                    200,
                    "pending",
                    "redirected",
                )
                await the_card(slack, "Ana Duarte approved through phone")
                assert (await decide(phone, request, "U0KIM", "approve")).status == 409, "it has changed"
                said = await decide(phone, await waiting_for(phone, "U0KIM"), "U0KIM", "approve")
                assert (said.status, said.body["event"]) == (200, "approved")
                outcome = (await get(agent, f"/v1/requests/{id}")).body["outcome"]
                assert (outcome["status"], outcome["args"]) == ("approved", {"amount": 6_000})


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_no_call_of_a_front_end_is_answered_otherwise_than_the_document_says(
    house: House, agent: ClientSession, tmp_path: Path
) -> None:
    id = (await post(agent, "/v1/requests", REFUND)).body["id"]
    tokens = AgentTokens(house.web.redis, house.web.settings.tenant)
    token = await tokens.add("fuzz", Role.APPROVER_FRONT_END, OPERATOR, calls_a_minute=1_000_000)
    options = ("--phases=coverage,fuzzing", "-n", "10", "--max-time=4")
    only = "--include-path-regex=^/v1/people|/decisions"
    assert await fuzzed(house.url, token, tmp_path, *options, only, more=f'"path.id" = "{id}"') == ""
