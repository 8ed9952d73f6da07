"""The checker names each kind of wrong, and none where all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from approvals.canonical import fingerprint
from approvals.model import Args
from tests.proof.history import Books, Click, History, Kept, Line, Rules, Run, Told, wrongs

ARGS: Args = {"customer": "c_42", "amount": 940}
OTHERS: Args = {"customer": "c_42", "amount": 9}
RULES = Rules(voters=frozenset({"U0ANA"}))
YES = Click(person="U0ANA", verb="approve", request="R-1", args=ARGS, told=Told.RECORDED)


def a_line(event: str, actor: str = "slack:U0ANA", args: Args = ARGS) -> Line:
    return Line(request="R-1", event=event, actor=actor, fingerprint=fingerprint("refund", args))


LOG = [a_line("submitted"), a_line("asked"), a_line("approved"), a_line("claimed"), a_line("executed")]


def a_history(*clicks: Click, runs: int = 1, args: Args = ARGS) -> History:
    history = History(clicks=list(clicks) or [YES])
    history.asked.append(("k", "R-1"))
    history.runs += [Run(request="R-1", args=args)] * runs
    history.claimed += ["R-1"] * min(runs, 1)
    return history


def the_books(status: str = "executed", log: list[Line] = LOG, **changes: object) -> Books:
    kept = Kept(id="R-1", status=status, entries=len(log))
    return replace(Books(requests={"R-1": kept}, log=log), **changes)  # type: ignore[arg-type]


def found(history: History, books: Books, rules: Rules = RULES) -> set[str]:
    return {wrong.kind for wrong in wrongs(history, books, rules)}


def test_nothing_is_wrong_where_all_is_as_it_was_told() -> None:
    assert found(a_history(), the_books()) == set()


def test_an_approval_that_was_acknowledged_and_is_nowhere_is_lost() -> None:
    assert "lost" in found(a_history(runs=0), the_books("pending", LOG[:2]))


def test_a_request_that_was_taken_in_and_is_gone_is_lost() -> None:
    assert "lost" in found(a_history(runs=0), the_books(requests={}))


def test_an_approval_that_became_a_rejection_was_changed() -> None:
    log = [*LOG[:3], a_line("rejected", "slack:U0KIM")]
    assert "changed" in found(a_history(runs=0), the_books("rejected", log))


def test_what_runs_with_other_arguments_than_the_card_showed_was_changed() -> None:
    assert "changed" in found(a_history(args=OTHERS), the_books())


def test_what_is_recorded_for_another_call_than_the_card_showed_was_changed() -> None:
    log = [*LOG[:2], a_line("approved", args=OTHERS), *LOG[3:]]
    assert "changed" in found(a_history(), the_books(log=log))


def test_what_runs_twice_is_doubled() -> None:
    assert "doubled" in found(a_history(runs=2), the_books())


def test_one_key_that_became_two_requests_is_doubled() -> None:
    history = a_history()
    history.asked.append(("k", "R-2"))
    assert "doubled" in found(history, the_books())


def test_what_runs_by_the_word_of_somebody_who_may_not_is_unauthorised() -> None:
    guest = replace(YES, person="U0GUS")
    log = [*LOG[:2], a_line("approved", "slack:U0GUS"), *LOG[3:]]
    assert "unauthorised" in found(a_history(guest), the_books(log=log))


def test_one_yes_where_two_are_needed_is_unauthorised() -> None:
    rules = replace(RULES, voters=frozenset({"U0ANA", "U0KIM"}), quorum=2)
    assert "unauthorised" in found(a_history(YES, YES), the_books(), rules)


@pytest.mark.parametrize("gone", [2, 3])
def test_a_decision_or_a_run_that_the_log_does_not_tell_is_unaudited(gone: int) -> None:
    log = [line for place, line in enumerate(LOG) if place != gone]
    assert "unaudited" in found(a_history(), the_books(log=log))


def test_a_log_that_does_not_hold_is_unaudited() -> None:
    assert "unaudited" in found(a_history(), the_books(faults=("entry 3 is missing",)))


def test_a_request_that_comes_to_no_end_is_a_violation() -> None:
    assert found(a_history(runs=0), the_books("approved", LOG[:3])) == {"violations"}
