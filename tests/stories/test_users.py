"""The users of Redis that deploy/redis/users.acl makes: each can do its work, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from approvals import Approvals
from approvals.errors import Unavailable
from approvals.ids import new_id
from approvals.keys import key
from bot.sandbox.server import Sandbox
from tests.operator import countersign
from tests.redis_fleet import Node
from tests.running import a_connected_bot, environment, redrawn, the_card
from tests.stories.watching import REFUND

FILE = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"
TENANT = "default"
ANA = "U0ANA"
TOO_MUCH: tuple[tuple[str, ...], ...] = (
    ("CONFIG", "SET", "appendonly", "no"),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("DEBUG", "SLEEP", "0"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "countersign", "+@all"),
    ("SCRIPT", "FLUSH"),
    ("EVAL", "return 1", "0"),
    ("SHUTDOWN",),
    ("REPLICAOF", "NO", "ONE"),
    ("MIGRATE", "127.0.0.1", "1", "k", "0", "1"),
    ("SAVE",),
    ("MONITOR",),
    ("CLIENT", "LIST"),
    ("GET", "cs:{another}:audit:seq"),
    ("GET", "elsewhere"),
)


@dataclass(frozen=True, slots=True)
class Users:
    """The addresses of one Redis, as each of its users."""

    node: Node

    def url(self, user: str, secret: str) -> str:
        return self.node.url.replace("://", f"://{user}:{secret}@")

    @property
    def service(self) -> str:
        return self.url("countersign", "s-SERVICE")

    @property
    def operator(self) -> str:
        return self.url("operator", "s-OPERATOR")

    @property
    def billing(self) -> str:
        return self.url("agent-billing", "s-BILLING")


@pytest.fixture
async def users(tmp_path: Path) -> AsyncIterator[Users]:
    """A Redis with the file as it is shipped, but for the secrets."""
    file = tmp_path / "users.acl"
    file.write_text(FILE.read_text().replace("CHANGE-ME-", "s-"))
    node = Node(tmp_path, [f"aclfile {file}", "appendonly yes", "appendfsync always"])
    await node.start()
    yield Users(node)
    node.kill()


async def test_service_agent_and_operator_do_their_work_each_as_its_own_user(
    slack: Sandbox, users: Users
) -> None:
    env = environment(slack, users.service, TENANT, APPROVALS_DURABILITY="always")
    async with a_connected_bot(slack, env) as service:
        assert service.signing is not None
        pins = [each.key for each in (listed.public for listed in await service.signing.all())]
        async with Approvals.connect(users.billing, agent="billing", public_keys=pins, replicas=0) as agent:
            ticket = await agent.submit("refund", REFUND, key="inv-881")
            card = await the_card(slack)
            assert (await slack.person(ANA).press("Approve", card)).ok
            assert (await agent.wait(ticket.id, timeout=5)).decided_by == f"slack:{ANA}"
            assert (await agent.claim(ticket.id)).args == REFUND
            await agent.receipt(ticket.id, ok=True)
            await redrawn(slack, card, "ran")
    reading = {"REDIS_URL": users.operator, "APPROVALS_TENANT": TENANT}
    for command in (["audit", "verify"], ["audit", "show", ticket.id], ["pending"], ["stats"]):
        said = await countersign(reading, *command)
        assert said.code == 0, (command, said)
    examined = await countersign(env | {"REDIS_URL": users.service}, "doctor")
    for words in ("we are countersign", "nobody comes in without a password", "our user may not CONFIG SET"):
        assert words in examined.out


@pytest.mark.attack("J21")
async def test_the_service_s_user_can_undo_nothing_behind_its_back(users: Users) -> None:
    async with Redis.from_url(users.service) as redis:
        for words in TOO_MUCH:
            with pytest.raises(NoPermissionError):
                await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py


@pytest.mark.attack("J21")
async def test_an_agent_s_user_reaches_only_its_inbox_and_outcomes(users: Users) -> None:
    async with Approvals.connect(users.billing, agent="deployer") as as_another:
        with pytest.raises(Unavailable):
            await as_another.submit("deploy", {})
        with pytest.raises(Unavailable):
            await as_another.get(new_id())
    async with Redis.from_url(users.billing) as redis:
        names = ("audit", "audit:seq", "pending", "signing", "signing:public", "tokens", "freezes", "grants")
        reads = [("GET", key(TENANT, name)) for name in names]
        doings = [
            ("EVAL", "return 1", "0"),
            ("KEYS", "*"),
            ("CONFIG", "GET", "*"),
            ("DEL", key(TENANT, "agents")),
        ]
        for words in (*reads, *doings):
            with pytest.raises(NoPermissionError):
                await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py


async def test_an_operator_s_user_can_change_nothing(users: Users) -> None:
    async with Redis.from_url(users.operator) as redis:
        for words in (
            ("SET", key(TENANT, "audit:seq"), "7"),
            ("DEL", key(TENANT, "audit")),
            ("XADD", key(TENANT, "audit"), "*", "entry", "{}"),
            ("HGETALL", key(TENANT, "callbacks:secrets")),
            ("EVALSHA", "0" * 40, "0"),
        ):
            with pytest.raises(NoPermissionError):
                await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py
