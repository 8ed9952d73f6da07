"""The README's lists of what the sandbox imitates are the code's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

import bot.sandbox
from bot.sandbox.block_elements import ELEMENTS
from bot.sandbox.block_kit import BLOCKS
from bot.sandbox.events import EVENTS
from bot.sandbox.misbehaviour import ENVELOPE_FAULTS, METHOD_FAULTS
from bot.sandbox.web_api import METHODS

HERE = Path(next(iter(bot.sandbox.__path__)))
README = (HERE / "README.md").read_text()


def listed(heading: str) -> set[str]:
    """The names in code type under a heading, up to the first blank line."""
    section = README.partition(f"### {heading}\n")[2].partition("\n\n")[0]
    return set(re.findall(r"`([^`]+)`", section))


@pytest.mark.parametrize(
    ("heading", "real"),
    [
        ("Methods", METHODS),
        ("Blocks", BLOCKS),
        ("Elements", ELEMENTS),
        ("Events", EVENTS),
        ("Faults", METHOD_FAULTS + ENVELOPE_FAULTS),
    ],
)
def test_the_readme_lists_what_there_is(heading: str, real: Iterable[str]) -> None:
    assert listed(heading) == set(real)


def test_every_payload_listed_is_built() -> None:
    source = (HERE / "payloads.py").read_text()
    assert all(f'"{kind}"' in source for kind in listed("Payloads"))


def test_the_sandbox_imports_nothing_of_ours() -> None:
    ours = {"approvals", "blocks", "bot"}
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.startswith("bot.sandbox") or name.split(".")[0] not in ours, (
                    f"{path.name}: {name}"
                )
                assert name.split(".")[0] not in ("slack_sdk", "slack_bolt"), f"{path.name}: {name}"
