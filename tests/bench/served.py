"""The API in a process of its own, as it is deployed, with what it takes to call it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from approvals.agent_tokens import AgentTokens, NoSuchHolder, Role
from approvals.model import Actor
from tests.bench.child import Child, a_process
from tests.bench.ground import TENANT, Ground
from tests.bench.raw_http import Caller
from tests.running import SECRET, a_machine, until
from tests.stories.signing import free_port, is_serving

OPERATOR = Actor(id="operator:bench", name="bench")
NO_LIMIT = 10**9  # calls a minute
START_S = 30.0


@dataclass(frozen=True, slots=True)
class Served:
    """`python -m bot web`, and the token of the agent billing."""

    child: Child
    url: str
    token: str

    async def caller(self) -> Caller:
        return await Caller.to(self.url, self.token)

    async def are_open(self, count: int) -> bool:
        """Whether so many calls that ask for a request have come, and aren't answered yet."""
        caller = await self.caller()
        try:
            lines = (await caller.get("/metrics")).body.decode().splitlines()
        finally:
            caller.close()
        return f'countersign_api_open{{route="/v1/requests/{{id}}"}} {count:.1f}' in lines


@asynccontextmanager
async def a_served(ground: Ground) -> AsyncIterator[Served]:
    """Start one, and end it."""
    url = f"http://127.0.0.1:{free_port()}"
    env = {"REDIS_URL": ground.url, "APPROVALS_TENANT": TENANT, "PORT": url.rpartition(":")[2]}
    env |= a_machine() | SECRET
    token = await _token(AgentTokens(ground.redis, TENANT))
    async with a_process("web", env) as child:
        await until(lambda: is_serving(url), timeout_s=START_S)
        yield Served(child, url, token)


async def _token(tokens: AgentTokens) -> str:
    with suppress(NoSuchHolder):
        await tokens.revoke("billing", OPERATOR)
    return await tokens.add("billing", Role.AGENT, OPERATOR, calls_a_minute=NO_LIMIT)
