"""The page in a real browser, against the real sandbox and a small Bolt app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox

DEADLINE = 1_800_000_000  # 15 January 2027, 08:00 UTC
CARD: list[dict[str, Any]] = [
    {
        "type": "section", "block_id": "what",
        "text": {"type": "mrkdwn", "text": f"*Refund?* <!date^{DEADLINE}^{{date_num}} {{time_secs}}|soon>"},
    },
    {
        "type": "actions", "block_id": "buttons", "elements": [
            {
                "type": "button", "action_id": "approve", "style": "primary", "value": "R-7K2M",
                "text": {"type": "plain_text", "text": "Approve"},
            },
            {"type": "button", "action_id": "edit", "text": {"type": "plain_text", "text": "Edit…"}},
            {
                "type": "overflow", "action_id": "more", "options": [
                    {"text": {"type": "plain_text", "text": word}, "value": word}
                    for word in ("Details", "Snooze")
                ],
            },
        ],
    },
]  # fmt: skip
DIALOG: dict[str, Any] = {
    "type": "modal", "callback_id": "edit",
    "title": {"type": "plain_text", "text": "Edit the refund"},
    "submit": {"type": "plain_text", "text": "Save"},
    "blocks": [
        {
            "type": "input", "block_id": "amount", "label": {"type": "plain_text", "text": "Amount"},
            "element": {"type": "number_input", "action_id": "amount", "is_decimal_allowed": True},
        },
        {
            "type": "input", "block_id": "note", "optional": True,
            "label": {"type": "plain_text", "text": "Note"},
            "element": {"type": "plain_text_input", "action_id": "note", "multiline": True},
        },
    ],
}  # fmt: skip


class App:
    """A Bolt app that approves, edits and answers commands; `may_answer` holds its answers back."""

    def __init__(self, slack: Sandbox) -> None:
        self.client = AsyncWebClient(token="xoxb-sandbox", base_url=slack.api_url)
        bolt = AsyncApp(client=self.client, signing_secret="not-used-here", process_before_response=True)
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.saved: list[dict[str, Any]] = []
        self.chosen: list[str] = []
        bolt.action("approve")(self._approve)
        bolt.action("edit")(self._edit)
        bolt.action("more")(self._more)
        bolt.view("edit")(self._save)
        bolt.command("/approve")(self._command)
        bolt.event("app_home_opened")(self._home)
        bolt.event("message")(self._message)
        self.handler = AsyncSocketModeHandler(bolt, "xapp-sandbox")

    async def post(self, text: str = "Refund $940?", blocks: list[dict[str, Any]] | None = None) -> str:
        posted = await self.client.chat_postMessage(channel="C0APPROVALS", text=text, blocks=blocks)
        return str(posted["ts"])

    async def _approve(self, ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await self.may_answer.wait()
        ts, text = body["message"]["ts"], f"<@{body['user']['id']}> approved"
        await client.chat_update(channel="C0APPROVALS", ts=ts, text=text, blocks=[])
        await ack()

    async def _edit(self, ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=DIALOG)
        await ack()

    async def _more(self, ack: Any, action: dict[str, Any]) -> None:
        self.chosen.append(action["selected_option"]["value"])
        await ack()

    async def _save(self, ack: Any, view: dict[str, Any]) -> None:
        values = view["state"]["values"]
        if float(values["amount"]["amount"]["value"]) > 1_000:
            await ack(response_action="errors", errors={"amount": "amount must be at most 1,000"})
            return
        self.saved.append(values)
        await ack()

    async def _command(self, ack: Any, command: dict[str, Any]) -> None:
        await ack(f"You approved {command['text']}")

    async def _home(self, event: dict[str, Any], client: AsyncWebClient) -> None:
        section = {"type": "section", "text": {"type": "mrkdwn", "text": "Nothing waits for you"}}
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [section]})

    async def _message(self) -> None:
        """Hear what people write, and leave it at that."""


@pytest.fixture
async def app(slack: Sandbox) -> AsyncIterator[App]:
    app = App(slack)
    await app.handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt
    yield app
    await app.handler.close_async()  # type: ignore[no-untyped-call]


async def a_tab(browser: Browser, slack: Sandbox, person: str = "U0ANA", **context: Any) -> Page:
    """A window of its own, in which `person` looks at #approvals."""
    opened = await browser.new_context(locale="en-US", **context)
    page = await opened.new_page()
    await page.goto(f"{slack.url}/#{person}/C0APPROVALS")
    await page.locator("[data-testid=composer]").wait_for()
    return page


