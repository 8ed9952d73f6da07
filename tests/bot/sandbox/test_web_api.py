"""The Web API answers as Slack does, whichever way it is asked."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import Sandbox
from tests.bot.sandbox.conftest import APP, BOT, Api

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}
RICH = {
    "type": "rich_text",
    "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "hello"}]}],
}


async def test_arguments_may_come_in_query_form_or_json(slack: Sandbox) -> None:
    fields = {"channel": "C0APPROVALS", "text": "hi", "blocks": json.dumps([SECTION])}
    headers = {"Authorization": f"Bearer {BOT}"}
    url = slack.api_url + "chat.postMessage"
    async with aiohttp.ClientSession() as session:
        for how in ({"params": fields}, {"data": fields}, {"json": {**fields, "blocks": [SECTION]}}):
            async with session.post(url, headers=headers, **how) as response:
                assert (await response.json())["ok"]
        async with session.get(slack.api_url + "users.info?user=U0ANA&token=" + BOT) as response:
            assert (await response.json())["user"]["real_name"] == "Ana Duarte"
    assert [message.blocks and message.blocks[0]["type"] for message in slack.messages()] == ["section"] * 3


@pytest.mark.parametrize(
    ("method", "token", "error"),
    [
        ("auth.test", "", "not_authed"),
        ("auth.test", "xoxb-other", "invalid_auth"),
        ("auth.test", APP, "not_allowed_token_type"),
        ("apps.connections.open", BOT, "not_allowed_token_type"),
        ("admin.users.list", BOT, "unknown_method"),
    ],
)
async def test_methods_know_their_callers(api: Api, method: str, token: str, error: str) -> None:
    assert (await api(method, token=token))["error"] == error


async def test_a_missing_scope_is_named() -> None:
    async with Sandbox(scopes=["chat:write"], rate_limits=False) as slack:
        client = AsyncWebClient(token=BOT, base_url=slack.api_url)
        with pytest.raises(SlackApiError) as caught:
            await client.users_info(user="U0ANA")
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "users:read"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"channel": "C0RANDOM", "text": "x"}, "not_in_channel"),
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({"channel": "C0OLD", "text": "x"}, "is_archived"),
        ({"channel": "C0APPROVALS"}, "no_text"),
        ({"channel": "U0DEL", "text": "x"}, "user_disabled"),
        ({"channel": "U0BOB", "text": "x"}, "cannot_dm_bot"),
        ({"channel": "C0APPROVALS", "blocks": "{"}, "invalid_blocks_format"),
        ({"channel": "C0APPROVALS", "blocks": [{"type": "sparkle"}]}, "invalid_blocks"),
        ({"channel": "C0APPROVALS", "markdown_text": "x", "text": "x"}, "markdown_text_conflict"),
        ({"channel": "C0APPROVALS", "text": "x", "metadata": {"event_type": "x"}}, "invalid_metadata_schema"),
        ({"channel": "C0APPROVALS", "text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
    ],
)
async def test_a_message_that_cannot_be_posted_says_why(api: Api, args: dict[str, Any], error: str) -> None:
    assert (await api("chat.postMessage", **args))["error"] == error


async def test_invalid_blocks_come_with_their_places(api: Api) -> None:
    answer = await api(
        "chat.postMessage", channel="C0APPROVALS", blocks=[{"type": "divider"}, {"type": "sparkle"}]
    )
    assert answer["errors"] == ["unsupported type: sparkle [json-pointer:/blocks/1/type]"]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {answer['errors'][0]}"]


async def test_a_message_can_be_updated_by_its_author_only(api: Api, slack: Sandbox) -> None:
    mine = await api("chat.postMessage", channel="C0APPROVALS", text="one", blocks=[SECTION])
    theirs = slack.person("U0ANA").say("mine")

    async def update(**args: Any) -> dict[str, Any]:
        return await api("chat.update", **{"channel": "C0APPROVALS", "ts": mine["ts"], **args})

    assert (await update(text="two", blocks=[SECTION]))["message"]["text"] == "two"
    assert "edited" not in (await update(text="two", blocks=[SECTION]))["message"]
    only_text = (await update(text="three"))["message"]
    assert "blocks" not in only_text and only_text["edited"]["user"] == "U0COUNTERSIGN"
    assert (await update(text="x" * 4_001))["error"] == "msg_too_long"
    assert (await update())["error"] == "no_text"
    assert (await update(text="x", ts=theirs.ts))["error"] == "cant_update_message"
    assert (await update(text="x", ts="1.000001"))["error"] == "message_not_found"
    assert (await update(text="x", channel="U0ANA"))["error"] == "channel_not_found"
    slack.workspace.archive("C0APPROVALS")
    assert (await update(text="x"))["error"] == "is_inactive"


async def test_an_update_keeps_metadata_unless_told(api: Api, slack: Sandbox) -> None:
    metadata = {"event_type": "asked", "event_payload": {"id": "r1"}}
    mine = await api("chat.postMessage", channel="C0APPROVALS", text="one", metadata=metadata)
    await api("chat.update", channel="C0APPROVALS", ts=mine["ts"], text="two")
    assert slack.messages()[-1].metadata == metadata
    await api("chat.update", channel="C0APPROVALS", ts=mine["ts"], text="two", metadata={})
    assert slack.messages()[-1].metadata is None


async def test_rich_text_cannot_become_something_else(api: Api) -> None:
    mine = await api("chat.postMessage", channel="C0APPROVALS", text="x", blocks=[RICH])
    answer = await api("chat.update", channel="C0APPROVALS", ts=mine["ts"], text="x", blocks=[SECTION])
    assert answer["error"] == "block_mismatch"


async def test_whoever_holds_an_old_version_still_sees_it(api: Api, slack: Sandbox) -> None:
    mine = await api("chat.postMessage", channel="C0APPROVALS", text="one")
    before = slack.messages()[-1]
    await api("chat.update", channel="C0APPROVALS", ts=mine["ts"], text="two")
    assert (before.text, slack.messages()[-1].text) == ("one", "two")


async def test_threads_are_told_apart_from_the_channel(api: Api, slack: Sandbox) -> None:
    parent = await api("chat.postMessage", channel="C0APPROVALS", text="parent")
    first = await api("chat.postMessage", channel="C0APPROVALS", text="reply", thread_ts=parent["ts"])
    await api("chat.postMessage", channel="C0APPROVALS", text="reply to reply", thread_ts=first["ts"])

    assert [message.text for message in slack.messages()] == ["parent"]
    texts = [message.text for message in slack.thread("C0APPROVALS", parent["ts"])]
    assert texts == ["parent", "reply", "reply to reply"]
    replies = await api("conversations.replies", channel="C0APPROVALS", ts=parent["ts"])
    assert [message["text"] for message in replies["messages"]] == texts
    assert replies["messages"][0]["reply_count"] == 2


async def test_a_reply_to_nothing_lands_in_the_channel_without_a_word(api: Api, slack: Sandbox) -> None:
    """slack-go/slack#1571"""
    answer = await api("chat.postMessage", channel="C0APPROVALS", text="trail", thread_ts="1.000001")
    assert answer["ok"] and "thread_ts" not in answer["message"]
    assert slack.messages()[-1].text == "trail"


