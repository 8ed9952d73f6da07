"""`countersign approver-keys`: what an operator types, and what scripts read."""

import json
from pathlib import Path

from tests.operator import countersign
from tests.running import SECRET, a_machine
from tests.ssh_keys import Key


async def test_keys_are_added_listed_and_removed_by_hand_or_by_script(
    redis_url: str, tenant: str, tmp_path: Path
) -> None:
    env = {"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant, **a_machine(), **SECRET}
    verbs, file, one = "approver-keys", tmp_path / "ana.pub", Key()
    file.write_text(one.line)
    assert (await countersign(env, verbs, "list")).out == "Nobody has registered a key.\n"
    added = json.loads((await countersign(env, verbs, "add", "U0ANA", str(file), "--json")).out)
    assert added["person"] == "U0ANA" and added["name"].startswith("SHA256:")
    listed = (await countersign(env, verbs, "list")).out
    assert "U0ANA" in listed and added["name"] in listed and "ana@laptop" in listed
    (told,) = json.loads((await countersign(env, verbs, "list", "--json")).out)
    assert (told["kind"], told["name"]) == ("ssh", added["name"])
    removed = await countersign(env, verbs, "remove", "U0ANA", added["name"], "--json")
    assert json.loads(removed.out) == added


async def test_what_is_no_person_or_no_key_is_refused(redis_url: str, tenant: str, tmp_path: Path) -> None:
    env = {"REDIS_URL": redis_url, "APPROVALS_TENANT": tenant, **a_machine(), **SECRET}
    file = tmp_path / "x.pub"
    file.write_text("ssh-rsa AAAA")
    for arguments, why in (
        (("add", "ana", str(file)), "U or W"),
        (("add", "U0ANA", str(file)), "taken are ed25519"),
        (("add", "U0ANA", str(tmp_path / "none")), "No such file"),
        (("remove", "U0ANA", "SHA256:x"), "has no key SHA256:x"),
    ):
        said = await countersign(env, "approver-keys", *arguments)
        assert said.code == 2 and why in said.err
