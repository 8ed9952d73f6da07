"""Attacks on the HTTP API: tests/attacks has them all."""

import asyncio
import logging
from urllib.parse import quote, urlsplit

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from approvals.agent_tokens import AgentTokens, Role
from approvals.model import Status
from bot.logs import quotes_nobody
from tests.bot.api.calling import REFUND, get, post
from tests.bot.api.conftest import OPERATOR
from tests.bot.api.test_events import heard, listening
from tests.clerk import Clerk


@pytest.mark.attack("B33", "I107")
async def test_a_token_of_another_tenant_is_no_token_here(url: str, redis: Redis) -> None:
    elsewhere = await AgentTokens(redis, "elsewhere").add("billing", Role.AGENT, OPERATOR)
    said = []
    for token in (elsewhere, "cs~billing~wrong"):
        async with ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session:
            said.append(await get(session, "/v1/requests"))
    assert [one.status for one in said] == [401, 401]
    assert said[0].body == said[1].body


@pytest.mark.attack("J10")
@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "Authorization"])
async def test_a_token_in_the_address_opens_nothing(url: str, token: str, name: str) -> None:
    async with ClientSession(url) as session:
        said = await get(session, f"/v1/requests?{name}={quote(token)}")
    assert said.status in (400, 401)
    assert token not in str(said.body)


TYPED = [
    "..",
    "../other",
    "%2e%2e%2f%2e%2e",
    "*",
    "R-*",
    "R-",
    " ",
    "%00",
    "R-" + "0" * 26 + "%0a",
    "x" * 4000,
]


@pytest.mark.attack("J11")
@pytest.mark.parametrize("typed", TYPED, ids=range(len(TYPED)))
async def test_what_is_no_id_of_a_request_finds_none(api: ClientSession, clerk: Clerk, typed: str) -> None:
    id = (await post(api, "/v1/requests", REFUND)).body["id"]
    await clerk.until_status(id, Status.PENDING)
    for path in (f"/v1/requests/{typed}", f"/v1/requests/{typed}/claim", f"/v1/batches/{typed}"):
        said = await (post if path.endswith("claim") else get)(api, path)
        assert said.status in (400, 404, 405)
        assert id not in str(said.body)


@pytest.mark.attack("J9")
async def test_a_stream_that_goes_on_from_anothers_event_tells_nothing_of_it(
    api: ClientSession, url: str, tokens: AgentTokens, clerk: Clerk
) -> None:
    anothers = (await post(api, "/v1/requests", REFUND)).body["id"]
    await clerk.until_status(anothers, Status.PENDING)
    mallory = await tokens.add("mallory", Role.AGENT, OPERATOR)
    async with (
        ClientSession(url, headers={"Authorization": f"Bearer {mallory}"}) as session,
        listening(session, "/v1/events", **{"Last-Event-ID": "0"}) as stream,
    ):
        own = (await post(session, "/v1/requests", REFUND)).body["id"]
        ((event, data),) = await heard(stream, 1)
    assert (event, data["request"]) == ("approval_required", own)


SMUGGLED = "GET /v1/requests HTTP/1.1\r\nHost: x\r\n\r\n"
# RFC 9112, §6.1 and §6.3: which length counts must not be a matter of opinion.
TWO_LENGTHS = [
    f"Content-Length: {len(SMUGGLED)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    f"Transfer-Encoding: chunked\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n0\r\n\r\n{SMUGGLED}",
    f"Content-Length: 2\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{{}}{SMUGGLED}",
    f"Content-Length: +2\r\n\r\n{{}}{SMUGGLED}",
    f"Content-Length: 0x2\r\n\r\n{{}}{SMUGGLED}",
    f"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    f"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{SMUGGLED}",
    f"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    f"X-Note: a\n\r\nContent-Length: 2\r\n\r\n{{}}{SMUGGLED}",
]


@pytest.mark.attack("J8")
@pytest.mark.parametrize("rest", TWO_LENGTHS, ids=range(len(TWO_LENGTHS)))
async def test_a_request_with_two_lengths_is_refused_and_nothing_behind_it_is_read(
    url: str, token: str, rest: str
) -> None:
    said = await _sent(url, f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n{rest}")
    assert said.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert said.count(b"HTTP/1.") == 1


async def _sent(url: str, rest: str) -> bytes:
    """What is answered to bytes that no client would send."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"POST /v1/requests HTTP/1.1\r\nHost: x\r\n{rest}".encode())
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    return said


@pytest.mark.attack("H104")
async def test_a_call_that_can_not_be_read_leaves_no_token_in_the_log(
    url: str, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("aiohttp.server").addFilter(quotes_nobody)
    assert b" 400 " in await _sent(url, f"Authorization : Bearer {token}\r\n\r\n")
    assert token not in caplog.text
