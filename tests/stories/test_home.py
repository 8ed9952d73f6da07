"""The Home tab: a queue to work through, one's own settings, the brakes; fresh, and never too often."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from approvals import Approvals
from approvals.ids import new_id
from approvals.keys import key
from approvals.model import Principal, Request, Risk
from approvals.open_homes import FULL
from blocks.check import check_view
from bot.app import Service
from bot.drawing.homes import PER_WINDOW
from bot.sandbox.model import View
from bot.sandbox.server import Sandbox
from tests.builders import a_request, terms
from tests.running import a_connected_bot, a_policy, environment, the_card, the_dialog, until
from tests.stories.watching import AFTER_KEY, REFUND

OWNERS = """
version = 1
[defaults]
channel = "#approvals"
[owners]
freeze = ["U0LEE"]
operators_channel = "#approvals-ops"
"""
PUBLISH = "views.publish"


async def opened(slack: Sandbox, person: str, words: str = "") -> View:
    """A person's Home tab, opened and drawn."""
    assert slack.person(person).open_home().ok
    return await says(slack, person, words)


async def says(slack: Sandbox, person: str, words: str) -> View:
    """Their Home tab, as soon as it says that."""

    def home() -> View | None:
        view = slack.person(person).home
        return view if view and words in view.shown else None

    found = await slack.until(home)
    assert found is not None
    blocks = [{"type": "divider"} if block["type"] == "divider" else block for block in found.blocks]
    check_view({"type": "home", "callback_id": "home", "blocks": blocks})
    return found


async def a_pile(bot: Service, count: int, **changes: Any) -> list[Request]:
    """So many requests that wait, the first deadline on the last of them, in a channel that nobody draws."""
    now = await bot.store.now()
    made = []
    for number in range(count):
        request = a_request(
            id=new_id(),
            tenant=bot.settings.tenant,
            args={"customer": f"c_{number}", "amount": number},
            deadline=now + timedelta(hours=24, minutes=count - number),
            **({"terms": terms(digest="evening")} | changes),
        )
        made.append(await bot.store.create(request))
    return made


async def may_be_drawn_again(bot: Service, *people: str) -> None:
    """As if ten seconds had passed since it was drawn."""
    await bot.redis.zadd(key(bot.settings.tenant, "homes"), dict.fromkeys(people, 0))


async def test_two_hundred_and_fifty_requests_are_paged_what_expires_soonest_on_top(
    slack: Sandbox, bot: Service
) -> None:
    await a_pile(bot, 250)
    home = await opened(slack, "U0KIM", "Waiting for you (250)")
    assert "Page 1 of 25" in home.shown
    assert "c_249" in home.shown and "c_240" in home.shown and "c_239" not in home.shown
    kim = slack.person("U0KIM")
    assert (await kim.press("Next", home)).ok
    home = await says(slack, "U0KIM", "Page 2 of 25")
    assert "c_239" in home.shown and "c_249" not in home.shown
    assert (await kim.press("Next", home)).ok
    home = await says(slack, "U0KIM", "Page 3 of 25")
    assert (await kim.press("Back", home)).ok
    await says(slack, "U0KIM", "Page 2 of 25")


async def test_whatever_the_names_are_a_page_stays_within_slacks_limits(slack: Sandbox, bot: Service) -> None:
    for letter in ("<&>", "𝔘", "é", '"\\'):
        await a_pile(bot, 30, tool=letter * 40, reason="&" * 3000)
    await a_pile(bot, 30, tool="x" * 120, on_behalf_of="U0KIM")
    home = await opened(slack, "U0KIM", "Waiting for you (120)")
    assert "Waiting for others (30)" in home.shown
    assert len(home.blocks) <= 100


async def test_a_queue_is_narrowed_to_high_risk_and_stays_so(slack: Sandbox, bot: Service) -> None:
    await a_pile(bot, 11)
    await a_pile(bot, 2, tool="drop_table", terms=terms(risk=Risk.HIGH, digest="evening"))
    home = await opened(slack, "U0KIM", "Waiting for you (13)")
    assert (await slack.person("U0KIM").click(home, "home_filter", "risk")).ok
    home = await says(slack, "U0KIM", "Waiting for you (2 of 13)")
    assert "Drop table" in home.shown and "c_10" not in home.shown
    assert "Approve" not in home.shown, "high risk must be opened"
    await a_pile(bot, 1, tool="drop_index", terms=terms(risk=Risk.HIGH, digest="evening"))
    await may_be_drawn_again(bot, "U0KIM")
    await says(slack, "U0KIM", "Waiting for you (3 of 14)")


