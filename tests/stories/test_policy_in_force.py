"""The policy while the service runs: conditions, budgets, reloading, and the modes."""

import os
import signal
from pathlib import Path

import pytest

from approvals import Approvals, Rejected
from bot.sandbox.server import Sandbox
from tests.running import a_bot, a_connected_bot, a_policy, environment, the_card, until

POLICY = """
version = 1
[owners]
operators_channel = "#approvals"
[[rule]]
name = "small refunds"
tools = ["refund"]
when = "args.amount <= 50 && environment == 'production'"
action = "allow"
budget = { count = 1, per = "1d", by = "agent" }
"""


def said(slack: Sandbox, words: str) -> bool:
    return any(words in message.text for message in slack.messages())


async def test_a_small_refund_runs_at_once_until_its_budget_is_used_up(
    slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    env = environment(
        slack,
        redis_url,
        tenant,
        APPROVALS_POLICY=a_policy(tmp_path, POLICY),
        APPROVALS_ENVIRONMENT="production",
    )
    async with (
        a_connected_bot(slack, env) as service,
        Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals,
    ):
        ticket = await approvals.submit("refund", {"amount": 10})
        assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
        chain = await service.store.chain(await service.store.find(ticket.id))
        assert [(entry.event, entry.actor, entry.rule) for entry in chain][-1] == (
            "allowed", "policy:small refunds", "small refunds",
        )  # fmt: skip
        await approvals.submit("refund", {"amount": 20})
        await the_card(slack, "no rule speaks of this call")
        await approvals.submit("refund", {"amount": "20"})
        card = await the_card(slack, "could not be checked")
        assert "can't be used on a text and a whole number" in card.shown


async def test_a_changed_file_is_in_force_without_a_restart_and_a_faulty_one_is_told(
    slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    path = a_policy(tmp_path, POLICY)
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=path)
    async with (
        a_connected_bot(slack, env) as service,
        Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals,
    ):
        before = service.policy.version
        a_policy(tmp_path, POLICY + "quorum = 0\n")
        os.kill(os.getpid(), signal.SIGHUP)
        assert await slack.until(lambda: said(slack, f"version {before} stays in force"))
        a_policy(tmp_path, 'version = 1\n[defaults]\naction = "deny"\n')
        os.kill(os.getpid(), signal.SIGHUP)

        async def is_new() -> bool:
            return service.policy.version != before

        await until(is_new)
        with pytest.raises(Rejected, match="does not allow it"):
            await approvals.request("refund", {"amount": 10})


@pytest.mark.attack("H105")
async def test_off_lets_everything_through_and_the_log_says_so(
    slack: Sandbox, redis_url: str, tenant: str
) -> None:
    async with (
        a_bot(environment(slack, redis_url, tenant, APPROVALS_MODE="off")) as service,
        Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals,
    ):
        ticket = await approvals.submit("refund", {"amount": 10**6})
        assert (await approvals.wait(ticket.id, timeout=20)).status == "approved"
        chain = await service.store.chain(await service.store.find(ticket.id))
        assert (chain[-1].event, chain[-1].actor) == ("allowed", "policy:off")


async def test_shadow_asks_and_the_log_tells_what_the_policy_would_have_done(
    slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    path = a_policy(tmp_path, POLICY.replace(" && environment == 'production'", ""))
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=path, APPROVALS_MODE="shadow")
    async with (
        a_connected_bot(slack, env) as service,
        Approvals.connect(redis_url, agent="billing", tenant=tenant) as approvals,
    ):
        ticket = await approvals.submit("refund", {"amount": 10})
        await the_card(slack, "would allow it")
        asked = (await service.store.chain(await service.store.find(ticket.id)))[-1]
        assert (asked.event, asked.policy) == ("asked", "built-in")
        assert "would allow it: rule “small refunds”" in str((asked.detail or {})["because"])
