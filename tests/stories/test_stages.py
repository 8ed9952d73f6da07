"""A tool is promoted and demoted from Slack: proposed by anyone, approved by the policy's owners."""

import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from approvals import Approvals
from approvals.model import Args
from approvals.policy import parse
from approvals.stages import Stages, as_toml
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.running import a_connected_bot, a_policy, environment, redrawn, the_card, until
from tests.stories.processes import a_process
from tests.stories.watching import whispered

RUN = "import sys; from approvals.cli import main; sys.exit(main(sys.argv[1:]))"
POLICY = """
version = 1

[defaults]
channel = "#approvals"

[stages]
drop = "disabled"

[owners]
policy = ["U0ANA", "U0KIM"]
"""


@pytest.fixture
async def bot(slack: Sandbox, redis_url: str, tenant: str, tmp_path: Path) -> AsyncIterator[Service]:
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, POLICY))
    async with a_connected_bot(slack, env) as service:
        yield service


async def status_of(approvals: Approvals, tool: str) -> str:
    ticket = await approvals.submit(tool, {"branch": "main"})
    return str((await approvals.wait(ticket.id, timeout=20)).status)


async def staged(slack: Sandbox, bot: Service, tool: str, stage: str, *, by: str, approver: str) -> None:
    assert (await slack.person(by).slash("/approvals", f"stage {tool} {stage}")).ok
    await whispered(slack, by, f"`{tool}` may be {stage}")
    card = await the_card(slack, stage)
    assert (await slack.person(approver).press("Approve", card)).ok
    await redrawn(slack, card, f"{tool} is {stage} now")


async def test_an_owner_promotes_a_tool_and_demotes_it_again(
    slack: Sandbox, approvals: Approvals, bot: Service
) -> None:
    await staged(slack, bot, "label", "autonomous", by="U0MAX", approver="U0KIM")
    assert await status_of(approvals, "label") == "approved"
    await staged(slack, bot, "label", "disabled", by="U0KIM", approver="U0ANA")
    assert await status_of(approvals, "label") == "rejected"
    told = [entry for entry in await bot.store.entries() if entry.event == "staged"]
    assert [(entry.actor, (entry.detail or {})["stage"]) for entry in told] == [
        ("slack:U0KIM", "autonomous"),
        ("slack:U0ANA", "disabled"),
    ]


async def test_what_was_set_goes_before_the_file_and_can_be_taken_into_it(
    slack: Sandbox, approvals: Approvals, bot: Service, redis_url: str, tenant: str, tmp_path: Path
) -> None:
    assert await status_of(approvals, "drop") == "rejected"
    await staged(slack, bot, "drop", "autonomous", by="U0MAX", approver="U0KIM")
    assert await status_of(approvals, "drop") == "approved"
    env = environment(slack, redis_url, tenant, APPROVALS_POLICY=str(tmp_path / "policy.toml"))
    async with a_process(env, "-c", RUN, "policy", "stages", "--export") as process:
        printed = (await process.communicate())[0].decode()
    assert tomllib.loads(printed) == {"stages": {"drop": "autonomous"}}
    parse(f"version = 1\n{printed}")


@pytest.mark.attack("E77")
@pytest.mark.parametrize("person", ["U0ANA", "U0LEE"])
async def test_neither_who_proposed_it_nor_who_is_no_owner_approves_it(
    slack: Sandbox, approvals: Approvals, bot: Service, person: str
) -> None:
    assert (await slack.person("U0ANA").slash("/approvals", "stage label autonomous")).ok
    assert (await slack.person(person).press("Approve", await the_card(slack, "label"))).ok
    await whispered(slack, person, "You can't decide")
    assert bot.slack is not None
    assert await bot_stages(bot) == {}


async def bot_stages(bot: Service) -> dict[str, str]:
    return {
        tool: str(stage) for tool, stage in (await Stages(bot.redis, bot.settings.tenant).refresh()).items()
    }


async def test_no_agent_can_speak_as_the_service(
    slack: Sandbox, bot: Service, redis_url: str, tenant: str
) -> None:
    async with Approvals.connect(redis_url, agent="countersign", tenant=tenant) as impostor:
        args: Args = {"tool": "drop", "stage": "autonomous", "before": "disabled"}
        ticket = await impostor.submit("set_stage", args)
        outcome = await impostor.wait(ticket.id, timeout=20)
        assert outcome.status == "rejected"
        assert "no agent may be called countersign" in (outcome.text or "")
    assert slack.messages() == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [("", "drop`: disabled"), ("drop sometimes", "stage TOOL"), ("drop disabled", "already")],
)
async def test_what_can_not_be_proposed_is_said(slack: Sandbox, bot: Service, typed: str, words: str) -> None:
    assert (await slack.person("U0MAX").slash("/approvals", f"stage {typed}")).ok
    await whispered(slack, "U0MAX", words)
    assert (await slack.person("U0GUS").slash("/approvals", "stage drop autonomous")).ok
    assert await until(lambda: _refused(bot)) == ["slack:U0GUS"]


async def _refused(bot: Service) -> list[str]:
    return [entry.actor for entry in await bot.store.entries() if entry.event == "refused"]


def test_a_tools_name_is_quoted_however_it_is_written() -> None:
    names = ['a"b', "a\\b", "a.b", "a\nb", "\U000e0041", "é"]
    written = as_toml(dict.fromkeys(names, parse("version = 1\n[stages]\na = 'approval'").stages["a"]))
    assert set(tomllib.loads(written)["stages"]) == set(names)