def message(page: Page, ts: str) -> Locator:
    return page.locator(f"[data-testid=messages] [data-ts='{ts}']")


def said(page: Page, text: str) -> Locator:
    """`text` in the list of messages; new ones are also said to screen readers, elsewhere on the page."""
    return page.locator("[data-testid=messages]").get_by_text(text)


def control(page: Page, action_id: str) -> Locator:
    return page.locator(f"[data-action-id={action_id}]")


def only_ephemeral(slack: Sandbox, person: str) -> Message | None:
    found = slack.person(person).ephemerals()
    return found[0] if found else None


async def test_the_page_says_what_it_is_before_any_script_runs(slack: Sandbox, browser: Browser) -> None:
    page = await browser.new_page(java_script_enabled=False)
    await page.goto(slack.url)
    await expect(page.get_by_role("heading", name="Sandbox workspace")).to_be_visible()
    await expect(page.get_by_text("Nothing leaves this computer")).to_be_visible()
    assert "It needs JavaScript" in await page.content()


async def test_a_click_turns_the_message_into_its_result_for_everybody(
    slack: Sandbox, app: App, browser: Browser
) -> None:
    ts = await app.post(blocks=CARD)
    ana, kim = await a_tab(browser, slack, "U0ANA"), await a_tab(browser, slack, "U0KIM")
    await control(ana, "approve").click()
    for page in (ana, kim):
        await expect(message(page, ts)).to_contain_text("@Ana Duarte approved")
        await expect(control(page, "approve")).to_have_count(0)


@pytest.mark.long
async def test_a_pressed_button_shows_that_it_waits_for_the_app(
    slack: Sandbox, app: App, browser: Browser
) -> None:
    await app.post(blocks=CARD)
    page = await a_tab(browser, slack)
    app.may_answer.clear()
    await control(page, "approve").click()
    await expect(control(page, "approve")).to_have_attribute("aria-busy", "true")
    app.may_answer.set()
    await expect(control(page, "approve")).to_have_count(0)


@pytest.mark.long
async def test_a_click_that_nobody_answers_is_said_to_have_failed(slack: Sandbox, browser: Browser) -> None:
    client = AsyncWebClient(token="xoxb-sandbox", base_url=slack.api_url)
    await client.chat_postMessage(channel="C0APPROVALS", text="Refund?", blocks=CARD)
    page = await a_tab(browser, slack)
    await control(page, "approve").click()
    await expect(page.locator("[data-testid=notice]")).to_have_count(1)
    await expect(control(page, "approve")).not_to_have_attribute("aria-busy", "true")


async def test_who_one_is_decides_what_one_sees(slack: Sandbox, app: App, browser: Browser) -> None:
    await app.post(blocks=CARD)
    await app.client.chat_postEphemeral(channel="C0APPROVALS", user="U0ANA", text="For Ana alone")
    page = await a_tab(browser, slack)
    await expect(said(page, "For Ana alone")).to_be_visible()
    await expect(page.locator("[data-block-id=what]")).to_contain_text("2027-01-15 9:00:00 AM")

    await page.locator("[data-testid=switcher]").click()
    await page.locator("[data-testid=be-U0KIM]").click()
    await expect(page.locator("[data-testid=switcher]")).to_contain_text("Kim Osei")
    await expect(page.locator("[data-block-id=what]")).to_contain_text("2027-01-15 3:00:00 AM")
    await expect(said(page, "For Ana alone")).to_have_count(0)
    assert page.url.endswith("#U0KIM/C0APPROVALS")


@pytest.mark.long
async def test_nobody_becomes_an_app_or_somebody_deactivated(slack: Sandbox, browser: Browser) -> None:
    page = await a_tab(browser, slack)
    await page.locator("[data-testid=switcher]").click()
    for nobody in ("U0BOB", "U0DEL", "U0COUNTERSIGN", "USLACKBOT"):
        await expect(page.locator(f"[data-testid=be-{nobody}]")).to_have_attribute("aria-disabled", "true")
    for somebody in ("U0GUS", "U0SUE", "U0EVE"):
        await expect(page.locator(f"[data-testid=be-{somebody}]")).not_to_have_attribute(
            "aria-disabled", "true"
        )


