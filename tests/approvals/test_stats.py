"""What happened in a span of time, counted from the entries of the log."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.audit import Entry, entry_of
from approvals.commands import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Command,
    Expire,
    GiveUp,
    RecordRefusal,
    Reject,
    Report,
    RequestChanges,
    Revise,
    TakeBack,
)
from approvals.evolution import evolve
from approvals.machine import begin, decide
from approvals.model import Action, Args, OnDeadline, PersonId, Via
from approvals.stats import (
    Finding,
    Only,
    PersonTally,
    Tally,
    percentile,
    rubber_stamps,
    tally,
)
from tests.builders import REFUND, T0, a_person, a_question, a_request, terms

ANA, KIM = a_person(), a_person(id=PersonId("U0KIM"), name="Kim Osei")
DAY = timedelta(days=1)
CLAIMED = (Claim(), Report(ok=True))


def yes(by: Any = ANA, edited: Args | None = None) -> Approve:
    return Approve(by=by, seen=a_request().fingerprint, edited=edited)


def no(by: Any = ANA) -> Reject:
    return Reject(by=by, feedback="Not this one.")


def a_life(*commands: Command, after_s: float = 60, at: datetime = T0, **changes: Any) -> Iterator[Entry]:
    """The log of one request; each command comes `after_s` after what was before it."""
    make = a_question if changes.pop("is_question", False) else a_request
    request = make(**({"terms": terms(deadline_s=7200), "created_at": at} | changes))
    submitted, answer = begin(request)
    yield entry_of(request, request, submitted, via=Via.REDIS)
    after = evolve(request, answer)
    yield entry_of(request, after, answer, via=Via.SERVICE)
    for command in commands:
        at += timedelta(hours=3) if isinstance(command, Expire) else timedelta(seconds=after_s)
        wanted = replace(command, seen=after.fingerprint) if isinstance(command, Approve) else command
        event = decide(after, wanted, now=at)
        before, after = after, evolve(after, event)
        yield entry_of(before, after, event, via=Via.SLACK)


def counted(*lives: Iterator[Entry], only: Only | None = None, since: datetime = T0) -> Tally:
    entries = (entry for life in lives for entry in life)
    return tally(entries, since=since, until=T0 + DAY, only=only or Only())


def people_of(found: Tally) -> dict[str, tuple[int, int, int]]:
    return {each.name: (each.approved, each.edited, each.rejected) for each in found.people}


def test_each_request_counts_once_by_what_became_of_it() -> None:
    allow, deny = terms(action=Action.ALLOW), terms(action=Action.DENY)
    found = counted(
        a_life(yes(), *CLAIMED),
        a_life(yes(edited=REFUND | {"amount": 900}), Claim(), Report(ok=False)),
        a_life(no()),
        a_life(Expire(was_shown=True)),
        a_life(Cancel()),
        a_life(GiveUp(reason="nobody there")),
        a_life(yes(), TakeBack(by=ANA)),
        a_life(Answer(by=ANA, text="eu"), is_question=True),
        a_life(terms=allow),
        a_life(terms=replace(allow, grant="G-1")),
        a_life(terms=deny),
        a_life(RecordRefusal(by=KIM.actor, attempted="approve", reason="not one of its approvers")),
    ).counts
    assert (found.asked, found.allowed, found.by_grant, found.let_through, found.denied) == (9, 1, 1, 2, 1)
    assert (found.approved, found.edited, found.rejected, found.answered) == (2, 1, 1, 1)
    assert (found.expired, found.cancelled, found.undeliverable) == (1, 1, 1)
    assert (found.executed, found.failed, found.withdrawn, found.refused) == (1, 1, 1, 1)
    assert (found.decided, found.ended) == (5, 8)


def test_silence_that_counts_as_a_yes_is_nobodys() -> None:
    silent = terms(deadline_s=7200, on_deadline=OnDeadline.APPROVE)
    found = counted(a_life(Expire(was_shown=True), terms=silent))
    assert (found.counts.by_default, found.counts.approved, found.people) == (1, 0, ())
    assert found.p50_s is None


def test_votes_count_for_people_and_the_last_one_for_the_request() -> None:
    found = counted(a_life(yes(), yes(KIM), terms=terms(quorum=2)))
    assert found.counts.approved == 1
    assert people_of(found) == {"Ana Duarte": (1, 0, 0), "Kim Osei": (1, 0, 0)}
    assert [each.median_s for each in found.people] == [60, 120]
    assert list(found.seconds) == [120]


def test_what_one_changes_and_another_approves_was_not_approved_as_it_was() -> None:
    changed = REFUND | {"amount": 900}
    found = counted(a_life(yes(edited=changed), yes(KIM), terms=terms(quorum=2)))
    assert (found.counts.edited, found.counts.approved) == (1, 0)
    assert people_of(found) == {"Ana Duarte": (0, 1, 0), "Kim Osei": (1, 0, 0)}
    again = Revise(args=REFUND | {"amount": 800})
    back = RequestChanges(by=KIM, feedback="Less.")
    life = a_life(yes(edited=changed), back, again, yes(), yes(KIM), terms=terms(quorum=2))
    assert counted(life).counts.approved == 1  # the agent's own words, as they were


def test_tools_and_agents_have_their_own_numbers_the_busiest_first() -> None:
    found = counted(
        a_life(yes(), tool="deploy", agent="ops"), a_life(yes(), *CLAIMED), a_life(no(), agent="ops")
    )
    assert {name: (each.asked, each.approved) for name, each in found.tools.items()} == {
        "refund": (2, 1), "deploy": (1, 1),
    }  # fmt: skip
    assert [(name, each.asked, each.executed) for name, each in found.agents.items()] == [
        ("ops", 2, 0), ("billing", 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("only", "asked", "decided"),
    [(Only(tool="deploy"), 1, 1), (Only(agent="billing"), 1, 1), (Only(person=KIM.id), 0, 1)],
)
def test_it_can_be_narrowed(only: Only, asked: int, decided: int) -> None:
    lives = [a_life(yes(), tool="deploy", agent="ops"), a_life(no(KIM))]
    counts = counted(*lives, only=only).counts
    assert (counts.asked, counts.decided) == (asked, decided)


def test_only_the_span_counts_and_what_was_before_tells_whose_requests_they_are() -> None:
    life = a_life(yes(), after_s=7000, at=T0 - timedelta(seconds=6000))
    found = counted(life, a_life(yes(), at=T0 + DAY - timedelta(seconds=30)))
    assert (found.counts.asked, found.counts.approved) == (1, 1)
    assert found.agents["billing"].approved == 1
    assert list(found.seconds) == [7000]
    assert counted(a_life(yes(), at=T0 - DAY)).is_empty


@pytest.mark.parametrize(
    ("seconds", "half", "most"), [((), None, None), ((4,), 4, 4), ((1, 2, 3, 4), 2, 4), (range(1, 11), 5, 9)]
)
def test_percentiles_are_times_that_were_measured(seconds: Any, half: Any, most: Any) -> None:
    assert (percentile(seconds, 50), percentile(seconds, 90)) == (half, most)


ENDS: list[tuple[Command, ...]] = [
    (), (yes(),), (yes(KIM), *CLAIMED), (yes(edited=REFUND | {"amount": 1}),), (no(),), (no(KIM),),
    (Expire(was_shown=True),), (Cancel(),), (GiveUp(reason="nobody"),),
]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(ENDS), st.sampled_from(["refund", "deploy"]), st.booleans())))
def test_sums_add_up(lives: list[tuple[tuple[Command, ...], str, bool]]) -> None:
    found = counted(
        *(a_life(*end, tool=tool, agent="ops" if is_ops else "billing") for end, tool, is_ops in lives)
    )
    waiting = sum(not end for end, *_ in lives)
    assert found.counts.asked == len(lives) == found.counts.ended + waiting
    assert found.counts.decided == len(found.seconds) == sum(each.decisions for each in found.people)
    for parts in (found.tools, found.agents):
        assert sum(each.total for each in parts.values()) == found.counts.total
        assert sum(each.asked for each in parts.values()) == found.counts.asked


class TestRubberStamps:
    def findings(self, *lives: Iterator[Entry]) -> tuple[Finding, ...]:
        return rubber_stamps(counted(*lives))

    def test_many_a_yes_within_two_seconds_is_found(self) -> None:
        quick = [a_life(yes(), after_s=1.5) for _ in range(10)]
        (found,) = self.findings(*quick)
        assert (found.name, found.decisions, found.yes, found.median_s) == ("Ana Duarte", 10, 10, 1.5)

    def test_nine_are_too_few_and_two_seconds_are_enough(self) -> None:
        assert self.findings(*[a_life(yes(), after_s=1) for _ in range(9)]) == ()
        assert self.findings(*[a_life(yes(), after_s=2) for _ in range(10)]) == ()

    def test_one_click_on_many_is_not_haste(self) -> None:
        bulk = replace(yes(), bulk="B-1")
        assert self.findings(*[a_life(bulk, after_s=1) for _ in range(12)]) == ()

    @pytest.mark.parametrize(("command", "yes_count", "no_count"), [(yes(), 20, 0), (no(), 0, 20)])
    def test_twenty_that_end_the_same_way_are_found(
        self, command: Command, yes_count: int, no_count: int
    ) -> None:
        (found,) = self.findings(*[a_life(command) for _ in range(20)])
        assert (found.yes, found.no, found.median_s) == (yes_count, no_count, None)

    def test_one_that_ends_otherwise_shows_that_somebody_reads(self) -> None:
        assert self.findings(*[a_life(yes()) for _ in range(20)], a_life(no())) == ()

    def test_each_person_is_judged_alone(self) -> None:
        ana, kim = [a_life(yes()) for _ in range(15)], [a_life(yes(KIM)) for _ in range(15)]
        assert self.findings(*ana, *kim) == ()


def test_a_person_is_told_by_their_latest_name() -> None:
    renamed = replace(ANA, name="Ana Lima")
    (person,) = counted(a_life(yes()), a_life(yes(renamed))).people
    assert isinstance(person, PersonTally)
    assert (person.id, person.name, person.decisions) == ("U0ANA", "Ana Lima", 2)
