"""Asked to stop, a process answers what has come, leaves the rest to others, and says nothing of it."""

import asyncio
import signal

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from approvals import Approvals
from approvals.agent_tokens import AgentTokens, Role
from approvals.keys import key
from approvals.model import Actor
from bot.sandbox.server import Sandbox
from tests.running import SECRET, environment, the_card, until
from tests.stories.processes import a_bot_process, a_process, ended
from tests.stories.signing import free_port, is_serving
from tests.stories.watching import REFUND

ASKED = ("-m", "tests.stories.dying_bot", "asked")
OPERATOR = Actor(id="operator:ops", name="ops")


async def test_a_click_that_came_before_the_signal_is_decided_and_answered(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    env = environment(slack, redis_url, tenant)
    async with a_bot_process(slack, env, *ASKED, "approvals.store:Store.change", "worker") as stopping:
        ticket = await approvals.submit("refund", REFUND)
        pressed = await slack.person("U0ANA").press("Approve", await the_card(slack))
        code, said = await ended(stopping)
    assert (code, pressed.ok) == (0, True), said
    assert "Traceback" not in said
    assert (await approvals.claim(ticket.id)).args == REFUND


@pytest.mark.long
async def test_what_was_being_drawn_is_left_to_others_at_once(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    env = environment(slack, redis_url, tenant)
    async with a_bot_process(slack, env, *ASKED, "approvals.cards:Cards.intend", "worker") as stopping:
        await approvals.submit("refund", REFUND)
        code, said = await ended(stopping)
    assert code == 0, said
    assert "Traceback" not in said
    async with Redis.from_url(redis_url) as redis:
        seconds, _ = await redis.time()
        leased = await redis.zcount(key(tenant, "draw"), f"({seconds * 1000 + 1000}", "+inf")
    assert leased == 0
    async with a_bot_process(slack, env):
        await the_card(slack)


@pytest.mark.long
async def test_who_waits_over_http_is_told_to_come_again(redis_url: str, tenant: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    env = {"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant, "PORT": url.rpartition(":")[2], **SECRET}
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        token = await AgentTokens(redis, tenant).add("billing", Role.AGENT, OPERATOR)
    async with a_process(env, "-m", "bot", "web") as web:
        await until(lambda: is_serving(url))
        async with (
            ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as agent,
            asyncio.TaskGroup() as waiting,
        ):
            async with agent.post("/v1/requests", json={"tool": "refund", "args": REFUND}) as asked:
                id = (await asked.json())["id"]
            answer = waiting.create_task(agent.get(f"/v1/requests/{id}", params={"wait": 30}))
            await until(lambda: _waits(agent))
            web.send_signal(signal.SIGTERM)
            await until(lambda: _is_red(agent))
            async with agent.post("/v1/requests", json={"tool": "refund", "args": REFUND}) as late:
                assert late.status == 201, "who has not heard of it yet is served"
            told = await answer
            assert (told.status, "Retry-After" in told.headers) == (503, True)
        code, said = await ended(web)
    assert code == 0, said
    assert "Traceback" not in said


async def _is_red(agent: ClientSession) -> bool:
    async with agent.get("/readyz") as answer:
        return answer.status == 503 and "about to end" in await answer.text()


async def _waits(agent: ClientSession) -> bool:
    """Whether a wait has begun, as the process itself counts."""
    async with agent.get("/metrics") as answer:
        return 'countersign_api_open{route="/v1/requests/{id}"} 1.0' in await answer.text()
