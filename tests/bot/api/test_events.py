"""The stream of events: one's own, as they happen, and from where one was."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from approvals import Approvals
from approvals.agent_tokens import AgentTokens, Role
from approvals.model import Status
from tests.bot.api.calling import REFUND, post
from tests.bot.api.conftest import OPERATOR
from tests.clerk import Clerk

Event = tuple[str, dict[str, Any]]


@asynccontextmanager
async def listening(
    api: ClientSession, path: str = "/v1/events", **headers: str
) -> AsyncIterator[ClientResponse]:
    """The open stream, once it has begun."""
    async with asyncio.timeout(10), api.get(path, headers=headers) as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert await stream.content.readline() == b"retry: 1000\n"
        yield stream


async def heard(stream: ClientResponse, count: int) -> list[Event]:
    """The next `count` events."""
    found: list[Event] = []
    event: dict[str, str] = {}
    while len(found) < count:
        name, _, value = (await stream.content.readline()).decode().strip().partition(": ")
        if name:
            event[name] = value
        elif "event" in event:
            data = json.loads(event["data"])
            assert event["id"] == str(data["seq"])
            found.append((event["event"], data))
            event = {}
    return found


async def test_a_decision_is_told_with_who_when_and_how_long_it_took(
    api: ClientSession, clerk: Clerk
) -> None:
    async with listening(api) as stream:
        id = (await post(api, "/v1/requests", REFUND)).body["id"]
        await clerk.until_status(id, Status.PENDING)
        await clerk.approve(id)
        (asked, _), (approved, data) = await heard(stream, 2)
    assert (asked, approved) == ("approval_required", "approved")
    assert data["request"] == id
    assert data["decided_by"] == "slack:U0ADA"
    assert data["decided_at"] is not None
    assert data["latency_ms"] >= 0


async def test_a_stream_is_resumed_where_it_broke_off(api: ClientSession, clerk: Clerk) -> None:
    ids = [(await post(api, "/v1/requests", REFUND | {"args": {"n": n}})).body["id"] for n in range(3)]
    await clerk.arrived(3)
    async with listening(api, "/v1/events?after=0") as stream:
        first = await heard(stream, 1)
    async with listening(api, **{"Last-Event-ID": str(first[0][1]["seq"])}) as stream:
        rest = await heard(stream, 2)
        await clerk.approve(ids[0])
        rest += await heard(stream, 1)
    async with listening(api, "/v1/events?after=0") as stream:
        assert await heard(stream, 1) == first, "also what is older than all that was kept at hand"
    assert [data["request"] for _, data in first + rest[:2]] == ids
    assert (rest[2][0], rest[2][1]["request"]) == ("approved", ids[0])


@pytest.mark.attack("I113")
async def test_an_agent_hears_of_its_own_requests_and_a_front_end_of_all(
    api: ClientSession, clerk: Clerk, tokens: AgentTokens, url: str, redis_url: str, tenant: str
) -> None:
    phone = await tokens.add("phone", Role.APPROVER_FRONT_END, OPERATOR)
    async with (
        Approvals.connect(redis_url, agent="other", tenant=tenant) as others,
        ClientSession(url, headers={"Authorization": f"Bearer {phone}"}) as front_end,
        listening(api) as own,
        listening(front_end) as whole,
    ):
        await others.submit("refund", {"n": 1})
        await clerk.arrived(1)
        id = (await post(api, "/v1/requests", REFUND)).body["id"]
        assert [(data["agent"], data["request"]) for _, data in await heard(own, 1)] == [("billing", id)]
        assert [data["agent"] for _, data in await heard(whole, 2)] == ["other", "billing"]


async def test_what_was_refused_is_not_told(api: ClientSession, clerk: Clerk) -> None:
    async with listening(api) as stream:
        id = (await post(api, "/v1/requests", REFUND)).body["id"]
        await clerk.until_status(id, Status.PENDING)
        await clerk.approve(id)
        await post(
            api, f"/v1/requests/{id}/cancel", {}
        )  # too late, which the log tells and the stream doesn't
        await post(api, f"/v1/requests/{id}/claim")
        assert [name for name, _ in await heard(stream, 3)] == ["approval_required", "approved", "claimed"]


async def test_a_stream_ends_soon_after_its_token_was_revoked(
    api: ClientSession, tokens: AgentTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.api.streaming.HEARTBEAT_S", 0.05)
    async with listening(api) as stream:
        await tokens.revoke("billing", OPERATOR)
        assert b"event" not in await stream.content.read()  # to its end, or `listening` runs out of time
