"""Spans of time, as people write them and as they are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.durations import LONGEST_S, parse_duration, tell_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("4h", 14_400), ("1d", 86_400), ("2w", 1_209_600), (" 1H30m ", 5400)],
)
def test_a_span_is_read_as_it_is_written(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


def test_never_is_no_span() -> None:
    assert parse_duration("never") is None


@pytest.mark.parametrize("text", ["", "m", "30", "30 m", "-1h", "1.5h", "soon", "1h30", "٣m"])
def test_what_is_no_span_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it as 90s, 30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0s", "0h0m", "9999w"])
def test_nothing_and_for_ever_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"shortest|never"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (59.6, "1 min"),
        (3120, "52 min"),
        (3599, "1 h"),
        (5400, "1 h 30 min"),
        (86_399, "1 day"),
        (90_000, "1 day 1 h"),
        (172_800, "2 days"),
    ],
)
def test_a_span_is_told_in_few_words(seconds: float, told: str) -> None:
    assert tell_duration(seconds) == told


@given(st.integers(1, LONGEST_S))
def test_no_span_is_told_with_a_zero_in_it(seconds: int) -> None:
    told = f" {tell_duration(seconds)} "
    assert not any(odd in told for odd in (" 0 ", " 60 s ", " 60 min ", " 24 h "))
