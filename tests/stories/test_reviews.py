"""It runs without asking and is looked at afterwards; what a person flags, the agent undoes, once."""

import pytest

from approvals import Approvals
from approvals.model import RequestId
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import the_dialog, until
from tests.stories.watching import DECISIONS, events, logged, whispered

POLICY = """
version = 1

[[rule]]
name = "tickets"
tools = ["close_*"]
action = "review"
channel = "#approvals"

[[rule]]
name = "never"
tools = ["drop_table"]
action = "deny"

[[rule]]
name = "reading"
tools = ["read_*"]
action = "allow"
"""


@pytest.fixture
def policy() -> str:
    return POLICY


async def test_a_person_flags_what_ran_and_its_agent_undoes_it_once(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str, tenant: str
) -> None:
    undone: list[tuple[str, str]] = []

    async def reopen(ticket: str, result: str) -> str:
        undone.append((ticket, result))
        return f"{ticket} is open again"

    @approvals.required(undo=reopen)
    async def close_ticket(ticket: str) -> str:
        return f"closed {ticket}"

    async with Approvals.connect(redis_url, agent="billing", tenant=tenant) as other:
        other.required(undo=reopen, tool="close_ticket")(close_ticket)
        async with approvals.undoing(), other.undoing():
            assert await close_ticket("T-17") == "closed T-17"
            (request,) = await until(bot.store.reviews)
            assert slack.messages() == []  # nobody was asked

            kim = slack.person("U0KIM")
            assert (await kim.slash("/approvals", "reviews")).ok
            listed = await whispered(slack, "U0KIM", "ran without asking")
            assert "Close ticket · ticket T-17" in listed.shown and "closed T-17" in listed.shown
            assert (await kim.press("Flag…", listed)).ok
            await the_dialog(slack, "U0KIM")
            assert (await kim.fill_and_submit({"words": "The customer still waits."})).ok
            listed = await whispered(slack, "U0KIM", "Kim Osei flagged it")
            assert "The customer still waits." in listed.shown
            assert (await kim.press("Undo…", listed)).ok
            await the_dialog(slack, "U0KIM")
            assert (await kim.fill_and_submit({"words": "Open it again."})).ok
            (entry,) = await logged(bot, request.id, "undone")

    assert undone == [("T-17", "closed T-17")]
    assert (entry.actor, (entry.detail or {})["text"]) == ("agent:billing", "T-17 is open again")
    told = await events(bot, request.id)
    assert told == ["submitted", "allowed", "claimed", "executed", "flagged", "undo_asked", "undone"]
    assert [word for word in told if word in DECISIONS] == ["allowed"]
    (allowed,) = await logged(bot, request.id, "allowed")
    assert (allowed.actor, (allowed.detail or {})["action"]) == ("policy:tickets", "review")
    assert (await kim.slash("/approvals", "reviews")).ok
    await whispered(slack, "U0KIM", "Nothing that ran without asking")


async def test_what_looks_right_leaves_the_list_of_everybody(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.review("close_ticket", {"ticket": "T-18"}, result="closed")
    await until(bot.store.reviews)
    kim, max_ = slack.person("U0KIM"), slack.person("U0MAX")
    for who in ("U0KIM", "U0MAX"):
        assert (await slack.person(who).slash("/approvals", "reviews")).ok
    his = await whispered(slack, "U0MAX", "ran without asking")
    hers = await whispered(slack, "U0KIM", "ran without asking")
    assert (await kim.press("Looks right", hers)).ok
    await whispered(slack, "U0KIM", "Kim Osei looked at it")
    assert (await max_.press("Flag…", his)).ok
    await whispered(slack, "U0MAX", "Kim Osei looked at R-")
    assert max_.view is None
    assert await events(bot, ticket.id) == ["submitted", "executed", "confirmed"]


async def test_who_may_not_decide_may_not_look_either(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.review("close_ticket", {"ticket": "T-19"}, on_behalf_of="U0KIM")
    await until(bot.store.reviews)
    assert (await slack.person("U0KIM").slash("/approvals", "reviews")).ok
    await whispered(slack, "U0KIM", "Nothing that ran without asking")
    assert await events(bot, ticket.id) == ["submitted", "executed"]


async def test_what_has_run_already_is_open_unless_a_rule_allows_it(
    approvals: Approvals, bot: Service
) -> None:
    denied = await approvals.review("drop_table", {"table": "users"}, result="gone", reason="clean-up")
    failed = await approvals.review("send_mail", {"to": "all"}, ok=False)
    allowed = await approvals.review("read_mail", {"folder": "in"})
    await logged(bot, allowed.id, "executed")
    found = {one.id: one for one in await until(bot.store.reviews)}
    assert set(found) == {denied.id, failed.id}
    assert found[RequestId(denied.id)].terms.because.startswith("rule “never” does not allow it; but")
    (entry,) = await logged(bot, failed.id, "failed")
    assert "it has run already" in str((entry.detail or {})["because"])


async def test_an_undo_that_fails_is_told_and_may_be_asked_again(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.review("close_ticket", {"ticket": "T-20"})
    await until(bot.store.reviews)
    kim = slack.person("U0KIM")
    for ok, words in ((False, "it is archived"), (True, "open again")):
        assert (await kim.slash("/approvals", ticket.id)).ok
        assert (await kim.press("Undo…", await the_dialog(slack, "U0KIM"))).ok
        await slack.until(lambda: kim.view is not None and "Why should it be undone?" in kim.view.shown)
        assert (await kim.fill_and_submit({"words": "Open it again."})).ok
        (asked,) = await approvals.undos(timeout=20)
        assert (asked.id, asked.tool, asked.text) == (ticket.id, "close_ticket", "Open it again.")
        assert await approvals.undos(timeout=0) == []
        await approvals.report_undone(asked.id, ok, words)
        await logged(bot, ticket.id, "undone" if ok else "undo_failed")
    assert (await kim.slash("/approvals", ticket.id)).ok
    dialog = await the_dialog(slack, "U0KIM")
    assert "billing undid it" in dialog.shown and "it is archived" in dialog.shown
