"""When a run is stuck: what it says, what fails, how long it goes on."""

from collections.abc import Iterator

import pytest

from approvals import Approvals, InvalidCall, TakenOver, Unavailable
from approvals.testing import Script, scripted
from approvals.watcher import Watcher


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


@pytest.fixture
def agent(script: Script) -> Approvals:
    return Approvals.connect("redis://127.0.0.1:1/0", agent="billing")


@pytest.mark.parametrize("said", ["Well, I can’t tell.", "well,  I CAN'T\ntell"])
def test_a_phrase_is_found_however_it_is_written(said: str) -> None:
    watcher = Watcher(phrases=["I can't tell"])
    assert watcher.saw("all is well") is None
    assert watcher.saw(said) == "it said “i can't tell”"


def test_failures_of_one_tool_in_a_row_are_counted() -> None:
    watcher = Watcher(attempts=2)
    watcher.tried("refund", False)
    watcher.tried("lookup", False)
    watcher.tried("refund", True)
    assert watcher.tried("refund", False) is None
    assert watcher.tried("refund", False) == "refund has failed 2 times in a row"


def test_turns_are_counted() -> None:
    watcher = Watcher(turns=2)
    assert [watcher.turn(), watcher.turn()] == [None, None]
    assert watcher.turn() == "it has gone on for more than 2 turns"


def test_the_first_reason_stays() -> None:
    watcher = Watcher(phrases=["stuck"], turns=1)
    watcher.saw("I am stuck")
    watcher.turn()
    assert watcher.turn() == "it said “stuck”"


def test_what_is_not_wanted_is_not_watched() -> None:
    watcher = Watcher(phrases=[], attempts=None, turns=None)
    for _ in range(50):
        watcher.turn()
        watcher.tried("refund", False)
    assert watcher.saw("I don't know") is None


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"turns": -1}, {"phrases": "stuck"}, {"phrases": [" "]}])
def test_what_would_never_or_always_fire_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidCall):
        Watcher(**wrong)  # type: ignore[arg-type]  # on purpose


async def test_a_stuck_run_is_handed_to_people_and_counts_anew(script: Script, agent: Approvals) -> None:
    script.guides("use the other key")
    watcher = Watcher(attempts=1)
    assert await watcher.escalate_if_stuck(agent) is None
    watcher.tried("refund", False)
    assert await watcher.escalate_if_stuck(agent, context="invoice 881") == "use the other key"
    assert script.request("escalate").args["question"] == "A run is stuck: refund has failed."
    assert watcher.why is None


async def test_a_run_stays_stuck_until_people_have_said_something(script: Script, agent: Approvals) -> None:
    script.takes_over()
    watcher = Watcher(attempts=1)
    watcher.tried("refund", False)
    with script.outage(), pytest.raises(Unavailable):
        await watcher.escalate_if_stuck(agent)
    assert watcher.why is not None
    with pytest.raises(TakenOver):
        await watcher.escalate_if_stuck(agent)
