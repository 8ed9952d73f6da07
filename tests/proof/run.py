"""Prove it: model, mutants, faults and kills, one after the other. What it means: docs/security.md.

Each part runs in a process group of its own, so that one that hangs or leaves something running ends with it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

from pydantic import TypeAdapter

from tests.proof.figures import Figures
from tests.proof.report import markdown, show

# Modules of tests/proof with `def run(scale: int) -> Figures`, or several Figures, in this order.
PARTS: tuple[str, ...] = ("model", "mutants", "lives", "fuzz", "sweep", "kills", "kills_failover", "twin")
FIGURES = TypeAdapter(list[Figures])
BUDGET_S = 25 * 60  # at scale 1
DOCS = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = (
    "<!-- what follows is written by: make proof, with --markdown -->",
    "<!-- end of what is written -->",
)


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.into is not None:
        return _child(arguments.only[0], arguments.scale, arguments.into)
    found = run(arguments.only or PARTS, scale=arguments.scale)
    if arguments.json:
        print(json.dumps([asdict(each) | {"holds": each.holds} for each in found], indent=2))
    else:
        show(found)
    if arguments.markdown:
        _write(found)
    return 0 if all(each.holds for each in found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/proof/run.py", description=__doc__)
    parser.add_argument("--only", action="append", metavar="PART", help=f"one of: {', '.join(PARTS)}")
    parser.add_argument("--scale", type=int, default=1, help="so many times as much of it: 20 every night")
    parser.add_argument("--json", action="store_true", help="print JSON and no table")
    parser.add_argument("--markdown", action="store_true", help="also write the table into docs/security.md")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # run one part here; the file is for it
    return parser


def run(parts: Sequence[str], *, scale: int) -> list[Figures]:
    """What each part found. One that fails to tell, or has no time left, counts as a wrong."""
    ends_at = time.monotonic() + BUDGET_S * scale
    found: list[Figures] = []
    for part in parts:
        print(f"… {part}", file=sys.stderr, flush=True)
        found += _part(part, scale, ends_at - time.monotonic())
    return found


def _part(part: str, scale: int, left_s: float) -> list[Figures]:
    if left_s <= 0:
        return [Figures(part=part, counts={}, sentences=("there was no time left for it",))]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="proof-") as directory:
        told = Path(directory) / "figures.json"
        command = [sys.executable, __file__, "--only", part, "--scale", str(scale), "--into", str(told)]
        problem = _run_to_its_end(command, left_s)
        if problem is None:
            read = FIGURES.validate_json(told.read_bytes())
            return [each if each.seconds else replace(each, seconds=_since(began)) for each in read]
    return [Figures(part=part, counts={}, seconds=_since(began), sentences=(problem,))]


def _run_to_its_end(command: list[str], left_s: float) -> str | None:
    """What is wrong with how it ended, if anything."""
    process = subprocess.Popen(command, start_new_session=True, stdout=sys.stderr)
    try:
        code = process.wait(left_s)
    except subprocess.TimeoutExpired:
        return f"it was not done after {left_s:.0f} s"
    finally:
        _end_group(process)
    return None if code == 0 else f"it ended with exit code {code} instead of figures"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # as it should be: nothing of it is left
        return
    process.wait(10)


def _child(part: str, scale: int, into: Path) -> int:
    made = import_module(f"tests.proof.{part}").run(scale)
    found = [made] if isinstance(made, Figures) else list(made)
    into.write_bytes(FIGURES.dump_json(found))
    return 0


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def _write(found: list[Figures]) -> None:
    text = DOCS.read_text()
    before, begun, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not begun:
        raise SystemExit(f"{DOCS.name} has no place for it: the line {BEGIN}")
    DOCS.write_text(f"{before}{BEGIN}\n\n{markdown(found)}\n\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