async def test_a_deleted_parent_leaves_a_tombstone_and_its_replies(api: Api, slack: Sandbox) -> None:
    parent = await api("chat.postMessage", channel="C0APPROVALS", text="parent")
    await api("chat.postMessage", channel="C0APPROVALS", text="reply", thread_ts=parent["ts"])
    assert (await api("chat.delete", channel="C0APPROVALS", ts=parent["ts"]))["ok"]
    assert slack.messages()[-1].subtype == "tombstone"
    assert (await api("chat.update", channel="C0APPROVALS", ts=parent["ts"], text="x"))[
        "error"
    ] == "message_not_found"
    assert len(slack.thread("C0APPROVALS", parent["ts"])) == 2


async def test_an_ephemeral_message_is_for_one_person_and_for_good(api: Api, slack: Sandbox) -> None:
    answer = await api("chat.postEphemeral", channel="C0APPROVALS", user="U0ANA", text="psst")
    assert [message.text for message in slack.person("U0ANA").ephemerals()] == ["psst"]
    assert slack.person("U0KIM").ephemerals() == [] and slack.messages() == []
    update = await api("chat.update", channel="C0APPROVALS", ts=answer["message_ts"], text="x")
    assert update["error"] == "message_not_found"
    outside = await api("chat.postEphemeral", channel="C0OPS", user="U0KIM", text="psst")
    assert outside["error"] == "user_not_in_channel"


