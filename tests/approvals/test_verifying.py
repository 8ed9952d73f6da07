"""A log held against checkpoints as it is read: no forgery passes, and what was erased is no forgery."""

from dataclasses import replace
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import notes
from approvals.audit import Entry, Fault, commitment, erased, holds, is_erased, leaf, link
from approvals.merkle import Frontier, leaf_hash
from approvals.notes import Checkpoint
from approvals.verifying import Findings, check
from tests.approvals.test_audit import LOG, WHERE, chained


def edge(size: int) -> Frontier:
    found = Frontier()
    for entry in LOG[:size]:
        found.add(leaf_hash(leaf(entry)))
    return found


def checkpoint(size: int) -> Checkpoint:
    return Checkpoint(origin=notes.origin_of("default"), size=size, root=edge(size).root())


EVERY = [checkpoint(size) for size in range(len(LOG) + 1)]


def faulty(log: list[Entry], *, since: int = 1) -> Fault:
    found = check(log, EVERY, edge(since - 1))
    assert isinstance(found, Fault)
    return found


@given(WHERE)
def test_a_log_fits_its_checkpoints_from_wherever_it_is_read(at: int) -> None:
    found = check(LOG[at:], EVERY, edge(at), len(LOG))
    assert isinstance(found, Findings)
    assert (found.first, found.last, found.entries) == (at + 1, len(LOG), len(LOG) - at)
    assert found.covered == tuple(range(at, len(LOG) + 1))
    assert found.left == tuple(range(at))
    unknown = check(LOG[at:], EVERY)
    assert isinstance(unknown, Findings)
    assert unknown.covered == (() if at else tuple(range(len(LOG) + 1)))


@given(WHERE)
def test_a_log_that_was_chained_anew_is_another_from_the_changed_entry_on(at: int) -> None:
    log = chained([*LOG[:at], replace(LOG[at], actor="slack:U0EVE"), *LOG[at + 1 :]])
    assert isinstance(check(log), Findings)
    assert faulty(log) == Fault(seq=at + 1, kind="rewritten", until=at + 1)


@given(WHERE, st.integers(0, len(LOG)))
def test_whatever_was_left_out_put_in_or_moved_is_found(at: int, to: int) -> None:
    left_out = [*LOG[:at], *LOG[at + 1 :]]
    moved = [*left_out[:to], LOG[at], *left_out[to:]]
    for forged in (left_out, moved, [*LOG[:to], LOG[at], *LOG[to:]]):
        for numbers in (forged, [replace(each, seq=n) for n, each in enumerate(forged, start=1)]):
            if numbers != LOG:
                same = sum(
                    1 for _ in takewhile(lambda two: two[0] == two[1], zip(numbers, LOG, strict=False))
                )
                assert faulty(numbers).seq <= same + 1


@given(st.integers(0, len(LOG) - 1))
def test_a_log_that_was_cut_short_is_found(size: int) -> None:
    assert faulty(LOG[:size]) == Fault(seq=size + 1, kind="missing")


@pytest.mark.attack("G93")
@given(st.sets(WHERE))
def test_what_was_erased_is_told_and_everything_holds(which: set[int]) -> None:
    log = [erased(entry) if nth in which else entry for nth, entry in enumerate(LOG)]
    found = check(log, EVERY, last=len(LOG))
    assert isinstance(found, Findings)
    assert found.erased == len(which)
    assert len(found.covered) == len(EVERY)


class TestAnErasedEntry:
    def test_it_keeps_no_words_and_its_hash(self) -> None:
        entry = next(entry for entry in LOG if entry.args)
        gone = erased(entry)
        assert holds(gone)
        assert is_erased(gone)
        assert (gone.args, gone.salt, gone.hash) == (None, None, entry.hash)
        assert gone.commitment == commitment(entry)
        assert "by" in (entry.detail or {})
        assert (gone.detail or {}) == {"kind": "action", "risk": "medium"}
        assert erased(gone) == gone

    @pytest.mark.parametrize("entry", LOG)
    def test_it_can_not_be_made_to_say_something_else(self, entry: Entry) -> None:
        gone = erased(entry)
        assert not holds(replace(gone, args={"amount": 1}))
        assert not holds(replace(gone, detail={**(gone.detail or {}), "text": "fine"}))
        assert not holds(replace(gone, commitment="0" * 64))
        assert not holds(replace(entry, commitment=gone.commitment, args={"amount": 1}))
        assert not holds(replace(entry, salt="00"))

    def test_what_was_logged_before_can_not_be_erased_and_holds(self) -> None:
        plain = replace(LOG[0], salt=None)
        assert erased(plain) == plain

    def test_equal_words_have_unequal_commitments(self) -> None:
        assert commitment(link("", replace(LOG[0], salt=None))) != commitment(LOG[0])
