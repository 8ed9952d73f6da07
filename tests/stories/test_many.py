"""Three workers and two web processes at once, on one Redis and one Slack: nothing twice, nothing lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from approvals import Approvals
from approvals.agent_tokens import AgentTokens, Role
from approvals.errors import NotClaimed
from approvals.model import Actor
from approvals.store import Store
from approvals.verifying import LogCheck
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.running import a_policy, environment, until
from tests.stories.processes import EXIT_S, a_process
from tests.stories.signing import free_port, is_serving
from tests.stories.watching import REFUND

WORKERS, WEBS, REQUESTS = 3, 2, 60
OPERATOR = Actor(id="operator:ops", name="ops")
ONE_BY_ONE = "version = 1\n\n[defaults]\nburst = 0\n"


@pytest.fixture
async def webs(
    slack: Sandbox, redis_url: str, tenant: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[str]]:
    """Where the web processes are served, with the workers beside them."""
    policy = a_policy(tmp_path_factory.mktemp("policy"), ONE_BY_ONE)
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(WEBS)]
    async with AsyncExitStack() as running:
        for url in urls:
            port = url.rpartition(":")[2]
            env = environment(slack, redis_url, tenant, APPROVALS_POLICY=policy, PORT=port)
            await running.enter_async_context(a_process(env, "-m", "bot", "web"))
        for _ in range(WORKERS):
            env = environment(slack, redis_url, tenant, APPROVALS_POLICY=policy)
            await running.enter_async_context(a_process(env, "-m", "bot", "worker"))
        await slack.until(lambda: slack.connections == WORKERS, timeout_s=3 * EXIT_S)
        for url in urls:
            await until(lambda url=url: is_serving(url))  # type: ignore[misc]  # bound now
        yield urls


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_three_workers_and_two_webs_decide_each_request_once(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, webs: list[str]
) -> None:
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        token = await AgentTokens(redis, tenant).add("billing", Role.AGENT, OPERATOR)
        ids = await _asked(approvals, webs, token)
        cards = await slack.until(lambda: _cards(slack), timeout_s=60)
        await _pressed(slack, cards)
        taken = Counter([id for id in await _claimed(approvals, redis_url, tenant, ids) if id])
        assert taken == Counter(ids)
        await until(lambda: _is_drawn(redis, tenant))
        log, store = LogCheck(), Store(redis, tenant)
        entries = [entry async for entry in store.log()]
        assert [fault for entry in entries if (fault := log.add(entry))] == []
        for event in ("submitted", "approved", "claimed"):
            assert Counter(entry.request for entry in entries if entry.event == event) == Counter(ids)
    shown = Counter(
        str(card.metadata["event_payload"]["id"]) for card in _cards(slack) or () if card.metadata
    )
    assert shown == Counter(ids)


async def _asked(approvals: Approvals, webs: Sequence[str], token: str) -> list[str]:
    """Half of them by the SDK, half over HTTP, by turns at each of the web processes."""
    ids = []
    async with AsyncExitStack() as open_:
        heads = {"Authorization": f"Bearer {token}"}
        doors = [await open_.enter_async_context(ClientSession(url, headers=heads)) for url in webs]
        for number in range(REQUESTS):
            args = REFUND | {"amount": number}
            if number % 2:
                door = doors[number // 2 % len(doors)]
                async with door.post("/v1/requests", json={"tool": "refund", "args": args}) as answer:
                    ids.append((await answer.json())["id"])
            else:
                ids.append((await approvals.submit("refund", args)).id)
    return ids


def _cards(slack: Sandbox) -> list[Message] | None:
    cards = [message for message in slack.messages() if message.blocks and message.metadata]
    return cards if len(cards) >= REQUESTS else None


async def _pressed(slack: Sandbox, cards: list[Message] | None) -> None:
    """Each card by two people at once."""
    for card in cards or ():
        async with asyncio.TaskGroup() as people:
            for person in ("U0ANA", "U0LEE"):
                people.create_task(slack.person(person).press("Approve", card))


async def _claimed(approvals: Approvals, redis_url: str, tenant: str, ids: list[str]) -> list[str | None]:
    """Two processes of the agent go for each."""

    async def claimed(by: Approvals, id: str) -> str | None:
        await by.wait(id, timeout=20)
        try:
            return (await by.claim(id)).id
        except NotClaimed:
            return None

    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as other:
        found = []
        for id in ids:
            async with asyncio.TaskGroup() as both:
                tries = [both.create_task(claimed(by, id)) for by in (approvals, other)]
            found += [each.result() for each in tries]
    return found


async def _is_drawn(redis: Redis, tenant: str) -> bool:
    """Whether all letters are dealt with and everything is drawn."""
    left = await redis.exists(f"cs:{{{tenant}}}:draw", f"cs:{{{tenant}}}:approved")
    return not left and not await redis.xlen(f"cs:{{{tenant}}}:inbox:billing")
