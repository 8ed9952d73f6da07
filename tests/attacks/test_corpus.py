"""Every attack that we know of is shown to fail by a test, or it is said why not."""

from tests.attacks.corpus import ATTACKS, LEFT_OUT
from tests.attacks.page import PAGE, shown, written


def test_every_attack_is_shown_by_a_test() -> None:
    assert set(shown()) == set(ATTACKS)


def test_what_is_left_out_is_shown_nowhere() -> None:
    assert not set(LEFT_OUT) & set(ATTACKS)


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == written(), "run python -m tests.attacks.page"
