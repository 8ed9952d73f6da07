"""Passkeys: made after a sign-in, and good for one decision each instead of the next ones."""

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from approvals import Approvals
from approvals.signed import Own
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.authenticator import PRESENT, Authenticator
from tests.identity import Identity, an_identity
from tests.operator import countersign
from tests.running import a_connected_bot, until
from tests.stories.links import clicked, seen, signing_in
from tests.stories.signing import is_serving
from tests.stories.watching import logged

POLICY = """version = 1
[[rule]]
name = "refunds"
tools = ["refund"]
assurance = "step-up"
"""
FRAME = {"customer": "c_42", "amount": 940}


@pytest.fixture
async def identity() -> AsyncIterator[Identity]:
    async with an_identity() as identity:
        yield identity


@pytest.fixture
def env(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path, identity: Identity) -> dict[str, str]:
    return signing_in(slack, redis_url, tenant, identity, tmp_path, POLICY)


@pytest.fixture
async def bot(slack: Sandbox, env: dict[str, str]) -> AsyncIterator[Service]:
    async with a_connected_bot(slack, env) as service:
        await until(lambda: is_serving(env["APPROVALS_URL"]))
        yield service


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without the picture: it keeps cookies, and follows where it is sent."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture
def passkey(env: dict[str, str]) -> Authenticator:
    return Authenticator(env["APPROVALS_URL"])


async def asked_link(slack: Sandbox, approvals: Approvals, customer: str, person: str = "U0ANA") -> str:
    await approvals.submit("refund", {"customer": customer, "amount": 9})
    return await clicked(slack, person, customer)


def asked_in(page: str) -> dict[str, Any]:
    """What the page would have the browser ask a passkey."""
    found = re.search(r'data-asked="([^"]*)"', page)
    assert found is not None, page
    asked: dict[str, Any] = json.loads(unescape(found[1]))
    return asked


async def sent(session: aiohttp.ClientSession, url: str, credential: str) -> tuple[int, str]:
    async with session.post(url, data={"credential": credential}) as answer:
        return answer.status, await answer.text()


async def made(session: aiohttp.ClientSession, link: str, passkey: Authenticator) -> tuple[int, str]:
    """Sign in on the link, and make a passkey then."""
    asked = asked_in((await seen(session, f"{link}/sign-in"))[1])
    return await sent(session, making(link), passkey.made(asked))


def making(link: str) -> str:
    """Where a passkey is handed in."""
    return link.rpartition("/")[0].replace("/confirm/", "/passkeys/")


async def confirmed(session: aiohttp.ClientSession, link: str, passkey: Authenticator) -> tuple[int, str]:
    asked = asked_in((await seen(session, link))[1])
    return await sent(session, f"{link}/passkey", passkey.answered(asked))


async def test_whoever_has_signed_in_once_may_confirm_with_a_passkey(
    slack: Sandbox,
    bot: Service,
    approvals: Approvals,
    session: aiohttp.ClientSession,
    passkey: Authenticator,
    env: dict[str, str],
) -> None:
    first = await asked_link(slack, approvals, "c_1")
    assert "data-asked" not in (await seen(session, first))[1]
    assert (await made(session, first, Authenticator(passkey.origin)))[0] == 200
    assert (await made(session, await asked_link(slack, approvals, "c_2"), passkey))[0] == 200
    ticket = await approvals.submit("refund", FRAME)
    link = await clicked(slack)
    status, page = await confirmed(session, link, passkey)
    assert status == 200 and "You approved" in page
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0ANA"
    request, _ = await bot.store.get(ticket.id)
    assert bot.signing is not None
    decision = await Own(signer=bot.signing).decision(request.signed)
    assert decision.assurance is not None
    assert (decision.assurance.level, decision.assurance.means) == (2, "passkey")
    assert (await sent(session, f"{link}/passkey", "{}"))[0] == 410  # once

    listed = json.loads((await countersign(env, "approver-keys", "list", "--json")).out)
    assert [(each["person"], each["kind"]) for each in listed] == [("U0ANA", "passkey")] * 2
    for each in listed:
        assert (await countersign(env, "approver-keys", "remove", "U0ANA", each["name"])).code == 0
    link = await asked_link(slack, approvals, "c_3")
    assert "data-asked" not in (await seen(session, link))[1]


