"""What people do reaches the app in Slack's shapes, and what the app answers is what they see."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.bot.sandbox.conftest import Api, Listener, listening

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def button(action_id: str, label: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(label), **more}


CARD: list[Json] = [
    {"type": "section", "block_id": "what", "text": {"type": "mrkdwn", "text": "Refund?"}},
    {
        "type": "actions",
        "block_id": "buttons",
        "elements": [
            button("approve", "Approve", value="r1", style="primary"),
            button("private", "Only Kim", visible_to_user_ids=["U0KIM"]),
            {
                "type": "overflow",
                "action_id": "more",
                "options": [
                    {"text": plain("Details"), "value": "details"},
                    {"text": plain("Respond…"), "value": "respond"},
                ],
            },
            {
                "type": "static_select",
                "action_id": "how",
                "options": [
                    {"text": plain("Now"), "value": "now"},
                    {"text": plain("Later"), "value": "later"},
                ],
            },
        ],
    },
]


def field(block_id: str, element: Json, **more: Any) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(block_id.title()),
        "element": element,
        **more,
    }


def dialog(*extra: Json, **more: Any) -> Json:
    note = field("note", {"type": "plain_text_input", "action_id": "text", "min_length": 2, "max_length": 9})
    return {
        "type": "modal",
        "callback_id": "edit",
        "private_metadata": "r1",
        "title": plain("Edit"),
        "submit": plain("Save"),
        "blocks": [note, *extra],
        **more,
    }


async def card(api: Api, slack: Sandbox, **more: Any) -> Message:
    await api("chat.postMessage", channel="C0APPROVALS", text="Refund?", blocks=CARD, **more)
    return slack.messages()[-1]


def opens(api: Api, view: Json, method: str = "views.open") -> Any:
    """An app that opens `view` before it acknowledges."""

    async def meanwhile(payload: Json) -> None:
        await api(method, trigger_id=payload["trigger_id"], view=view)

    return meanwhile


async def test_a_click_is_told_in_full(api: Api, slack: Sandbox, app: Listener) -> None:
    metadata = {"event_type": "asked", "event_payload": {"id": "r1"}}
    message = await card(api, slack, metadata=metadata)
    assert (await slack.person("U0EVE").click(message, "approve")).ok

    (payload,) = app.payloads("block_actions")
    assert payload["user"] == {"id": "U0EVE", "username": "eve", "name": "eve", "team_id": "T0OTHER"}
    assert payload["team"] == {"id": "T0SANDBOX", "domain": "acme"}
    assert payload["container"] == {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": "C0APPROVALS",
        "is_ephemeral": False,
    }
    (action,) = payload["actions"]
    assert {key: action[key] for key in ("type", "action_id", "block_id", "value", "style")} == {
        "type": "button",
        "action_id": "approve",
        "block_id": "buttons",
        "value": "r1",
        "style": "primary",
    }
    assert payload["message"]["metadata"] == metadata and payload["message"]["bot_id"] == "B0COUNTERSIGN"
    assert payload["state"]["values"] == {
        "buttons": {"how": {"type": "static_select", "selected_option": None}}
    }
    assert payload["response_url"].startswith(slack.url) and payload["trigger_id"]
    assert payload["api_app_id"] == "A0COUNTERSIGN" and payload["enterprise"] is None


async def test_menus_tell_what_was_chosen(api: Api, slack: Sandbox, app: Listener) -> None:
    message = await card(api, slack)
    await slack.person("U0ANA").press("Respond…", message)
    await slack.person("U0ANA").click(message, "how", "later")
    overflow, select = app.payloads("block_actions")
    assert overflow["actions"][0]["selected_option"]["value"] == "respond"
    assert select["actions"][0]["selected_option"]["value"] == "later"
    assert select["state"]["values"]["buttons"]["how"]["selected_option"]["value"] == "later"


@pytest.mark.parametrize(
    ("who", "action_id", "value", "error"),
    [
        ("U0ANA", "private", None, "not_possible"),
        ("U0ANA", "no-such-button", None, "not_possible"),
        ("U0ANA", "more", "no-such-option", "not_possible"),
        ("U0DEL", "approve", None, "not_allowed"),
        ("U0BOB", "approve", None, "not_allowed"),
    ],
)
async def test_the_app_never_hears_of_impossible_clicks(
    api: Api, slack: Sandbox, app: Listener, who: str, action_id: str, value: str | None, error: str
) -> None:
    message = await card(api, slack)
    assert (await slack.person(who).click(message, action_id, value)).error == error
    assert app.payloads("block_actions") == []


async def test_a_click_on_what_is_gone_fails_but_on_an_old_version_it_counts(
    api: Api, slack: Sandbox, app: Listener
) -> None:
    message = await card(api, slack)
    await api("chat.update", channel="C0APPROVALS", ts=message.ts, text="decided")
    assert (await slack.person("U0ANA").click(message, "approve")).ok
    assert "blocks" not in app.payloads("block_actions")[0]["message"]
    slack.person("U0ANA").delete(message)
    assert (await slack.person("U0ANA").click(message, "approve")).error == "message_not_found"


async def test_people_outside_a_private_channel_cannot_click_in_it(
    api: Api, slack: Sandbox, app: Listener
) -> None:
    await api("chat.postMessage", channel="C0OPS", text="x", blocks=CARD)
    message = slack.messages("C0OPS")[-1]
    assert (await slack.person("U0KIM").click(message, "approve")).error == "channel_not_found"
    assert (await slack.person("U0LEE").click(message, "approve")).ok
    assert app.payloads("block_actions")[0]["channel"] == {"id": "C0OPS", "name": "privategroup"}


async def test_an_unacknowledged_click_shows_an_error() -> None:
    async with Sandbox(ack_timeout_s=0.05, event_retry_delays_s=()) as slack, listening(slack) as app:
        said = slack.person("U0LEE").say("hi")
        app.silent = True
        result = await slack.person("U0ANA").shortcut("show_request", slack.messages()[-1])
        assert result.error == "operation_timeout" and result.notice
        command = await slack.person("U0ANA").slash("/approve", "x")
        assert command.notice == "/approve failed with the error “operation_timeout”."
        assert said.ok


async def test_without_an_app_people_are_told_at_once(api: Api, slack: Sandbox) -> None:
    assert (await slack.person("U0ANA").click(await card(api, slack), "approve")).error == "dispatch_failed"


async def test_a_dialog_is_filled_in_and_submitted(api: Api, slack: Sandbox, app: Listener) -> None:
    when = field("when", {"type": "datepicker", "action_id": "date", "initial_date": "2026-01-31"})
    tags = field(
        "tags",
        {
            "type": "checkboxes",
            "action_id": "set",
            "options": [{"text": plain("A"), "value": "a"}, {"text": plain("B"), "value": "b"}],
        },
        optional=True,
    )
    app.meanwhile = opens(api, dialog(when, tags))
    ana = slack.person("U0ANA")
    await ana.click(await card(api, slack), "approve")
    app.meanwhile = None
    assert (await ana.fill_and_submit({"Note": "fine", "set": ["b"]})).ok

    (payload,) = app.payloads("view_submission")
    view = payload["view"]
    assert (view["callback_id"], view["private_metadata"]) == ("edit", "r1")
    assert view["state"]["values"] == {
        "note": {"text": {"type": "plain_text_input", "value": "fine"}},
        "when": {"date": {"type": "datepicker", "selected_date": "2026-01-31"}},
        "tags": {
            "set": {
                "type": "checkboxes",
                "selected_options": [
                    {"text": {"type": "plain_text", "text": "B", "emoji": True}, "value": "b"}
                ],
            }
        },
    }
    assert ana.view is None


async def test_slack_checks_fields_before_the_app_hears_of_them(
    api: Api, slack: Sandbox, app: Listener
) -> None:
    amount = field(
        "amount", {"type": "number_input", "action_id": "n", "is_decimal_allowed": False, "max_value": "9"}
    )
    app.meanwhile = opens(api, dialog(amount))
    ana = slack.person("U0ANA")
    await ana.slash("/approve")
    app.meanwhile = None
    assert (await ana.submit()).errors.keys() == {"note", "amount"}
    assert (await ana.fill_and_submit({"note": "x", "amount": "1.5"})).errors == {
        "note": "Please enter at least 2 characters.",
        "amount": "Enter a whole number.",
    }
    wrong = await ana.fill_and_submit({"note": "much too long", "amount": "10"})
    assert (
        wrong.errors["amount"] == "Enter a number of at most 9." and "no more than 9" in wrong.errors["note"]
    )
    assert app.payloads("view_submission") == []
    assert (await ana.fill_and_submit({"note": "good"})).errors.keys() == {"amount"}  # typed values stay


async def test_the_app_answers_a_submission_with_what_happens_next(
    api: Api, slack: Sandbox, app: Listener
) -> None:
    app.meanwhile = opens(api, dialog())
    ana = slack.person("U0ANA")
    await ana.slash("/approve")
    app.meanwhile = None

    app.answer = {"response_action": "errors", "errors": {"note": "Say more."}}
    assert (await ana.fill_and_submit({"note": "ok"})).errors == {"note": "Say more."}
    app.answer = {"response_action": "errors", "errors": {"elsewhere": "x"}}
    assert (await ana.submit()).error == "invalid_errors"

    app.answer = {"response_action": "push", "view": dialog(callback_id="second")}
    assert (await ana.submit()).ok
    assert [view.callback_id for view in ana.views] == ["edit", "second"]
    app.answer = {"response_action": "update", "view": dialog(callback_id="changed")}
    assert (await ana.fill_and_submit({"note": "ok"})).ok
    assert [view.callback_id for view in ana.views] == ["edit", "changed"]
    app.answer = {"response_action": "push", "view": dialog(title=plain("x" * 25))}
    assert (await ana.submit()).error == "invalid_arguments"
    app.answer = None
    assert (await ana.submit()).ok and [view.callback_id for view in ana.views] == ["edit"]
    app.answer = {"response_action": "clear"}
    assert (await ana.submit()).ok and ana.views == []


async def test_triggers_are_used_once_and_within_three_seconds(
    api: Api, app: Listener, slack: Sandbox
) -> None:
    await slack.person("U0ANA").slash("/approve")
    trigger = app.payloads("slash_commands")[0]["trigger_id"]
    assert (await api("views.open", trigger_id="1.2.x", view=dialog()))["error"] == "invalid_trigger_id"
    assert (await api("views.open", trigger_id=trigger, view=dialog()))["ok"]
    assert (await api("views.open", trigger_id=trigger, view=dialog()))["error"] == "exchanged_trigger_id"


async def test_clocks_run_out() -> None:
    now = [1_800_000_000.0]
    async with (
        Sandbox(clock=lambda: now[0], rate_limits=False, event_retry_delays_s=()) as slack,
        listening(slack) as app,
        aiohttp.ClientSession() as session,
    ):
        await slack.person("U0ANA").slash("/approve")
        payload = app.payloads("slash_commands")[0]
        now[0] += 3.1
        body = {"trigger_id": payload["trigger_id"], "view": dialog(), "token": "xoxb-sandbox"}
        async with session.post(slack.api_url + "views.open", json=body) as response:
            assert (await response.json())["error"] == "not_authed"  # a token in JSON is none
        headers = {"Authorization": "Bearer xoxb-sandbox"}
        async with session.post(slack.api_url + "views.open", json=body, headers=headers) as response:
            assert (await response.json())["error"] == "expired_trigger_id"
        now[0] += 1_800
        async with session.post(payload["response_url"], json={"text": "late"}) as response:
            assert (await response.json())["error"] == "expired_url"


async def test_a_response_url_works_five_times(api: Api, slack: Sandbox, app: Listener) -> None:
    ana = slack.person("U0ANA")
    await ana.click(await card(api, slack), "approve")
    url = app.payloads("block_actions")[0]["response_url"]
    said = [
        {"text": "only you"},
        {"text": "everyone", "response_type": "in_channel"},
        {"text": "instead", "replace_original": True},
        {"text": "in thread", "response_type": "in_channel", "thread_ts": slack.messages()[0].ts},
        {"delete_original": True},
        {"text": "once too often"},
    ]
    async with aiohttp.ClientSession() as session:
        statuses = []
        for body in said:
            async with session.post(url, json=body) as response:
                statuses.append(response.status)
    assert statuses == [200] * 5 + [404]
    assert [message.text for message in ana.ephemerals()] == ["only you"]
    assert [(message.text, message.subtype) for message in slack.messages()] == [
        ("This message was deleted.", "tombstone"),
        ("everyone", None),
    ]


async def test_an_ephemeral_message_is_changed_through_its_clicks(
    api: Api, slack: Sandbox, app: Listener
) -> None:
    await api("chat.postEphemeral", channel="C0APPROVALS", user="U0ANA", text="Sure?", blocks=CARD)
    ana = slack.person("U0ANA")
    assert (await ana.press("Approve", ana.ephemerals()[0])).ok
    (payload,) = app.payloads("block_actions")
    assert payload["container"]["is_ephemeral"] and "message" not in payload
    async with aiohttp.ClientSession() as session:
        await session.post(payload["response_url"], json={"text": "Done.", "replace_original": True})
        assert [message.text for message in ana.ephemerals()] == ["Done."]
        await session.post(payload["response_url"], json={"text": "x", "response_type": "in_channel"})
    assert slack.messages() == []  # what began in private stays there


async def test_dialogs_stack_three_high(api: Api, slack: Sandbox, app: Listener) -> None:
    ana = slack.person("U0ANA")
    view = dialog({"type": "actions", "block_id": "go", "elements": [button("deeper", "Deeper")]})
    app.meanwhile = opens(api, view)
    await ana.slash("/approve")
    app.meanwhile = opens(api, view, "views.push")
    for _ in range(3):
        await ana.press("Deeper")
    assert len(ana.views) == 3 and slack.calls["views.push"].last_error == "push_limit_reached"
    assert ana.views[2].previous_view_id == ana.views[1].id
    assert {view.root_view_id for view in ana.views} == {ana.views[0].id}
    await ana.close()
    assert len(ana.views) == 2
    await ana.close(clear=True)
    assert ana.views == []


async def test_a_closed_dialog_is_told_only_on_request(api: Api, slack: Sandbox, app: Listener) -> None:
    ana = slack.person("U0ANA")
    app.meanwhile = opens(api, dialog())
    await ana.slash("/approve")
    await ana.close()
    assert app.payloads("view_closed") == []
    app.meanwhile = opens(api, dialog(notify_on_close=True))
    await ana.slash("/approve")
    app.meanwhile = None
    await ana.press("Cancel")
    assert app.payloads("view_closed")[0]["is_cleared"] is False


async def test_an_update_needs_the_current_hash_and_keeps_what_was_typed(
    api: Api, slack: Sandbox, app: Listener
) -> None:
    live = field("live", {"type": "plain_text_input", "action_id": "t"}, dispatch_action=True, optional=True)
    ana = slack.person("U0ANA")
    app.meanwhile = opens(api, dialog(live, external_id="one"))
    await ana.slash("/approve")
    app.meanwhile = None
    view = ana.views[0]
    typed = {"note": {"text": {"type": "plain_text_input", "value": "kept"}}}
    await ana.click(view, "t", "abc", state=typed)
    assert app.payloads("block_actions")[0]["view"]["state"]["values"]["note"]["text"]["value"] == "kept"

    stale = await api("views.update", view_id=view.id, hash="0.0", view=dialog())
    assert stale["error"] == "hash_conflict"
    fresh = await api("views.update", external_id="one", hash=view.hash, view=dialog(title=plain("New")))
    assert fresh["view"]["hash"] != view.hash
    assert (await ana.submit()).ok
    assert app.payloads("view_submission")[0]["view"]["state"]["values"]["note"]["text"]["value"] == "kept"
    assert (await api("views.update", view_id=view.id, view=dialog()))["error"] == "not_found"


async def test_home_is_published_opened_and_clicked(api: Api, slack: Sandbox, app: Listener) -> None:
    home = {"type": "home", "blocks": [{"type": "actions", "elements": [button("next", "Next page")]}]}
    first = await api("views.publish", user_id="U0ANA", view=home)
    stale = await api("views.publish", user_id="U0ANA", view=home, hash="0.0")
    assert first["ok"] and stale["error"] == "hash_conflict"
    ana = slack.person("U0ANA")
    ana.open_home()
    await slack.settled()
    assert app.payloads("app_home_opened")[0]["event"]["view"]["id"] == first["view"]["id"]
    assert (await ana.press("Next page")).ok
    (payload,) = app.payloads("block_actions")
    assert payload["container"] == {"type": "view", "view_id": first["view"]["id"]}
    assert "response_url" not in payload and "channel" not in payload


async def test_slash_commands_have_their_rules(api: Api, slack: Sandbox, app: Listener) -> None:
    ana = slack.person("U0ANA")
    await ana.slash("/approve", "R-7K2M @kim & #ops <ok>")
    fields = app.payloads("slash_commands")[0]
    assert fields["text"] == "R-7K2M <@U0KIM|kim> &amp; #ops &lt;ok&gt;"
    assert (fields["user_id"], fields["channel_id"], fields["is_enterprise_install"]) == (
        "U0ANA",
        "C0APPROVALS",
        "false",
    )
    assert (await slack.person("U0EVE").slash("/approve")).error == "not_allowed"
    assert (
        await ana.slash("/approve", thread_ts="1.2")
    ).notice == "/approve is not supported in threads. Sorry!"
    assert (await ana.slash("/unknown")).error == "unknown_command"
    assert (await ana.slash("/approve", channel="C0OLD")).error == "is_archived"
    assert (await slack.person("U0GUS").slash("/approve")).ok
    app.answer = {"text": "done", "response_type": "in_channel"}
    await ana.slash("/approve")
    assert slack.messages()[-1].text == "done"


async def test_shortcuts_reach_the_app(api: Api, slack: Sandbox, app: Listener) -> None:
    message = await card(api, slack)
    ana = slack.person("U0ANA")
    assert (await ana.shortcut("show_request", message)).ok
    assert (await ana.shortcut("open_queue")).ok
    assert (await ana.shortcut("open_queue", message)).error == "unknown_shortcut"
    assert (await slack.person("U0EVE").shortcut("show_request", message)).error == "not_allowed"
    (about,) = app.payloads("message_action")
    assert about["message_ts"] == message.ts and about["callback_id"] == "show_request"
    (anywhere,) = app.payloads("shortcut")
    assert "channel" not in anywhere and "response_url" not in anywhere


async def test_what_people_type_is_written_as_slack_writes_it(slack: Sandbox) -> None:
    ana = slack.person("U0ANA")
    ana.say("<b> & @kim, @sre-oncall, @here: see #general https://x.example/a?b=1&c me@acme.example")
    assert slack.messages()[-1].text == (
        "&lt;b&gt; &amp; <@U0KIM>, <!subteam^S0ONCALL>, <!here>: see <#C0GENERAL|general>"
        " <https://x.example/a?b=1&amp;c> me@acme.example"
    )
    assert slack.person("U0KIM").say("x", channel="C0OPS").error == "not_in_channel"
    assert slack.person("U0ANA").say("x", channel="C0OLD").error == "is_archived"
