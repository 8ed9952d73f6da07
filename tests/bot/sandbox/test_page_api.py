"""What the page asks for, it gets: only what its person may see, and nothing else may act for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from bot.sandbox.server import Sandbox
from tests.bot.sandbox.conftest import Api, Listener

Json = dict[str, Any]
Act = Callable[..., Awaitable[Json]]

CARD = [
    {
        "type": "actions",
        "block_id": "buttons",
        "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
    }
]


@pytest.fixture
async def page(slack: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url=slack.url) as session:
        yield session


@pytest.fixture
def act(page: aiohttp.ClientSession) -> Act:
    async def act(who: str, do: str, **details: Any) -> Json:
        async with page.post("/page/act", json={"as": who, "do": do, **details}) as response:
            answer: Json = await response.json()
            return answer

    return act


async def get(page: aiohttp.ClientSession, path: str, **query: str) -> Json:
    async with page.get(path, params=query) as response:
        answer: Json = await response.json()
        return answer


async def test_a_snapshot_shows_what_its_person_may_see(page: aiohttp.ClientSession) -> None:
    ana = await get(page, "/page/snapshot", **{"as": "U0ANA"})
    assert ana["team"] == {"id": "T0SANDBOX", "name": "Acme"}
    assert ana["me"]["avatar"] == {"initials": "AD", "color": "#4b6bfb"}
    assert {command["command"] for command in ana["commands"]} == {"/approve", "/reject", "/approvals"}
    kinds = {user["id"]: user["kind"] for user in ana["users"]}
    assert (kinds["U0SUE"], kinds["U0EVE"], kinds["U0DEL"]) == ("single_guest", "external", "deactivated")
    assert "C0OPS" in {channel["id"] for channel in ana["channels"]}

    eve = await get(page, "/page/snapshot", **{"as": "U0EVE"})
    assert [channel["id"] for channel in eve["channels"]] == ["C0APPROVALS"]
    hidden = await get(page, "/page/messages", **{"as": "U0EVE", "channel": "C0OPS"})
    assert hidden == {"ok": False, "error": "channel_not_found"}


async def test_people_talk_in_threads_and_count_what_is_unread(page: aiohttp.ClientSession, act: Act) -> None:
    said = await act("U0KIM", "say", channel="C0APPROVALS", text="hello")
    await act("U0ANA", "say", channel="C0APPROVALS", text="hi", thread_ts=said["ts"])
    (parent,) = (await get(page, "/page/messages", **{"as": "U0ANA", "channel": "C0APPROVALS"}))["messages"]
    assert (parent["username"], parent["reply_count"], parent["reply_users"]) == ("Kim Osei", 1, ["U0ANA"])
    thread = await get(
        page, "/page/messages", **{"as": "U0ANA", "channel": "C0APPROVALS", "thread": said["ts"]}
    )
    assert [message["text"] for message in thread["messages"]] == ["hello", "hi"]

    async def unread() -> int:
        snapshot = await get(page, "/page/snapshot", **{"as": "U0LEE"})
        return int(next(one["unread"] for one in snapshot["channels"] if one["id"] == "C0APPROVALS"))

    assert await unread() == 1
    await act("U0LEE", "mark_read", channel="C0APPROVALS")
    assert await unread() == 0


async def test_a_click_from_the_page_reaches_the_app(act: Act, api: Api, app: Listener) -> None:
    posted = await api("chat.postMessage", channel="C0APPROVALS", text="x", blocks=CARD)
    container = {"type": "message", "channel": "C0APPROVALS", "ts": posted["ts"]}
    assert await act("U0ANA", "click", container=container, block_id="buttons", action_id="go") == {
        "ok": True
    }
    assert app.payloads("block_actions")[0]["user"]["id"] == "U0ANA"
    gone = await act(
        "U0ANA", "click", container={**container, "ts": "1.2"}, block_id="buttons", action_id="go"
    )
    assert gone["error"] == "message_not_found"


async def test_dialogs_homes_and_commands_work_from_the_page(act: Act, api: Api, app: Listener) -> None:
    view = {
        "type": "modal",
        "title": {"type": "plain_text", "text": "Edit"},
        "submit": {"type": "plain_text", "text": "Save"},
        "blocks": [
            {
                "type": "input",
                "block_id": "note",
                "label": {"type": "plain_text", "text": "Note"},
                "element": {"type": "plain_text_input", "action_id": "text"},
            }
        ],
    }
    opened: list[Json] = []

    async def open_view(payload: Json) -> None:
        opened.append(await api("views.open", trigger_id=payload["trigger_id"], view=view))

    app.meanwhile = open_view
    assert (await act("U0ANA", "command", channel="C0APPROVALS", command="/approve", text="x"))["ok"]
    app.meanwhile = None
    view_id = opened[0]["view"]["id"]
    empty = await act("U0ANA", "submit", view_id=view_id, state={})
    assert empty["errors"] == {"note": "Please complete this required field."}
    state = {"note": {"text": {"type": "plain_text_input", "value": "ok"}}}
    assert (await act("U0KIM", "submit", view_id=view_id, state=state))["error"] == "not_found"
    assert (await act("U0ANA", "submit", view_id=view_id, state=state))["ok"]
    assert (await act("U0ANA", "close", view_id=view_id))["error"] == "not_found"
    assert (await act("U0ANA", "open_home"))["ok"]
    assert (await act("U0ANA", "shortcut", callback_id="open_queue"))["ok"]
    assert (await act("U0ANA", "open_dm", user="U0KIM"))["channel"].startswith("D")


@pytest.mark.parametrize(
    "body",
    [
        {"as": "U0NOBODY", "do": "say", "channel": "C0APPROVALS", "text": "x"},
        {"as": "U0ANA", "do": "dance"},
        {"as": "U0ANA", "do": "say", "text": "x"},
        {"as": "U0ANA", "do": "say", "channel": "C0NOWHERE", "text": "x"},
        {"as": "U0ANA", "do": "click", "container": {"type": "message"}, "action_id": "go"},
        {"as": "U0ANA", "do": "click", "container": "x", "action_id": "go"},
        ["nonsense"],
    ],
)
async def test_nonsense_is_refused_in_a_sentence(page: aiohttp.ClientSession, body: Any) -> None:
    async with page.post("/page/act", json=body) as response:
        assert response.status == 200
        assert (await response.json())["ok"] is False


async def test_news_arrives_live_and_only_where_it_may(
    page: aiohttp.ClientSession, slack: Sandbox, api: Api
) -> None:
    async with page.ws_connect("/page/live?as=U0ANA") as ana, page.ws_connect("/page/live?as=U0EVE") as eve:
        await api("chat.postMessage", channel="C0OPS", text="for those inside")
        await api("chat.postEphemeral", channel="C0APPROVALS", user="U0ANA", text="for you")
        posted = await api("chat.postMessage", channel="C0APPROVALS", text="for all")
        await api("chat.update", channel="C0APPROVALS", ts=posted["ts"], text="changed")
        await api("chat.postMessage", channel="C0APPROVALS", text="reply", thread_ts=posted["ts"])
        await api("views.publish", user_id="U0ANA", view={"type": "home", "blocks": []})
        slack.workspace.notice("U0ANA", "Look!", "info")
        slack.workspace.set_status("U0KIM", "away")

        seen_by_ana = await _news(ana, "user")
        seen_by_eve = await _news(eve, "user")
    assert [news.get("message", {}).get("text", news["type"]) for news in seen_by_ana] == [
        "for those inside", "channel", "for you", "for all", "channel", "changed", "reply", "changed",
        "home", "notice", "user",
    ]  # fmt: skip
    assert seen_by_ana[2]["message"]["ephemeral"]
    assert seen_by_ana[7]["message"]["reply_count"] == 1
    assert [news.get("message", {}).get("text", news["type"]) for news in seen_by_eve] == [
        "for all", "channel", "changed", "reply", "changed", "user",
    ]  # fmt: skip


async def _news(socket: aiohttp.ClientWebSocketResponse, until: str) -> list[Json]:
    news: list[Json] = []
    async with asyncio.timeout(5):
        while not news or news[-1]["type"] != until:
            news.append(await socket.receive_json())
    return news


async def test_other_sites_cannot_act_for_people(page: aiohttp.ClientSession, slack: Sandbox) -> None:
    body = {"as": "U0ANA", "do": "say", "channel": "C0APPROVALS", "text": "x"}
    async with page.post("/page/act", json=body, headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403
    async with page.post("/page/act", json=body, headers={"Origin": slack.url}) as response:
        assert (await response.json())["ok"]


async def test_faults_are_set_from_the_page(page: aiohttp.ClientSession, api: Api) -> None:
    async def control(**wanted: Any) -> Json:
        async with page.post("/page/controls", json=wanted) as response:
            answer: Json = await response.json()
            return answer

    assert (await control(fault="429", method="users.info", times=2))["ok"]
    assert (await control(fault="late", seconds=1))["faults"][1] == {"fault": "late", "seconds": 1}
    assert (await control(fault="earthquake"))["ok"] is False
    assert (await api("users.info", user="U0ANA"))["error"] == "ratelimited"
    assert (await control(fault="clear"))["faults"] == []
    assert (await get(page, "/page/controls"))["calls"] == {"users.info": 1}


async def test_files_are_served_but_cannot_run(page: aiohttp.ClientSession, slack: Sandbox, api: Api) -> None:
    asked = await api("files.getUploadURLExternal", filename="x.html", length=8)
    async with page.post(asked["upload_url"].removeprefix(slack.url), data=b"<script>") as response:
        assert response.status == 200
    await api("files.completeUploadExternal", files=[{"id": asked["file_id"]}], channel_id="C0APPROVALS")
    (message,) = (await get(page, "/page/messages", **{"as": "U0ANA", "channel": "C0APPROVALS"}))["messages"]
    assert message["files"][0]["preview"] == "<script>"
    async with page.get(message["files"][0]["url"]) as response:
        assert await response.read() == b"<script>"
        assert response.headers["Content-Security-Policy"] == "sandbox"


async def test_the_page_is_served_and_nothing_beside_it(page: aiohttp.ClientSession) -> None:
    async with page.get("/") as response:
        assert response.status == 200 and "text/html" in response.headers["Content-Type"]
    for path in ("/page/../server.py", "/page/%2e%2e/server.py", "/page/none.js"):
        async with page.get(path) as response:
            assert response.status == 404
