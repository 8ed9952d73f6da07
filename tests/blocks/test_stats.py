"""The numbers of a span in words that are true, short, and fit into a message whatever tools are called."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.model import PersonId
from approvals.stats import EVERYTHING, Counts, Only, PersonTally, Tally
from blocks.check import check_message
from blocks.stats import LISTED, heading, last, pace, sentence, stats_card, stats_text
from tests.builders import T0

DAY_S = 24 * 3600


def a_tally(**changes: Any) -> Tally:
    usual: dict[str, Any] = {
        "since": T0,
        "until": T0 + timedelta(days=1),
        "counts": Counts(asked=48, allowed=200, by_grant=10, approved=39, edited=4, rejected=3, expired=2),
        "tools": {"refund": Counts(asked=48, approved=39, edited=4, rejected=3, expired=2)},
        "agents": {},
        "people": (),
        "seconds": (20.0, 100.0, 900.0),
    }
    return Tally(**(usual | changes))


def kim(**changes: Any) -> PersonTally:
    usual: dict[str, Any] = {"id": PersonId("U0KIM"), "name": "Kim Osei", "approved": 41}
    times = {"seconds": (1.4,) * 41, "yes_seconds": (1.4,) * 41}
    return PersonTally(**(usual | times | changes))


def test_one_sentence_says_it_all() -> None:
    assert sentence(a_tally(), "Yesterday") == (
        "Yesterday people were asked 48 times, and 210 calls ran by rule. 39 approved as asked, 4 edited,"
        " 3 rejected, 2 expired. Half decided within 2 min, 9 of 10 within 15 min."
    )


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (Counts(), "Yesterday nobody was asked anything, and no call ran by rule."),
        (Counts(asked=1), "Yesterday people were asked once, and no call ran by rule."),
        (Counts(allowed=1), "Yesterday nobody was asked anything, and 1 call ran by rule."),
    ],
)
def test_it_counts_as_people_do(counts: Counts, told: str) -> None:
    assert sentence(a_tally(counts=counts, seconds=()), "Yesterday") == told


def test_times_are_rounded_up_so_that_they_are_true() -> None:
    assert pace(a_tally(seconds=(61.0,))) == "Decided within 2 min"
    assert pace(a_tally(seconds=(0.2, 1.4))) == "Half decided within 1 s, 9 of 10 within 2 s"
    assert pace(a_tally(seconds=(1.1, 1.4))) == "9 of 10 decided within 2 s"


@pytest.mark.parametrize(
    ("seconds", "told"), [(DAY_S, "In the last day"), (30 * DAY_S, "In the last 30 days")]
)
def test_a_span_begins_a_sentence(seconds: int, told: str) -> None:
    assert last(seconds) == told


def test_who_seems_to_stamp_is_told_kindly_and_what_to_raise() -> None:
    card = stats_card(a_tally(people=(kim(),)), "Yesterday", EVERYTHING, has_picture=False)
    told = "41 of 41 decisions were yes, half of them within 2 s of being asked."
    assert f"Kim Osei: {told}" in card.text
    assert "a second one (quorum = 2)" in str(card.blocks)


def test_nobody_is_named_where_nobody_stamps() -> None:
    careful = kim(rejected=2, seconds=(90.0,) * 43, yes_seconds=(90.0,) * 41)
    card = stats_card(a_tally(people=(careful,)), "Yesterday", EVERYTHING, has_picture=False)
    assert "Kim Osei: 41 approved, 2 rejected; half within 2 min" in card.text
    assert "needed here" not in str(card.blocks)


def test_one_person_has_a_sentence_of_their_own() -> None:
    tally, only = a_tally(people=(kim(),), counts=Counts(approved=41)), Only(person=PersonId("U0KIM"))
    assert heading(tally, "In the last day", only) == "Kim Osei in the last day"
    assert stats_text(tally, "In the last day", only).startswith("In the last day Kim Osei decided 41 times.")


def test_lists_end_after_a_few_and_say_so() -> None:
    tools = {f"tool_{number}": Counts(asked=1) for number in range(LISTED + 2)}
    told = str(stats_card(a_tally(tools=tools), "Yesterday", EVERYTHING, has_picture=True).blocks)
    assert "tool_5" in told and "tool_6" not in told and "… and 2 more" in told


def test_names_call_nobody_and_are_no_markup() -> None:
    tools = {"<!channel> *x*": Counts(asked=1), "a\u202eb": Counts(asked=1)}
    people = (kim(name="<@U0ANA>"),)
    card = stats_card(a_tally(tools=tools, people=people), "Yesterday", EVERYTHING, has_picture=True)
    assert "<!" not in card.text and "<@" not in card.text
    assert "mrkdwn" not in str(card.blocks)
    assert "\u202e" not in card.text + str(card.blocks)


numbers = st.fixed_dictionaries({each.name: st.integers(0, 10**9) for each in fields(Counts)})
counts_of = st.builds(lambda named: Counts(**named), numbers)


@given(st.dictionaries(st.text(max_size=300), counts_of, max_size=12), st.lists(st.text(max_size=99)))
def test_whatever_tools_and_people_are_called_it_fits(tools: dict[str, Counts], names: list[str]) -> None:
    people = tuple(kim(name=name) for name in names)
    tally = a_tally(tools=tools, people=people)
    card = stats_card(tally, "Yesterday", Only(tool="x" * 500), has_picture=True)
    check_message(card.text, card.blocks)
