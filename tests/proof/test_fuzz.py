"""The fuzzing of `make proof`: that it runs, and that it tells of what it finds."""

import json

import pytest
from hypothesis import strategies as st

from approvals.dsse import read, verified
from tests.proof.fuzz import KEY, KIND, PAYLOAD, RECEIPT, TRIALS, fuzzed, spelled


@pytest.mark.long
@pytest.mark.parametrize("name", TRIALS)
def test_a_few_of_each_go_well(name: str) -> None:
    tried, wrong = fuzzed(TRIALS[name], 5)
    assert (tried >= 5, wrong) == (True, None)


def test_what_goes_wrong_is_told_with_the_smallest_that_does() -> None:
    def breaks(data: st.DataObject) -> None:
        number = data.draw(st.integers(0, 1000))
        assert number < 10, f"{number} is too many"

    tried, wrong = fuzzed(breaks, 200)
    assert tried
    assert wrong is not None
    assert "10 is too many" in wrong


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("-0.0", "0"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("-1.5e-10", "-1.5e-10"),
        ("333333333.33333329", "333333333.3333333"),
        ("5e-324", "5e-324"),
    ],
)
def test_the_second_reading_spells_numbers_as_the_rfc_does(number: str, text: str) -> None:
    assert spelled(json.loads(number)) == text


def test_the_receipt_that_is_changed_is_believed_unchanged() -> None:
    assert verified(read(RECEIPT), KIND, KEY.keys) == PAYLOAD
