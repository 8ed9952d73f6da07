"""The service as it is put together, with none of its loops running, and an operator beside it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot import app, settings
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.operator import Said, countersign
from tests.running import a_policy, environment

POLICY = 'version = 1\n[owners]\noperators_channel = "#approvals-ops"\n'


@pytest.fixture
async def slack() -> AsyncIterator[Sandbox]:
    async with Sandbox(rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def env(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> dict[str, str]:
    return environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))


@pytest.fixture
async def house(env: dict[str, str]) -> AsyncIterator[Service]:
    async with app.built(settings.read(env, needs="workspace")) as service:
        yield service


class Operator:
    """Types commands about the log of one house."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env

    async def __call__(self, *arguments: str, offline: bool = False) -> Said:
        return await countersign({} if offline else self._env, "audit", *arguments)

    async def holds(self, *arguments: str, offline: bool = True) -> dict[str, Any]:
        """What `verify` says of a log that holds."""
        said = await self("verify", *arguments, "--json", offline=offline)
        assert (said.code, said.err) == (0, "")
        found: dict[str, Any] = json.loads(said.out)
        return found

    async def fault(self, *arguments: str, offline: bool = True) -> str:
        """What it says of one that doesn't."""
        said = await self("verify", *arguments, offline=offline)
        assert said.code == 1, said.out
        return said.err


@pytest.fixture
def audit(env: dict[str, str]) -> Operator:
    return Operator(env)
