"""Garbage from agents and from Slack: a clear word to whoever can act on it, and the work goes on."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from approvals import Approvals, InvalidCall
from approvals.errors import Rejected
from approvals.ids import new_id
from approvals.keys import key
from approvals.model import RequestId
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.longer import one_of
from tests.running import the_card, the_dialog, until
from tests.stories.signing import House, a_click, signature
from tests.stories.watching import DECISIONS, REFUND, events, logged, whispered

# -- what agents write ---------------------------------------------------------------------------------


def letter(**changes: Any) -> Callable[[RequestId], str]:
    return lambda id: json.dumps({"letter": "submission", "id": id, "tool": "refund", "args": {}} | changes)


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1


# Each with a valid id, so its agent can be told.
TOLD: dict[str, Callable[[RequestId], str]] = {
    "args that are a list": letter(args=[1, 2]),
    "args that are missing": lambda id: f'{{"letter":"submission","id":"{id}","tool":"refund"}}',
    "NaN": letter(args={"amount": float("nan")}),
    "infinity": letter(args={"amount": float("-inf")}),
    "a number too large for a double": lambda id: letter(args={"a": 1})(id).replace(": 1}", ": 1e999}"),
    "a lone surrogate in a value": letter(args={"memo": "a\ud800b"}),
    "a lone surrogate in a name": letter(args={"\udfff": 1}),
    "a lone surrogate in the reason": letter(reason="\ud800"),
    "args over 256 KiB": letter(args={"memo": "x" * 300_000}),
    "args 100 levels deep": letter(args={"a": nested(100)}),
    "args 100,000 levels deep": lambda id: letter(args={"a": 0})(id).replace("0}", "[" * 100_000 + "}"),
    "a tool without a name": letter(tool=""),
    "a tool that is a number": letter(tool=7),
    "a letter of no kind": letter(letter="wish"),
    "a kind of request that isn't": letter(kind="wish"),
    "a risk that isn't": letter(risk="enormous"),
    "a schema that is a text": letter(schema="object"),
    "half a letter": lambda id: letter()(id)[:-5],
}


@pytest.mark.attack("J7")
@pytest.mark.parametrize("garbage", TOLD)
async def test_a_letter_that_can_not_be_followed_is_answered_and_logged(
    slack: Sandbox, approvals: Approvals, bot: Service, garbage: str
) -> None:
    id = new_id()
    await _post(bot, TOLD[garbage](id))
    outcome = await approvals.wait(id, timeout=20)
    assert outcome.status == "rejected"
    assert outcome.text
    (entry,) = [entry for entry in await bot.store.entries() if entry.event == "refused"]
    assert entry.actor == "agent:billing"
    assert entry.detail is not None
    assert entry.detail["reason"] == outcome.text
    await _goes_on(slack, approvals, bot)


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "not JSON",
        "[]",
        "null",
        "{}",
        "\x00\xff",
        '{"letter":"submission"}',
        '{"letter":"submission","id":"R-1"}',
    ],
)
async def test_a_letter_that_names_no_request_is_logged_and_taken_out(
    slack: Sandbox, approvals: Approvals, bot: Service, garbage: str
) -> None:
    await _post(bot, garbage)
    await until(lambda: _has_refused(bot))
    await until(lambda: _inbox_is_empty(bot))
    await _goes_on(slack, approvals, bot)


async def test_an_entry_that_is_no_letter_at_all_is_taken_out(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    tenant = bot.settings.tenant
    await bot.redis.sadd(key(tenant, "agents"), "billing", "Not An Agent!", "ümläut", "")
    await bot.redis.xadd(key(tenant, "inbox", "billing"), {"something": "else"})
    await until(lambda: _has_refused(bot))
    await until(lambda: _inbox_is_empty(bot))
    await _goes_on(slack, approvals, bot)


# Odd, but none of it keeps people from deciding: a card is drawn.
DRAWN: dict[str, dict[str, Any]] = {
    "no arguments": {"args": {}},
    "a schema that isn't one": {"args": {"a": 1}, "schema": {"type": 7, "properties": ["x"], "$ref": "#"}},
    "a schema of endless references": {
        "args": {"a": 1},
        "schema": {"type": "object", "properties": {"a": {"$ref": "#"}}},
    },
    "a schema about other arguments": {
        "args": {"a": 1},
        "schema": {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
    },
    "a confidence of 7": {"confidence": 7},
    "a negative deadline": {"deadline_s": -5},
    "a deadline in the year 30,000": {"deadline_s": 10**12},
    "somebody who is nobody": {"on_behalf_of": "<!channel>"},
    "a thousand tags": {"tags": [f"<!here> {number}" for number in range(1000)]},
    "a long tool": {"tool": "refund" * 20},
    "a tool of markup": {"tool": "<!channel>*x*"},
    "a reason of 100,000 characters": {"reason": "because " * 12_500},
    "a question with odd options": {
        "kind": "question",
        "tool": "ask",
        "args": {"question": 7, "options": {"a": 1}},
    },
    "a question without a question": {"kind": "question", "tool": "ask", "args": {}},
    "a thousand arguments": {"args": {f"argument {number}": number for number in range(1000)}},
    "names that are odd": {"args": {"": 1, " ": 2, "a\nb": 3, "🙂": 4, "x" * 300: 5}},
    "63 levels": {"args": {"a": nested(60)}},
    "numbers at the edge": {"args": {"a": 2**53 - 1, "b": 1e308, "c": -0.0, "d": 1e-320}},
}


@pytest.mark.parametrize("odd", DRAWN)
async def test_an_odd_letter_is_told_or_drawn_and_every_dialog_of_it_opens(
    slack: Sandbox, approvals: Approvals, bot: Service, odd: str
) -> None:
    id = new_id()
    await _post(bot, letter(**DRAWN[odd])(id))

    async def seen() -> bool:
        return await approvals.get(id) is not None or bool(slack.messages())

    await until(seen)
    if slack.messages():
        card = await the_card(slack)
        ana = slack.person("U0ANA")
        assert (await ana.press("Details", card)).ok
        await the_dialog(slack, "U0ANA")
        if "Edit…" in card.shown:
            assert (await ana.press("Edit…", card)).ok
        assert (await ana.press("Reject…", card)).ok
        assert (await ana.fill_and_submit({"words": "No."})).ok
        assert (await approvals.wait(id, timeout=20)).status in ("rejected", "expired")
    else:
        assert (await approvals.wait(id, timeout=20)).status in ("rejected", "cancelled", "expired")
    await _goes_on(slack, approvals, bot)


@pytest.mark.parametrize(
    "args",
    [
        {"a": float("nan")},
        {"a": "\ud800"},
        {"a": nested(100)},
        {"a": "x" * 300_000},
        {"a": 2**64},
        {1: "a"},
        {"a": {1}},
    ],
    ids=["NaN", "surrogate", "deep", "large", "2**64", "no name", "no JSON"],
)
@pytest.mark.usefixtures("bot")
async def test_what_can_not_be_asked_for_is_told_where_it_was_written(
    slack: Sandbox, approvals: Approvals, args: dict[str, object]
) -> None:
    with pytest.raises(InvalidCall):
        await approvals.submit("refund", args)
    with pytest.raises(InvalidCall):
        await approvals.submit("refund", REFUND, schema={"type": 7})
    assert slack.messages() == []


async def test_a_letter_about_an_unknown_request_is_answered(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    id = new_id()
    await approvals.cancel(id)
    with pytest.raises(Rejected, match="no request"):
        raise_for = await approvals.wait(id, timeout=20)
        raise Rejected(raise_for.text or "", raise_for)
    await _goes_on(slack, approvals, bot)


async def test_a_revision_to_what_can_not_be_asked_leaves_the_request_as_it_was(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(slack)
    await _post(bot, f'{{"letter":"revision","id":"{ticket.id}","args":{{"amount":NaN}}}}')
    await until(lambda: _has_refused(bot))
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).args == REFUND


# -- what Slack brings ---------------------------------------------------------------------------------

CLICKS: dict[str, dict[str, Any]] = {
    "no actions": {"actions": []},
    "two actions": {"actions": [{"action_id": "approve", "value": "x"}] * 2},
    "an action without an id": {"actions": [{"type": "button", "value": "x"}]},
    "an unknown action": {
        "actions": [{"type": "button", "action_id": "launch", "block_id": "b", "value": "x"}]
    },
    "no value": {"actions": [{"type": "button", "action_id": "approve", "block_id": "b"}]},
    "a value of an older version": {
        "actions": [{"type": "button", "action_id": "approve", "block_id": "b", "value": "0|R-1|abc"}]
    },
    "a value of garbage": {
        "actions": [{"type": "button", "action_id": "edit", "block_id": "b", "value": "\x00|<>|'"}]
    },
    "a menu's garbage": {
        "actions": [
            {
                "type": "overflow",
                "action_id": "more",
                "block_id": "b",
                "selected_option": {"value": "1|burn|R-1|0"},
            }
        ]
    },
    "an option beyond the last": {
        "actions": [{"type": "button", "action_id": "option:999", "block_id": "b", "value": "x"}]
    },
    "no user": {"user": None},
    "no trigger": {"trigger_id": None, "actions": [{"type": "button", "action_id": "edit", "block_id": "b"}]},
}


@pytest.mark.parametrize("malformed", CLICKS)
async def test_a_malformed_click_decides_nothing_and_the_next_one_works(
    house: House, approvals: Approvals, malformed: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(house.slack)
    await _interact(house, a_click(house.slack, card) | CLICKS[malformed])
    assert not DECISIONS & set(await events(house.web, ticket.id))
    assert (await house.slack.person("U0ANA").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"


@pytest.mark.attack("H106")
async def test_a_button_of_an_older_version_says_how_to_go_on(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await slack.until(lambda: slack.connections)
    buttons = [
        {
            "type": "button",
            "action_id": action,
            "text": {"type": "plain_text", "text": action},
            "value": "0|x",
        }
        for action in ("approve", "snooze")
    ]
    assert bot.slack is not None
    await bot.slack.client.chat_postMessage(
        channel="C0APPROVALS", text="old", blocks=[{"type": "actions", "elements": buttons}]
    )
    old = await the_card(slack, "snooze")
    for person, button in (("U0ANA", "approve"), ("U0KIM", "snooze")):
        assert (await slack.person(person).press(button, old)).ok
        await whispered(slack, person, "/approvals ID")


@pytest.mark.attack("A20")
@pytest.mark.parametrize("callback_id", ["read", "edit", "reject", "answer", "changes", "respond"])
@pytest.mark.parametrize("metadata", one_of(["0|R-1|abc", "", "garbage"]))
async def test_a_dialog_of_an_older_version_says_so_and_stays_open(
    house: House, approvals: Approvals, callback_id: str, metadata: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(house.slack)
    status, answer = await _interact(house, _submission(house, callback_id, metadata, card.ts))
    assert status == 200
    assert answer["response_action"] == "update"
    assert "older version" in json.dumps(answer["view"])
    assert not DECISIONS & set(await events(house.web, ticket.id))


@pytest.mark.attack("A20")
@pytest.mark.parametrize("callback_id", one_of(["edit", "read", "reject", "nobody knows me"]))
@pytest.mark.parametrize("missing", ["state", "user", "private_metadata", "callback_id"])
async def test_a_malformed_dialog_decides_nothing(
    house: House, approvals: Approvals, callback_id: str, missing: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    card = await the_card(house.slack)
    body = _submission(house, callback_id, f"1|{ticket.id}|{ticket.fingerprint}", card.ts)
    body.pop(missing, None)
    body["view"].pop(missing, None)
    await _interact(house, body)
    assert not DECISIONS & set(await events(house.web, ticket.id))


async def test_an_edit_that_breaks_the_rules_of_its_fields_is_told_at_the_field(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND | {"flags": {"a": [1]}})
    ana = slack.person("U0ANA")
    assert (await ana.press("Edit…", await the_card(slack))).ok
    await the_dialog(slack, "U0ANA")
    for field, wrong in (
        ("amount", "NaN"),
        ("amount", "1e999"),
        ("flags", "{not json"),
        ("flags", "[" * 5000),
    ):
        result = await ana.fill_and_submit({"amount": "940", "flags": "{}", field: wrong})
        assert not result.ok, wrong
        assert result.errors, wrong
    assert not DECISIONS & set(await events(bot, ticket.id))
    assert (await ana.fill_and_submit({"amount": "900", "flags": '{"a": []}'})).ok
    assert (await approvals.wait(ticket.id, timeout=20)).args == {
        "customer": "c_42",
        "amount": 900,
        "flags": {"a": []},
    }


def _submission(house: House, callback_id: str, metadata: str, ts: str) -> dict[str, Any]:
    return {
        "type": "view_submission",
        "user": {"id": "U0ANA", "team_id": house.slack.app.team_id},
        "api_app_id": house.slack.app.app_id,
        "team": {"id": house.slack.app.team_id},
        "trigger_id": "1.2.x",
        "view": {
            "id": "V0X",
            "type": "modal",
            "callback_id": callback_id,
            "private_metadata": metadata,
            "state": {"values": {}},
            "hash": ts,
        },
    }


async def _interact(house: House, payload: dict[str, Any]) -> tuple[int, Any]:
    body = urlencode({"payload": json.dumps(payload)})
    headers = {"Content-Type": "application/x-www-form-urlencoded", **signature(body)}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{house.url}/slack/events", data=body, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith("{") else text


async def _post(bot: Service, text: str) -> None:
    tenant = bot.settings.tenant
    await bot.redis.sadd(key(tenant, "agents"), "billing")
    await bot.redis.xadd(key(tenant, "inbox", "billing"), {"letter": text})
    await bot.redis.xadd(key(tenant, "bell"), {"agent": "billing"})


async def _goes_on(slack: Sandbox, approvals: Approvals, bot: Service) -> None:
    """Whatever came before, the next request is asked and decided."""
    ticket = await approvals.submit("refund", {"customer": "the next one"})
    card = await the_card(slack, "the next one")
    assert (await slack.person("U0KIM").press("Approve", card)).ok
    assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
    await logged(bot, ticket.id, "approved")


async def _has_refused(bot: Service) -> bool:
    return any(entry.event == "refused" for entry in await bot.store.entries())


async def _inbox_is_empty(bot: Service) -> bool:
    return await bot.redis.xlen(key(bot.settings.tenant, "inbox", "billing")) == 0
