"""`python -m bot` alone, as a newcomer starts it: Slack over Socket Mode, and the agents' API beside it."""

import socket

from aiohttp import ClientSession

from approvals.agent_tokens import AgentTokens, Role
from approvals.model import Actor
from bot.sandbox.server import Sandbox
from tests.bot.api.calling import REFUND, get, post
from tests.running import a_connected_bot, environment, the_card
from tests.stories.processes import a_process, ended
from tests.stories.signing import free_port, status_of

OPERATOR = Actor(id="operator:ops", name="ops")


async def test_one_process_in_socket_mode_serves_agents_that_come_by_http(
    slack: Sandbox, redis_url: str, tenant: str
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    env = environment(slack, redis_url, tenant, PORT=url.rpartition(":")[2])
    async with a_connected_bot(slack, env) as bot, ClientSession(url) as session:
        token = await AgentTokens(bot.redis, tenant).add("billing", Role.AGENT, OPERATOR)
        session.headers["Authorization"] = f"Bearer {token}"
        id = (await post(session, "/v1/requests", REFUND)).body["id"]
        assert (await slack.person("U0ANA").press("Approve", await the_card(slack))).ok
        assert (await get(session, f"/v1/requests/{id}?wait=10")).body["status"] == "approved"
        assert await status_of(session, "/readyz") == 200
        async with session.post("/slack/events", data=b"{}") as answer:
            assert answer.status == 404, "Slack comes through another door"


async def test_a_port_that_is_taken_is_told_in_a_sentence(
    slack: Sandbox, redis_url: str, tenant: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        env = environment(slack, redis_url, tenant, PORT=port)
        async with a_process(env, "-m", "bot") as process:
            code, said = await ended(process)
    assert code == 1
    assert f"PORT={port} can't be listened on" in said
    assert "Traceback" not in said
