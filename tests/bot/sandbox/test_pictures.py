"""Pictures that an app uploads: by whom they may be shown, and that the page shows them."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def client(slack: Sandbox) -> AsyncWebClient:
    return AsyncWebClient(token="xoxb-sandbox", base_url=slack.api_url)


async def uploaded(client: AsyncWebClient, *, name: str = "day.png", **more: Any) -> str:
    answer = await client.files_upload_v2(content=PNG, filename=name, **more)
    return str(answer["files"][0]["id"])


def picture(file: dict[str, str]) -> dict[str, object]:
    return {"type": "image", "alt_text": "48 calls were asked about", "slack_file": file}


async def test_a_block_shows_an_upload_that_was_shared_nowhere(
    slack: Sandbox, client: AsyncWebClient
) -> None:
    file = await uploaded(client)
    address = (await client.files_info(file=file))["file"]["url_private"]
    for named in ({"id": file}, {"url": address}):
        await client.chat_postMessage(channel="C0APPROVALS", text="Yesterday", blocks=[picture(named)])
    assert [message.shown for message in slack.messages()] == ["48 calls were asked about"] * 2


async def test_a_file_that_slack_would_not_show_is_refused(slack: Sandbox, client: AsyncWebClient) -> None:
    text, good = await uploaded(client, name="day.txt"), await uploaded(client)
    promised = await client.files_getUploadURLExternal(filename="late.png", length=5)
    for named in (
        {"id": "F0UNKNOWN"},
        {"id": text},
        {"id": promised["file_id"]},
        {"id": good, "url": good},
        {},
    ):
        with pytest.raises(SlackApiError) as refused:
            await client.chat_postMessage(channel="C0APPROVALS", text="Yesterday", blocks=[picture(named)])
        assert refused.value.response["errors"] == ["invalid slack file [json-pointer:/blocks/0/slack_file]"]
    assert slack.messages() == []


async def test_an_upload_keeps_its_alt_text_up_to_slacks_limit(
    slack: Sandbox, client: AsyncWebClient
) -> None:
    file = await uploaded(client, alt_txt="Two bars", channel="C0APPROVALS")
    assert (await client.files_info(file=file))["file"]["alt_txt"] == "Two bars"
    with pytest.raises(SlackApiError, match="alt_txt_too_large"):
        await uploaded(client, alt_txt="x" * 1001)


async def test_the_page_draws_uploads_and_blocks_with_their_alt_text(
    slack: Sandbox, client: AsyncWebClient, browser: Browser
) -> None:
    file = await uploaded(client, alt_txt="A bar for each tool", channel="C0APPROVALS")
    blocks = [picture({"id": file})]
    await client.chat_postMessage(channel="C0APPROVALS", text="Yesterday", blocks=blocks)
    page = await browser.new_page()
    await page.goto(f"{slack.url}/#U0ANA/C0APPROVALS")
    for words in ("A bar for each tool", "48 calls were asked about"):
        drawn = page.get_by_role("img", name=words)
        await expect(drawn).to_be_visible()
        await expect(drawn).to_have_js_property("naturalWidth", 1)
    await page.close()


@pytest.mark.long
async def test_whoever_runs_the_sandbox_gives_its_page_buttons(browser: Browser) -> None:
    pressed = asyncio.Event()

    async def tomorrow() -> str:
        pressed.set()
        return "It is tomorrow."

    async def never() -> str:
        raise LookupError("no such day")

    async with Sandbox(buttons={"Make it tomorrow": tomorrow, "Make it never": never}) as slack:
        page = await browser.new_page()
        await page.goto(f"{slack.url}/#U0ANA/C0APPROVALS")
        for name, said in (
            ("Make it tomorrow", "It is tomorrow."),
            ("Make it never", "the sandbox's log says why"),
        ):
            await page.get_by_role("button", name=name).click()
            await expect(page.locator("[data-testid=notice]").filter(has_text=said)).to_be_visible()
        await page.close()
    assert pressed.is_set()


async def test_a_button_that_is_not_there_and_one_of_another_site_do_nothing(slack: Sandbox) -> None:
    async with aiohttp.ClientSession(slack.url) as page:
        async with page.post("/page/buttons/Nothing") as response:
            assert (await response.json())["error"] == "not_found"
        async with page.post(
            "/page/buttons/Nothing", headers={"Origin": "https://elsewhere.example"}
        ) as response:
            assert response.status == 403
