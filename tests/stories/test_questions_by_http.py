"""Agents that come by HTTP ask people: options, lists, forms, words; both ask back; a person takes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from approvals.agent_tokens import AgentTokens, Role
from approvals.model import Actor
from bot.sandbox.model import Message
from bot.sandbox.server import Sandbox
from tests.bot.api.calling import get, post
from tests.running import a_connected_bot, environment, redrawn, the_card, the_dialog
from tests.stories.signing import free_port
from tests.stories.test_questions import FORM, values_of

OPERATOR = Actor(id="operator:ops", name="ops")


@pytest.fixture
async def agent(slack: Sandbox, redis_url: str, tenant: str) -> AsyncIterator[ClientSession]:
    """The agent billing, before a house in one process."""
    url = f"http://127.0.0.1:{free_port()}"
    env = environment(slack, redis_url, tenant, PORT=url.rpartition(":")[2])
    async with a_connected_bot(slack, env) as bot, ClientSession(url) as session:
        token = await AgentTokens(bot.redis, tenant).add("billing", Role.AGENT, OPERATOR)
        session.headers["Authorization"] = f"Bearer {token}"
        yield session


async def asked(agent: ClientSession, slack: Sandbox, **question: Any) -> tuple[str, Message]:
    said = await post(agent, "/v1/questions", question)
    assert said.status == 201, said.body
    return said.headers["Location"], await the_card(slack, question["question"])


async def ended(agent: ClientSession, where: str, after_round: int = 0) -> dict[str, Any]:
    """The question, once there is an outcome."""
    found: dict[str, Any] = (await get(agent, f"{where}?wait=10&after_round={after_round}")).body
    assert found["outcome"] is not None
    return found


async def test_an_option_is_pressed(agent: ClientSession, slack: Sandbox) -> None:
    where, card = await asked(agent, slack, question="Which region?", options=["eu", "us"])
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(ended(agent, where))
        assert (await slack.person("U0ANA").press("us", card)).ok
    assert (waiting.result()["status"], waiting.result()["answer"]) == ("answered", "us")


async def test_words_are_written_in_the_thread(agent: ClientSession, slack: Sandbox) -> None:
    where, card = await asked(agent, slack, question="What happened?")
    assert slack.person("U0ANA").say("The disk was full.", thread_ts=card.ts).ok
    assert (await ended(agent, where))["answer"] == "The disk was full."


async def test_several_options_come_as_a_list(agent: ClientSession, slack: Sandbox) -> None:
    where, card = await asked(agent, slack, question="Who is told?", options=["ops", "legal"], many=True)
    ana = slack.person("U0ANA")
    assert (await ana.press("Answer…", card)).ok
    dialog = await the_dialog(slack, "U0ANA")
    assert (await ana.fill_and_submit({"choice:0": values_of(dialog, "choice:0")}, dialog)).ok
    found = await ended(agent, where)
    assert (found["answer"], found["outcome"]["text"]) == (["ops", "legal"], '["ops", "legal"]')


async def test_a_form_comes_as_an_object(agent: ClientSession, slack: Sandbox) -> None:
    where, card = await asked(agent, slack, question="Where to?", schema=FORM)
    ana = slack.person("U0ANA")
    assert (await ana.press("Answer…", card)).ok
    dialog = await the_dialog(slack, "U0ANA")
    assert (await ana.fill_and_submit({"region": "0", "copies": "3"}, dialog)).ok
    assert (await ended(agent, where))["answer"] == {"region": "eu", "copies": 3}


async def test_a_person_asks_back_and_the_agent_replies_on_the_card(
    agent: ClientSession, slack: Sandbox
) -> None:
    where, card = await asked(agent, slack, question="Which region?", options=["eu", "us"])
    ana = slack.person("U0ANA")
    assert (await ana.press("Ask back…", card)).ok
    await the_dialog(slack, "U0ANA")
    assert (await ana.fill_and_submit({"words": "How much does eu cost?"})).ok
    back = (await ended(agent, where))["outcome"]
    assert (back["status"], back["text"]) == ("changes_requested", "How much does eu cost?")
    assert (await post(agent, f"{where}/reply", {"text": "The same as us."})).status == 202
    card = await redrawn(slack, card, "billing: The same as us.")
    assert (await ana.press("eu", card)).ok
    assert (await ended(agent, where, back["round"]))["answer"] == "eu"


async def test_a_person_who_takes_over_is_told_apart_from_an_answer(
    agent: ClientSession, slack: Sandbox
) -> None:
    where, card = await asked(agent, slack, question="Which region?", options=["eu", "us"])
    assert (await slack.person("U0ANA").press("I take over", card)).ok
    found = await ended(agent, where)
    assert (found["taken_over"], found["answer"]) == (True, None)
    assert found["outcome"]["text"] == "I take over"