async def test_what_a_row_shows_whole_is_approved_from_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    long = await approvals.submit("refund", {"customer": "c_17", "note": "x" * 400})
    await the_card(slack, "c_17")
    home = await opened(slack, "U0KIM", "Waiting for you (2)")
    approve = [
        each
        for block in home.blocks
        for each in block.get("elements", [])
        if each.get("action_id") == "approve"
    ]
    assert len(approve) == 1 and ticket.id in approve[0]["value"]
    assert (await slack.person("U0KIM").press("Approve", home)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"
    home = await says(slack, "U0KIM", "What I decided")
    assert "Waiting for you (1)" in home.shown and "Kim Osei approved" in home.shown
    assert not slack.person("U0KIM").views, "the tab itself tells it"
    assert (await bot.store.get(long.id))[0].is_pending


async def test_a_tab_is_drawn_again_after_a_decision_elsewhere_but_not_at_once(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack, "c_42")
    await opened(slack, "U0KIM", "Waiting for you (1)")
    drawn = slack.calls[PUBLISH].count
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    await approvals.wait(ticket.id, timeout=20)
    await slack.settled()
    assert slack.calls[PUBLISH].count == drawn, "ten seconds have not passed"
    await may_be_drawn_again(bot, "U0KIM")
    await says(slack, "U0KIM", "Nothing waits for you")
    assert slack.calls[PUBLISH].count == drawn + 1
    assert slack.person("U0MAX").home is None, "who has none open costs nothing"


async def test_what_changes_nothing_that_it_shows_is_not_published(slack: Sandbox, bot: Service) -> None:
    await opened(slack, "U0KIM", "Nothing waits")
    drawn = slack.calls[PUBLISH].count
    seq = await bot.store.last_seq()
    await bot.store.create(
        a_request(tenant=bot.settings.tenant, terms=terms(channel="dm", approvers=(Principal("U0ANA"),)))
    )
    await may_be_drawn_again(bot, "U0KIM")

    async def was_looked_at() -> bool:
        kept = str(await bot.redis.hget(key(bot.settings.tenant, "homes:views"), "U0KIM drawn"))
        return int(kept.split("|")[1]) > seq

    await until(was_looked_at)
    assert slack.calls[PUBLISH].count == drawn


async def test_two_workers_do_not_publish_twice(
    slack: Sandbox, bot: Service, redis_url: str, tenant: str
) -> None:
    people = ("U0ANA", "U0KIM", "U0LEE", "U0MAX")
    async with a_connected_bot(slack, environment(slack, redis_url, tenant)):
        for person in people:
            await opened(slack, person, "Nothing waits")
        drawn = slack.calls[PUBLISH].count
        await a_pile(bot, 3)
        await may_be_drawn_again(bot, *people)
        for person in people:
            await says(slack, person, "Waiting for you (3)")
        await slack.settled()
        assert slack.calls[PUBLISH].count == drawn + len(people)


async def test_slack_is_left_alone_for_as_long_as_it_says(slack: Sandbox, bot: Service) -> None:
    await opened(slack, "U0KIM", "Nothing waits")
    await opened(slack, "U0LEE", "Nothing waits")
    drawn = slack.calls[PUBLISH].count
    slack.faults.next_calls(PUBLISH, "429", retry_after=2)
    await a_pile(bot, 1)
    await may_be_drawn_again(bot, "U0KIM", "U0LEE")
    await slack.until(lambda: slack.calls[PUBLISH].count == drawn + 1)
    await until(lambda: _is_counted(bot, FULL - 1))
    assert slack.calls[PUBLISH].count == drawn + 1, "the other one waits as well"
    await says(slack, "U0KIM", "Waiting for you (1)")
    await says(slack, "U0LEE", "Waiting for you (1)")
    assert slack.calls[PUBLISH].count == drawn + 3


async def test_all_workers_together_publish_no_more_than_slack_takes(slack: Sandbox, bot: Service) -> None:
    await opened(slack, "U0KIM", "Nothing waits")
    drawn, rate = slack.calls[PUBLISH].count, key(bot.settings.tenant, "homes:rate")
    await bot.redis.set(rate, PER_WINDOW, ex=60)
    await a_pile(bot, 1)
    await may_be_drawn_again(bot, "U0KIM")
    await until(lambda: _is_counted(bot, PER_WINDOW))
    assert slack.calls[PUBLISH].count == drawn
    await bot.redis.delete(rate)
    await says(slack, "U0KIM", "Waiting for you (1)")


async def _is_counted(bot: Service, least: int) -> bool:
    return int(await bot.redis.get(key(bot.settings.tenant, "homes:rate")) or 0) > least


async def test_a_click_while_slack_wants_to_be_left_alone_is_answered_later(
    slack: Sandbox, bot: Service
) -> None:
    await a_pile(bot, 12)
    home = await opened(slack, "U0KIM", "Page 1 of 2")
    slack.faults.next_calls(PUBLISH, "429", retry_after=1)
    assert (await slack.person("U0KIM").press("Next", home)).ok
    await says(slack, "U0KIM", "Page 2 of 2")


async def test_a_tab_that_its_person_has_just_changed_is_not_overwritten(
    slack: Sandbox, bot: Service
) -> None:
    await opened(slack, "U0KIM", "Nothing waits")
    slack.faults.next_calls(PUBLISH, "error", code="hash_conflict")
    await a_pile(bot, 1)
    failed = slack.calls[PUBLISH].count
    await may_be_drawn_again(bot, "U0KIM")
    await slack.until(lambda: slack.calls[PUBLISH].count > failed)
    assert slack.calls[PUBLISH].last["hash"]
    await until(lambda: _drawn_in_the_end(slack, bot))


async def _drawn_in_the_end(slack: Sandbox, bot: Service) -> bool:
    await may_be_drawn_again(bot, "U0KIM")
    home = slack.person("U0KIM").home
    return home is not None and "Waiting for you (1)" in home.shown


async def test_settings_are_read_back_with_errors_on_their_fields(slack: Sandbox, bot: Service) -> None:
    home = await opened(slack, "U0KIM", "Digests come in channels only")
    assert "America/New_York" in home.shown
    kim = slack.person("U0KIM")
    assert (await kim.press("Change…", home)).ok
    await the_dialog(slack, "U0KIM")
    for values, field in (
        ({"at": "nine"}, "at"),
        ({"at": ""}, "at"),
        ({"quiet": "18:00"}, "quiet"),
        ({"quiet": "25:00-08:00"}, "quiet"),
        ({"where": "dm", "at": "07:00", "quiet": "18:00-08:00"}, "at"),
        ({"days_off": list("0123456")}, "days_off"),
    ):
        answer = await kim.fill_and_submit({"at": "09:00", "quiet": "", "days_off": [], **values})
        assert field in answer.errors, values
    wanted = {"where": "dm", "at": "9:00 15:30", "quiet": "18:00 - 08:00", "days_off": ["5", "6"]}
    assert not (await kim.fill_and_submit({**wanted, "pings": "off"})).errors
    await says(slack, "U0KIM", "A digest of your own comes by direct message at 09:00, 15:30. Nobody pings")
    assert kim.view is None
    assert [entry.event for entry in await bot.store.entries(AFTER_KEY)] == ["preferred"]


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> str | None:
    return OWNERS if "freez" in request.node.name else None


async def test_an_owner_freezes_and_thaws_an_agent_from_their_home_tab(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await approvals.submit("refund", REFUND)
    await the_card(slack, "c_42")
    lee = slack.person("U0LEE")
    home = await opened(slack, "U0LEE", "Agents")
    assert "1 request waits" in home.shown and "last heard of" in home.shown
    assert (await lee.click(home, "freeze", "agent:billing")).ok
    await the_dialog(slack, "U0LEE")
    assert (await lee.fill_and_submit({"words": "it refunds twice"})).ok
    home = await says(slack, "U0LEE", "Frozen by Lee Park")
    (frozen,) = (await bot.store.freezes.now()).freezes
    assert (frozen.words, frozen.why, frozen.by.id) == ("agent billing", "it refunds twice", "slack:U0LEE")
    await slack.until(lambda: [m for m in slack.messages("C0OPS") if "it refunds twice" in m.shown])
    assert (await lee.close(clear=True)).ok
    assert (await lee.press("Thaw", home)).ok
    await slack.until(lambda: "Frozen by" not in (lee.home.shown if lee.home else ""))
    assert (await bot.store.freezes.now()).freezes == ()


async def test_nobody_else_freezes_from_a_home_tab(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await approvals.submit("refund", REFUND)
    await the_card(slack, "c_42")
    owners = await opened(slack, "U0LEE", "Freeze…")
    kims = await opened(slack, "U0KIM", "Agents")
    assert "Freeze" not in kims.shown
    forged = replace(kims, blocks=owners.blocks)
    assert (await slack.person("U0KIM").click(forged, "freeze", "agent:billing")).ok
    assert "You can't freeze here" in (await the_dialog(slack, "U0KIM")).shown
    assert (await bot.store.freezes.now()).freezes == ()
    assert "refused" in [entry.event for entry in await bot.store.entries()]
    guest = await opened(slack, "U0GUS", "Nothing waits for you")
    assert "last heard of" not in guest.shown


async def test_agents_tell_whether_they_are_at_work(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    allow = 'version = 1\n[[rule]]\nname = "all"\ntools = ["*"]\naction = "allow"\n'
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, allow))
    async with a_connected_bot(slack, env) as bot:
        ticket = await approvals.submit("refund", REFUND)
        await approvals.wait(ticket.id, timeout=20)
        await approvals.claim(ticket.id)
        await until(lambda: _has(bot, "claimed"))
        await opened(slack, "U0KIM", "at work")
        await approvals.receipt(ticket.id, ok=True)
        await until(lambda: _has(bot, "executed"))
        await may_be_drawn_again(bot, "U0KIM")
        await slack.until(lambda: "at work" not in getattr(slack.person("U0KIM").home, "shown", "at work"))


async def _has(bot: Service, event: str) -> bool:
    return any(entry.event == event for entry in await bot.store.entries())
