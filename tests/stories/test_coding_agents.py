"""A coding agent is about to run a command: its hook asks, a person clicks, the card tells how it went."""

import asyncio

import pytest

from bot.sandbox.server import Sandbox
from tests.adapters.hooking import PUSH, hook
from tests.longer import one_of
from tests.running import redrawn, the_card

pytestmark = pytest.mark.usefixtures("bot")


@pytest.mark.parametrize("harness", one_of(["claude", "gemini"]))
async def test_a_command_runs_once_somebody_has_clicked(
    harness: str, slack: Sandbox, redis_url: str, tenant: str
) -> None:
    asks = hook(harness, redis_url, tenant)
    async with asyncio.TaskGroup() as group:
        said = group.create_task(asks.said(asks.event()))
        card = await the_card(slack, "git push")
        assert "/home/ada/shop" in card.shown
        assert (await slack.person("U0ANA").press("Approve", card)).ok
    assert said.result().is_allowed
    assert said.result().args == PUSH
    await asks.said(asks.event(asks.after, tool_response="Everything up-to-date"))
    await redrawn(slack, card, "Everything up-to-date")


POLICY = """
version = 1

[[rule]]
name = "reading is free"
tools = ["Read"]
action = "allow"

[[rule]]
name = "no shell"
tools = ["Bash"]
action = "deny"
"""


@pytest.mark.parametrize("policy", [POLICY])
async def test_what_a_rule_decides_nobody_is_asked_about(slack: Sandbox, redis_url: str, tenant: str) -> None:
    asks = hook("claude", redis_url, tenant)
    assert (await asks.said(asks.event())).is_denied
    assert (await asks.said(asks.event(tool_name="Read", args={"file_path": "README.md"}))).is_allowed
    assert slack.messages("C0APPROVALS") == []