async def test_lists_come_in_pages(api: Api, slack: Sandbox) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        answer = await api("conversations.members", channel="C0APPROVALS", limit=3, cursor=cursor)
        found += answer["members"]
        cursor = answer["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert found == slack.workspace.channel("C0APPROVALS").members
    assert (await api("conversations.members", channel="C0APPROVALS", cursor="nonsense"))[
        "error"
    ] == "invalid_cursor"


async def test_history_is_newest_first_and_can_be_cut(api: Api) -> None:
    stamps = [(await api("chat.postMessage", channel="C0APPROVALS", text=str(n)))["ts"] for n in range(4)]
    first = await api("conversations.history", channel="C0APPROVALS", limit=3)
    assert [message["text"] for message in first["messages"]] == ["3", "2", "1"] and first["has_more"]
    cut = await api("conversations.history", channel="C0APPROVALS", oldest=stamps[0], latest=stamps[2])
    assert [message["text"] for message in cut["messages"]] == ["1"]
    one = await api(
        "conversations.history", channel="C0APPROVALS", oldest=stamps[2], latest=stamps[2], inclusive=True
    )
    assert [message["text"] for message in one["messages"]] == ["2"]


async def test_people_are_what_they_are(api: Api) -> None:
    async def user(ident: str) -> dict[str, Any]:
        found: dict[str, Any] = (await api("users.info", user=ident, include_locale=True))["user"]
        return found

    assert (await user("U0GUS"))["is_restricted"] and not (await user("U0GUS"))["is_ultra_restricted"]
    assert (await user("U0SUE"))["is_ultra_restricted"]
    eve = await user("U0EVE")
    assert eve["is_stranger"] and eve["team_id"] == "T0OTHER" and "locale" not in eve
    assert (await user("U0DEL"))["deleted"]
    assert (await user("U0BOB"))["is_bot"] and not (await user("USLACKBOT"))["is_bot"]
    assert (await user("U0ANA"))["tz"] == "Europe/Berlin" and (await user("U0ANA"))["locale"]
    assert (await api("users.info", user="U0NOBODY"))["error"] == "user_not_found"
    assert (await api("users.lookupByEmail", email="KIM@acme.example"))["user"]["id"] == "U0KIM"
    assert (await api("users.lookupByEmail", email="dora@acme.example"))["error"] == "users_not_found"
    assert (await api("usergroups.users.list", usergroup="S0DIRECTORS"))["users"] == ["U0KIM", "U0ANA"]
    assert (await api("usergroups.users.list", usergroup="S0NONE"))["error"] == "no_such_subteam"


async def test_private_places_are_unknown_to_those_outside(api: Api, slack: Sandbox) -> None:
    slack.workspace.leave("C0OPS", "U0COUNTERSIGN")
    assert (await api("conversations.info", channel="C0OPS"))["error"] == "channel_not_found"
    listed = await api("conversations.list", types="public_channel,private_channel", exclude_archived=True)
    assert [channel["id"] for channel in listed["channels"]] == ["C0APPROVALS", "C0GENERAL", "C0RANDOM"]
    assert (await api("conversations.history", channel="C0RANDOM"))["error"] == "not_in_channel"
    assert (await api("conversations.join", channel="C0RANDOM"))["ok"]
    assert (await api("conversations.history", channel="C0RANDOM"))["ok"]


async def test_the_real_client_opens_dms_reacts_and_uploads(slack: Sandbox) -> None:
    client = AsyncWebClient(token=BOT, base_url=slack.api_url)
    opened = await client.conversations_open(users="U0ANA")
    again = await client.conversations_open(users=["U0ANA"])
    assert opened["channel"]["id"] == again["channel"]["id"] and again["already_open"]

    posted = await client.chat_postMessage(channel="U0ANA", text="hi")
    assert posted["channel"] == opened["channel"]["id"]
    await client.reactions_add(channel=posted["channel"], name="eyes", timestamp=posted["ts"])
    with pytest.raises(SlackApiError, match="already_reacted"):
        await client.reactions_add(channel=posted["channel"], name="eyes", timestamp=posted["ts"])

    uploaded = await client.files_upload_v2(
        content="all of it", filename="args.json", channel="C0APPROVALS", initial_comment="The whole call"
    )
    message = slack.messages()[-1]
    assert message.text == "The whole call" and message.files == (uploaded["file"]["id"],)
    assert slack.workspace.files[message.files[0]].content == b"all of it"
    info = await client.files_info(file=message.files[0])
    assert info["file"]["shares"]["public"]["C0APPROVALS"] == [{"ts": message.ts}]
    link = await client.chat_getPermalink(channel="C0APPROVALS", message_ts=message.ts)
    assert message.ts.replace(".", "") in link["permalink"]


async def test_calls_are_counted_with_what_was_sent(api: Api, slack: Sandbox) -> None:
    await api("users.info", user="U0ANA")
    await api("users.info", user="U0NOBODY")
    calls = slack.calls["users.info"]
    assert (calls.count, calls.failed, calls.last_error) == (2, 1, "user_not_found")
    assert calls.last == {"user": "U0NOBODY"}


async def test_blocks_can_be_validated_without_a_token(api: Api) -> None:
    assert (await api("blocks.validate", token="", blocks=[SECTION]))["ok"]
    answer = await api("blocks.validate", token="", blocks=[{"type": "sparkle"}])
    assert answer["error"] == "invalid_blocks" and answer["errors"][0]["pointer"] == "/blocks/0/type"
