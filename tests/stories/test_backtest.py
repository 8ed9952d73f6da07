"""A file is tried against the log before it is put in force: the command itself, as an operator types it."""

import json
from pathlib import Path

import pytest

from approvals import Approvals
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.operator import countersign
from tests.running import a_policy, environment, the_card, the_dialog
from tests.stories.watching import REFUND, logged

CANDIDATE = 'version = 1\n[[rule]]\nname = "refunds"\ntools = ["refund"]\naction = "allow"\n'


@pytest.fixture
def env(slack: Sandbox, redis_url: str, tenant: str) -> dict[str, str]:
    return environment(slack, redis_url, tenant)


async def test_it_says_what_a_file_would_let_through_and_spare(
    slack: Sandbox, approvals: Approvals, bot: Service, env: dict[str, str], tmp_path: Path
) -> None:
    kim = slack.person("U0KIM")
    approved = await approvals.submit("refund", REFUND)
    assert (await kim.press("Approve", await the_card(slack))).ok
    await logged(bot, approved.id, "approved")
    rejected = await approvals.submit("refund", REFUND | {"amount": 12})
    assert (await kim.press("Reject…", await the_card(slack, "12"))).ok
    await the_dialog(slack, "U0KIM")
    assert (await kim.fill_and_submit({"words": "Not this one."})).ok
    await logged(bot, rejected.id, "rejected")
    await approvals.submit("deploy", {"env": "staging"})
    await the_card(slack, "staging")

    file, picture = a_policy(tmp_path, CANDIDATE), tmp_path / "asks.svg"
    told = await countersign(env, "policy", "backtest", file, "--since", "1d", "--svg", str(picture))
    assert told.code == 0, told.err
    assert "3 calls" in told.out
    assert "1 would be let through, and people rejected it:" in told.out
    assert "rejected by Kim Osei: Not this one." in told.out
    assert "this file  2        1      0" in told.out
    assert picture.read_text().startswith("<svg")

    told = await countersign(env, "policy", "backtest", file, "--json")
    found = json.loads(told.out)
    assert (found["in_fact"]["asked"], found["with_this_file"]["asked"]) == (3, 1)
    assert [call["id"] for call in found["let_through_though_rejected"]] == [rejected.id]
    assert found["decided_in_fact_by"]["Kim Osei"]["people"] == {"approved": 1, "rejected": 1, "neither": 0}


async def test_a_faulty_file_and_an_empty_log_are_told(env: dict[str, str], tmp_path: Path) -> None:
    faulty = a_policy(tmp_path, CANDIDATE + "quorum = 0\n")
    told = await countersign(env, "policy", "backtest", faulty)
    assert (told.code, told.out) == (1, "")
    assert "quorum" in told.err and "refunds" in told.err
    sound = a_policy(tmp_path, CANDIDATE)
    told = await countersign(env, "policy", "backtest", sound)
    assert (told.code, told.out) == (1, "")
    assert "holds no calls" in told.err
    assert (await countersign(env, "policy", "backtest", str(tmp_path / "none.toml"))).code == 1
    told = await countersign(env, "policy", "backtest", sound, "--since", "soon")
    assert told.code == 2 and "no duration" in told.err
