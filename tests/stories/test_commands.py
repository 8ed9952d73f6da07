"""What can be typed and called up: slash commands, mentions, shortcuts. The same checks as a click."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from approvals import Approvals, StillPending
from approvals.ids import new_id
from approvals.keys import key
from bot.app import Service
from bot.sandbox.model import View
from bot.sandbox.server import Sandbox
from tests.builders import a_request
from tests.running import a_connected_bot, environment, redrawn, the_card, the_dialog, until
from tests.stories.watching import AFTER_KEY, REFUND, events, logged, whispered

BOT = "@countersign"
LONG = {"body": "x" * 4000 + " needle in the hay " + "y" * 4000}


# -- /approve, /reject ---------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["whole", "short", "lower case", "without R-"])
async def test_an_approval_is_typed_with_as_much_of_the_id_as_is_unique(
    slack: Sandbox, approvals: Approvals, bot: Service, spelling: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    short = (await bot.store.get(ticket.id))[0].short
    typed = {
        "whole": ticket.id,
        "short": short,
        "lower case": short.lower(),
        "without R-": short.removeprefix("R-"),
    }[spelling]
    assert (await slack.person("U0KIM").slash("/approve", f"{typed} fine, this once")).ok
    await whispered(slack, "U0KIM", f"You approved {short}. billing may run it once.")
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.decided_by, outcome.text) == ("slack:U0KIM", "fine, this once")
    told = await redrawn(slack, card, "fine, this once")
    assert "Kim Osei" in told.shown


async def test_a_typed_rejection_needs_a_reason_and_the_agent_gets_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    kim = slack.person("U0KIM")
    assert (await kim.slash("/reject", ticket.id)).ok
    await whispered(slack, "U0KIM", "/reject ID reason")
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    assert (await kim.slash("/reject", f"{ticket.id} already <paid> & done")).ok
    await whispered(slack, "U0KIM", "You rejected")
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.text) == ("rejected", "already <paid> & done")


async def test_an_ambiguous_beginning_is_told_with_the_ids_it_fits(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    one, other = new_id(), new_id()
    other = type(one)(one[:-1] + ("A" if one[-1] != "A" else "B"))
    tenant = bot.settings.tenant
    made = [await bot.store.create(a_request(id=each, tenant=tenant)) for each in (one, other)]
    assert (await slack.person("U0KIM").slash("/approve", one[:12])).ok
    told = await whispered(slack, "U0KIM", "fits several requests")
    assert all(f"“{request.short}”" in told.shown for request in made)
    assert "approved" not in await events(bot, one) + await events(bot, other)


@pytest.mark.parametrize("typed", ["R-ZZZZ", "rm -rf /", "R-", "*", "R-7K2M" * 50, "<!channel>"])
async def test_an_unknown_id_is_told_and_logged(
    slack: Sandbox, approvals: Approvals, bot: Service, typed: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    assert (await slack.person("U0KIM").slash("/approve", typed)).ok
    told = await whispered(slack, "U0KIM", "There is no request")
    assert "<!channel>" not in told.text
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    (entry,) = [entry for entry in await bot.store.entries(AFTER_KEY) if entry.request == ""]
    assert (entry.event, entry.actor) == ("refused", "slack:U0KIM")


@pytest.mark.attack("I107")
async def test_the_id_of_another_tenants_request_is_unknown_here(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str
) -> None:
    async with a_connected_bot(
        slack, environment(slack, redis_url, "elsewhere", SLACK_CHANNEL="#general")
    ) as other:
        theirs = a_request(id=new_id(), tenant="elsewhere")
        await other.store.create(theirs)
        for command in ("/approve", "/approvals"):  # each goes to the next replica in turn
            for _ in range(2):
                assert (await slack.person("U0MAX").slash(command, f"{theirs.id}")).ok
        await whispered(slack, "U0MAX", "There is no request")
    async with Redis.from_url(redis_url) as redis:
        assert not await redis.exists(key(bot.settings.tenant, "request", theirs.id))


@pytest.mark.parametrize(
    ("args", "risk"), [(REFUND, "high"), (LONG, "low")], ids=["risky", "too long for the card"]
)
async def test_what_must_be_read_first_is_opened_instead_of_approved(
    slack: Sandbox, approvals: Approvals, bot: Service, args: dict[str, object], risk: str
) -> None:
    ticket = await approvals.submit("refund", args, risk=risk)
    await the_card(slack)
    kim = slack.person("U0KIM")
    assert (await kim.slash("/approve", ticket.id)).ok
    dialog = await the_dialog(slack, "U0KIM")
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    assert (await kim.press("Approve", dialog)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"


async def test_a_guest_can_type_no_more_than_click_and_an_outsider_nothing(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    gus = slack.person("U0GUS")
    assert (await gus.slash("/approve", ticket.id)).ok
    assert (await gus.slash("/reject", f"{ticket.id} no")).ok
    await whispered(slack, "U0GUS", "guests may not decide")
    refused = await logged(bot, ticket.id, "refused", times=2)
    assert {entry.actor for entry in refused} == {"slack:U0GUS"}
    assert not (await slack.person("U0EVE").slash("/approve", ticket.id)).ok
    with pytest.raises(StillPending):
        await approvals.wait(ticket.id, timeout=0.05)


async def test_who_can_not_see_a_request_is_told_there_is_none(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    async with a_connected_bot(slack, environment(slack, redis_url, tenant, SLACK_CHANNEL="#approvals-ops")):
        ticket = await approvals.submit("refund", REFUND)
        await the_card(slack, channel="C0OPS")
        for command in ("/approve", "/approvals", "/reject"):
            assert (await slack.person("U0KIM").slash(command, f"{ticket.id} x".strip())).ok
        told = slack.person("U0KIM").ephemerals()
        assert [line.shown for line in told if "refund" in line.shown.lower()] == []
        assert slack.person("U0KIM").view is None
        assert (await slack.person("U0KIM").slash("/approvals", "all")).ok
        await whispered(slack, "U0KIM", "Nothing waits.")


# -- /approvals ----------------------------------------------------------------------------------------


async def test_a_person_lists_what_waits_for_them_and_what_waits_at_all(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await approvals.submit("refund", REFUND, on_behalf_of="U0KIM")
    await approvals.submit("deploy", {"service": "checkout"})
    await slack.until(lambda: len(slack.messages()) == 2)
    kim = slack.person("U0KIM")
    assert (await kim.slash("/approvals")).ok
    mine = await whispered(slack, "U0KIM", "1 request waits for you")
    assert "checkout" in mine.shown
    assert "c_42" not in mine.shown
    assert (await kim.slash("/approvals", "all")).ok
    both = await whispered(slack, "U0KIM", "2 requests wait")
    assert "c_42" in both.shown
    assert (await kim.press("Open", mine)).ok
    assert "checkout" in (await the_dialog(slack, "U0KIM")).shown
    assert (await slack.person("U0GUS").slash("/approvals", "mine")).ok
    await whispered(slack, "U0GUS", "Nothing waits for you.")


async def test_a_request_is_brought_up_by_its_id_and_decided_there(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    kim = slack.person("U0KIM")
    assert (await kim.slash("/approvals", ticket.id)).ok
    dialog = await the_dialog(slack, "U0KIM")
    assert "c_42" in dialog.shown
    assert (await kim.press("Approve", dialog)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"
    assert "You approved" in (await the_dialog(slack, "U0KIM")).shown


@pytest.mark.parametrize(("command", "text"), [("/approvals", "help"), ("/approvals", "what is this")])
@pytest.mark.usefixtures("bot")
async def test_help_tells_what_can_be_typed(slack: Sandbox, command: str, text: str) -> None:
    assert (await slack.person("U0KIM").slash(command, text)).ok
    told = await whispered(slack, "U0KIM", "/approve ID [note]")
    assert "/reject ID reason" in told.shown


@pytest.mark.usefixtures("bot")
async def test_a_command_without_an_id_is_told_what_it_takes(slack: Sandbox) -> None:
    assert (await slack.person("U0KIM").slash("/approve")).ok
    await whispered(slack, "U0KIM", "Type `/approve ID`")
    assert (await slack.person("U0KIM").slash("/reject")).ok
    await whispered(slack, "U0KIM", "Type `/reject ID reason`")


@pytest.fixture
async def renamed(redis_url: str, tenant: str) -> AsyncIterator[Sandbox]:
    commands = [{"command": f"/{name}", "should_escape": True} for name in ("yes", "no", "asks")]
    async with (
        Sandbox(rate_limits=False, commands=commands) as slack,
        a_connected_bot(slack, environment(slack, redis_url, tenant, APPROVALS_COMMANDS="yes,no,asks")),
    ):
        yield slack


async def test_commands_may_have_other_names_and_every_sentence_uses_them(
    renamed: Sandbox, approvals: Approvals
) -> None:
    slack, kim = renamed, renamed.person("U0KIM")
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    assert (await kim.slash("/asks", "help")).ok
    told = await whispered(slack, "U0KIM", "/yes ID [note]")
    assert "/approve" not in told.shown
    assert (await kim.slash("/yes", "R-ZZZZ")).ok
    assert "/asks" in (await whispered(slack, "U0KIM", "There is no request")).shown
    assert (await kim.slash("/yes", ticket.id)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"


# -- threads, mentions, shortcuts ----------------------------------------------------------------------


async def test_a_mention_brings_the_card_up_in_a_thread_and_both_copies_follow(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    parent = slack.person("U0LEE").say("Shall we pay c_42 back?")
    assert parent.ts is not None
    slack.person("U0LEE").say(f"{BOT} {ticket.id[:10]}", thread_ts=parent.ts)
    thread = parent.ts
    copy = await slack.until(
        lambda: next((m for m in slack.thread(card.channel, thread) if m.blocks and "c_42" in m.shown), None)
    )
    assert copy is not None
    assert (await slack.person("U0KIM").press("Approve", copy)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"
    await redrawn(slack, card, "Kim Osei")
    await slack.until(lambda: "Kim Osei" in slack.workspace.message(copy.channel, copy.ts).shown)


async def test_a_mention_without_an_id_means_the_request_of_its_thread(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    slack.person("U0LEE").say(f"{BOT} again please", thread_ts=card.ts)
    await slack.until(
        lambda: [m for m in slack.thread(card.channel, card.ts)[1:] if m.blocks and "c_42" in m.shown]
    )


async def test_a_mention_in_another_channel_shows_nothing_of_it(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    slack.person("U0LEE").say(f"{BOT} {ticket.id}", "C0GENERAL")
    told = await whispered(slack, "U0LEE", "in its own channel only", channel="C0GENERAL")
    assert "c_42" not in told.shown
    await slack.settled()
    assert not [m for m in slack.workspace.channel("C0GENERAL").messages.values() if "c_42" in m.shown]


async def test_a_mention_by_somebody_who_may_not_see_it_is_refused_privately(
    slack: Sandbox, approvals: Approvals, redis_url: str, tenant: str
) -> None:
    async with a_connected_bot(slack, environment(slack, redis_url, tenant, SLACK_CHANNEL="#approvals-ops")):
        ticket = await approvals.submit("refund", REFUND)
        await the_card(slack, channel="C0OPS")
        slack.person("U0KIM").say(f"{BOT} {ticket.id}", "C0GENERAL")
        await whispered(slack, "U0KIM", "There is no request", channel="C0GENERAL")


async def test_the_message_shortcut_opens_the_request_to_be_decided(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    kim = slack.person("U0KIM")
    said = slack.person("U0LEE").say("What is this?", thread_ts=card.ts)
    assert said.ts is not None
    reply = slack.workspace.message(card.channel, said.ts)
    for message in (card, reply):
        assert (await kim.shortcut("show_request", message)).ok
        assert "c_42" in (await the_dialog(slack, "U0KIM")).shown
    assert (await kim.press("Approve")).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"


@pytest.mark.usefixtures("bot")
async def test_the_shortcut_of_a_message_that_shows_no_request_says_so(slack: Sandbox) -> None:
    said = slack.person("U0LEE").say("Lunch?")
    assert said.ts is not None
    message = slack.workspace.message("C0APPROVALS", said.ts)
    assert (await slack.person("U0KIM").shortcut("show_request", message)).ok
    await whispered(slack, "U0KIM", "No request belongs to this message.")


async def test_the_global_shortcut_and_the_home_tab_show_a_persons_queue(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    kim = slack.person("U0KIM")
    assert (await kim.shortcut("open_queue")).ok
    assert "c_42" in (await the_dialog(slack, "U0KIM")).shown
    assert (await kim.press("Open")).ok
    await slack.until(lambda: len(kim.views) == 2)
    assert (await kim.close(clear=True)).ok
    assert kim.open_home().ok
    home = await slack.until(lambda: kim.home)
    assert home is not None
    assert "c_42" in home.shown
    assert (await kim.press("Open", home)).ok
    assert (await kim.press("Approve", await _shows(slack, "U0KIM", "c_42"))).ok
    assert (await approvals.wait(ticket.id, timeout=20)).decided_by == "slack:U0KIM"


async def _shows(slack: Sandbox, person: str, words: str) -> View:
    found = await slack.until(
        lambda: next((view for view in slack.person(person).views if words in view.shown), None)
    )
    assert found is not None
    return found


@pytest.mark.attack("J17")
async def test_an_agent_with_a_persons_token_can_write_but_decides_nothing(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    ana = slack.person("U0ANA")
    ana.post_as_their_agent(f"/approve {ticket.id}")
    ana.post_as_their_agent(f"{BOT} approve {ticket.id}", thread_ts=card.ts)
    ana.post_as_their_agent("approve", thread_ts=card.ts)
    question = await approvals.submit("ask", {"question": "Which name?", "options": [], "free_text": True})
    assert (await ana.slash("/approvals", "all")).ok
    await slack.settled()
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    await until(lambda: _is_known(bot, question.id))


async def _is_known(bot: Service, request_id: str) -> bool:
    return bool(await events(bot, request_id))
