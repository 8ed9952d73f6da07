"""Secrets in calls: they run, and nobody reads them: not in Slack, the log, the logs, or a terminal."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from approvals import Approvals, audit
from approvals.callback_secrets import CallbackSecrets
from approvals.model import Actor, Args
from bot import logs
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.operator import countersign
from tests.receiver import Receiver, receiving
from tests.running import a_connected_bot, a_policy, environment, redrawn, the_card, the_dialog
from tests.stories.signing import free_port
from tests.stories.watching import logged

KEY, PASSWORD, PASSPORT, RESULT = (
    "ghp_" + "a1B2" * 9,
    "hunter2-hunter2",
    "C01X00T47",
    "sk_live_" + "4eC39HqLyj",
)
ARGS: Args = {
    "host": "db.internal",
    "password": PASSWORD,
    "script": f"export API_KEY={KEY}\nmake deploy",
    "passport_nr": PASSPORT,
}
POLICY = """
version = 1

[masks]
names = ["passport_*"]
"""
TOKENS = ("xoxb-sandbox", "xapp-sandbox", "for tests alone")


@dataclass(slots=True)
class Heard:
    """All that was logged, as a line and as it was put together."""

    text: list[str] = field(default_factory=list)

    def assert_without(self, *secrets: str) -> None:
        assert_without("\n".join(self.text), *secrets)


class _Ear(logging.Handler):
    def __init__(self, heard: Heard) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard
        self.setFormatter(logs.JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(("bot.sandbox", "tests")):  # stands for Slack, which is not ours
            self._heard.text.append(f"{self.format(record)} {record.args!r} {record.__dict__!r}")


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Every logger at DEBUG, but those that the service itself keeps quiet."""
    root, heard = logging.getLogger(), Heard()
    before, level = list(root.handlers), root.level
    logs.set_up(logging.DEBUG)
    ear = _Ear(heard)
    root.handlers[:] = [ear]
    yield heard
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def env(slack: Sandbox, redis_url: str, tenant: str, receiver: Receiver, tmp_path: Path) -> dict[str, str]:
    more = {"APPROVALS_POLICY": a_policy(tmp_path, POLICY), "APPROVALS_CALLBACKS": receiver.url}
    return environment(slack, redis_url, tenant, PORT=str(free_port()), **more)


@pytest.fixture
async def bot(heard: Heard, slack: Sandbox, env: dict[str, str]) -> AsyncIterator[Service]:
    async with a_connected_bot(slack, env) as service:
        yield service


@pytest.fixture
def seen(slack: Sandbox) -> list[str]:
    """All that happens in Slack, as it happens."""
    found: list[str] = []
    slack.workspace.watch(lambda change: found.append(repr(change)))
    return found


def assert_without(text: str, *secrets: str) -> None:
    found = [(one, text[max(text.find(one) - 80, 0) :][:200]) for one in secrets if one in text]
    assert found == []


async def test_what_is_secret_runs_and_is_nowhere_to_be_read(
    slack: Sandbox, bot: Service, approvals: Approvals, heard: Heard, seen: list[str], receiver: Receiver,
    env: dict[str, str],
) -> None:  # fmt: skip
    operator = Actor(id="operator:root", name="root")
    secret = await CallbackSecrets(bot.redis, bot.settings.tenant).newest("billing", operator)
    reason = f"Logs in with {PASSWORD} and {KEY}."
    ticket = await approvals.submit("deploy", ARGS, reason=reason, callback_url=receiver.url)
    card = await the_card(slack, "db.internal")
    assert (
        "3 secrets in this call are shown masked" in card.shown and "‹secret, 15 characters, #" in card.shown
    )
    waiting = await countersign(env, "pending", "--json")
    ana = slack.person("U0ANA")
    await ana.press("Details", card)
    await the_dialog(slack, "U0ANA")
    await ana.close()
    await ana.press("Edit…", card)
    await the_dialog(slack, "U0ANA")
    await ana.fill_and_submit({"host": "db2.internal"})

    outcome = await approvals.wait(ticket.id, timeout=20)
    assert outcome.args == {**ARGS, "host": "db2.internal"}
    permit = await approvals.claim(ticket.id)
    assert permit.args == outcome.args
    await approvals.receipt(ticket.id, ok=False, result=f"{RESULT} was refused, with {PASSWORD}")
    await logged(bot, ticket.id, "failed")
    await receiver.until_called()
    long = await approvals.submit("deploy", {**ARGS, "text": "line\n" * 10_000})
    await slack.until(lambda: [file for file in slack.workspace.files.values() if file.uploaded])
    await slack.settled()

    everything = (KEY, PASSWORD, PASSPORT, RESULT, secret, *TOKENS)
    heard.assert_without(*everything, f"{slack.url}/actions/")
    assert_without("\n".join(seen), *everything)
    files = [file.content.decode() for file in slack.workspace.files.values()]
    assert len(files) == 1 and "‹secret, 15 characters" in files[0]
    assert_without("\n".join(files), *everything)
    entries = [entry async for entry in bot.store.log()]
    submitted = next(entry for entry in entries if entry.request == ticket.id and entry.event == "submitted")
    assert submitted.detail is not None
    assert submitted.detail["masked"] == ["/password", "/script", "/passport_nr"]
    for said in (
        waiting,
        await countersign(env, "pending"),
        await countersign(env, "audit", "export"),
        await countersign(env, "stats", "--json"),
        await countersign(env, "audit", "verify"),
    ):
        assert said.code == 0, said.err
        assert_without(said.out + said.err, *everything)
    receipts = [entry.detail.get("receipt") for entry in entries if entry.detail]
    assert_without(json.dumps(receipts) + _opened(receipts), *everything)
    metrics = f"http://127.0.0.1:{env['PORT']}/metrics"
    async with aiohttp.ClientSession() as session, session.get(metrics) as got:
        assert_without(await got.text(), *everything)
    await approvals.cancel(long.id)


def _opened(receipts: list[object]) -> str:
    """What was signed, which stands in base64."""
    return "".join(base64.b64decode(one["payload"]).decode() for one in receipts if isinstance(one, dict))


async def test_an_answer_that_is_a_secret_reaches_the_agent_alone(
    slack: Sandbox, bot: Service, approvals: Approvals, heard: Heard, seen: list[str]
) -> None:
    async with asyncio.TaskGroup() as agent:
        asking = agent.create_task(approvals.ask("Which key shall I use?"))
        card = await the_card(slack, "Which key")
        ana = slack.person("U0ANA")
        await ana.press("Answer…", card)
        await the_dialog(slack, "U0ANA")
        seen.clear()
        await ana.fill_and_submit({"words": f"This one: {KEY}"})
    assert asking.result() == f"This one: {KEY}"
    told = await redrawn(slack, card, "This one: ‹secret, 40 characters, ends a1B2›")
    await slack.settled()
    assert_without(repr(slack.messages()) + repr(told), KEY)
    heard.assert_without(KEY)
    assert_without(json.dumps([audit.exported(entry) async for entry in bot.store.log()]), KEY)
