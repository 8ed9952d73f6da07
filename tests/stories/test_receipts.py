"""A click ends in a receipt that anybody can check, and whoever writes to Redis makes nothing run."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from approvals import Approvals, Forged, InvalidCall, wire
from approvals.dsse import SigningKey, written
from approvals.errors import NotApproved
from approvals.keys import key
from approvals.model import Request
from bot.app import Service
from bot.sandbox.server import Sandbox
from tests.operator import countersign
from tests.running import environment, the_card
from tests.stories.watching import logged

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PAGE = (Path(__file__).parents[2] / "docs" / "receipts.md").read_text()
PROGRAMS = {"python": "verify_receipt.py", "js": "verify_receipt.mjs", "sh": "verify_receipt.sh"}


@pytest.fixture
def env(slack: Sandbox, redis_url: str, tenant: str) -> dict[str, str]:
    return environment(slack, redis_url, tenant)


async def approved(slack: Sandbox, approvals: Approvals, amount: int = 940) -> str:
    """A refund that Ana has approved in Slack: its id."""
    ticket = await approvals.submit("refund", {"customer": "c_42", "amount": amount})
    assert (await slack.person("U0ANA").press("Approve", await the_card(slack, str(amount)))).ok
    await approvals.wait(ticket.id, timeout=20)
    return ticket.id


async def test_a_click_ends_in_a_receipt_that_is_checked_without_redis(
    slack: Sandbox, approvals: Approvals, bot: Service, env: dict[str, str], tmp_path: Path
) -> None:
    id = await approved(slack, approvals)
    shown = await countersign(env, "receipt", "show", id[:8])
    assert shown.code == 0, shown.err
    file = tmp_path / "receipt.json"
    file.write_text(shown.out)
    listed = json.loads((await countersign(env, "keys", "list", "--json")).out)
    public = listed[0]["key"]
    told = await countersign({}, "receipt", "verify", str(file), "--key", public)
    assert told.code == 0
    assert "approved, by Ana Duarte (slack:U0ANA)" in told.out and '"amount": 940' in told.out
    permit = await approvals.claim(id)
    file.write_text(wire.write(wire.PERMIT, permit))
    assert (await countersign({"APPROVALS_PUBLIC_KEY": public}, "receipt", "verify", str(file))).code == 0
    wrong = await countersign({}, "receipt", "verify", str(file), "--key", SigningKey.made().public)
    assert wrong.code == 1 and "no key that is trusted" in wrong.err
    assert (await countersign({}, "receipt", "verify", str(file))).code == 2
    assert (await countersign({}, "receipt", "verify", str(file), "--key", "short")).code == 2
    [entry] = await logged(bot, id, "approved")
    assert (entry.detail or {})["receipt"] == json.loads(shown.out)


@pytest.mark.parametrize("language", PROGRAMS)
async def test_the_page_s_programs_tell_a_receipt_from_a_forgery(
    slack: Sandbox, approvals: Approvals, bot: Service, tmp_path: Path, language: str
) -> None:
    program = EXAMPLES / PROGRAMS[language]
    assert program.read_text() in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert bot.signing is not None
    outcome = await approvals.get(await approved(slack, approvals))
    assert outcome is not None and outcome.signed is not None
    needed = {"python": sys.executable, "js": "node", "sh": "openssl"}[language]
    if shutil.which(needed) is None:
        pytest.skip(f"there is nothing on this machine that runs {program.name}")
    file, public = tmp_path / "receipt.json", bot.signing.current.public
    whole = json.loads(wire.write(wire.OUTCOME, outcome))["signed"]
    for receipt, by, holds in (
        (whole, public, True),
        (whole, SigningKey.made().public, False),
        (whole | {"payload": whole["payload"].replace("A", "B", 1)}, public, False),
        (whole | {"payloadType": "application/json"}, public, False),
    ):
        file.write_text(json.dumps(receipt))
        runner = "sh" if language == "sh" else needed
        done = await asyncio.to_thread(_run, runner, str(program), str(file), by)
        assert (done.returncode == 0) is holds, done.stderr
        assert ('"status":"approved"' in done.stdout) is holds


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


@pytest.mark.attack("B37", "D66")
async def test_whoever_writes_to_redis_makes_nothing_run(
    slack: Sandbox, approvals: Approvals, bot: Service, tenant: str
) -> None:
    ran: list[str] = []

    @approvals.required()
    async def refund(customer: str, amount: float) -> None:
        ran.append(customer)

    async with asyncio.TaskGroup() as agent:
        asking = agent.create_task(_outcome_of(refund("c_42", 940)))
        await the_card(slack)
        [request] = await bot.store.pending()
        await _forge(bot, request)
        asking_said = await asking
    assert isinstance(asking_said, Forged)
    with pytest.raises(Forged):
        await approvals.claim(request.id)
    assert ran == []
    refused = await logged(bot, request.id, "refused", times=2)
    assert "a forged outcome" in str((refused[0].detail or {})["reason"])


async def _outcome_of(call: object) -> NotApproved | None:
    try:
        await call  # type: ignore[misc]  # what a gated function returns
    except NotApproved as no:
        return no
    return None


async def _forge(bot: Service, request: Request) -> None:
    """Write what the service would have written, and wake the agent."""
    tenant, thief = request.tenant, SigningKey.made()
    payload = {"tenant": tenant, "request": request.id, "status": "approved"}
    signed = thief.envelope("application/vnd.countersign.decision+json", json.dumps(payload).encode())
    assert bot.signing is not None
    envelope = written(signed)
    envelope["signatures"] = [{"keyid": bot.signing.current.name, "sig": signed.signatures[0].sig}]
    common = {"id": request.id, "args": request.args, "fingerprint": request.fingerprint, "signed": envelope}
    common["decided_by"] = "slack:U0ANA"
    outcome = common | {"status": "approved", "decided_at": request.created_at.isoformat()}
    permit = common | {"tool": request.tool, "expires_at": "2099-01-01T00:00:00Z"}
    body = json.loads(wire.write(wire.REQUEST, request)) | {"status": "approved"}
    await bot.redis.hset(key(tenant, "request", request.id), "body", json.dumps(body))
    await bot.redis.set(key(tenant, "outcome", request.agent, request.id), json.dumps(outcome))
    await bot.redis.set(key(tenant, "permit", request.agent, request.id), json.dumps(permit))
    await bot.redis.xadd(key(tenant, "wake", request.agent), {"id": request.id})


async def test_keys_are_rotated_while_agents_run_and_while_they_pin(
    slack: Sandbox, approvals: Approvals, bot: Service, env: dict[str, str], redis_url: str, tenant: str
) -> None:
    assert bot.signing is not None
    before = bot.signing.current.public
    first = await approved(slack, approvals)
    made = await countersign(env, "keys", "rotate")
    assert made.code == 0, made.err
    await bot.signing.start()
    assert bot.signing.current.public == made.out.strip() != before
    second = await approved(slack, approvals, 118)
    async with Approvals.connect(redis_url, agent="billing", tenant=tenant, public_keys=[before]) as pinning:
        assert (await pinning.claim(first)).id == first
        assert (await pinning.claim(second)).id == second
    assert (await countersign(env, "keys", "retire", "2")).code == 2
    assert (await countersign(env, "keys", "retire", "1")).code == 0
    events = [entry.event async for entry in bot.store.log()]
    assert [each for each in events if each.startswith("signing")] == [
        "signing_key_made",
        "signing_key_rotated",
        "signing_key_retired",
    ]


async def test_a_wrong_pin_is_told_when_the_agent_connects() -> None:
    with pytest.raises(InvalidCall, match="no public key"):
        Approvals.connect("redis://localhost", agent="billing", public_keys=["nonsense"])
