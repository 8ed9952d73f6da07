"""A yes that takes a sign-in of its own: given on a page of ours, for one call, by the person who clicked."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from approvals import Approvals, wire
from approvals.keys import key
from approvals.signed import Own
from bot import app, running, settings
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.identity import CLIENT, Identity, an_identity
from tests.operator import countersign
from tests.running import a_connected_bot, redrawn, the_card, the_dialog, until
from tests.stories.links import clicked, link_in, seen, signing_in
from tests.stories.signing import is_serving
from tests.stories.watching import logged, whispered

POLICY = """version = 1
[defaults]
assurance_for = { critical = "step-up" }

[operators]
ops = "U0ANA"

[owners]
override = ["U0ANA"]

[[rule]]
name = "refunds"
tools = ["refund"]
assurance = "step-up"
"""
FRAME = {"customer": "c_42", "amount": 940}


@pytest.fixture
def policy() -> str:
    return POLICY


@pytest.fixture
async def identity() -> AsyncIterator[Identity]:
    async with an_identity() as identity:
        yield identity


@pytest.fixture
def env(
    slack: Sandbox, redis_url: str, tenant: str, policy: str, tmp_path: Path, identity: Identity
) -> dict[str, str]:
    return signing_in(slack, redis_url, tenant, identity, tmp_path, policy)


@pytest.fixture
async def bot(slack: Sandbox, env: dict[str, str]) -> AsyncIterator[Service]:
    async with a_connected_bot(slack, env) as service:
        await until(lambda: is_serving(env["APPROVALS_URL"]))
        yield service


@pytest.fixture
async def browser_of() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without the picture: it keeps cookies, and follows where it is sent."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def test_in_a_browser_from_the_card_to_the_agent(
    slack: Sandbox, bot: Service, approvals: Approvals, browser: Browser
) -> None:
    context = await browser.new_context()
    tab = await context.new_page()
    await tab.goto(f"{slack.url}/#U0ANA/C0APPROVALS")
    ticket = await approvals.submit("refund", FRAME)
    cards = tab.locator("[data-testid=messages] [data-testid=message]")
    await cards.filter(has_text="c_42").locator("[data-action-id=approve]").click()
    async with context.expect_page() as opened:
        await tab.locator("[data-action-id=sign_in]").click()
    page = await opened.value
    await expect(page.locator("pre")).to_contain_text("940")
    await page.get_by_role("link", name="Confirm with").click()
    await expect(page.get_by_role("heading")).to_have_text("Done")
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    await approvals.claim(ticket.id)
    await expect(cards.filter(has_text="signed in")).to_be_visible()


async def signed_in(session: aiohttp.ClientSession, link: str) -> tuple[int, str]:
    """Open the link and press Confirm."""
    return await seen(session, f"{link}/sign-in")


async def test_a_click_is_not_enough_and_a_sign_in_is(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    assert "Approving takes a sign-in" in (await the_card(slack, "c_42")).shown
    link = await clicked(slack)
    assert '"approve"' in str(wire.write(wire.ENTRY, (await logged(bot, ticket.id, "refused"))[0]))
    assert await approvals.get(ticket.id) is None

    status, page = await seen(browser_of, link)
    assert status == 200 and "c_42" in page and "940" in page and "Decides" in page and "Ana Duarte" in page
    status, page = await signed_in(browser_of, link)
    assert status == 200 and "You approved" in page

    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.decided_by) == ("approved", "slack:U0ANA")
    await redrawn(slack, await the_card(slack, "c_42"), "Ana Duarte approved, signed in")
    assert (await logged(bot, ticket.id, "approved"))[0].via == "web"
    assert bot.signing is not None
    request, _ = await bot.store.get(ticket.id)
    decision = await Own(signer=bot.signing).decision(request.signed)
    assert decision.assurance is not None and decision.via == "web"
    assert (decision.assurance.level, decision.assurance.means) == (2, "sign-in")
    await approvals.claim(ticket.id)


async def test_a_no_is_taken_by_a_click(slack: Sandbox, bot: Service, approvals: Approvals) -> None:
    ticket = await approvals.submit("refund", FRAME)
    await slack.person("U0ANA").press("Reject…", await the_card(slack, "c_42"))
    await the_dialog(slack, "U0ANA")
    assert (await slack.person("U0ANA").fill_and_submit({})).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "rejected"


async def test_critical_risk_asks_for_it_whatever_the_rule(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    ticket = await approvals.submit("restart_service", {"service": "api"}, risk="critical")
    await clicked(slack, words="Restart service")
    assert await approvals.get(ticket.id) is None
    plain = await approvals.submit("restart_service", {"service": "web"}, risk="high")
    await slack.person("U0ANA").press("Approve", await the_card(slack, "web"))
    assert (await approvals.wait(plain.id, timeout=20)).status == "approved"


async def test_an_edit_is_confirmed_as_edited(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"amount": {"type": "number"}}}
    ticket = await approvals.submit("refund", FRAME, schema=schema)
    ana = slack.person("U0ANA")
    assert (await ana.press("Edit…", await the_card(slack, "c_42"))).ok
    await the_dialog(slack, "U0ANA")
    assert (await ana.fill_and_submit({"amount": "900"})).ok
    told = await slack.until(
        lambda: ana.view if ana.view and "takes a sign-in" in str(ana.view.blocks) else None
    )
    assert told is not None
    link = link_in(str(told.blocks))
    assert await approvals.get(ticket.id) is None
    page = (await seen(browser_of, link))[1]
    call = page.partition("<pre>")[2].partition("</pre>")[0]  # elsewhere stands the link, which is random
    assert "900" in call and "940" not in call and "with your changes" in page
    assert (await signed_in(browser_of, link))[0] == 200
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert outcome.args == {"customer": "c_42", "amount": 900}


async def test_a_command_and_a_terminal_are_told_where_to_go(
    slack: Sandbox, bot: Service, approvals: Approvals, env: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    await the_card(slack, "c_42")
    short = ticket.id[:8]
    assert (await slack.person("U0ANA").slash("/approve", short)).ok
    assert link_in((await whispered(slack, "U0ANA", "takes a sign-in")).text)
    told = await countersign(
        {**env, "SUDO_USER": "", "USER": "ops", "LOGNAME": "ops"}, "approve", short, "--yes"
    )
    assert told.code != 0
    assert await approvals.get(ticket.id) is None


async def test_a_front_end_is_told_where_to_go(
    slack: Sandbox, bot: Service, approvals: Approvals, env: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    await the_card(slack, "c_42")
    request, _ = await bot.store.get(ticket.id)
    made = await countersign(env, "agent", "add", "phone", "--approver-front-end")
    bearer = {"Authorization": f"Bearer {made.out.strip()}"}
    body = {"person": "U0ANA", "decision": "approve", "fingerprint": request.fingerprint}
    url = f"{env['APPROVALS_URL']}/v1/requests/{ticket.id}/decisions"
    async with aiohttp.ClientSession() as phone, phone.post(url, json=body, headers=bearer) as answer:
        assert answer.status == 403 and "Press Approve on its card in Slack" in await answer.text()
    assert await approvals.get(ticket.id) is None


async def test_an_override_takes_it_too(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    await the_card(slack, "c_42")
    assert (await slack.person("U0ANA").slash("/approvals", f"override {ticket.id[:8]} on fire")).ok
    link = link_in((await whispered(slack, "U0ANA", "takes a sign-in")).text)
    assert await approvals.get(ticket.id) is None
    assert "on fire" in (await seen(browser_of, link))[1]
    assert (await signed_in(browser_of, link))[0] == 200
    assert "on fire" in wire.write(wire.ENTRY, (await logged(bot, ticket.id, "overridden"))[0])


# -- attacks -------------------------------------------------------------------------------------------


async def test_a_link_that_somebody_else_opens_decides_nothing(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession, identity: Identity
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    link = await clicked(slack)
    identity.person = "U0LEE"
    status, page = await signed_in(browser_of, link)
    assert status == 403 and "somebody else" in page
    assert await approvals.get(ticket.id) is None
    refusals = await logged(bot, ticket.id, "refused", times=2)
    assert refusals[-1].actor == "slack:U0LEE" and "U0ANA" in str(refusals[-1].detail)
    identity.person = "U0ANA"  # for whom it is still good
    assert (await signed_in(browser_of, link))[0] == 200


LIES: dict[str, dict[str, Any]] = {
    "for another app": {"aud": "999"},
    "for several apps": {"aud": [CLIENT, "999"]},
    "of another provider": {"iss": "https://evil.example"},
    "of another sign-in": {"nonce": "other"},
    "without a nonce": {"nonce": None},
    "expired": {"exp": 1},
    "of an old sign-in": {"auth_time": int(time.time()) - 3600},
    "without a time": {"auth_time": None},
    "without a person": {"https://slack.com/user_id": None},
}


async def test_what_a_provider_says_must_hold_in_every_part(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession, identity: Identity
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    link = await clicked(slack)
    for told, lie in LIES.items():
        identity.claims = lie
        status, page = await signed_in(browser_of, link)
        assert (status, "could not be checked" in page) == (403, True), told
    identity.claims = {}
    for how in ("is_forging", "secret_algorithm", "is_declining"):
        setattr(identity, how, True)
        assert (await signed_in(browser_of, link))[0] in (400, 403), how
        setattr(identity, how, False)
    assert await approvals.get(ticket.id) is None
    identity.claims = {"https://slack.com/team_id": "T0OTHER"}
    status, page = await signed_in(browser_of, link)
    assert status == 409 and "other organisations" in page
    assert await approvals.get(ticket.id) is None


async def test_a_link_counts_once(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    await approvals.submit("refund", FRAME)
    link = await clicked(slack)
    assert (await signed_in(browser_of, link))[0] == 200
    assert (await signed_in(browser_of, link))[0] == 410
    assert (await seen(browser_of, link))[0] == 410


async def test_a_changed_call_voids_the_links_to_it(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    link = await clicked(slack)
    ana = slack.person("U0ANA")
    await ana.press("Request changes…", await the_card(slack, "c_42"))
    await the_dialog(slack, "U0ANA")
    assert (await ana.fill_and_submit({"words": "Less."})).ok
    await logged(bot, ticket.id, "changes_requested")
    await approvals.revise(ticket.id, {"customer": "c_42", "amount": 9})
    await logged(bot, ticket.id, "revised")
    assert (await signed_in(browser_of, link))[0] == 410
    assert await approvals.get(ticket.id) is None or (await bot.store.get(ticket.id))[0].is_pending


async def test_what_comes_back_to_another_browser_or_with_another_state_decides_nothing(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession, env: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    link = await clicked(slack)
    async with browser_of.get(f"{link}/sign-in", allow_redirects=False) as answer:
        begun = answer.headers["Location"]
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    async with aiohttp.ClientSession() as victim:
        assert (await seen(victim, begun))[0] == 400  # sent there by somebody: no cookie
    back = f"{env['APPROVALS_URL']}/signed-in?code=code-0&state={bot.settings.tenant}."
    assert (await seen(browser_of, f"{back}wrong"))[0] == 400
    assert (await seen(browser_of, back))[0] == 400
    assert await approvals.get(ticket.id) is None


async def test_a_sign_in_for_one_request_is_none_for_another(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession, env: dict[str, str]
) -> None:
    first = await approvals.submit("refund", FRAME)
    second = await approvals.submit("refund", {"customer": "c_43", "amount": 1})
    link = await clicked(slack)
    other = await clicked(slack, words="c_43")
    async with browser_of.get(f"{link}/sign-in", allow_redirects=False) as answer:
        begun = answer.headers["Location"]
    async with browser_of.get(f"{other}/sign-in", allow_redirects=False):
        pass  # the cookie is of the second now
    assert (await seen(browser_of, begun))[0] == 400
    assert await approvals.get(first.id) is None and await approvals.get(second.id) is None


async def test_what_we_did_not_seal_is_no_link(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession, env: dict[str, str]
) -> None:
    base = env["APPROVALS_URL"]
    await bot.redis.set(key(bot.settings.tenant, "confirm", "0" * 64), '{"person": "U0ANA"}')
    for token in ("x", "A" * 43, "0" * 64, "%2e%2e", "https://evil.example"):
        for tenant in (bot.settings.tenant, "other"):
            status, page = await seen(browser_of, f"{base}/confirm/{tenant}/{token}")
            assert status in (404, 410) and "evil" not in page
    async with browser_of.get(f"{base}/signed-in?next=https://evil.example", allow_redirects=False) as answer:
        assert answer.status == 400 and "Location" not in answer.headers


async def test_the_page_shows_the_call_as_text_and_lets_nothing_in(
    slack: Sandbox, bot: Service, approvals: Approvals, browser_of: aiohttp.ClientSession
) -> None:
    evil = "<script>alert(1)</script><a href='//evil'>c_42</a>"
    await approvals.submit("refund", {"customer": evil, "amount": 1}, reason="<img src=x>")
    link = await clicked(slack, words="Refund")
    async with browser_of.get(link) as answer:
        page, headers = await answer.text(), answer.headers
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy


async def test_who_may_not_decide_may_not_by_signing_in(
    slack: Sandbox, bot: Service, approvals: Approvals
) -> None:
    ticket = await approvals.submit("refund", FRAME)
    assert (await slack.person("U0GUS").press("Approve", await the_card(slack, "c_42"))).ok
    told = await whispered(slack, "U0GUS", "guests may not decide")
    assert "confirm" not in told.text
    assert await approvals.get(ticket.id) is None


async def test_a_policy_that_nobody_could_keep_stops_the_start(env: dict[str, str]) -> None:
    del env["APPROVALS_URL"]
    async with app.built(settings.read(env, needs="workspace")) as service:
        with pytest.raises(app.CannotStart, match="APPROVALS_URL"):
            await running.run(service, "all")
