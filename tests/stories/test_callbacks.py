"""An agent that isn't running learns what became of its request, because somebody pressed a button."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import ClientSession

from approvals import Approvals, InvalidCall
from approvals.agent_tokens import AgentTokens, Role
from approvals.callback_secrets import CallbackSecrets
from approvals.cli import main
from approvals.model import Actor
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.bot.api.calling import get, post
from tests.receiver import Receiver, receiving
from tests.running import a_connected_bot, a_policy, environment, the_card, the_dialog, until
from tests.stories.processes import a_bot_process, let_leases_end
from tests.stories.signing import free_port

Command: TypeAlias = Callable[..., Awaitable[str]]

POLICY = """
version = 1

[defaults]
channel = "#approvals"

[owners]
operators_channel = "#approvals-ops"
"""
REFUND = {"customer": "c_42", "amount": 940}
OPERATOR = Actor(id="operator:root", name="root")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def api_url() -> str:
    """Where the bot serves agents that come by HTTP."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def env(
    slack: Sandbox, redis_url: str, tenant: str, receiver: Receiver, tmp_path: Path, api_url: str
) -> dict[str, str]:
    more = {"APPROVALS_POLICY": a_policy(tmp_path, POLICY), "APPROVALS_CALLBACKS": receiver.url}
    return environment(slack, redis_url, tenant, PORT=api_url.rpartition(":")[2], **more)


@pytest.fixture
def countersign(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """What the command prints, when it is fine."""
    for name, value in {**env, "APPROVALS_AGENT": "billing"}.items():
        monkeypatch.setenv(name, value)

    async def run(*arguments: str) -> str:
        capsys.readouterr()
        code = await asyncio.to_thread(main, arguments)
        printed, complained = capsys.readouterr()
        assert code == 0, complained
        return printed.strip()

    return run


@pytest.fixture
async def bot(slack: Sandbox, env: dict[str, str]) -> AsyncIterator[Service]:
    async with a_connected_bot(slack, env) as service:
        yield service


@pytest.fixture
async def secret(redis_url: str, bot: Service) -> str:
    return await CallbackSecrets(bot.redis, bot.settings.tenant).newest("billing", OPERATOR)


async def test_a_press_of_approve_calls_the_agent(
    slack: Sandbox, bot: Service, approvals: Approvals, receiver: Receiver, secret: str
) -> None:
    ticket = await approvals.submit("refund", REFUND, callback_url=f"{receiver.url}/countersign")
    card = await the_card(slack)
    assert receiver.calls == []
    assert (await slack.person("U0ANA").press("Approve", card)).ok
    said = (await receiver.until_called()).verified(secret)
    assert (said["type"], said["data"]["id"]) == ("request.approved", ticket.id)
    permit = await approvals.claim(ticket.id)
    assert permit.args == said["data"]["args"]


async def test_an_agent_that_came_by_http_is_called(
    slack: Sandbox, bot: Service, api_url: str, receiver: Receiver, secret: str
) -> None:
    token = await AgentTokens(bot.redis, bot.settings.tenant).add("billing", Role.AGENT, OPERATOR)
    body = {"tool": "refund", "args": REFUND, "callback_url": f"{receiver.url}/countersign"}
    async with ClientSession(api_url, headers={"Authorization": f"Bearer {token}"}) as session:
        id = (await post(session, "/v1/requests", body)).body["id"]
        assert (await slack.person("U0ANA").press("Reject…", await the_card(slack))).ok
        await the_dialog(slack, "U0ANA")
        assert (await slack.person("U0ANA").fill_and_submit({"words": "paid before"})).ok
        said = (await receiver.until_called()).verified(secret)
        assert (said["type"], said["data"]["id"]) == ("request.rejected", id)
        assert (await get(session, f"/v1/requests/{id}")).body["outcome"] == said["data"]


async def test_a_script_is_called(
    slack: Sandbox, bot: Service, countersign: Command, receiver: Receiver, secret: str
) -> None:
    about = ("--no-wait", "--callback-url", receiver.url)
    id = await countersign("request", "refund", json.dumps(REFUND), *about)
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack))).ok
    assert (await receiver.until_called()).verified(secret)["data"]["id"] == id