@pytest.mark.long
async def test_an_address_with_nobody_behind_it_leads_back_to_somebody(
    slack: Sandbox, browser: Browser
) -> None:
    page = await a_tab(browser, slack)
    for nobody in ("U0NOBODY", "U0DEL"):
        await page.goto(f"{slack.url}/#{nobody}")
        await expect(page.locator("[data-testid=notice]").last).to_contain_text(nobody)
        await expect(page.locator("[data-testid=switcher]")).to_contain_text("Ana Duarte")


async def test_a_dialog_says_what_is_wrong_and_closes_when_it_is_right(
    slack: Sandbox, app: App, browser: Browser
) -> None:
    await app.post(blocks=CARD)
    page = await a_tab(browser, slack)
    await control(page, "edit").click()
    dialog = page.get_by_role("dialog", name="Edit the refund")
    error = dialog.locator("[data-testid=field-error]")
    amount = dialog.get_by_label("Amount")
    await expect(amount).to_be_focused()

    await dialog.locator("[data-testid=view-submit]").click()
    await expect(error).to_contain_text("complete this required field")
    await dialog.get_by_label("Note").fill("two\nlines")
    await amount.fill("5000")
    await dialog.locator("[data-testid=view-submit]").click()
    await expect(error).to_have_text("amount must be at most 1,000")
    await expect(amount).to_have_value("5000")

    await amount.fill("900")
    await dialog.locator("[data-testid=view-submit]").click()
    await expect(dialog).to_have_count(0)
    assert app.saved == [
        {
            "amount": {"amount": {"type": "number_input", "value": "900"}},
            "note": {"note": {"type": "plain_text_input", "value": "two\nlines"}},
        }
    ]


@pytest.mark.long
async def test_a_dialog_keeps_focus_inside_and_gives_it_back(
    slack: Sandbox, app: App, browser: Browser
) -> None:
    await app.post(blocks=CARD)
    page = await a_tab(browser, slack)
    await control(page, "edit").focus()
    await page.keyboard.press("Enter")
    dialog = page.locator("[data-testid=view]")
    await expect(dialog.get_by_label("Amount")).to_be_focused()
    for _ in range(7):
        await page.keyboard.press("Tab")
        await expect(dialog.locator(":focus")).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(control(page, "edit")).to_be_focused()
    assert slack.person("U0ANA").view is None


@pytest.mark.long
async def test_a_menu_is_walked_with_arrow_keys(slack: Sandbox, app: App, browser: Browser) -> None:
    await app.post(blocks=CARD)
    page = await a_tab(browser, slack)
    await control(page, "more").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("menuitem", name="Snooze")).to_be_focused()
    async with page.expect_response("**/page/act"):
        await page.keyboard.press("Enter")
    assert app.chosen == ["Snooze"]


@pytest.mark.long
async def test_a_command_completes_itself_and_only_its_author_sees_the_answer(
    slack: Sandbox, app: App, browser: Browser
) -> None:
    ana, kim = await a_tab(browser, slack, "U0ANA"), await a_tab(browser, slack, "U0KIM")
    composer = ana.locator("[data-testid=composer]")
    await composer.press_sequentially("/appr")
    await expect(ana.locator("[data-testid=autocomplete]").get_by_role("option")).to_have_count(2)
    await composer.press("Enter")
    await expect(composer).to_have_value("/approve ")
    await composer.press_sequentially("R-7K2M")
    await composer.press("Enter")
    await expect(said(ana, "You approved R-7K2M")).to_be_visible()
    await expect(ana.get_by_text("Only visible to you")).to_be_visible()

    await app.post("afterwards")
    await expect(said(kim, "afterwards")).to_be_visible()
    await expect(said(kim, "You approved R-7K2M")).to_have_count(0)
    assert only_ephemeral(slack, "U0KIM") is None


