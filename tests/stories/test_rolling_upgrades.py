"""An earlier release and this one side by side on one Redis, as an upgrade without a pause has them."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from approvals.store import Store
from approvals.verifying import LogCheck
from bot.sandbox.server import Sandbox
from tests.running import a_policy, environment, the_card, until
from tests.stories.processes import ROOT, a_process, ended

pytestmark = pytest.mark.long

EARLIER = "3545ff2"  # of the first that sign decisions; what older ones approved is asked again
TWO = """\
version = 1

[[rule]]
name = "refunds"
tools = ["refund"]
action = "ask"
quorum = 2
"""
ASKING = """
import asyncio, sys
from approvals import Approvals

async def main(note):
    async with Approvals.connect() as approvals:
        ticket = await approvals.submit("refund", {"note": note}, key=note)
        outcome = await approvals.wait(ticket.id, timeout=60)
        permit = await approvals.claim(ticket.id)
        await approvals.receipt(ticket.id, ok=True, result="done")
        print(outcome.status, permit.args["note"])

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of that release."""
    code = tmp_path_factory.mktemp("earlier")
    packed = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"no earlier release to run beside this one: git has no {EARLIER} here")
    subprocess.run(["tar", "x"], cwd=code, input=packed.stdout, check=True)
    return code


@asynccontextmanager
async def a_service(slack: Sandbox, env: dict[str, str], code: Path) -> AsyncIterator[None]:
    """`python -m bot` of one release, until it is asked to end and has."""
    before = slack.connections
    async with a_process(env, "-m", "bot", code=code) as process:
        await slack.until(lambda: slack.connections > before, timeout_s=30)
        yield
        process.terminate()
        status, said = await ended(process)
        assert (status, "Traceback" in said) == (0, False), said


@asynccontextmanager
async def an_agent(env: dict[str, str], code: Path, note: str) -> AsyncIterator[None]:
    """An agent of one release that asks, waits, claims and reports; all of it has gone well by the end."""
    async with a_process(env | {"APPROVALS_AGENT": "billing"}, "-c", ASKING, note, code=code) as process:
        yield
        status, said = await ended(process)
        assert status == 0, said


async def test_what_either_release_has_taken_in_the_other_decides_and_any_agent_runs(
    slack: Sandbox, store: Store, redis_url: str, earlier: Path, tmp_path: Path
) -> None:
    policy = {"APPROVALS_POLICY": a_policy(tmp_path, TWO)}
    env = environment(slack, redis_url, store.tenant, **policy)
    walks = [
        (*services, agent) for services in ((earlier, ROOT), (ROOT, earlier)) for agent in (earlier, ROOT)
    ]
    for number, (taking_in, deciding, agent) in enumerate(walks, start=1):
        async with an_agent(env, agent, f"walk {number}"):
            async with a_service(slack, env, taking_in):
                card = await the_card(slack, f"walk {number}")
                assert (await slack.person("U0KIM").press("Approve", card)).ok
            async with a_service(slack, env, deciding):
                assert (await slack.person("U0ANA").press("Approve", card)).ok
                await until(lambda number=number: _have_run(store, number))  # type: ignore[misc]  # bound now
    assert await _faults(store) == []


async def test_side_by_side_they_share_what_comes_and_each_is_decided_once(
    slack: Sandbox, store: Store, redis_url: str, earlier: Path
) -> None:
    env = environment(slack, redis_url, store.tenant)
    agents = {f"walk {number}": code for number, code in enumerate((earlier, ROOT) * 3)}
    async with a_service(slack, env, earlier), a_service(slack, env, ROOT), AsyncExitStack() as asking:
        for note, code in agents.items():
            await asking.enter_async_context(an_agent(env, code, note))
        for note in agents:
            assert (await slack.person("U0ANA").press("Approve", await the_card(slack, note))).ok
        await until(lambda: _have_run(store, len(agents)))
    assert [entry.event async for entry in store.log()].count("approved") == len(agents)
    assert await _faults(store) == []


async def _have_run(store: Store, count: int) -> bool:
    return [entry.event async for entry in store.log()].count("executed") == count


async def _faults(store: Store) -> list[object]:
    check = LogCheck()
    return [fault async for entry in store.log() if (fault := check.add(entry))]
