"""No call makes the API fail, and each is answered as its document says. Front ends are in the stories."""

from pathlib import Path

import pytest
from aiohttp import ClientSession

from approvals.agent_tokens import AgentTokens, Role
from approvals.commands import Command
from approvals.model import Kind, Request
from tests.bot.api.calling import REFUND, post
from tests.bot.api.conftest import OPERATOR
from tests.bot.api.fuzzing import fuzzed
from tests.clerk import serving, yes

# The number of edges is what it is, so a machine that is busy takes longer; hence the timeouts.
OTHERS = "^/v1/(events|people)|/decisions"  # which take time; for front ends


def habit(request: Request) -> Command | None:
    return yes(request) if request.kind is Kind.ACTION else None


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_each_edge_of_the_document_is_answered_as_it_says(
    url: str, tokens: AgentTokens, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    token = await tokens.add("billing", Role.AGENT, OPERATOR, calls_a_minute=1_000_000)
    async with serving(redis_url, tenant, habit=habit):
        options = ("--phases=coverage", f"--exclude-path-regex={OTHERS}")
        assert await fuzzed(url, token, tmp_path, *options) == ""


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_streams_of_events_are_answered_as_the_document_says(
    url: str, tokens: AgentTokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEARTBEAT_S", "STREAM_S"):  # they end soon, so that they can be read to their end
        monkeypatch.setattr(f"bot.api.streaming.{name}", 0.02)
    token = await tokens.add("billing", Role.AGENT, OPERATOR, calls_a_minute=1_000_000)
    options = ("--phases=coverage", "--max-time=4", "--include-path=/v1/events")
    assert await fuzzed(url, token, tmp_path, *options) == ""


@pytest.mark.timeout(180)
async def test_chance_finds_no_call_that_is_answered_otherwise(
    url: str, tokens: AgentTokens, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    token = await tokens.add("billing", Role.AGENT, OPERATOR, calls_a_minute=1_000_000)
    async with (
        serving(redis_url, tenant, habit=habit),
        ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as api,
    ):
        id = (await post(api, "/v1/requests", REFUND)).body["id"]
        options = ("--phases=fuzzing", "-n", "10", "--max-time=4", f"--exclude-path-regex={OTHERS}")
        assert await fuzzed(url, token, tmp_path, *options, more=f'"path.id" = "{id}"') == ""
