"""The main job as a person does it: in a real browser, on the sandbox's page, with the unmodified bot."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from approvals import Approvals, Rejected
from bot.app import Service
from bot.loops import daily_threads
from bot.sandbox.server import Sandbox

WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)


@pytest.fixture(params=[WIDE, pytest.param(NARROW, marks=pytest.mark.long)], ids=["wide", "narrow"])
async def page(
    request: pytest.FixtureRequest, browser: Browser, slack: Sandbox, bot: Service
) -> AsyncIterator[Page]:
    """Ana's tab, on #approvals."""
    page = await browser.new_page(viewport=request.param)
    page.set_default_timeout(10_000)
    await page.goto(f"{slack.url}/#U0ANA/C0APPROVALS")
    yield page
    await page.close()


def _card(page: Page, words: str) -> Locator:
    return page.locator("[data-testid=messages] [data-testid=message]").filter(has_text=words)


async def test_a_click_on_approve_lets_the_call_run(page: Page, approvals: Approvals) -> None:
    ticket = await approvals.submit("restart_service", {"service": "api"})
    await _card(page, "Restart service").locator("[data-action-id=approve]").click()
    outcome = await approvals.wait(ticket.id, timeout=10)
    assert (outcome.status, outcome.decided_by) == ("approved", "slack:U0ANA")
    await expect(_card(page, "Ana Duarte approved")).to_be_visible()
    await expect(page.locator("[data-action-id=approve]")).to_have_count(0)


async def test_high_risk_asks_once_more(page: Page, approvals: Approvals) -> None:
    ticket = await approvals.submit("restart_service", {"service": "api"}, risk="high")
    await _card(page, "Restart service").locator("[data-action-id=approve]").click()
    await page.locator("[data-testid=confirm-deny]").click()
    assert await approvals.get(ticket.id) is None
    await _card(page, "Restart service").locator("[data-action-id=approve]").click()
    await page.locator("[data-testid=confirm-yes]").click()
    assert (await approvals.wait(ticket.id, timeout=10)).status == "approved"


async def test_the_edit_dialog_names_a_wrong_field_and_then_takes_it(
    page: Page, approvals: Approvals
) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"amount": {"type": "number", "maximum": 1000}},
    }
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": 940}, schema=schema)
    await _card(page, "c_42").locator("[data-action-id=edit]").click()
    dialog = page.locator("[data-testid=view]")
    amount = dialog.get_by_label("amount")
    await amount.fill("5000")
    await dialog.locator("[data-testid=view-submit]").click()
    await expect(dialog.locator("[data-testid=field-error]")).to_contain_text("at most 1000")
    await amount.fill("900")
    await dialog.locator("[data-testid=view-submit]").click()
    outcome = await approvals.wait(ticket.id, timeout=10)
    assert outcome.args == {"customer": "c_42", "amount": 900}
    await expect(_card(page, "940 → 900")).to_be_visible()


@pytest.mark.long
async def test_typing_approve_with_the_short_id_decides(
    page: Page, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("restart_service", {"service": "api"})
    await expect(_card(page, "Restart service")).to_be_visible()
    request, _ = await bot.store.get(ticket.id)
    composer = page.locator("[data-testid=composer]")
    await composer.fill(f"/approve {request.short} go on")
    await composer.press("Enter")
    outcome = await approvals.wait(ticket.id, timeout=10)
    assert (outcome.status, outcome.text) == ("approved", "go on")


@pytest.mark.long
async def test_a_rejection_with_feedback(page: Page, approvals: Approvals) -> None:
    async with asyncio.TaskGroup() as agent:
        asking = agent.create_task(_refused(approvals))
        await _card(page, "Restart service").locator("[data-action-id=reject]").click()
        dialog = page.locator("[data-testid=view]")
        await dialog.locator("textarea").fill("Not before the release.")
        await dialog.locator("[data-testid=view-submit]").click()
    assert asking.result() == "Not before the release."


async def _refused(approvals: Approvals) -> str | None:
    with pytest.raises(Rejected) as rejected:
        await approvals.request("restart_service", {"service": "api"})
    return rejected.value.feedback


@pytest.mark.long
async def test_a_guest_is_told_privately_that_guests_may_not(
    page: Page, slack: Sandbox, approvals: Approvals
) -> None:
    ticket = await approvals.submit("restart_service", {"service": "api"})
    await page.goto(f"{slack.url}/#U0GUS/C0APPROVALS")
    await _card(page, "Restart service").locator("[data-action-id=approve]").click()
    await expect(_card(page, "guests may not decide")).to_be_visible()
    assert await approvals.get(ticket.id) is None


async def test_the_daily_thread_shows_the_day_in_a_picture(
    page: Page, bot: Service, approvals: Approvals
) -> None:
    ticket = await approvals.submit("restart_service", {"service": "api"})
    await _card(page, "Restart service").locator("[data-action-id=approve]").click()
    await approvals.wait(ticket.id, timeout=10)
    assert bot.slack is not None
    assert await daily_threads(bot, bot.slack).make_it_tomorrow() == 1
    told = _card(page, "people were asked once")
    await expect(told).to_contain_text("Ana Duarte: 1 approved")
    picture = told.get_by_role("img", name="restart_service: 1 approved")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.naturalWidth") > 600
