"""The doctor says what is wrong and what to do about it, changes nothing, and works with half of it away."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis

from approvals.approver_keys import ApproverKeys, ssh_key
from approvals.cli import FINE, NO, UNAVAILABLE, USAGE, main
from approvals.keys import key
from approvals.model import Actor, PersonId, Via
from bot import settings
from bot.checks.doctor import examined
from bot.checks.findings import Finding, Level
from bot.checks.redis_checks import is_kept_to_this_machine
from bot.checks.redis_versions import Product, Version, known_in, version_of
from bot.checks.slack_checks import SCOPES
from bot.redis_server import RedisServer
from bot.sandbox.server import Sandbox
from tests.builders import VAULT
from tests.running import a_policy, environment
from tests.ssh_keys import Key

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis whose configuration the test may change."""
    async with RedisServer(tmp_path / "own") as server:
        yield server


async def found(env: dict[str, str]) -> dict[str, Finding]:
    return {each.check: each for each in await examined(settings.read(env, needs="redis"))}


def redis_alone(url: str, tenant: str, **more: str) -> dict[str, str]:
    return {"REDIS_URL": url, "APPROVALS_TENANT": tenant, **more}


def levels(findings: dict[str, Finding], *checks: str) -> list[Level]:
    return [findings[check].level for check in checks]


async def test_a_house_in_order_has_no_faults(own: RedisServer, tenant: str, tmp_path: Path) -> None:
    async with Sandbox(rate_limits=False, scopes=SCOPES) as slack:
        policy = a_policy(tmp_path, 'version = 1\n\n[defaults]\nchannel = "#approvals"\n')
        findings = await found(environment(slack, own.url, tenant, APPROVALS_POLICY=policy))
    told = [finding for finding in findings.values() if finding.level in ("fault", "unknown")]
    assert told == []
    assert findings["durability"].found.startswith("always")
    assert all(finding.mend for finding in findings.values() if finding.level == "warning")


# -- Redis --------------------------------------------------------------------------------------------


async def test_what_a_redis_forgets_and_deletes_is_told(own: RedisServer, tenant: str) -> None:
    async with Redis.from_url(own.url) as redis:
        for name, value in {"no-appendfsync-on-rewrite": "yes", "maxmemory-policy": "allkeys-lru"}.items():
            await redis.config_set(name, value)
    findings = await found(redis_alone(own.url, tenant, APPROVALS_DURABILITY="always"))
    assert levels(findings, "durability", "eviction") == ["fault", "fault"]
    assert "set no-appendfsync-on-rewrite no" in findings["durability"].mend
    assert findings["eviction"].mend == "set maxmemory-policy noeviction"


async def test_a_redis_that_hides_its_configuration_is_believed_if_its_operator_says_so(
    own: RedisServer, tenant: str
) -> None:
    async with Redis.from_url(own.url) as redis:
        await redis.execute_command("ACL", "SETUSER", "managed", "on", ">pw", "~*", "+@all", "-config")  # type: ignore[no-untyped-call]  # redis-py
    url = own.url.replace("://", "://managed:pw@")
    findings = await found(redis_alone(url, tenant, APPROVALS_DURABILITY="always"))
    assert findings["durability"].level == "fault" and "ASSERTED" in findings["durability"].mend
    asserted = {"APPROVALS_DURABILITY": "always", "APPROVALS_DURABILITY_ASSERTED": "yes"}
    findings = await found(redis_alone(url, tenant, **asserted))
    assert findings["durability"].level == "ok" and "asserted by its operator" in findings["durability"].found
    assert findings["user"].found == "we are managed"


async def test_asking_what_we_may_do_does_none_of_it(own: RedisServer, tenant: str) -> None:
    async with Redis.from_url(own.url, decode_responses=True) as redis:
        await redis.set("kept", 1)
        await redis.config_set("appendonly", "no")
        findings = await found(redis_alone(own.url, tenant))
        assert "FLUSHALL" in findings["commands"].found and "CONFIG SET" in findings["commands"].found
        assert await redis.get("kept") == "1"
        assert (await redis.config_get("appendonly"))["appendonly"] == "no"


