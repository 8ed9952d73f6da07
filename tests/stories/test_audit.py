"""Who let what happen: the log of whole lives, and the operator's terminal."""

import json
import os
import pwd
from pathlib import Path

import pytest

from approvals import Approvals
from approvals.keys import key
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.operator import countersign, countersign_process
from tests.running import a_policy, environment, the_card, the_dialog, until
from tests.stories.watching import REFUND, events, logged, whispered

LOGIN = pwd.getpwuid(os.getuid()).pw_name
FIELDS = (
    "seq at tenant request event actor via tool args fingerprint rule policy latency_ms detail salt"
    " commitment previous hash"
)


@pytest.fixture
def env(slack: Sandbox, redis_url: str, tenant: str) -> dict[str, str]:
    return environment(slack, redis_url, tenant)


@pytest.fixture
def mapped(env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of an operator who is Kim in Slack."""
    policy = a_policy(tmp_path, f'version = 1\n[operators]\n"{LOGIN}" = "U0KIM"\n')
    return env | {"APPROVALS_POLICY": policy}


# -- whole lives ---------------------------------------------------------------------------------------


async def test_a_whole_life_is_logged_entry_by_entry(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    ticket = await approvals.submit("refund", REFUND, reason="Charged twice.", tags=["q4"])
    card = await the_card(slack)
    await slack.person("U0GUS").press("Approve", card)
    await whispered(slack, "U0GUS", "guests may not decide")
    ana = slack.person("U0ANA")
    await ana.press("Request changes…", card)
    await ana.fill_and_submit({"words": "Without the shipping."})
    await logged(bot, ticket.id, "changes_requested")
    await approvals.revise(ticket.id, REFUND | {"amount": 900})
    await logged(bot, ticket.id, "revised")
    await ana.press("Edit…", await the_card(slack, "900"))
    await ana.fill_and_submit({"amount": "890"})
    await approvals.wait(ticket.id, timeout=20)
    await approvals.claim(ticket.id)
    await approvals.receipt(ticket.id, ok=True, result="re_81f", duration_ms=800)
    await logged(bot, ticket.id, "executed")

    told = await bot.store.chain(ticket.id)
    assert [(entry.event, entry.actor, entry.via) for entry in told] == [
        ("submitted", "agent:billing", "redis"),
        ("asked", "policy:defaults", "service"),
        ("refused", "slack:U0GUS", "slack"),
        ("changes_requested", "slack:U0ANA", "slack"),
        ("revised", "agent:billing", "redis"),
        ("edited", "slack:U0ANA", "slack"),
        ("claimed", "agent:billing", "redis"),
        ("executed", "agent:billing", "redis"),
    ]
    assert [entry.args["amount"] for entry in told if entry.args] == [940, 900, 890]
    assert len({entry.fingerprint for entry in told}) == 3
    details = [entry.detail or {} for entry in told]
    assert details[0]["reason"] == "Charged twice."
    assert details[2]["reason"] == "U0GUS is guest"
    assert details[3]["text"] == "Without the shipping."
    assert (details[7]["text"], details[7]["duration_ms"]) == ("re_81f", 800)
    assert all(entry.latency_ms is not None and entry.latency_ms >= 0 for entry in told)


@pytest.mark.parametrize(
    ("button", "words", "event"),
    [
        ("Approve", None, "approved"),
        ("Reject…", "No.", "rejected"),
        ("Respond…", "I did it by hand.", "answered"),
    ],
)
async def test_a_decision_is_told_by_exactly_one_entry(
    slack: Sandbox, approvals: Approvals, bot: Service, button: str, words: str | None, event: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    ana = slack.person("U0ANA")
    await ana.press(button, await the_card(slack))
    if words is not None:
        await the_dialog(slack, "U0ANA")
        await ana.fill_and_submit({"words": words})
    await approvals.wait(ticket.id, timeout=20)
    assert await events(bot, ticket.id) == ["submitted", "asked", event]


# -- countersign audit ---------------------------------------------------------------------------------


async def test_the_log_is_exported_and_the_export_verifies(
    slack: Sandbox, approvals: Approvals, bot: Service, env: dict[str, str], tmp_path: Path
) -> None:
    for number in range(3):
        ticket = await approvals.submit("refund", REFUND | {"amount": number})
        assert (await slack.person("U0ANA").slash("/reject", "R-ZZZZ no such")).ok
        assert (
            await slack.person("U0ANA").press("Approve", await the_card(slack, f"amount     {number}"))
        ).ok
        await approvals.wait(ticket.id, timeout=20)
    exported = await countersign_process(env, "audit", "export")
    assert exported.code == 0
    assert [entry["seq"] for entry in exported.entries] == list(range(1, 14))
    assert all(" ".join(entry) == FIELDS for entry in exported.entries)
    assert exported.entries[0]["at"].endswith("Z")
    assert (await countersign(env, "audit", "verify")).code == 0
    file = tmp_path / "audit.jsonl"
    file.write_text(exported.out)
    assert (await countersign({}, "audit", "verify", str(file))).code == 0
    lines = exported.out.splitlines(keepends=True)
    for broken in ([line.replace("U0ANA", "U0MAX") for line in lines], lines[:4] + lines[5:]):
        file.write_text("".join(broken))
        told = await countersign({}, "audit", "verify", str(file))
        assert told.code == 1
        assert "does not hold" in told.err
    since = await countersign(env, "audit", "export", "--since", "10")
    assert [entry["seq"] for entry in since.entries] == [10, 11, 12, 13]


async def test_the_running_service_signs_what_is_logged(bot: Service, env: dict[str, str]) -> None:
    async def proved() -> bool:
        return (await countersign(env, "audit", "prove", "1")).code == 0

    await until(proved)
    told = await countersign(env, "audit", "verify")
    assert "It fits 1 checkpoint," in told.out


@pytest.mark.attack("D66")
async def test_what_somebody_changed_in_redis_itself_does_not_verify(
    slack: Sandbox, approvals: Approvals, bot: Service, env: dict[str, str], tenant: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await slack.person("U0ANA").press("Approve", await the_card(slack))
    await approvals.wait(ticket.id, timeout=20)
    audit = key(tenant, "audit")
    await bot.redis.xdel(audit, "3-0")
    told = await countersign(env, "audit", "verify")
    assert told.code == 1
    assert "entry 3 is missing" in told.err


async def test_the_story_of_one_request_is_shown(
    slack: Sandbox, approvals: Approvals, bot: Service, env: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    await slack.person("U0ANA").slash("/reject", f"{ticket.id} paid already")
    await approvals.wait(ticket.id, timeout=20)
    told = await countersign(env, "audit", "show", ticket.id[:8])
    assert told.code == 0
    words = ("submitted", "asked", "rejected")
    assert all(word in line for word, line in zip(words, told.out.splitlines(), strict=True))
    assert "paid already" in told.out
    assert (await countersign(env, "audit", "show", "R-ZZZZ")).code == 4


# -- countersign pending, approve, reject --------------------------------------------------------------


async def test_what_waits_is_listed_on_a_terminal(
    slack: Sandbox, approvals: Approvals, bot: Service, env: dict[str, str]
) -> None:
    assert "Nothing waits" in (await countersign(env, "pending")).out
    ticket = await approvals.submit("refund", REFUND | {"memo": "\x1b[2Jgone"})
    await the_card(slack)
    told = await countersign(env, "pending")
    assert ticket.id.startswith(told.out.splitlines()[1].split()[0])
    assert "\x1b" not in told.out
    (one,) = json.loads((await countersign(env, "pending", "--json")).out)
    assert (one["id"], one["args"]["amount"]) == (ticket.id, 940)


async def test_an_operator_approves_as_the_person_they_are_in_slack(
    slack: Sandbox, approvals: Approvals, bot: Service, mapped: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", REFUND | {"memo": "\x1b[2Jgone"})
    await the_card(slack)
    refused = await countersign(mapped, "approve", ticket.id[:8], typed="n\n")
    assert refused.code == 1
    assert "c_42" in refused.out
    assert "\x1b" not in refused.out
    assert await events(bot, ticket.id) == ["submitted", "asked"]
    done = await countersign(mapped, "approve", ticket.id[:8], "looks", "right", typed="y\n")
    assert done.code == 0, done.err
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.decided_by, outcome.text) == ("slack:U0KIM", "looks right")
    (entry,) = await logged(bot, ticket.id, "approved")
    assert entry.via == "cli"


async def test_an_operator_rejects_with_a_reason(
    slack: Sandbox, approvals: Approvals, bot: Service, mapped: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    assert (await countersign(mapped, "reject", ticket.id)).code == 2
    assert (await countersign(mapped, "reject", ticket.id, "not", "today")).code == 0
    outcome = await approvals.wait(ticket.id, timeout=20)
    assert (outcome.status, outcome.text) == ("rejected", "not today")
    late = await countersign(mapped, "approve", ticket.id, "--yes")
    assert late.code == 1
    assert "rejected" in late.err


async def test_an_operator_is_checked_as_a_click_is(
    slack: Sandbox, approvals: Approvals, bot: Service, mapped: dict[str, str]
) -> None:
    ticket = await approvals.submit("refund", REFUND, on_behalf_of="U0KIM")
    await the_card(slack)
    told = await countersign(mapped, "approve", ticket.id, "--yes")
    assert told.code == 1
    assert "on your behalf" in told.err
    (refused,) = await logged(bot, ticket.id, "refused")
    assert (refused.actor, refused.via) == ("slack:U0KIM", "cli")


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_an_operator_who_is_nobody_in_slack_is_refused_and_logged(
    slack: Sandbox, approvals: Approvals, bot: Service, env: dict[str, str], verb: str
) -> None:
    ticket = await approvals.submit("refund", REFUND)
    await the_card(slack)
    told = await countersign_process(env | {"USER": "kim", "LOGNAME": "kim"}, verb, ticket.id, "please")
    assert told.code == 1
    assert "[operators]" in told.err
    assert await events(bot, ticket.id) in (["submitted", "asked"], ["submitted", "asked", "refused"])
    (refused,) = [entry for entry in await bot.store.entries() if entry.event == "refused"]
    assert (refused.actor, refused.via) == (f"operator:{LOGIN}", "cli")
    assert await approvals.get(ticket.id) is None


@pytest.mark.parametrize(
    ("arguments", "env", "code", "said"),
    [
        (["pending"], {}, 2, "REDIS_URL"),
        (["approve", "R-7K2M"], {"REDIS_URL": "redis://127.0.0.1:1"}, 2, "SLACK_BOT_TOKEN"),
        (["pending"], {"REDIS_URL": "redis://127.0.0.1:1"}, 3, "127.0.0.1:1"),
        (["audit", "verify", "/nowhere/at/all"], {}, 2, "/nowhere/at/all"),
        (["audit"], {}, 2, "usage"),
        (["launch"], {}, 2, "usage"),
    ],
)
async def test_what_is_wrong_is_told_in_a_sentence_and_an_exit_code(
    arguments: list[str], env: dict[str, str], code: int, said: str
) -> None:
    told = await countersign(env, *arguments)
    assert told.code == code
    assert said in told.err
