"""The sweep in small: a few faults of one scenario; and that a naive twin does not pass."""

from __future__ import annotations

import pytest

from tests.proof.relay import AFTER, BEFORE
from tests.proof.sweep import ALL, a_ground, ours
from tests.proof.sweep_faults import Fault, Where
from tests.proof.twin import _twin

(REJECT,) = [scenario for scenario in ALL if scenario.name == "reject"]
(APPROVE,) = [scenario for scenario in ALL if scenario.name == "approve"]
FAULTS: tuple[tuple[Where, str, int], ...] = (
    ("redis", AFTER, 6),  # the letter
    ("redis", BEFORE, 20),
    ("redis", "an error", 25),
    ("slack", "drop", 5),
    ("awaits", "killed", 60),
)


async def test_a_fault_at_a_step_of_a_rejection_loses_and_changes_nothing() -> None:
    async with a_ground() as ground:
        for where, kind, at in FAULTS:
            trial = await ground.trial(REJECT, Fault(where=where, kind=kind, at=at), ours)
            assert trial.has_struck
            assert trial.wrongs == []


@pytest.mark.long
@pytest.mark.parametrize("scenario", [each.name for each in ALL])
async def test_every_scenario_comes_to_its_end_where_nothing_fails(scenario: str) -> None:
    (played,) = [each for each in ALL if each.name == scenario]
    async with a_ground() as ground:
        trial = await ground.trial(played, Fault(where="redis", kind=AFTER, at=0), ours)
        assert trial.wrongs == []
        assert trial.cards == played.cards


async def test_a_naive_twin_runs_twice_what_a_guest_has_approved() -> None:
    async with a_ground() as ground:
        trial = await ground.trial(APPROVE, Fault(where="redis", kind=AFTER, at=0), _twin)
    assert {wrong.kind for wrong in trial.wrongs} >= {"doubled", "unauthorised"}
