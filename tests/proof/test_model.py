"""The model that `make proof` explores: parts of it, its mutants, whether it plays by the real rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.errors import Refusal
from approvals.evolution import evolve
from approvals.machine import begin, decide
from approvals.model import OnDeadline
from tests.builders import T0, a_request
from tests.proof import model_deciding as deciding
from tests.proof import model_posting as posting
from tests.proof.model import mutants
from tests.proof.model_deciding import CANCEL, SUBMIT
from tests.proof.model_rules import CALLS, COMMANDS, PEOPLE, TIMES, Rules, terms_of
from tests.proof.search import Model, Step, explore


def test_a_small_part_of_the_protocol_holds() -> None:
    scope = deciding.Scope(name="small", people=1, letters=SUBMIT | CANCEL, agents=1, workers=1)
    found = explore(deciding.model_of(scope))
    assert (found.wrong, found.states > 1000) == (None, True)


def test_cards_are_posted_once_though_replies_are_lost() -> None:
    found = explore(posting.model_of(posting.Scope(name="small", kills=True, loses_replies=True)))
    assert (found.wrong, found.states > 100) == (None, True)


@pytest.mark.parametrize("model", [pytest.param(model, id=model.name) for model in mutants()])
def test_the_model_catches_its_mutants(model: Model[Any]) -> None:
    found = explore(model)
    assert found.wrong and found.trace


def test_what_can_come_to_no_end_is_found() -> None:
    """0 → 1 → 2, which is the end; and from 1 into a hole, out of which only a fault leads."""
    ways = {0: [Step(label="a", after=1)], 1: [Step(label="b", after=2), Step(label="c", after=3)]}
    out = {3: [Step(label="luck", after=2, is_fault=True)]}
    model = Model(
        name="hole",
        first=0,
        steps=lambda state: (ways | out).get(state, []),
        wrong=lambda _: None,
        is_end=lambda state: state == 2,
    )
    found = explore(model)
    assert found.trace == ("a", "c") and "no end" in str(found.wrong)


@given(
    quorum=st.sampled_from([1, 2]),
    silence=st.sampled_from(OnDeadline),
    lot=st.lists(
        st.tuples(st.sampled_from([*COMMANDS, "expire", "lapse"]), st.sampled_from([0, 1, 2]), st.booleans()),
        max_size=8,
    ),
    passes=st.lists(st.integers(0, 8), max_size=3),
)
@settings(max_examples=100)
def test_what_the_model_leaves_out_of_a_request_makes_no_difference(
    quorum: int, silence: OnDeadline, lot: list[tuple[str, int, bool]], passes: list[int]
) -> None:
    rules = Rules(terms_of(quorum=quorum, on_deadline=silence))
    asked = a_request(args=CALLS[0], terms=terms_of(quorum=quorum, on_deadline=silence), created_at=T0)
    whole, number = evolve(asked, begin(asked)[1]), rules.first
    for turn, (verb, person, is_frozen) in enumerate(lot):
        phase = sum(turn >= at for at in passes)
        answer = rules.answer(number, verb, person, phase, is_frozen)
        command = rules.command(whole, verb, PEOPLE[person], phase)
        if command is None:
            assert answer.word is None
            continue
        try:
            event = decide(whole, command, now=TIMES[phase], freeze=rules.freeze(is_frozen))
        except Refusal:
            assert answer.word is None
            continue
        whole, number = evolve(whole, event), answer.after
        assert answer.word == event.word
        assert rules.number(whole) == number
