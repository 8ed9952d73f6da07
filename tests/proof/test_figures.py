"""The proof's verdict: what it may call held."""

import pytest

from tests.proof.figures import WRONGS, Figures
from tests.proof.report import markdown, verdict
from tests.proof.run import run


def test_what_found_no_wrong_holds() -> None:
    assert Figures(part="kills", counts={"trials": 3, "lost": 0}).holds


@pytest.mark.parametrize("wrong", WRONGS)
def test_one_wrong_of_any_kind_is_enough(wrong: str) -> None:
    assert not Figures(part="kills", counts={"trials": 3, wrong: 1}).holds


def test_a_sentence_is_enough_too() -> None:
    found = [
        Figures(part="model", counts={"states": 9}),
        Figures(part="kills", counts={}, sentences=("why",)),
    ]
    assert verdict(found) == "It does NOT hold: kills."
    assert "- kills: why" in markdown(found)


def test_the_twin_must_fail_in_everything_that_is_counted() -> None:
    assert Figures(part="twin", counts={"lost": 1, "doubled": 2}, must_fail=True).holds
    assert not Figures(part="twin", counts={"lost": 1, "doubled": 0}, must_fail=True).holds
    assert not Figures(part="twin", counts={"trials": 1}, must_fail=True).holds


def test_a_part_that_breaks_off_is_a_wrong() -> None:
    (broken,) = run(["no_such_part"], scale=1)
    assert not broken.holds
    assert "exit code 1" in broken.sentences[0]