async def test_whether_anybody_comes_in_without_a_password_is_tried(own: RedisServer, tenant: str) -> None:
    assert (
        "reached from this machine only" in (await found(redis_alone(own.url, tenant)))["default user"].found
    )
    async with Redis.from_url(own.url) as redis:
        await redis.config_set("requirepass", "pw")
    findings = await found(redis_alone(own.url.replace("://", "://:pw@"), tenant))
    assert findings["default user"].found == "nobody comes in without a password"


@pytest.mark.parametrize(
    ("bind", "protected", "is_kept"),
    [
        ("127.0.0.1 -::1", "no", True),
        ("* -::*", "yes", True),
        ("* -::*", "no", False),
        ("127.0.0.1 10.0.0.7", "no", False),
        ("", "no", False),
    ],
)
def test_a_redis_open_to_other_machines_is_told_from_its_configuration(
    bind: str, protected: str, is_kept: bool
) -> None:
    assert is_kept_to_this_machine({"bind": bind, "protected-mode": protected}) is is_kept


async def test_a_log_whose_counter_was_changed_is_a_fault(redis_url: str, tenant: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set(key(tenant, "audit:seq"), 7)
    findings = await found(redis_alone(redis_url, tenant))
    assert findings["log"].level == "fault" and "audit:seq is 7" in findings["log"].found


async def test_what_has_waited_long_to_be_shown_is_told(redis_url: str, tenant: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        now = (await redis.time())[0] * 1000
        await redis.zadd(key(tenant, "draw"), {"R-1": now - 90_000})
        assert (await found(redis_alone(redis_url, tenant)))["outbox"].level == "warning"
        await redis.zadd(key(tenant, "draw"), {"R-1": now - 900_000})
        assert (await found(redis_alone(redis_url, tenant)))["outbox"].level == "fault"


@pytest.mark.parametrize(
    ("product", "text", "names"),
    [
        ("redis", "6.2.14", ["CVE-2025-49844"]),
        ("redis", "6.2.20", []),
        ("redis", "7.0.15", ["CVE-2025-49844"]),
        ("redis", "7.2.11", ["CVE-2026-23479"]),
        ("redis", "7.4.2", ["CVE-2025-49844", "CVE-2026-23479", "redis/redis#13793"]),
        ("redis", "7.4.9", []),
        ("redis", "8.8.0", ["CVE-2026-81934"]),
        ("redis", "8.10.1", []),
        ("valkey", "7.2.10", ["CVE-2025-49844"]),
        ("valkey", "8.1.4", []),
        ("valkey", "9.0.0", []),
    ],
)
def test_versions_are_held_against_the_faults_that_are_known(
    product: Product, text: str, names: Sequence[str]
) -> None:
    version: Version | None = version_of(text)
    assert version is not None
    assert [known.name for known in known_in(product, version)] == list(names)


# -- Slack, and what the policy names -----------------------------------------------------------------

LOST = """
version = 1
[[rule]]
name = "archived"
tools = ["a*"]
channel = "#old"

[[rule]]
name = "elsewhere"
tools = ["b*"]
channel = "#random"

[[rule]]
name = "nowhere"
tools = ["c*"]
channel = "#no-such"

[[rule]]
name = "nobody"
tools = ["d*"]
approvers = ["U0NOBODY"]
"""


KEYED = """version = 1
[[rule]]
name = "payouts"
tools = ["payout"]
approvers = ["U0ANA"]
assurance = "key"
"""


async def test_channels_and_people_that_no_request_would_reach_are_named(
    redis_url: str, tenant: str, tmp_path: Path
) -> None:
    async with Sandbox(rate_limits=False, scopes=SCOPES - {"im:write"}) as slack:
        env = environment(slack, redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, LOST))
        findings = await found(env)
    assert findings["scopes"].level == "fault" and "im:write" in findings["scopes"].found
    channels = findings["channels"]
    assert channels.level == "fault"
    for words in ("#old is archived", "the app is not in #random", "no channel #no-such"):
        assert words in channels.found
    assert findings["approvers"].level == "fault" and "nobody: 0 of 1" in findings["approvers"].found


async def test_whether_a_yes_can_be_given_as_surely_as_a_rule_wants_is_told(
    redis_url: str, tenant: str, tmp_path: Path
) -> None:
    policy = a_policy(tmp_path, KEYED)
    async with Sandbox(rate_limits=False, scopes=SCOPES) as slack:
        env = environment(slack, redis_url, tenant, APPROVALS_POLICY=policy)
        findings = await found(env)
        assert findings["assurance"].level == "fault" and "APPROVALS_URL" in findings["assurance"].found
        assert findings["keys"].level == "fault" and "payouts: 0 of 1" in findings["keys"].found
        able = env | {"APPROVALS_URL": "https://a.example"}
        async with Redis.from_url(redis_url, decode_responses=True) as redis:
            keys, by = ApproverKeys(redis, tenant, VAULT), Actor(id="operator:ops", name="ops")
            await keys.add(PersonId("U0ANA"), ssh_key(Key().line, await keys.now()), by, Via.CLI)
        assert levels(await found(able), "assurance", "keys") == ["ok", "ok"]
        assert levels(await found(able | {"APPROVALS_SECRET": "another " * 5}), "keys") == ["fault"]
        del able["APPROVALS_SECRET"]
        assert levels(await found(able), "keys") == ["unknown"]


def test_the_scopes_are_those_of_the_manifest() -> None:
    manifest = (ROOT / "manifest.yml").read_text()
    listed = manifest.partition("    bot:\n")[2].partition("\nsettings:")[0]
    assert set(re.findall(r"^ +- (\S+)", listed, re.MULTILINE)) == SCOPES


# -- half of it away ----------------------------------------------------------------------------------


async def test_without_redis_slack_is_checked_all_the_same(tenant: str) -> None:
    async with Sandbox(rate_limits=False, scopes=SCOPES) as slack:
        findings = await found(environment(slack, "redis://127.0.0.1:1/0", tenant))
    assert findings["Redis"].level == "fault"
    assert levels(findings, "Slack", "channels", "approvers") == ["ok", "ok", "unknown"]


async def test_without_slack_redis_is_checked_all_the_same(redis_url: str, tenant: str) -> None:
    env = redis_alone(redis_url, tenant, SLACK_BOT_TOKEN="xoxb-1", SLACK_API_URL="http://127.0.0.1:1/api/")
    findings = await found(env)
    assert findings["Slack"].level == "fault" and "does not answer" in findings["Slack"].found
    assert findings["eviction"].level == "ok"
    assert (await found(redis_alone(redis_url, tenant)))["the app"].level == "unknown"


async def test_a_policy_that_cannot_be_used_is_a_fault(redis_url: str, tenant: str, tmp_path: Path) -> None:
    findings = await found(redis_alone(redis_url, tenant, APPROVALS_POLICY=a_policy(tmp_path, "[[rule]]\n")))
    assert findings["policy"].level == "fault"


# -- the command --------------------------------------------------------------------------------------


def test_the_command_tells_people_and_scripts(
    redis_url: str, tenant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str, **env: str) -> int:
        for name in ("SLACK_BOT_TOKEN", "APPROVALS_POLICY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in redis_alone(redis_url, tenant, **env).items():
            monkeypatch.setenv(name, value)
        return main(["doctor", *words])

    assert run() == FINE
    assert "noeviction" in capsys.readouterr().out
    assert run("--json") == FINE
    assert {"check", "level", "found", "mend"} == set(json.loads(capsys.readouterr().out)[0])
    assert run(APPROVALS_DURABILITY="always") == NO
    assert run(REDIS_URL="redis://127.0.0.1:1/0") == UNAVAILABLE
    assert run(REDIS_URL="nonsense") == USAGE
