"""Who may call the API: tokens, whose hashes alone are kept, and how often their holders may call."""

import asyncio
import json
from contextlib import ExitStack
from datetime import timedelta

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from approvals.agent_tokens import AgentTokens, Role
from approvals.cli import FINE, NO, USAGE, main
from approvals.store import Store
from bot.api.limits import Limits
from bot.api.problems import Trouble
from tests.bot.api.calling import REFUND, get, post
from tests.bot.api.conftest import OPERATOR
from tests.running import until

BAD = [
    {},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer cs~billing~wrong"},
    {"Authorization": "Bearer cs~nobody~wrong"},
    {"Authorization": "Bearer cs~BILLING~wrong"},
    {"Authorization": "Bearer " + "x" * 2000},
    {"Authorization": "Basic YTpi"},
    {"Authorization": "Bearer ünïcode"},
]


@pytest.fixture(autouse=True)
def environment(redis_url: str, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("APPROVALS_TENANT", tenant)


async def countersign(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["agent", *arguments])


async def status_with(url: str, token: str) -> int:
    async with ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session:
        return (await get(session, "/v1/requests")).status


@pytest.mark.attack("B33", "H105")
@pytest.mark.parametrize("headers", BAD, ids=range(len(BAD)))
async def test_who_has_no_good_token_is_turned_away(url: str, token: str, headers: dict[str, str]) -> None:
    async with ClientSession(url, headers=headers) as session:
        for said in (await get(session, "/v1/requests"), await post(session, "/v1/requests", REFUND)):
            assert (said.status, said.body["type"]) == (401, "/docs#unauthorized")
            assert said.headers["WWW-Authenticate"].startswith("Bearer")
            assert said.headers["Content-Type"].startswith("application/problem+json")


async def test_a_token_is_printed_once_and_only_its_hash_is_kept(
    url: str, redis: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await countersign("add", "billing") == FINE
    said = capsys.readouterr()
    token = said.out.strip()
    assert (said.out, said.err) == (f"{token}\n", "")
    assert await status_with(url, token) == 200
    kept = [await redis.dump(key) for key in await redis.keys("*")]
    assert all(token.rpartition("~")[2].encode() not in (each or b"") for each in map(_bytes, kept))
    assert await countersign("add", "billing") == NO
    assert capsys.readouterr().out == ""


def _bytes(dumped: object) -> bytes | None:
    return dumped.encode(errors="ignore") if isinstance(dumped, str) else None


async def test_a_rotated_token_is_good_no_longer(url: str, tokens: AgentTokens, token: str) -> None:
    anew = await tokens.rotate("billing", OPERATOR)
    assert [await status_with(url, each) for each in (token, anew)] == [401, 200]


async def test_a_rotated_token_may_stay_good_for_a_while(
    url: str, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await countersign("rotate", "billing", "--overlap", "1h") == FINE
    anew = capsys.readouterr().out.strip()
    assert [await status_with(url, each) for each in (token, anew)] == [200, 200]


async def test_the_overlap_ends(url: str, tokens: AgentTokens, token: str) -> None:
    await tokens.rotate("billing", OPERATOR, overlap=timedelta(microseconds=1))
    assert await status_with(url, token) == 401


async def test_a_second_rotation_lets_no_older_token_live_longer(
    url: str, tokens: AgentTokens, token: str
) -> None:
    await tokens.rotate("billing", OPERATOR, overlap=timedelta(microseconds=1))
    await tokens.rotate("billing", OPERATOR, overlap=timedelta(hours=1))
    assert await status_with(url, token) == 401


@pytest.mark.attack("B33")
async def test_a_revoked_token_is_good_no_longer(url: str, token: str) -> None:
    assert await countersign("revoke", "billing") == FINE
    assert await status_with(url, token) == 401
    assert await countersign("revoke", "billing") == NO


async def test_who_has_a_token_is_listed_without_it(
    token: str, tokens: AgentTokens, capsys: pytest.CaptureFixture[str]
) -> None:
    await tokens.add("phone", Role.APPROVER_FRONT_END, OPERATOR)
    assert await countersign("list") == FINE
    assert "approver-front-end" in capsys.readouterr().out
    assert await countersign("list", "--json") == FINE
    listed = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["role"]) for one in listed] == [
        ("billing", "agent"),
        ("phone", "approver-front-end"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "Billing"),
        ("add", "a~b"),
        ("add", "countersign"),
        ("add", "billing", "--calls-a-minute", "0"),
        ("rotate", "billing", "--overlap", "never"),
        ("rotate", "billing", "--overlap", "soon"),
    ],
)
async def test_what_cannot_be_added_is_told(
    token: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await countersign(*arguments) == USAGE
    assert capsys.readouterr().out == ""


async def test_an_agent_may_have_any_name_that_agents_have(url: str, tokens: AgentTokens) -> None:
    for name in ("version", "a.b_c-d", "0"):
        assert await status_with(url, await tokens.add(name, Role.AGENT, OPERATOR)) == 200


async def test_every_change_of_tokens_is_in_the_log(redis: Redis, tenant: str, tokens: AgentTokens) -> None:
    await tokens.add("billing", Role.AGENT, OPERATOR)
    await tokens.rotate("billing", OPERATOR)
    await tokens.revoke("billing", OPERATOR)
    logged = [(entry.event, entry.actor) async for entry in Store(redis, tenant).log()]
    words = ("token_added", "token_rotated", "token_revoked")
    assert logged == [(word, "operator:ops") for word in words]


async def test_too_many_calls_are_told_when_to_come_again(url: str, tokens: AgentTokens) -> None:
    token = await tokens.add("eager", Role.AGENT, OPERATOR, calls_a_minute=3)
    async with ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session:
        assert [(await get(session, "/v1/requests")).status for _ in range(3)] == [200] * 3
        said = await get(session, "/v1/requests")
    assert (said.status, said.body["type"]) == (429, "/docs#too-many")
    assert 1 <= int(said.headers["Retry-After"]) <= 60


@pytest.mark.attack("I109")
async def test_one_agents_calls_are_not_counted_for_another(url: str, tokens: AgentTokens) -> None:
    eager = await tokens.add("eager", Role.AGENT, OPERATOR, calls_a_minute=1)
    assert [await status_with(url, eager) for _ in range(2)] == [200, 429]
    assert await status_with(url, await tokens.add("calm", Role.AGENT, OPERATOR)) == 200


async def test_only_so_many_streams_of_one_token_are_kept_open(
    api: ClientSession, url: str, tokens: AgentTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.api.limits.STREAMS", 1)
    monkeypatch.setattr("bot.api.streaming.HEARTBEAT_S", 0.05)  # when it is noticed that a client has gone
    calm = {"Authorization": f"Bearer {await tokens.add('calm', Role.AGENT, OPERATOR)}"}
    async with api.get("/v1/events") as stream, ClientSession(url, headers=calm) as other:
        assert stream.status == 200
        said = await get(api, "/v1/events")
        assert (said.status, said.body["type"]) == (429, "/docs#too-many")
        assert int(said.headers["Retry-After"]) >= 1
        async with other.get("/v1/events") as theirs:
            assert theirs.status == 200, "another token's are not counted"
    await until(lambda: _is_let_through(api))


async def _is_let_through(api: ClientSession) -> bool:
    async with api.get("/v1/events") as stream:
        return stream.status == 200


async def test_only_so_many_waits_of_one_token_are_kept_open(
    api: ClientSession, url: str, tokens: AgentTokens
) -> None:
    token = await tokens.add("eager", Role.AGENT, OPERATOR, calls_a_minute=1_000)
    limits, holder = Limits(), await tokens.holder_of(token)
    assert holder is not None
    with ExitStack() as waits:
        for _ in range(1_000):
            waits.enter_context(limits.one(holder, "waits"))
        with pytest.raises(Trouble, match="1000 waits of one token"):
            waits.enter_context(limits.one(holder, "waits"))
    with limits.one(holder, "waits"):
        pass


@pytest.mark.attack("J15")
async def test_a_front_end_cannot_ask_and_an_agent_cannot_decide(
    url: str, tokens: AgentTokens, api: ClientSession
) -> None:
    front_end = await tokens.add("phone", Role.APPROVER_FRONT_END, OPERATOR)
    async with ClientSession(url, headers={"Authorization": f"Bearer {front_end}"}) as session:
        assert (await post(session, "/v1/requests", REFUND)).status == 403
    id = (await post(api, "/v1/requests", REFUND)).body["id"]
    decision = {"person": "U0ANA", "decision": "approve", "fingerprint": "0" * 64}
    said = await post(api, f"/v1/requests/{id}/decisions", decision)
    assert (said.status, said.body["type"]) == (403, "/docs#wrong-role")


async def test_calls_at_once_are_counted_one_by_one(tokens: AgentTokens, token: str) -> None:
    other = await tokens.add("support", Role.AGENT, OPERATOR)
    billing, support = await tokens.holder_of(token), await tokens.holder_of(other)
    assert billing is not None
    assert support is not None
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(tokens.calls(billing)) for _ in range(20)]
        others = [group.create_task(tokens.calls(support)) for _ in range(10)]
    assert [call.result()[0] for call in calls] == list(range(1, 21))
    assert [call.result()[0] for call in others] == list(range(1, 11))