@pytest.mark.long
async def test_people_write_mention_and_reply_in_threads(slack: Sandbox, app: App, browser: Browser) -> None:
    ts = await app.post("Anything new?")
    page = await a_tab(browser, slack)
    await message(page, ts).hover()
    await message(page, ts).locator("[data-testid=reply]").click()
    reply = page.locator("[data-testid=thread-composer]")
    await reply.press_sequentially("ask @ki")
    await reply.press("Tab")
    await reply.press("Enter")
    await expect(page.locator("[data-testid=thread]").get_by_text("@Kim Osei")).to_be_visible()
    await expect(page.locator("[data-testid=replies]")).to_contain_text("1 reply")
    assert [one.text for one in slack.thread("C0APPROVALS", ts)][1:] == ["ask <@U0KIM>"]


async def test_nothing_that_a_message_says_becomes_markup_or_leaves_the_computer(
    slack: Sandbox, app: App, browser: Browser
) -> None:
    page = await a_tab(browser, slack)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    evil = "<img src=x onerror=alert(1)>"
    picture = {"type": "image", "image_url": "https://attacker.example/seen.png", "alt_text": "a picture"}
    quoted = {"type": "rich_text_quote", "elements": [{"type": "text", "text": evil}]}
    ts = await app.post(
        "*bold* &lt;img src=x onerror=alert(1)&gt; <javascript:alert(1)|press me>",
        [
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": "&lt;b&gt; <javascript:alert(1)|press me>"},
            },
            {"type": "rich_text", "elements": [quoted]},
            picture,
        ],
    )
    await expect(message(page, ts)).to_contain_text(evil)
    await expect(message(page, ts)).to_contain_text("<b>")
    await expect(message(page, ts).get_by_role("img", name="a picture")).to_be_visible()
    for never in ("img", "script", "a[href^=javascript]"):
        await expect(message(page, ts).locator(never)).to_have_count(0)
    assert [url for url in asked if not url.startswith((slack.url, "data:"))] == []


@pytest.mark.long
async def test_an_edit_leaves_scrolling_and_half_typed_words_alone(
    slack: Sandbox, app: App, browser: Browser
) -> None:
    ts = await app.post(blocks=CARD)
    for number in range(40):
        slack.person("U0KIM").say(f"message {number}")
    page = await a_tab(browser, slack)
    scroller = page.locator("#messages")
    await expect(said(page, "message 39")).to_be_in_viewport()
    await scroller.evaluate("node => { node.scrollTop = 0 }")
    await page.locator("[data-testid=composer]").fill("half a sen")
    await app.client.chat_update(channel="C0APPROVALS", ts=ts, text="done", blocks=[])
    slack.person("U0KIM").say("one more")
    await expect(message(page, ts)).to_contain_text("done")
    await expect(said(page, "one more")).to_be_attached()
    assert await scroller.evaluate("node => node.scrollTop") == 0
    await expect(page.locator("[data-testid=composer]")).to_have_value("half a sen")
    await expect(page.locator("[data-testid=composer]")).to_be_focused()


@pytest.mark.long
async def test_the_home_tab_shows_what_the_app_publishes(slack: Sandbox, app: App, browser: Browser) -> None:
    page = await a_tab(browser, slack)
    await page.locator("[data-testid=sidebar] [data-channel=home]").click()
    await expect(page.locator("[data-testid=home-view]")).to_contain_text("Nothing waits for you")


@pytest.mark.long
async def test_unread_messages_are_counted_until_somebody_looks(slack: Sandbox, browser: Browser) -> None:
    page = await a_tab(browser, slack)
    row = page.locator("[data-testid=sidebar] [data-channel=C0GENERAL]")
    slack.person("U0KIM").say("lunch?", "C0GENERAL")
    await expect(row.locator(".count")).to_have_text("1")
    await row.click()
    await expect(said(page, "lunch?")).to_be_visible()
    await expect(row.locator(".count")).to_have_count(0)


@pytest.mark.long
async def test_on_a_phone_the_channels_are_a_drawer(slack: Sandbox, browser: Browser) -> None:
    page = await a_tab(browser, slack, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    sidebar = page.locator("[data-testid=sidebar]")
    await expect(sidebar).to_be_hidden()
    await page.locator("[data-testid=open-sidebar]").click()
    await sidebar.locator("[data-channel=C0GENERAL]").click()
    await expect(page.get_by_role("heading", name="general").first).to_be_visible()
    await expect(sidebar).to_be_hidden()
    overflow = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
