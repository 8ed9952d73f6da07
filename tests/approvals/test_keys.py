"""Redis Cluster could hold it: every script touches its KEYS only, and all keys of a tenant share a slot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from redis.crc import key_slot

from approvals.bulk import new_bulk_id
from approvals.digest import new_digest_id
from approvals.errors import InvalidCall
from approvals.ids import new_id
from approvals.keys import SHAPES, key

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "approvals" / "lua").glob("*.lua"))
PARTS = {
    "request id": new_id(),
    "digest id": new_digest_id(),
    "bulk id": new_bulk_id(),
    "callback id": f"{new_id()}-3",
    "digest name": "refunds",
    "channel": "C0APPROVALS",
    "timestamp": "1699.22",
    "agent name": "billing.eu-1",
    "key hash": "0" * 64,
    "tenant name": "T0ACME",
}


def a_key(tenant: str, name: str) -> str:
    return key(tenant, name, *(PARTS[part] for part in SHAPES[name]))


def test_all_keys_of_a_tenant_are_in_one_slot() -> None:
    assert {key_slot(a_key("default", name).encode()) for name in SHAPES} == {key_slot(b"default")}
    assert all(a_key("default", name).startswith("cs:{default}:") for name in SHAPES)


def test_no_two_things_share_a_key() -> None:
    assert len({a_key(tenant, name) for name in SHAPES for tenant in ("a", "b")}) == 2 * len(SHAPES)


@pytest.mark.attack("J18")
@pytest.mark.parametrize("tenant", ["", "a:b", "a}b", "{", "a b", "é", "a\n", "a" * 65])
def test_a_tenants_name_cannot_reach_into_anothers_keys(tenant: str) -> None:
    with pytest.raises(InvalidCall):
        key(tenant, "pending")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_touches_its_keys_only(script: Path) -> None:
    calls = re.findall(r"redis\.p?call\(([^,)]*),?\s*([^,)]*)", script.read_text())
    assert calls
    for command, first in calls:
        assert re.fullmatch(r'"[A-Z]+"', command), f"{command} is not a constant"
        assert command == '"TIME"' or re.fullmatch(r"KEYS\[\d+(?: \+ index)?\]", first), f"{command} {first}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_validates_before_it_writes(script: Path) -> None:
    source = script.read_text()
    body = re.sub(r"local function .*?\nend\n", "", source, flags=re.DOTALL)
    writes = [found.start() for found in re.finditer(r'"(?:SET|HSET|XADD|ZADD|ZREM|DEL|XDEL|XACK)"', body)]
    assert body.rfind("error_reply") < min(writes)


def test_the_documentation_lists_every_key_and_script() -> None:
    text = (ROOT / "docs" / "redis.md").read_text()
    assert {name for name in SHAPES if f"`{name}" not in text} == set()
    assert {script.stem for script in SCRIPTS if f"`{script.stem}.lua`" not in text} == set()