async def test_a_gated_function_is_called_back_for(
    slack: Sandbox, bot: Service, approvals: Approvals, receiver: Receiver, secret: str
) -> None:
    @approvals.required(callback_url=receiver.url, timeout=10)
    async def refund(customer: str, amount: float) -> str:
        return f"{amount} to {customer}"

    async with asyncio.TaskGroup() as group:
        running = group.create_task(refund("c_42", 940))
        assert (await slack.person("U0ANA").press("Approve", await the_card(slack))).ok
    assert running.result() == "940.0 to c_42"
    assert (await receiver.until_called()).verified(secret)["type"] == "request.approved"


async def test_a_bot_that_is_killed_over_a_call_leaves_it_to_the_next(
    slack: Sandbox,
    env: dict[str, str],
    countersign: Command,
    redis_url: str,
    tenant: str,
    approvals: Approvals,
    receiver: Receiver,
) -> None:
    secret = await countersign("webhook", "secret", "billing")
    receiver.holds = True
    async with a_bot_process(slack, env) as bot:
        await approvals.submit("refund", REFUND, callback_url=receiver.url)
        assert (await slack.person("U0ANA").press("Approve", await the_card(slack))).ok
        first = await receiver.until_called()
        bot.kill()
    receiver.holds = False
    await let_leases_end(redis_url, tenant)
    async with a_bot_process(slack, env):
        again = await receiver.until_called(2)
    assert again.id == first.id
    assert again.verified(secret) == first.verified(secret)


@pytest.mark.attack("B49")
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://hooks.example.com/x", "https to hooks.example.com is not in APPROVALS_CALLBACKS"),
        ("http://169.254.169.254/latest/meta-data", "http to 169.254.169.254 is not"),
        ("https://ana:pass@hooks.example.com/", "no plain address"),
    ],
)
async def test_a_callback_to_another_host_is_refused_and_nobody_is_asked(
    slack: Sandbox, bot: Service, approvals: Approvals, secret: str, url: str, why: str
) -> None:
    ticket = await approvals.submit("refund", REFUND, callback_url=url)
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert outcome.status == "rejected"
    assert why in str(outcome.text)
    assert await bot.store.pending() == []


async def test_an_agent_without_a_secret_is_told_how_it_gets_one(
    bot: Service, approvals: Approvals, receiver: Receiver
) -> None:
    ticket = await approvals.submit("refund", REFUND, callback_url=receiver.url)
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert "`countersign webhook secret billing` makes one" in str(outcome.text)


@pytest.mark.parametrize("url", ["hooks.example.com", "ftp://x", "x" * 3000, 7])
async def test_what_is_no_address_is_not_sent(approvals: Approvals, url: str) -> None:
    with pytest.raises(InvalidCall, match="callback_url"):
        await approvals.submit("refund", REFUND, callback_url=url)


async def test_what_was_given_up_is_told_listed_and_made_again_from_a_terminal(
    slack: Sandbox, bot: Service, countersign: Command, approvals: Approvals, receiver: Receiver
) -> None:
    secret = await countersign("webhook", "secret", "billing")
    assert secret.startswith("whsec_")
    assert await countersign("webhook", "secret", "billing") == secret
    receiver.status = 410
    await approvals.submit("refund", REFUND, callback_url=receiver.url)
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack))).ok
    gone = await receiver.until_called()
    assert await slack.until(lambda: any("given up" in each.text for each in slack.messages("C0OPS")))
    (dead,) = json.loads(await countersign("webhook", "dead", "--json"))
    assert (dead["id"], dead["failure"]) == (gone.id, "it answered 410")
    new = await countersign("webhook", "rotate", "billing")
    receiver.status = 200
    await countersign("webhook", "redeliver", dead["id"])
    again = await receiver.until_called(2)
    assert again.verified(new) == again.verified(secret) == gone.verified(secret)

    async def is_done() -> bool:
        return not await bot.redis.keys(f"cs:{{{bot.settings.tenant}}}:callback:*")

    assert await until(is_done)


async def test_a_secret_for_what_can_be_no_agent_is_refused(countersign: Command) -> None:
    with pytest.raises(AssertionError, match="agent name"):
        await countersign("webhook", "secret", "Billing:x")
