"""A row shows the whole call letter by letter, or the request must be opened."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals.model import Args, OnDeadline
from blocks.pieces import line_text
from blocks.rows import ended_words, row_words, standing
from blocks.sums import money
from tests.blocks.digests import ENDED, NOW, a_digest, buttons, drawn
from tests.blocks.scenes import asked, scene


@pytest.mark.parametrize(
    "args",
    [
        {"customer": "c_42", "amount": 940, "currency": "USD"},
        {"to": "Ana Duarte", "flags": {"canary": True}, "zones": ["a", "b"], "dry": None},
        {"customer": "940", "path": "/var/log/x.log", "on": False},
        {},
    ],
)
def test_a_short_plain_call_is_whole_in_its_row(args: Args) -> None:
    row = row_words(asked(args=args))
    assert row.is_whole and "more" not in row.text
    assert all(key in row.text for key in args)


@pytest.mark.parametrize(
    "args",
    [
        {"body": "x" * 200},
        {"body": "two\nlines"},
        {"body": "two  spaces"},
        {"body": "pay\u200bpal"},
        {"body": "a” · amount “1"},
        {"body": "⟨marked⟩"},
        {"body": "\u05d0\u05d1 940"},
        {"name\namount": "fake"},
        {"a b": 1},
        {"flags": {f"region_{n}": n for n in range(20)}},
        {f"k{n}": n for n in range(60)},
        {f"key_{n}": "value" for n in range(12)},
    ],
)
def test_a_call_that_a_row_cannot_show_letter_by_letter_must_be_opened(args: Args) -> None:
    one = asked(args=args)
    row = row_words(one)
    assert not row.is_whole and " more — billing" in row.text and len(row.text) <= 220
    card = drawn(*a_digest([one]))
    assert buttons(card.blocks, "row:open") and not buttons(card.blocks, "row:approve")


def test_a_tool_that_is_not_read_as_it_is_makes_no_whole_row() -> None:
    for tool in ("t" * 41, "\\" * 21, "two  words"):
        assert not row_words(asked(tool=tool)).is_whole


@pytest.mark.attack("J14")
def test_a_text_that_looks_like_two_arguments_stays_one() -> None:
    assert "customer “c_42 · amount 1” · amount 2" in row_words(
        asked(args={"customer": "c_42 · amount 1", "amount": 2})
    ).text  # fmt: skip
    assert 'customer "940"' in row_words(asked(args={"customer": "940"})).text


def test_a_row_counts_what_it_leaves_out() -> None:
    text = row_words(asked(args={f"k{number}": number for number in range(60)})).text
    assert text.count(" k") == 15 and " … 45 more — " in text


def test_the_most_telling_arguments_come_first() -> None:
    args: Args = {"zone": 1, "customer": "c_42", "note": "n"}
    assert row_words(asked(args=args), with_tool=False).text.startswith("R-7K2M · customer c_42 · zone 1")


def test_a_row_says_how_far_it_is() -> None:
    assert standing(scene("pending_quorum_one"), NOW) == "1 of 2, Ana Duarte approved"
    assert standing(scene("with_agent"), NOW) == "back with billing: “Take the shipping off, please.”"
    assert standing(asked(), NOW) == ""
    assert "deadline has passed" in standing(asked(), NOW + timedelta(days=1))
    assert "unless someone rejects" in standing(asked(on_deadline=OnDeadline.APPROVE), NOW)


def test_a_row_that_is_over_tells_who_did_what_and_what_came_of_it() -> None:
    words = {name: line_text(ended_words(scene(name))) for name in ENDED}
    assert (
        words["approved"].startswith("✓ R-7K2M · customer c_42")
        and "Ana Duarte approved," in words["approved"]
    )
    assert "rejected," in words["rejected"] and words["rejected"].endswith(
        "“Ask the customer for the invoice first.”"
    )
    assert words["executed"].endswith(" · ran") and words["failed"].endswith(" · ran, and failed")
    assert words["withdrawn"].endswith(" · taken back") and words["expired"].startswith("◷ ")


def test_sums_are_told_as_their_unit_wants() -> None:
    assert money(1_310_000_000, "$") == "$1,310.00"
    assert money(-500_000, "€") == "-€0.50"
    assert money(1_310_000_000, "credits") == "1,310 credits"
    assert money(1, "") == "0.000001"
    assert money(2_500_000, "EUR") == "2.50 EUR"
