"""Dialogs of a digest: all that waits in one list, a walk through it one by one, and its pages."""

import asyncio

import pytest

from approvals import Approvals
from approvals.model import RequestId
from blocks import ids
from bot.app import Service
from bot.sandbox.model import View
from bot.sandbox.server import Sandbox
from tests.running import redrawn, the_card, the_dialog
from tests.stories.digests import a_digest, a_policy_of, a_refund, decisions, the_button, whispered

KIM = "U0KIM"


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> str:
    return a_policy_of(when=getattr(request, "param", 12))


TWELVE = [a_refund(n, amount=10 + n) for n in range(12)]


async def shows(slack: Sandbox, words: str, *, depth: int = 1) -> View:
    """Kim's dialog on top, as soon as it says `words`."""

    def now() -> View | None:
        views = slack.person(KIM).views
        return views[-1] if len(views) == depth and words in views[-1].shown else None

    found = await slack.until(now)
    assert found is not None
    return found


def asked_in(view: View) -> str:
    """Which request a walk is at."""
    return ids.unpack_walk(view.private_metadata)[1].request_id


async def reaches(slack: Sandbox, request_id: str) -> None:
    """Kim's walk comes to that request."""
    await slack.until(lambda: asked_in(slack.person(KIM).views[-1]) == request_id)


async def rows_of(bot: Service, walk: View) -> list[str]:
    """The requests of a walk's digest, in its order."""
    shown, _ = ids.unpack_walk(walk.private_metadata)
    return [row.request_id for row in (await bot.digests.get(shown.digest_id)).rows]


