"""What is served beside the calls: the document, the page that draws it, the measures, and an end in time."""

import asyncio
import re

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser

from bot import api as bot_api
from bot.api.problems import KINDS
from tests.bot.api.calling import REFUND, get, post
from tests.clerk import Clerk
from tests.running import SECRET, a_bot, until
from tests.stories.signing import free_port, is_serving


async def test_the_document_names_every_call_and_every_problem_is_explained(url: str) -> None:
    async with ClientSession(url) as session:
        document = (await get(session, "/openapi.json")).body
        async with session.get("/docs") as response:
            page = await response.text()
    assert document["openapi"] == "3.1.0"
    told = {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs}
    assert told == {(each.method, each.path) for each in bot_api.OPERATIONS}
    assert all(f'id="{kind}"' in page for kind in KINDS)


async def test_the_page_asks_nobody_but_us(url: str) -> None:
    async with ClientSession(url) as session, session.get("/docs") as response:
        page = await response.text()
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert re.findall(r"""(?:src|href)=["']([^"'/])""", page) == []
    assert "://" not in page


@pytest.mark.long
async def test_the_page_draws_the_document_and_tries_a_call(url: str, token: str, browser: Browser) -> None:
    page = await browser.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await page.goto(f"{url}/docs")
    await page.get_by_label("Token").fill(token)
    call = page.locator("#operations > section > details", has_text="Ask for approval of a call")
    await call.locator("> summary").click()
    await call.locator("textarea").fill('{"tool": "refund", "args": {"amount": 940}}')
    await call.get_by_role("button", name="Try it").click()
    await call.locator("pre", has_text="201 Created").wait_for()
    assert await page.locator("#operations h2").count() >= 5
    assert faults == []
    await page.close()


@pytest.mark.attack("I112")
async def test_measures_count_what_waits_and_what_was_called(api: ClientSession, clerk: Clerk) -> None:
    id = (await post(api, "/v1/requests", REFUND)).body["id"]
    await clerk.arrived()
    await get(api, f"/v1/requests/{id}")
    assert (await post(api, f"/v1/requests/{id}/claim")).status == 409
    async with api.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = (await response.text()).splitlines()
    assert 'countersign_requests{queue="pending"} 1.0' in lines
    assert "countersign_redis_up 1.0" in lines
    assert 'countersign_oldest_seconds{queue="due"} 0.0' in lines
    called = 'method="GET",route="/v1/requests/{id}",status="200"'
    assert f"countersign_api_requests_total{{{called}}} 1.0" in lines
    assert 'countersign_api_seconds_count{route="/v1/requests/{id}"} 1.0' in lines
    refused = 'kind="not-claimed",route="/v1/requests/{id}/claim"'
    assert f"countersign_api_problems_total{{{refused}}} 1.0" in lines
    assert not any(id in line for line in lines)
    entries = next(line for line in lines if line.startswith("countersign_audit_entries "))
    assert float(entries.split()[1]) >= 3  # the token, submitted, asked


async def test_a_process_that_leaves_says_so_first_then_ends_waits_and_then_is_gone(
    redis_url: str, tenant: str, token: str, clerk: Clerk
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    env = {"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant, "PORT": url.rpartition(":")[2], **SECRET}
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        asyncio.timeout(10) as bound,
        ClientSession(url, headers=headers) as api,
        asyncio.TaskGroup() as group,
    ):
        async with a_bot(env, role="web") as service:
            await until(lambda: is_serving(url))
            id = (await post(api, "/v1/requests", REFUND)).body["id"]
            await clerk.arrived()
            waiting = group.create_task(get(api, f"/v1/requests/{id}?wait=60"))
            listening = group.create_task(_whole(api, "/v1/events"))
            for route in ("/v1/requests/{id}", "/v1/events"):
                line = f'countersign_api_open{{route="{route}"}} 1.0'
                await until(lambda line=line: _says(api, line))  # type: ignore[misc]  # bound early
            service.leaving.set()
            assert (await get(api, "/readyz")).body == {"ok": False, "why": "this process is about to end"}
            assert (await post(api, "/v1/requests", REFUND)).status == 201, (
                "who has not heard of it is served"
            )
            assert not waiting.done() and not listening.done()
        assert (await waiting).body["type"] == "/docs#unavailable"
        assert "retry: 1000" in await listening
    assert not bound.expired()  # which the service's own end would swallow


async def _whole(api: ClientSession, path: str) -> str:
    async with api.get(path) as response:
        return await response.text()


async def _says(api: ClientSession, line: str) -> bool:
    return line in (await _whole(api, "/metrics")).splitlines()
