"""What doesn't fit is turned away with problem details, and nothing is asked."""

import io
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from approvals.agent_tokens import AgentTokens, Role
from approvals.model import Status
from bot.redis_server import RedisServer
from tests.bot.api.calling import REFUND, get, post
from tests.bot.api.conftest import OPERATOR
from tests.clerk import Clerk
from tests.lossy_line import LossyLine
from tests.running import SECRET, a_bot, until
from tests.stories.signing import free_port, is_serving


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"tool": "refund"},
        {"tool": "refund", "args": []},
        {"tool": 5, "args": {}},
        REFUND | {"risk": "enormous"},
        REFUND | {"confidence": 2},
        REFUND | {"confidence": True},
        REFUND | {"deadline": "soon"},
        REFUND | {"tags": "one"},
        REFUND | {"on_behalf_of": "ana"},
        REFUND | {"approvers": ["U0ANA"]},
        REFUND | {"key": "belongs into a header"},
        REFUND | {"reason": "x" * 16_001},
    ],
    ids=lambda body: str(body)[:60],
)
async def test_what_does_not_fit_the_document_is_malformed(api: ClientSession, body: Any) -> None:
    said = await post(api, "/v1/requests", body)
    assert (said.status, said.body["type"]) == (400, "/docs#malformed")
    assert set(said.body) == {"type", "title", "status", "detail"}
    assert (await get(api, "/v1/requests")).body["requests"] == []


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"tool": "\\ud800", "args": {}}', b"[" * 100_000])
async def test_what_is_no_json_is_malformed(api: ClientSession, raw: bytes) -> None:
    async with api.post("/v1/requests", data=raw, headers={"Content-Type": "application/json"}) as said:
        assert said.status == 400


@pytest.mark.parametrize(
    "body",
    [
        REFUND | {"tool": "re\u202efund"},
        REFUND | {"args": {"n": 2**60}},
        REFUND | {"deadline": "0s"},
        REFUND | {"schema": {"type": "nonsense"}},
    ],
    ids=["hidden characters", "inexact number", "no time", "no schema"],
)
async def test_what_cannot_be_asked_for_says_why(api: ClientSession, body: Any) -> None:
    said = await post(api, "/v1/requests", body)
    assert (said.status, said.body["type"]) == (422, "/docs#invalid-call")


async def test_args_are_limited_as_submits_are(api: ClientSession) -> None:
    large = await post(api, "/v1/requests", REFUND | {"args": {"text": "x" * 300_000}})
    assert (large.status, large.body["type"]) == (422, "/docs#invalid-call")
    assert "at most 262,144 are accepted" in large.body["detail"]


async def test_a_body_that_is_too_large_is_not_read(api: ClientSession) -> None:
    body, headers = io.BytesIO(b" " * 2_000_000), {"Content-Type": "application/json"}
    async with api.post("/v1/requests", data=body, headers=headers) as response:
        assert response.status == 413
        assert (await response.json(content_type=None))["type"] == "/docs#too-large"


async def test_another_content_type_is_told(api: ClientSession) -> None:
    async with api.post("/v1/requests", data=b"tool=refund") as response:
        assert response.status == 415
        assert (await response.json(content_type=None))["type"] == "/docs#not-json"


async def test_other_paths_and_methods_are_told_as_problems(api: ClientSession) -> None:
    said = await get(api, "/v1/nothing")
    assert (said.status, said.body["type"]) == (404, "/docs#not-found")
    async with api.delete("/v1/requests") as response:
        assert response.status == 405
        assert {"GET", "POST"} <= set(response.headers["Allow"].split(","))
        assert response.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    "query",
    ["wait=61", "wait=-1", "wait=soon", "wait=nan", "after_round=-1", "whatever=1"],
)
async def test_a_query_is_checked(api: ClientSession, query: str) -> None:
    id = (await post(api, "/v1/requests", REFUND)).body["id"]
    assert (await get(api, f"/v1/requests/{id}?{query}")).status == 400


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "status=lost", "cursor=1", "batch=1"])
async def test_a_list_is_asked_for_as_the_document_says(api: ClientSession, query: str) -> None:
    assert (await get(api, f"/v1/requests?{query}")).status == 400


async def test_an_event_id_is_a_number(api: ClientSession) -> None:
    said = await get(api, "/v1/events", **{"Last-Event-ID": "yesterday"})
    assert (said.status, said.body["type"]) == (400, "/docs#malformed")


async def test_without_slack_nobody_can_be_decided_for(url: str, tokens: AgentTokens) -> None:
    token = await tokens.add("phone", Role.APPROVER_FRONT_END, OPERATOR)
    async with ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session:
        assert (await get(session, "/v1/people/U0ANA/requests")).status == 503


async def test_while_redis_is_away_everything_is_unavailable_and_nothing_else(
    tmp_path: Path, tenant: str
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with RedisServer(tmp_path / "redis") as server:
        env = {"REDIS_URL": server.url, "APPROVALS_TENANT": tenant, "PORT": url.rpartition(":")[2], **SECRET}
        async with a_bot(env, role="web") as service:
            await until(lambda: is_serving(url))
            token = await AgentTokens(service.redis, tenant).add("billing", Role.AGENT, OPERATOR)
            async with ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session:
                id = (await post(session, "/v1/requests", REFUND)).body["id"]
                await server.kill()
                for said in (
                    await post(session, "/v1/requests", REFUND),
                    await post(session, f"/v1/requests/{id}/claim"),
                    await get(session, f"/v1/requests/{id}?wait=1"),
                ):
                    assert (said.status, said.body["type"]) == (503, "/docs#unavailable")
                    assert said.headers["Retry-After"] == "1"
                async with session.get("/metrics") as measures:
                    assert "countersign_redis_up 0.0" in await measures.text()
                await server.restart()
                assert (await get(session, f"/v1/requests/{id}")).status == 200


@pytest.mark.attack("B40")
async def test_a_claim_whose_reply_was_lost_says_that_it_must_not_be_run(
    redis_url: str, tenant: str, token: str, clerk: Clerk
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with LossyLine(redis_url) as line, ClientSession(url) as session:
        session.headers["Authorization"] = f"Bearer {token}"
        env = {"REDIS_URL": line.url, "APPROVALS_TENANT": tenant, "PORT": url.rpartition(":")[2], **SECRET}
        async with a_bot(env, role="web"):
            await until(lambda: is_serving(url))
            id = (await post(session, "/v1/requests", REFUND)).body["id"]
            await clerk.until_status(id, Status.PENDING)
            await clerk.approve(id)
            line.lose_reply_to(b"GETDEL")
            lost = await post(session, f"/v1/requests/{id}/claim")
            assert (lost.status, lost.body["type"]) == (503, "/docs#maybe-claimed")
            assert "Retry-After" not in lost.headers
            assert (await post(session, f"/v1/requests/{id}/claim")).status == 409
