"""Agents in any language: what they ask for, wait for, claim and report over HTTP."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from approvals import Approvals
from approvals.agent_tokens import AgentTokens, Role
from approvals.commands import AskUndo
from approvals.keys import key
from approvals.model import RequestId, Status
from approvals.redis_door import entries
from tests.bot.api.calling import REFUND, get, post
from tests.bot.api.conftest import OPERATOR
from tests.clerk import ADA, Clerk, serving


async def asked(api: ClientSession, **changes: Any) -> str:
    said = await post(api, "/v1/requests", REFUND | changes)
    assert said.status == 201
    return str(said.body["id"])


async def test_the_trace_that_a_caller_is_in_goes_with_the_letter(
    api: ClientSession, redis: Redis, tenant: str
) -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    await post(api, "/v1/requests", REFUND, traceparent=parent)
    await post(api, "/v1/batches", {"requests": [REFUND]}, traceparent=parent)
    await post(api, "/v1/requests", REFUND, traceparent="<nonsense>")
    letters = entries(await redis.xread({key(tenant, "inbox", "billing"): "0"}))
    assert [json.loads(fields["letter"])["trace"] for _, fields in letters] == [parent, parent, None]


async def test_a_request_is_asked_approved_claimed_once_and_reported(
    api: ClientSession, clerk: Clerk
) -> None:
    ticket = await post(api, "/v1/requests", REFUND | {"reason": "double charge", "risk": "high"})
    assert ticket.status == 201
    id = ticket.body["id"]
    assert ticket.headers["Location"] == f"/v1/requests/{id}"
    await clerk.until_status(id, Status.PENDING)
    assert (await post(api, f"/v1/requests/{id}/claim")).status == 409
    await clerk.approve(id)
    found = await get(api, f"/v1/requests/{id}?wait=5")
    assert found.body["outcome"]["status"] == "approved"
    assert found.body["outcome"]["args"] == REFUND["args"]
    permit = await post(api, f"/v1/requests/{id}/claim")
    assert (permit.status, permit.body["args"]) == (200, REFUND["args"])
    second = await post(api, f"/v1/requests/{id}/claim")
    assert (second.status, second.body["type"]) == (409, "/docs#not-claimed")
    told = await post(api, f"/v1/requests/{id}/receipt", {"ok": True, "result": "re_1", "duration_ms": 12})
    assert told.status == 202
    assert (await clerk.until_status(id, Status.EXECUTED)).receipt is not None


async def test_a_wait_is_woken_by_the_decision(api: ClientSession, clerk: Clerk) -> None:
    id = await asked(api)
    await clerk.until_status(id, Status.PENDING)
    async with asyncio.timeout(5), asyncio.TaskGroup() as agent:
        waiting = agent.create_task(get(api, f"/v1/requests/{id}?wait=60"))
        await clerk.reject(id, "not today")
    outcome = waiting.result().body["outcome"]
    assert (outcome["status"], outcome["text"]) == ("rejected", "not today")


async def test_a_wait_that_ends_tells_that_it_still_waits(api: ClientSession, clerk: Clerk) -> None:
    id = await asked(api)
    await clerk.until_status(id, Status.PENDING)
    found = await get(api, f"/v1/requests/{id}?wait=0.05")
    assert (found.status, found.body["status"], found.body["outcome"]) == (200, "pending", None)


async def test_what_the_service_has_not_taken_in_is_found_as_submitted(api: ClientSession) -> None:
    id = await asked(api, reason="nobody is at work yet")
    found = await get(api, f"/v1/requests/{id}")
    assert (found.body["status"], found.body["args"]) == ("submitted", REFUND["args"])


async def test_the_same_key_is_the_same_request_and_another_call_a_conflict(
    api: ClientSession, clerk: Clerk
) -> None:
    key = {"Idempotency-Key": "inv-881"}
    first = await post(api, "/v1/requests", REFUND, **key)
    again = await post(api, "/v1/requests", REFUND, **key)
    assert (again.status, again.body["id"], again.body["is_new"]) == (200, first.body["id"], False)
    other = await post(api, "/v1/requests", REFUND | {"args": {"amount": 1}}, **key)
    assert (other.status, other.body["type"]) == (409, "/docs#key-reused")


async def test_a_request_by_http_and_one_by_the_sdk_are_the_same_by_their_key(
    api: ClientSession, clerk: Clerk, redis_url: str, tenant: str
) -> None:
    first = await post(api, "/v1/requests", REFUND, **{"Idempotency-Key": "inv-881"})
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals:
        ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940}, key="inv-881")
    assert (ticket.id, ticket.is_new) == (first.body["id"], False)


async def test_changes_are_asked_for_revised_and_waited_past(api: ClientSession, clerk: Clerk) -> None:
    id = await asked(api)
    await clerk.until_status(id, Status.PENDING)
    await clerk.send_back(id, "say when")
    wanted = await get(api, f"/v1/requests/{id}?wait=5")
    assert wanted.body["outcome"]["status"] == "changes_requested"
    round = wanted.body["outcome"]["round"]
    assert (await post(api, f"/v1/requests/{id}/revise", {"args": {"amount": 5}})).status == 202
    await clerk.until(lambda: clerk.requests[id].args == {"amount": 5})  # type: ignore[index]  # an id
    await clerk.approve(id)
    found = await get(api, f"/v1/requests/{id}?wait=5&after_round={round}")
    assert found.body["outcome"]["args"] == {"amount": 5}


async def test_a_request_is_cancelled(api: ClientSession, clerk: Clerk) -> None:
    id = await asked(api)
    assert (await post(api, f"/v1/requests/{id}/cancel", {"reason": "changed my mind"})).status == 202
    found = await get(api, f"/v1/requests/{id}?wait=5")
    assert (found.body["status"], found.body["outcome"]["text"]) == ("cancelled", "changed my mind")


async def test_a_cancellation_needs_no_body(api: ClientSession, clerk: Clerk) -> None:
    id = await asked(api)
    async with api.post(f"/v1/requests/{id}/cancel") as response:
        assert response.status == 202


@pytest.mark.attack("I113")
async def test_one_sees_and_touches_ones_own_requests_only(
    api: ClientSession, clerk: Clerk, tokens: AgentTokens, url: str
) -> None:
    id = await asked(api)
    await clerk.until_status(id, Status.PENDING)
    await clerk.approve(id)
    other = {"Authorization": f"Bearer {await tokens.add('other', Role.AGENT, OPERATOR)}"}
    async with ClientSession(url, headers=other) as others:
        assert (await get(others, f"/v1/requests/{id}")).status == 404
        for verb, body in (
            ("cancel", {}),
            ("claim", None),
            ("revise", {"args": {}}),
            ("receipt", {"ok": True}),
        ):
            said = await post(others, f"/v1/requests/{id}/{verb}", body)
            assert (said.status, said.body["type"]) == (404, "/docs#not-found"), verb
        assert (await get(others, "/v1/requests")).body["requests"] == []
        assert (await get(others, f"/v1/requests?cursor={id}")).status == 422
    assert (await post(api, f"/v1/requests/{id}/claim")).status == 200


async def test_ones_requests_are_listed_by_status_and_page(api: ClientSession, clerk: Clerk) -> None:
    ids = [await asked(api, args={"n": number}) for number in range(5)]
    await clerk.arrived(5)
    await clerk.approve(ids[1])
    first = await get(api, "/v1/requests?limit=2")
    second = await get(api, f"/v1/requests?limit=2&cursor={first.body['next']}")
    third = await get(api, f"/v1/requests?limit=2&cursor={second.body['next']}")
    pages = [one["id"] for page in (first, second, third) for one in page.body["requests"]]
    assert sorted(pages) == sorted(ids)
    assert third.body["next"] is None
    approved = await get(api, "/v1/requests?status=approved")
    assert [one["id"] for one in approved.body["requests"]] == [ids[1]]


async def test_a_question_is_answered(api: ClientSession, clerk: Clerk) -> None:
    asked = await post(api, "/v1/questions", {"question": "Which region?", "options": ["eu", "us"]})
    id = asked.body["id"]
    assert asked.headers["Location"] == f"/v1/questions/{id}"
    await clerk.until_status(id, Status.PENDING)
    await clerk.answer(id, "eu")
    found = await get(api, f"/v1/questions/{id}?wait=5")
    assert found.body["outcome"]["text"] == "eu"
    assert [one["id"] for one in (await get(api, "/v1/questions")).body["requests"]] == [id]
    assert (await get(api, "/v1/escalations")).body["requests"] == []
    assert (await get(api, f"/v1/reviews/{id}")).status == 404


async def test_a_person_asks_back_and_is_answered(api: ClientSession, clerk: Clerk) -> None:
    asked = {"question": "Which regions?", "options": ["eu", "us"], "many": True}
    id = (await post(api, "/v1/questions", asked)).body["id"]
    await clerk.until_status(id, Status.PENDING)
    await clerk.send_back(id, "for which service?")
    round = (await get(api, f"/v1/questions/{id}?wait=5")).body["outcome"]["round"]
    assert (await post(api, f"/v1/questions/{id}/reply", {"text": "checkout"})).status == 202
    await clerk.until(lambda: clerk.requests[RequestId(id)].sent_back is None)
    await clerk.answer(id, '["eu"]')
    answered = await get(api, f"/v1/questions/{id}?wait=5&after_round={round}")
    assert answered.body["outcome"]["text"] == '["eu"]'


async def test_a_question_has_a_form_or_options_but_not_both(api: ClientSession) -> None:
    form = {"question": "Where to?", "schema": {"type": "object", "properties": {"to": {"type": "string"}}}}
    assert (await post(api, "/v1/questions", form)).status == 201
    assert (await post(api, "/v1/questions", form | {"options": ["eu"]})).status == 422


async def test_an_escalation_is_guided(api: ClientSession, clerk: Clerk) -> None:
    stuck = {"summary": "Two customers.", "transcript_url": "https://runs.example/42"}
    id = (await post(api, "/v1/escalations", stuck)).body["id"]
    await clerk.until_status(id, Status.PENDING)
    await clerk.answer(id, "the first")
    assert (await get(api, f"/v1/escalations/{id}?wait=5")).body["outcome"]["text"] == "the first"


async def test_a_batch_is_sent_whole_waited_for_and_read(api: ClientSession, clerk: Clerk) -> None:
    body = {"reason": "month end", "requests": [REFUND | {"args": {"n": number}} for number in range(3)]}
    sent = await post(api, "/v1/batches", body)
    ids = [ticket["id"] for ticket in sent.body["tickets"]]
    found = {str(request.id): request for request in await clerk.arrived(3)}
    assert {request.reason for request in found.values()} == {"month end"}
    assert {request.batch for request in found.values()} == {sent.body["id"]}
    batch = f"/v1/batches/{sent.body['id']}"
    assert (await get(api, batch)).body["is_decided"] is False
    async with asyncio.TaskGroup() as agent:
        waiting = agent.create_task(get(api, f"{batch}?wait=5"))
        for id in ids:
            await clerk.approve(id)
    assert waiting.result().body["is_decided"] is True
    assert [one["id"] for one in waiting.result().body["requests"]] == ids


async def test_a_batch_with_a_fault_sends_nothing(api: ClientSession, clerk: Clerk) -> None:
    body = {"requests": [REFUND, REFUND | {"args": {"n": 2**60}}]}
    said = await post(api, "/v1/batches", body)
    assert (said.status, said.body["type"]) == (422, "/docs#invalid-call")
    assert (await get(api, "/v1/requests")).body["requests"] == []


async def test_a_batch_with_a_key_is_sent_once(api: ClientSession, clerk: Clerk) -> None:
    key, body = {"Idempotency-Key": "june"}, {"requests": [REFUND, REFUND | {"args": {"n": 1}}]}
    first = await post(api, "/v1/batches", body, **key)
    again = await post(api, "/v1/batches", body, **key)
    assert (first.status, again.status) == (201, 200)
    assert again.headers["Location"] == first.headers["Location"]
    assert [one["id"] for one in again.body["tickets"]] == [one["id"] for one in first.body["tickets"]]
    assert {one["is_new"] for one in again.body["tickets"]} == {False}
    fewer = await post(api, "/v1/batches", {"requests": [REFUND]}, **key)
    alone = await post(api, "/v1/requests", REFUND, **key)
    for said in (fewer, alone):
        assert (said.status, said.body["type"]) == (409, "/docs#key-reused")
    await clerk.arrived(2)
    assert len((await get(api, "/v1/requests")).body["requests"]) == 2


async def test_a_batch_of_one_is_a_request_like_any_other(api: ClientSession, clerk: Clerk) -> None:
    sent = await post(api, "/v1/batches", {"requests": [REFUND]})
    (request,) = await clerk.arrived()
    assert (request.id, request.batch) == (sent.body["tickets"][0]["id"], None)
    assert (await get(api, sent.headers["Location"])).body["requests"][0]["id"] == request.id


async def test_a_batch_is_cancelled(api: ClientSession, clerk: Clerk) -> None:
    sent = await post(api, "/v1/batches", {"requests": [REFUND, REFUND]})
    await clerk.arrived(2)
    assert (await post(api, f"/v1/batches/{sent.body['id']}/cancel", {})).status == 202
    found = await get(api, f"/v1/batches/{sent.body['id']}?wait=5")
    assert {one["status"] for one in found.body["requests"]} == {"cancelled"}


async def test_what_has_run_is_told_looked_at_and_undone_once(
    api: ClientSession, redis_url: str, tenant: str
) -> None:
    told = {"tool": "close_ticket", "args": {"ticket": "T-17"}, "result": "closed", "ok": True}
    async with serving(redis_url, tenant, reviewed=["close_ticket"]) as clerk:
        id = (await post(api, "/v1/reviews", told)).body["id"]
        await clerk.arrived()
        await clerk.do(id, AskUndo(by=ADA, text="the customer waits"))
        assert (await get(api, "/v1/undos")).body["undos"][0]["text"] == "the customer waits"
        taken = await post(api, f"/v1/undos/{id}/take")
        assert (taken.status, taken.body["args"]) == (200, {"ticket": "T-17"})
        assert (await post(api, f"/v1/undos/{id}/take")).status == 409
        assert (await post(api, f"/v1/undos/{id}/report", {"ok": True, "text": "open"})).status == 202
        await clerk.until(lambda: bool(_answers(clerk, id)))
        assert _answers(clerk, id) == [True]


def _answers(clerk: Clerk, id: str) -> list[bool]:
    review = next((each.review for each in clerk.requests.values() if each.id == id), None)
    return [review.undo.ok] if review and review.undo and review.undo.ok is not None else []


@pytest.mark.parametrize("id", ["R-1", f"R-{26 * 'Z'}", "r-7k2m", "%2e%2e"])
async def test_what_nobody_asked_for_is_not_found(api: ClientSession, id: str) -> None:
    for subject in ("requests", "questions", "escalations", "reviews", "batches"):
        said = await get(api, f"/v1/{subject}/{id}")
        assert (said.status, said.body["type"]) == (404, "/docs#not-found"), subject