@pytest.mark.attack("J23", "J24", "J26")
async def test_a_passkey_answers_for_one_person_and_one_call_on_this_page(
    slack: Sandbox,
    bot: Service,
    approvals: Approvals,
    session: aiohttp.ClientSession,
    passkey: Authenticator,
    identity: Identity,
) -> None:
    passkey.count = 5
    assert (await made(session, await asked_link(slack, approvals, "c_1"), passkey))[0] == 200
    identity.person, theirs = "U0LEE", Authenticator(passkey.origin)
    assert (await made(session, await asked_link(slack, approvals, "c_2", "U0LEE"), theirs))[0] == 200

    ticket = await approvals.submit("refund", FRAME)
    link, other = await clicked(slack), await asked_link(slack, approvals, "c_5")
    asked, elsewhere = [asked_in((await seen(session, each))[1]) for each in (link, other)]
    key, passkey_id = passkey.key, passkey.id

    def lying(**lie: Any) -> Authenticator:
        return Authenticator(**{"origin": passkey.origin, "count": 9, "key": key, "id": passkey_id, **lie})

    wrong = {
        "of another person": theirs.answered(asked),
        "by another key": lying(key=theirs.key).answered(asked),
        "for another call": lying().answered(elsewhere),
        "from another page": lying(origin="http://localhost.evil.example").answered(asked),
        "for another host": lying(rp_id="evil.example").answered(asked),
        "without a finger": lying(flags=PRESENT).answered(asked),
        "counting back": lying(count=5).answered(asked),
        "of making one": lying().made(asked),
        "none": "",
        "no object": "[]",
    }
    for told, credential in wrong.items():
        assert (await sent(session, f"{link}/passkey", credential))[0] == 403, told
    assert await approvals.get(ticket.id) is None
    assert len(await logged(bot, ticket.id, "refused", times=1 + len(wrong))) == 1 + len(wrong)
    passkey.count = 6
    assert (await confirmed(session, link, passkey))[0] == 200
    assert (await confirmed(session, other, passkey))[0] == 403  # it has not counted on: a copy of it might


async def test_only_who_has_just_signed_in_makes_one(
    slack: Sandbox, bot: Service, approvals: Approvals, session: aiohttp.ClientSession, passkey: Authenticator
) -> None:
    link = await asked_link(slack, approvals, "c_1")
    url = making(link)
    assert (await sent(session, url, passkey.made({"challenge": "AAAA"})))[0] == 400
    asked = asked_in((await seen(session, f"{link}/sign-in"))[1])
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    async with aiohttp.ClientSession() as stranger:
        assert (await sent(stranger, url, passkey.made(asked)))[0] == 400
    assert (await sent(session, url, passkey.made({**asked, "challenge": "AAAA"})))[0] == 403
    assert (await sent(session, url, "{}"))[0] == 403
    passkey.flags = PRESENT
    assert (await sent(session, url, passkey.made(asked)))[0] == 403


@pytest.mark.long
async def test_in_a_browser_with_its_own_passkey(
    slack: Sandbox, bot: Service, approvals: Approvals, browser: Browser
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    tools = await context.new_cdp_session(page)
    await tools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasUserVerification": True}
    more = {"isUserVerified": True, "automaticPresenceSimulation": True}
    await tools.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, **more}})
    await page.goto(await asked_link(slack, approvals, "c_1"))
    await page.get_by_role("link", name="Confirm with").click()
    await page.get_by_role("button", name="Make a passkey").click()
    await expect(page.get_by_role("heading")).to_have_text("Your passkey is made")
    ticket = await approvals.submit("refund", FRAME)
    await page.goto(await clicked(slack))
    await page.get_by_role("button", name="Confirm with a passkey").click()
    await expect(page.get_by_role("heading")).to_have_text("Done")
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
