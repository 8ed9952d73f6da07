"""What leaves the log: proofs, samples, trimmed entries, erased words. What is left proves itself."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from approvals.audit import erased
from approvals.model import Actor, Args, RequestId
from approvals.past import past_decisions
from bot.app import Service
from bot.audit.sample import rank
from bot.daily import statistics
from tests.auditing import book, decided, logged, signed
from tests.bot.audit.conftest import Operator
from tests.operator import Said

IDS = [RequestId(f"R-{letter * 26}") for letter in "ABCDEFGH"]
ROOT = Actor(id="operator:root", name="root")
SPAN = ("--from", "2000-01-01", "--to", "2100-01-01")


# -- proofs --------------------------------------------------------------------------------------------


async def test_an_entry_is_proved_and_the_proof_checked_by_whoever_has_the_key(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    await logged(house, 5)
    await signed(house)
    (public,) = (await audit("checkpoint", "--keys")).out.split()
    said = await audit("prove", "7")
    (file := tmp_path / "proof.json").write_text(said.out)
    told = await audit("verify-proof", str(file), "--key", public, offline=True)
    assert (told.code, "Its signature is good" in told.out) == (0, True)
    assert "not checked" in (await audit("verify-proof", str(file), offline=True)).out

    proof = json.loads(said.out)
    for forged in (
        {"entry": proof["entry"] | {"actor": "slack:U0EVE"}},
        {"entry": proof["entry"] | {"seq": 8}},
        {"path": proof["path"][:-1]},
        {"path": ["zz"]},
        {"checkpoint": proof["checkpoint"].replace("\n11\n", "\n12\n")},
    ):
        file.write_text(json.dumps(proof | forged))
        assert (await audit("verify-proof", str(file), "--key", public, offline=True)).code == 1, forged
    for none in ("{}", "[]", "no JSON", json.dumps(proof | {"entry": {}})):
        file.write_text(none)
        assert (await audit("verify-proof", str(file), offline=True)).code == 2
    await logged(house, 1)
    assert (await audit("prove", "12")).code == 2, "no checkpoint covers it yet"
    assert (await audit("prove", "0")).code == 2


# -- samples -------------------------------------------------------------------------------------------


async def a_sample(house: Service, audit: Operator, folder: Path, *more: str) -> dict[str, Any]:
    for nth, id in enumerate(IDS[:6]):
        await decided(
            house, id, yes=nth % 3 != 0, args={"note": "<script>alert(1)</script>\u202e", "nth": nth}
        )
    await logged(house, 2)
    await signed(house)
    said = await audit("export", "--sample", "4", *SPAN, "--to", str(folder), *more)
    assert (said.code, "4 of 6 decisions" in said.err) == (0, True), said.err
    about: dict[str, Any] = json.loads((folder / "sample.json").read_text())
    assert about["seed"] in said.err
    return about


async def test_an_auditor_gets_decisions_that_nobody_picked_and_checks_them(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    about = await a_sample(house, audit, tmp_path / "q1")
    newest = await book(house).newest()
    assert newest is not None
    assert about["sample"] == sorted(IDS[:6], key=lambda id: rank(about["seed"], id))[:4]
    (public,) = (tmp_path / "q1" / "keys.txt").read_text().split()
    told = await audit("verify", str(tmp_path / "q1"), "--key", public, offline=True)
    assert (told.code, told.out.startswith("4 decisions")) == (0, True), told.err
    page = (tmp_path / "q1" / "summary.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert ("\u202e" in page, "U+202E" in page) == (False, True)
    for words in (about["sample"][0], "Ana", "agent:billing", "policy version", "refunds", "by slack"):
        assert words in page

    await audit("export", "--sample", "2", *SPAN, "--seed", "ours", "--to", str(tmp_path / "own"))
    own = json.loads((tmp_path / "own" / "sample.json").read_text())
    assert own["sample"] == sorted(IDS[:6], key=lambda id: rank("ours", id))[:2]


async def test_a_sample_that_was_tampered_with_does_not_hold(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    folder = tmp_path / "q1"
    about = await a_sample(house, audit, folder)
    first = folder / f"{about['sample'][0]}.json"
    whole, sample = first.read_text(), (folder / "sample.json").read_text()

    async def told() -> str:
        said = await audit("verify", str(folder), offline=True)
        first.write_text(whole)
        (folder / "sample.json").write_text(sample)
        return said.err

    first.write_text(whole.replace("slack:U0ANA", "slack:U0EVE"))
    assert "is another than the checkpoint covers" in await told()
    entries = json.loads(whole)["entries"]
    first.write_text(json.dumps({"entries": [entries[0], *entries[2:]]}))
    assert "one is missing" in await told()
    first.write_text(json.dumps({"entries": entries[:2]}))
    assert "was not decided" in await told()
    first.unlink()
    assert "not those of the sample" in await told()
    receipt = folder / f"receipt-{about['sample'][0]}.json"
    signed_words = receipt.read_text()
    receipt.write_text(signed_words.replace("payloadType", "kind"))
    assert "receipt of" in await told()
    receipt.write_text(signed_words)
    (folder / "sample.json").write_text(json.dumps(about | {"sample": about["sample"][::-1]}))
    assert "not in the order" in await told()
    assert await told() == ""


async def test_a_decision_of_a_sample_counts_if_its_signature_does(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    assert house.signing is not None
    before = house.signing.current.public
    await decided(house, IDS[0])
    await house.signing.rotate(ROOT)
    await signed(house)
    await audit("export", "--sample", "1", *SPAN, "--to", str(tmp_path / "q1"))

    async def told(*keys: str) -> Said:
        pinned = [word for key in keys for word in ("--key", key)]
        return await audit("verify", str(tmp_path / "q1"), *pinned, offline=True)

    assert (await told(before, house.signing.current.public)).code == 0
    only_new = await told(house.signing.current.public)
    assert (only_new.code, f"receipt of {IDS[0]} is not to be believed" in only_new.err) == (1, True)


async def test_what_can_not_be_exported_is_told_in_a_sentence(house: Service, audit: Operator) -> None:
    for arguments in (
        ("--sample", "4", "--to", "folder"),
        ("--sample", "4", *SPAN),
        ("--sample", "4", "--from", "2026-02-01", "--to", "2026-01-01", "--to", "folder"),
        ("--sample", "4", "--from", "soon", "--to", "2026-01-01", "--to", "folder"),
        ("--from", "2026-01-01"),
        ("--to", "a", "--to", "b"),
        ("--to", "ftp://host/file"),
        ("--to", "/nowhere/at/all/log.jsonl"),
        ("--to", "otlp"),
    ):
        said = await audit("export", *arguments)
        assert (said.code, said.out) == (2, ""), arguments
        assert said.err.startswith("countersign: "), arguments


# -- trimming ------------------------------------------------------------------------------------------


@pytest.mark.attack("G92")
async def test_only_what_was_exported_and_read_back_is_trimmed(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    await logged(house, 3)
    assert "Only the entries 1 to 0" in (await audit("trim", "--through", "2")).err
    await audit("export", "--to", str(tmp_path / "unsigned.jsonl"))
    assert (await audit("trim", "--through", "2")).code == 1, "no checkpoint covers it"
    await signed(house)
    for safe in (
        ("--format", "csv", "--to", str(tmp_path / "log.csv")),
        (),
        ("--since", "3", "--to", str(tmp_path / "x")),
    ):
        await audit("export", *safe)
        assert (await audit("trim", "--through", "2")).code == 1, safe
    file = str(tmp_path / "1.jsonl")
    await audit("export", "--to", file)
    assert (await audit("trim", "--through", "8")).code == 1
    assert (await audit("trim", "--through", "5")).code == 0
    assert [entry.seq for entry in await house.store.entries()] == [6, 7, 8]
    (last,) = await house.store.entries(8)
    assert (last.event, (last.detail or {})["through"]) == ("trimmed", 5)

    await logged(house, 2)
    await signed(house)
    assert (await audit.holds(offline=False))["first"] == 6
    await audit("export", "--new", "--to", str(tmp_path / "2.jsonl"))
    assert (await audit.holds(file, str(tmp_path / "2.jsonl")))["entries"] == 12
    (checkpoint := tmp_path / "checkpoint.txt").write_text((await audit("checkpoint")).out)
    assert (await audit.holds("--checkpoint", str(checkpoint), offline=False))["covered"] == 12
    (await audit("prove", "9"))
    assert "take it from an export" in (await audit("prove", "3")).err
    assert (await audit("trim", "--before", "2000-01-01")).out.startswith("Nothing to trim")
    assert (await audit("trim", "--before", "2100-01-01")).code == 0
    assert [entry.event for entry in await house.store.entries()] == ["trimmed"]


async def test_what_reads_the_log_copes_with_one_that_begins_later(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    first = await decided(house, IDS[0])
    await signed(house)
    await audit("export", "--to", str(tmp_path / "1.jsonl"))
    last = await house.store.last_seq()
    assert (await audit("trim", "--through", str(last))).code == 0
    second = await decided(house, IDS[1])
    now = await house.store.now()
    tally = await statistics.of(house.store, now - timedelta(hours=1), now + timedelta(hours=1))
    assert tally.counts.approved == 1
    assert await house.store.first_seq_at(now - timedelta(days=1)) <= last + 1
    assert [each.id for each in await past_decisions(house.store, second)] == []
    assert [entry.event for entry in await house.store.chain(first.id)] == []
    assert (await audit("show", IDS[1])).out.count("\n") == 3


# -- erasing -------------------------------------------------------------------------------------------


@pytest.mark.attack("G93")
async def test_what_was_erased_is_gone_and_everything_still_proves_itself(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    args: Args = {"customer": "Ms Doe"}
    await decided(house, IDS[0], yes=False, args=args)
    await decided(house, IDS[1], yes=False)
    size = await signed(house)
    said = await audit("erase", IDS[0], "she", "asked", "for", "it", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["erased"] == [2, 3, 4]
    assert (await audit.holds(offline=False))["erased"] == 3
    await signed(house)
    file = tmp_path / "log.jsonl"
    await audit("export", "--to", str(file))
    assert (await audit.holds(str(file)))["erased"] == 3
    text = file.read_text()
    assert "Ms Doe" not in text
    assert "slack:U0ANA" in text, "who decided stays"
    assert json.loads((await audit("prove", "2")).out)["entry"]["args"] is None
    (entry,) = await house.store.entries(size + 1)
    assert (entry.event, (entry.detail or {})["because"]) == ("erased", "she asked for it")
    assert (await audit("show", IDS[0])).code == 4, "the request is forgotten"
    again = await audit("erase", IDS[0], "again")
    assert again.code == 0

    forged = text.replace('"commitment": "', '"commitment": "0', 1)
    file.write_text(forged)
    assert "entry 2 was changed" in await audit.fault(str(file))


async def test_what_is_under_way_is_not_erased(house: Service, audit: Operator) -> None:
    await decided(house, IDS[0])
    said = await audit("erase", IDS[0], "why not")
    assert (said.code, "is approved" in said.err) == (2, True)
    assert (await audit("erase", IDS[3], "why not")).code == 4


async def test_erased_entries_of_which_no_erasure_is_recorded_are_told(
    house: Service, audit: Operator
) -> None:
    await decided(house, IDS[0], yes=False)
    await signed(house)
    entries = await house.store.chain(IDS[0])
    await book(house)._replace({entry.seq: entry for entry in entries})
    assert "erased" not in (await audit("verify")).out
    await book(house)._replace({entry.seq: erased(entry) for entry in entries})
    assert "Only 0 of them were erased by" in (await audit("verify")).out
