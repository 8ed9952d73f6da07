"""The app hears of the world what Slack would tell it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.sandbox.server import Sandbox
from bot.sandbox.workspace import Workspace
from tests.bot.sandbox.conftest import Api, Listener, listening

HAPPENINGS: list[tuple[Callable[[Workspace], object], str, dict[str, Any]]] = [
    (lambda it: it.set_status("U0KIM", "On leave", ":palm_tree:"), "user_change", {}),
    (
        lambda it: it.set_usergroup("S0DIRECTORS", ["U0KIM", "U0MAX"]),
        "subteam_members_changed",
        {"subteam_id": "S0DIRECTORS", "added_users": ["U0MAX"], "removed_users": ["U0ANA"]},
    ),
    (lambda it: it.archive("C0APPROVALS"), "channel_archive", {"channel": "C0APPROVALS", "user": "U0ANA"}),
    (lambda it: it.unarchive("C0OLD"), "channel_unarchive", {"channel": "C0OLD"}),
    (lambda it: it.archive("C0OPS"), "group_archive", {"channel": "C0OPS"}),
    (
        lambda it: it.join("C0OPS", "U0KIM", inviter="U0ANA"),
        "member_joined_channel",
        {"user": "U0KIM", "inviter": "U0ANA"},
    ),
    (lambda it: it.leave("C0OPS", "U0LEE"), "member_left_channel", {"user": "U0LEE", "channel": "C0OPS"}),
    (lambda it: it.leave("C0GENERAL", "U0COUNTERSIGN", by="U0ANA"), "channel_left", {"actor_id": "U0ANA"}),
    (lambda it: it.leave("C0OPS", "U0COUNTERSIGN"), "group_left", {"channel": "C0OPS"}),
    (lambda it: it.rename("C0GENERAL", "all"), "channel_rename", {}),
    (
        lambda it: it.change_id("C0OPS", "C0NEW"),
        "channel_id_changed",
        {"old_channel_id": "C0OPS", "new_channel_id": "C0NEW"},
    ),
    (lambda it: it.share("C0GENERAL"), "channel_shared", {"connected_team_id": "T0OTHER"}),
]  # fmt: skip


@pytest.mark.parametrize(("happen", "name", "told"), HAPPENINGS, ids=[name for _, name, _ in HAPPENINGS])
async def test_what_happens_is_told(
    slack: Sandbox, app: Listener, happen: Callable[[Workspace], object], name: str, told: dict[str, Any]
) -> None:
    happen(slack.workspace)
    await slack.settled()
    (payload,) = app.payloads(name)
    assert told.items() <= payload["event"].items()
    assert payload["type"] == "event_callback" and payload["event_id"].startswith("Ev")
    assert payload["team_id"] == "T0SANDBOX" and payload["authorizations"][0]["user_id"] == "U0COUNTERSIGN"


async def test_a_deactivated_person_loses_everything(slack: Sandbox, app: Listener, api: Api) -> None:
    slack.workspace.deactivate("U0KIM")
    await slack.settled()
    assert (await api("users.info", user="U0KIM"))["user"]["deleted"]
    assert app.payloads("user_change")[-1]["event"]["user"]["deleted"]
    assert app.payloads("subteam_members_changed")[0]["event"]["removed_users"] == ["U0KIM"]
    assert "U0KIM" not in slack.workspace.channel("C0APPROVALS").members
    assert slack.person("U0KIM").say("hello?").error == "not_allowed"


async def test_messages_are_told_by_where_they_are(slack: Sandbox, app: Listener) -> None:
    ana = slack.person("U0ANA")
    ana.say("in public", channel="C0GENERAL")
    ana.say("in private", channel="C0OPS")
    ana.say("between us", channel=ana.dm().id)
    ana.say("elsewhere", channel="C0RANDOM")
    await slack.settled()
    events = [payload["event"] for payload in app.payloads("message")]
    assert [event["channel_type"] for event in events] == ["channel", "group", "im"]


async def test_a_mention_is_told_twice_a_written_reply_once(slack: Sandbox, app: Listener) -> None:
    ana = slack.person("U0ANA")
    said = ana.say("@countersign what waits?")
    ana.say("approve", thread_ts=said.ts)
    await slack.settled()
    assert len(app.payloads("message")) == 2
    (mention,) = app.payloads("app_mention")
    assert mention["is_ext_shared_channel"] and mention["event"]["ts"] == said.ts
    assert app.payloads("message")[1]["event"]["thread_ts"] == said.ts


async def test_an_external_person_is_marked_in_their_messages(slack: Sandbox, app: Listener) -> None:
    slack.person("U0EVE").say("hello")
    await slack.settled()
    event = app.payloads("message")[0]["event"]
    assert event["user_team"] == "T0OTHER"


async def test_an_agent_with_a_persons_token_writes_as_them_with_a_mark(
    slack: Sandbox, app: Listener
) -> None:
    slack.person("U0ANA").post_as_their_agent("approve R-1")
    await slack.settled()
    event = app.payloads("message")[0]["event"]
    assert event["user"] == "U0ANA" and event["bot_id"]


async def test_deleting_and_editing_are_told(slack: Sandbox, app: Listener, api: Api) -> None:
    posted = await api("chat.postMessage", channel="C0APPROVALS", text="card")
    await api("chat.update", channel="C0APPROVALS", ts=posted["ts"], text="decided")
    slack.person("U0ANA").delete(slack.messages()[-1])
    await slack.settled()
    subtypes = [payload["event"].get("subtype") for payload in app.payloads("message")]
    assert subtypes == [None, "message_changed", "message_deleted"]


async def test_an_app_hears_only_what_it_subscribed_to() -> None:
    async with Sandbox(events=["app_mention"], event_retry_delays_s=()) as slack, listening(slack) as app:
        slack.person("U0ANA").say("@countersign hi")
        slack.workspace.archive("C0APPROVALS")
        await slack.settled()
        assert [payload["event"]["type"] for payload in app.payloads("event_callback")] == ["app_mention"]
