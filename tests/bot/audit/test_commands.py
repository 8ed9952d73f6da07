"""`countersign audit`: what an operator and an auditor do with the log, and are told of a forged one."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from approvals.audit import Entry, link
from approvals.keys import key
from approvals.model import Actor, RequestId, Via
from bot.app import Service
from bot.audit.lines import json_line
from tests.auditing import asked, logged, new_tree, put_anew, rewritten, signed
from tests.bot.audit.conftest import Operator

IDS = [RequestId(f"R-{letter * 26}") for letter in "ABCDEFGH"]


def edited(log: list[Entry]) -> list[Entry]:
    return [*log[:3], replace(log[3], actor="slack:U0EVE"), *log[4:]]


def deleted(log: list[Entry]) -> list[Entry]:
    return [*log[:3], *log[4:]]


def numbered_anew(log: list[Entry]) -> list[Entry]:
    return [replace(entry, seq=seq) for seq, entry in enumerate(deleted(log), start=1)]


def inserted(log: list[Entry]) -> list[Entry]:
    extra = link(log[2].hash, replace(log[2], event="approved"))
    return [replace(each, seq=n) for n, each in enumerate([*log[:3], extra, *log[3:]], start=1)]


def swapped(log: list[Entry]) -> list[Entry]:
    return [*log[:3], replace(log[4], seq=4), replace(log[3], seq=5), *log[5:]]


FORGED: dict[str, tuple[Callable[[list[Entry]], list[Entry]], str]] = {
    "edited": (edited, "entry 4 was changed"),
    "deleted": (deleted, "entry 4 is missing"),
    "deleted and numbered anew": (numbered_anew, "entry 4"),
    "inserted": (inserted, "entry 4"),
    "reordered": (swapped, "entry 4"),
    "cut off": (lambda log: log[:-2], "is missing"),
}


async def test_the_first_bad_entry_of_a_forged_log_is_named(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    await logged(house, 4)
    assert await signed(house) == 9
    file, bare, checkpoint = (tmp_path / name for name in ("log.jsonl", "bare.jsonl", "checkpoint.txt"))
    assert (await audit("export", "--to", str(file))).code == 0
    checkpoint.write_text((await audit("checkpoint")).out)
    log = await house.store.entries()
    for how, (forge, words) in FORGED.items():
        await put_anew(house, forge(log))
        assert words in await audit.fault(offline=False), how
        lines = "".join(f"{json_line(entry)}\n" for entry in forge(log))
        bare.write_text(lines)
        file.write_text(lines)
        if how == "inserted":  # at the end of a chain: files alone can't tell where, but that it is so
            words = "of the entries 1 to 9 one is another"
        assert words in await audit.fault(str(bare), "--checkpoint", str(checkpoint)), how
        assert words in await audit.fault(str(file)), how


@pytest.mark.attack("G90")
async def test_a_log_that_was_chained_anew_as_a_whole_is_found_by_tree_and_checkpoints(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    await logged(house, 2)
    checkpoints = []
    for number in range(3):
        await logged(house, 2)
        await signed(house)
        path = tmp_path / f"{number}.txt"
        path.write_text((await audit("checkpoint")).out)
        checkpoints += ["--checkpoint", str(path)]
    assert (await audit.holds(*checkpoints, offline=False))["checkpoints"] == 6

    await put_anew(house, await rewritten(house, 11))
    assert "entry 11 is another than the log's tree covers" in await audit.fault(offline=False)
    (file := tmp_path / "log.jsonl").write_text((await audit("export")).out)
    await audit.holds(str(file))
    assert "of the entries 10 to 13 one is another" in await audit.fault(str(file), *checkpoints)
    await new_tree(house)
    await house.redis.delete(key(house.store.tenant, "audit:checkpoints"))
    await audit.holds(offline=False)
    assert "of the entries 10 to 13" in await audit.fault(*checkpoints, offline=False)


async def test_exports_go_on_from_each_other_and_verify_with_a_pinned_key(
    house: Service, audit: Operator, tmp_path: Path
) -> None:
    await logged(house, 3)
    await signed(house)
    (public,) = (await audit("checkpoint", "--keys")).out.split()
    files = [str(tmp_path / name) for name in ("1.jsonl", "2.jsonl")]
    assert "may be trimmed through 7" in (await audit("export", "--new", "--to", files[0])).err
    await logged(house, 2)
    await signed(house)
    assert "trimmed through 11" in (await audit("export", "--new", "--to", files[1])).err
    found = await audit.holds(*files, "--key", public)
    assert (found["first"], found["entries"], found["covered"]) == (1, 11, 11)
    assert (await audit.holds(files[1]))["covered"] == 11, "by the edge of the tree in its manifest"
    told = await audit("verify", *files, "--key", public[:-4] + "AAA=", offline=True)
    assert told.code == 1
    manifest = json.loads((tmp_path / "2.jsonl.manifest.json").read_text())
    assert (manifest["first"], manifest["last"], manifest["keys"]) == (8, 11, [public])
    assert (tmp_path / "2.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.attack("J13")
async def test_a_spreadsheet_takes_nothing_in_a_csv_for_a_formula(house: Service, audit: Operator) -> None:
    words = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", 'plain, "quoted"\nand long']
    for id, reason in zip(IDS, words, strict=True):
        await asked(house, id, tool=f"tool {words.index(reason)}", reason=reason, agent="billing")
    await house.store.refuse("=cmd()", Actor(id="=HYPERLINK(1)", name="+x"), "=approve", "+no", Via.CLI)
    text = (await audit("export", "--format", "csv")).out
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    assert len(rows) == await house.store.last_seq()
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert rows[-1]["actor"] == "'=HYPERLINK(1)"
    told = [json.loads(row["detail"]).get("reason") for row in rows if row["event"] == "submitted"]
    assert told == words, "nothing of what they say is lost"