async def test_one_walks_through_twelve_while_others_decide_some(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, digest = await a_digest(slack, approvals, TWELVE)
    kim = slack.person(KIM)
    assert (await kim.press("Review one by one", digest)).ok
    first = await shows(slack, "customer")
    assert first.title is not None
    assert first.title["text"] == "1 of 12"
    order = await rows_of(bot, first)
    assert (await kim.press("Approve")).ok
    assert asked_in(await shows(slack, "You approved")) == order[1]
    for elsewhere in order[2:4]:
        assert (await slack.person("U0ANA").slash("/approve", elsewhere)).ok
    assert (await kim.press("Skip")).ok
    assert asked_in(await shows(slack, "2 are decided already")) == order[4]
    assert (await slack.person("U0ANA").slash("/reject", f"{order[4]} Not this one.")).ok
    assert (await kim.press("Approve")).ok
    assert asked_in(await shows(slack, "Ana Duarte rejected")) == order[5]
    assert (await kim.press("Back")).ok
    await reaches(slack, order[1])
    assert (await kim.press("Approve")).ok
    for request_id in order[5:]:
        await reaches(slack, request_id)
        assert (await kim.press("Approve")).ok
    end = await shows(slack, "That was the last of 12")
    assert "11 approved, 1 rejected" in end.shown
    logged = await decisions(bot, tickets)
    assert [len(entries) for entries in logged.values()] == [1] * 12
    await redrawn(slack, digest, "All 12 are decided")


async def test_a_rejection_in_the_walk_asks_why_and_the_walk_goes_on(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    _, digest = await a_digest(slack, approvals, TWELVE)
    kim = slack.person(KIM)
    assert (await kim.press("Review one by one", digest)).ok
    first = asked_in(await shows(slack, "customer"))
    assert (await kim.press("Reject…")).ok
    await shows(slack, "Why not?", depth=2)
    assert (await kim.fill_and_submit({"words": "Ask the customer."})).ok
    assert asked_in(await shows(slack, "You rejected")) != first
    assert (await approvals.wait(first, timeout=20)).text == "Ask the customer."


async def test_an_edit_in_the_walk_comes_back_to_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    _, digest = await a_digest(slack, approvals, TWELVE)
    kim = slack.person(KIM)
    assert (await kim.press("Review one by one", digest)).ok
    first = asked_in(await shows(slack, "customer"))
    assert (await kim.press("Edit…")).ok
    await shows(slack, "amount", depth=2)
    assert (await kim.fill_and_submit({"amount": "9"})).ok
    assert asked_in(await shows(slack, "with your changes")) != first
    assert ((await approvals.wait(first, timeout=20)).args or {})["amount"] == 9


async def test_what_changed_under_the_walk_is_shown_anew_before_it_can_be_approved(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    _, digest = await a_digest(slack, approvals, TWELVE)
    kim = slack.person(KIM)
    assert (await kim.press("Review one by one", digest)).ok
    first = asked_in(await shows(slack, "customer"))
    await approvals.revise(first, a_refund(0, amount=444))
    await redrawn(slack, digest, "444")
    assert (await kim.press("Approve")).ok
    assert asked_in(await shows(slack, "444")) == first
    assert (await kim.press("Approve")).ok
    assert (await approvals.wait(first, timeout=20)).args == a_refund(0, amount=444)


async def test_a_question_in_the_walk_is_answered_on_top_of_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    kim = slack.person(KIM)
    async with asyncio.TaskGroup() as agents:
        answer = agents.create_task(approvals.ask("Which region?", options=["eu", "us"]))
        for args in TWELVE[1:]:
            await approvals.submit("refund", args)
        assert (await kim.press("Review one by one", await the_card(slack, "12 requests"))).ok
        await shows(slack, "Back")
        while "Which region?" not in kim.views[-1].shown:
            assert (await kim.press("Skip")).ok
        assert (await kim.press("Answer…")).ok
        asked = await shows(slack, "Choose", depth=2)
        (options,) = [
            block["element"]["options"] for block in asked.blocks if block["block_id"] == ids.CHOICE
        ]
        assert (await kim.fill_and_submit({ids.CHOICE: options[1]["value"]})).ok
        await shows(slack, "You answered")
    assert answer.result() == "us"


async def test_a_walk_passes_over_what_is_for_others_and_tells_of_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    calls = [a_refund(0, currency="GBP"), *TWELVE[1:]]
    tickets, digest = await a_digest(slack, approvals, calls)
    max_ = slack.person("U0MAX")
    assert (await max_.press("Review one by one", digest)).ok
    walk = await the_dialog(slack, "U0MAX")
    for _ in range(11):
        assert asked_in(walk) != tickets[0].id
        assert (await max_.press("Skip")).ok
        walk = await the_dialog(slack, "U0MAX")
    assert "That was the last of 12" in walk.shown
    assert "12 still wait" in walk.shown


async def test_a_walk_tells_what_was_decided_on_calls_like_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    _, digest = await a_digest(slack, approvals, TWELVE)
    kim = slack.person(KIM)
    assert (await kim.press("Review one by one", digest)).ok
    assert "Similar ones before" not in (await shows(slack, "customer")).shown
    assert (await kim.press("Approve")).ok
    assert "Kim Osei approved" in (await shows(slack, "Similar ones before")).shown


# -- all that waits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [100], indirect=True)
async def test_a_hundred_of_which_three_are_risky_are_cleared_in_twelve_clicks(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    calls = [a_refund(n, amount=700 if n in (7, 50, 99) else n + 1) for n in range(100)]
    tickets, digest = await a_digest(slack, approvals, calls)
    kim, clicks = slack.person(KIM), 0

    async def press(label: str, on: object = None) -> None:
        nonlocal clicks
        clicks += 1
        assert (await kim.press(label, digest if on is digest else None)).ok

    await press(the_button(digest, "See all"), digest)
    while await bot.store.count_pending() > 3:
        view = await shows(slack, " wait · total")
        assert view.submit is not None
        await press(view.submit["text"])
        confirm = await shows(slack, "Note", depth=2)
        assert confirm.submit is not None
        await press(confirm.submit["text"])
        await shows(slack, "Approved all")
    for left in (2, 1, 0):
        await press("Open")
        await shows(slack, "high risk", depth=2)
        await press("Approve")
        await shows(slack, f"{left} refund" if left else "Nothing waits here")
    assert clicks <= 12
    logged = await decisions(bot, tickets)
    assert [len(entries) for entries in logged.values()] == [1] * 100
    bulk = [entry for (entry,) in logged.values() if "bulk" in (entry.detail or {})]
    assert len(bulk) == 97
    await redrawn(slack, digest, "All 100 are decided")


def the_row(view: View, request_id: str, digest_rows: list[str]) -> str:
    """The block of a request's row in the list."""
    at = f"|{digest_rows.index(request_id)}|"
    return next(str(block["block_id"]) for block in view.blocks if at in str(block["block_id"]))


async def the_list(slack: Sandbox, bot: Service) -> tuple[View, list[str]]:
    """What `/approvals digest` brings up, and the requests of that digest, in its order."""
    assert (await slack.person(KIM).slash("/approvals", "digest")).ok
    view = await shows(slack, "All that wait")
    digest = await bot.digests.get(ids.unpack_shown(view.private_metadata).digest_id)
    return view, [row.request_id for row in digest.rows]


async def test_a_row_of_the_list_can_be_approved_and_leaves_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await a_digest(slack, approvals, TWELVE)
    view, rows = await the_list(slack, bot)
    kim = slack.person(KIM)
    assert (await kim.click(view, ids.ROW, "1|approve", block_id=the_row(view, rows[3], rows))).ok
    assert "11 refund" in (await shows(slack, "You approved")).shown
    assert (await approvals.wait(rows[3], timeout=20)).decided_by == "slack:U0KIM"


async def test_a_row_that_has_changed_since_the_list_was_drawn_decides_nothing(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    _, digest = await a_digest(slack, approvals, TWELVE)
    view, rows = await the_list(slack, bot)
    await approvals.revise(rows[0], a_refund(0, amount=444))
    await redrawn(slack, digest, "444")
    kim = slack.person(KIM)
    assert (await kim.click(view, ids.ROW, "1|approve", block_id=the_row(view, rows[0], rows))).ok
    assert "444" in (await shows(slack, "has changed since")).shown
    assert (await bot.store.get(RequestId(rows[0])))[0].is_pending


async def test_a_row_that_is_opened_can_be_rejected_there_and_the_list_goes_on(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await a_digest(slack, approvals, TWELVE)
    view, rows = await the_list(slack, bot)
    kim = slack.person(KIM)
    assert (await kim.click(view, ids.ROW, "1|open", block_id=the_row(view, rows[5], rows))).ok
    await shows(slack, "customer", depth=2)
    assert (await kim.press("Reject…")).ok
    await shows(slack, "Why not?", depth=3)
    assert (await kim.fill_and_submit({"words": "No."})).ok
    await shows(slack, "You rejected", depth=2)
    assert (await kim.press("Close")).ok
    assert "11 refund" in (await shows(slack, "You rejected")).shown


async def test_what_takes_longer_than_slack_waits_is_told_when_it_is_done(
    slack: Sandbox, approvals: Approvals, bot: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.listeners.digests.SOON_S", 0)
    tickets, _ = await a_digest(slack, approvals, TWELVE)
    await the_list(slack, bot)
    kim = slack.person(KIM)
    assert (await kim.press("Approve 12")).ok
    await shows(slack, "Note", depth=2)
    assert (await kim.press("Approve 12")).ok
    await shows(slack, "Approved all 12")
    assert "Nothing waits here" in (await shows(slack, "Approved all 12")).shown
    assert [len(entries) for entries in (await decisions(bot, tickets)).values()] == [1] * 12


async def test_where_no_digest_waits_the_command_says_so(slack: Sandbox, bot: Service) -> None:
    assert (await slack.person(KIM).slash("/approvals", "digest")).ok
    assert [said.shown for said in slack.person(KIM).ephemerals()] == ["No digest waits in this channel."]


# -- pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [20], indirect=True)
async def test_its_pages_turn_and_what_was_shown_still_means_what_it_did(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tickets, first = await a_digest(slack, approvals, [a_refund(n) for n in range(20)])
    assert (await slack.person("U0ANA").press("Next", first)).ok
    second = await redrawn(slack, first, "Page 2 of ")
    approve_shown = the_button(first, "Approve the")
    shown = int(approve_shown.split()[2])
    assert (await slack.person(KIM).press(approve_shown, first)).ok
    await whispered(slack, KIM, f"Approved all {shown}")
    left = await redrawn(slack, second, f"{20 - shown} of 20")
    requests = [(await bot.store.get(ticket.id))[0] for ticket in tickets]
    assert sum(request.is_pending for request in requests) == 20 - shown
    assert all(not request.is_pending for request in requests if request.short in first.shown)
    assert (await slack.person("U0ANA").press("Back", left)).ok
    await redrawn(slack, left, "Page 1 of ")
