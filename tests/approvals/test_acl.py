"""The Redis user that docs/redis.md gives an agent: enough for all it does, and nothing of anybody else's."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from approvals import Approvals, Unavailable
from approvals.commands import AskUndo
from approvals.ids import new_id
from approvals.keys import key
from approvals.model import Request
from tests.clerk import ADA, serving, yes

PAGE = Path(__file__).parents[2] / "docs" / "redis.md"


@pytest.fixture
async def billing_url(redis_url: str) -> AsyncIterator[str]:
    """The address of Redis as the documented user."""
    found = re.search(r"ACL SETUSER (agent-billing .*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        told = await redis.execute_command("ACL", "SETUSER", *found[1].split())  # type: ignore[no-untyped-call]  # redis-py
        assert told == "OK"
        yield redis_url.replace("redis://", "redis://agent-billing:SECRET@")
        await redis.acl_deluser("agent-billing")


async def test_the_documented_user_can_ask_wait_claim_and_report(redis_url: str, billing_url: str) -> None:
    async with (
        serving(redis_url, "default", habit=yes),
        Approvals.connect(billing_url, agent="billing") as approvals,
    ):
        ticket = await approvals.submit("refund", {"amount": 940}, key="inv-881")
        assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
        await approvals.claim(ticket.id)
        await approvals.receipt(ticket.id, ok=True)


async def test_it_can_put_runs_by_and_go_on_with_them(billing_url: str) -> None:
    async with Approvals.connect(billing_url, agent="billing") as approvals:
        await approvals.runs.put_by("inv-881", "sdk 1", "state")
        assert await approvals.runs.state("inv-881", "sdk 1") == "state"
        await approvals.runs.forget("inv-881")


async def test_it_can_take_what_people_want_undone(redis_url: str, billing_url: str) -> None:
    def unhappy(_: Request) -> AskUndo:
        return AskUndo(by=ADA, text="the customer still waits")

    async with (
        serving(redis_url, "default", habit=unhappy, reviewed=["close_ticket"]),
        Approvals.connect(billing_url, agent="billing") as approvals,
    ):
        ticket = await approvals.review("close_ticket", {"ticket": "T-17"})
        (asked,) = await approvals.undos(timeout=20)
        assert asked.id == ticket.id
        await approvals.report_undone(asked.id, ok=True)


async def test_it_can_not_speak_as_another_agent(billing_url: str) -> None:
    async with Approvals.connect(billing_url, agent="deployer") as approvals:
        with pytest.raises(Unavailable):
            await approvals.submit("deploy", {"env": "production"})
        with pytest.raises(Unavailable):
            await approvals.get(new_id())


@pytest.mark.parametrize("name", ["pending", "audit", "audit:seq", "ids"])
async def test_it_can_not_read_what_is_the_service_s(billing_url: str, name: str) -> None:
    async with Redis.from_url(billing_url) as redis:
        with pytest.raises(NoPermissionError):
            await redis.get(key("default", name))
        with pytest.raises(NoPermissionError):
            await redis.eval("return 1", 0)
