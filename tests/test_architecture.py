"""`docs/architecture.md` shows the house as it is: no room on the plan is missing from the house."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLAN = (ROOT / "docs" / "architecture.md").read_text()
FLOORS = re.findall(r"^## (\w+)/:.*?\n(.*?)(?=^## |\Z)", PLAN, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("house", "text"), FLOORS, ids=[house for house, _ in FLOORS])
def test_every_room_on_the_plan_exists(house: str, text: str) -> None:
    rooms = re.findall(r"`(\w+\.py|\w+/)`", text)
    assert rooms
    assert [room for room in rooms if not (ROOT / house / room).exists()] == []
