"""Every attack that we know of is shown to fail by a test, or it is said why not; what docs name exists."""

import re

from tests.attacks.corpus import ATTACKS, LEFT_OUT
from tests.attacks.page import PAGE, ROOT, every_test, shown, written

SECURITY = ROOT / "docs" / "security.md"


def test_every_attack_is_shown_by_a_test() -> None:
    assert set(shown()) == set(ATTACKS)


def test_what_is_left_out_is_shown_nowhere() -> None:
    assert not set(LEFT_OUT) & set(ATTACKS)


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == written(), "run python -m tests.attacks.page"


def test_every_test_that_security_md_names_exists() -> None:
    there = {(path, name) for path, name, _ in every_test()}
    named = re.findall(r"\[([^]]+)\]\(\.\./tests/([^)]+)\)", SECURITY.read_text())
    assert len(named) > 40
    for words, path in named:
        assert (path, f"test_{words.replace(' ', '_')}") in there, f"{path} has no such test: {words}"


def test_security_md_has_every_item_and_every_risk() -> None:
    rows = re.findall(r"^\| ((?:9\.2|12\.4|ASI)[\d.]*) \|", SECURITY.read_text(), re.MULTILINE)
    assert rows == [*(f"9.2.{n}" for n in range(1, 11)), "12.4.2", *(f"ASI{n:02}" for n in range(1, 11))]
