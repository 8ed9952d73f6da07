"""The promises as invariants: whatever people, agents and the clock do, in any order, these hold."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis.stateful import invariant

from approvals.clock import next_due
from approvals.events import Escalated, Overridden, Reminded
from approvals.evolution import evolve
from approvals.ladder import steps_of
from approvals.messages import OutcomeStatus, outcome_of, permit_of
from approvals.model import OnDeadline, PersonId, Request, Status
from approvals.quorum import approvers_of
from tests.approvals.life import PEOPLE, LifeOfARequest

ENDS = {"allowed", "denied", "approved", "edited", "rejected", "overridden"}
ENDS |= {"answered", "expired", "cancelled", "undeliverable"}


class Promises(LifeOfARequest):
    @property
    def words(self) -> list[str]:
        return [event.word for event in self.events]

    # -- it ends once, and runs once

    @invariant()
    def it_ends_at_most_once(self) -> None:
        ends = [word for word in self.words if word in ENDS]
        assert len(ends) <= 1
        assert bool(ends) == (not self.request.is_pending) == (self.request.decision is not None)

    @invariant()
    def it_is_claimed_at_most_once_and_only_after_a_yes(self) -> None:
        words = self.words
        assert words.count("claimed") <= 1
        assert words.count("executed") + words.count("failed") <= words.count("claimed")
        if "claimed" in words:
            assert {"allowed", "approved", "edited", "overridden"} & set(words[: words.index("claimed")])
            assert "withdrawn" not in words

    @invariant()
    def the_outcome_never_changes_once_it_is_final(self) -> None:
        """But that an approval is taken back before it is used, or held for as long as a freeze lasts."""
        outcome = outcome_of(self.request)
        if self.final is not None and self.request.status is not Status.WITHDRAWN:
            assert outcome is not None
            assert (outcome.status, outcome.args) == (self.final.status, self.final.args)
            assert (outcome.held is None) or self.request.hold is not None
        elif outcome is not None and outcome.status is not OutcomeStatus.CHANGES_REQUESTED:
            self.final = outcome
        assert (self.final is None) == self.request.is_pending

    @invariant()
    def a_permit_exists_exactly_while_it_is_approved_and_not_held(self) -> None:
        permit, request = permit_of(self.request), self.request
        assert (permit is not None) == (request.status is Status.APPROVED and request.hold is None)
        assert permit is None or permit.fingerprint == request.fingerprint

    @invariant()
    def a_held_approval_gets_its_time_back_and_no_more(self) -> None:
        before, now = self.before, self.request
        if self.words[-1] != "released" or before.hold is None:
            return
        assert before.claim_by is not None and now.claim_by is not None and now.decision is not None
        left_when_frozen = before.claim_by - max(before.hold.at, now.decision.at)
        assert now.claim_by - self.events[-1].at == left_when_frozen
        assert left_when_frozen <= timedelta(seconds=now.terms.use_within_s)

    # -- people

    @invariant()
    def votes_are_for_exactly_this_call_and_nobody_is_counted_twice(self) -> None:
        voters = [vote.person for vote in self.request.votes]
        behind = [person for vote in self.request.votes for person in (vote.person, *vote.stands_for)]
        assert len(behind) == len(set(behind))
        assert len(voters) < self.request.terms.quorum
        assert all(self.yes[person] == self.request.fingerprint for person in voters)
        named = {person.id for person in PEOPLE if person.principals & approvers_of(self.request)}
        assert set(voters) <= named, "a yes under earlier terms counts under these"

    @invariant()
    def nobody_says_yes_and_no_at_once(self) -> None:
        noes = [no.person for no in self.request.objections]
        assert len(noes) == len(set(noes)) < self.request.terms.rejections
        assert not set(noes) & {vote.person for vote in self.request.votes}

    @invariant()
    def people_approve_only_as_a_quorum(self) -> None:
        end = self.request.decision
        if self.followed is None and end is not None and end.word in ("approved", "edited"):
            if not end.by.id.startswith("slack:"):
                return
            voters = {f"slack:{vote.person}" for vote in self.request.votes} | {end.by.id}
            assert len(voters) == self.request.terms.quorum
            behind = {f"slack:{person}" for vote in self.request.votes for person in vote.stands_for}
            assert not voters & behind, "a person and their deputy count for one"
            assert self.yes[PersonId(end.by.id.removeprefix("slack:"))] == self.request.fingerprint

    @invariant()
    def a_twin_follows_its_leader_or_is_decided_by_people(self) -> None:
        if self.followed is not None:
            assert self.request.decision is not None
            assert self.request.decision.by == self.followed.by
            assert "parted" not in self.words
        assert (self.request.twin_of is None) == (self.first.twin_of is None or "parted" in self.words)
        assert self.request.twin_of is None or not self.request.twins

    @invariant()
    def an_override_is_looked_at_by_somebody_else(self) -> None:
        seen, end = self.request.looked_at, self.request.decision
        if seen is not None and end is not None and end.word == Overridden.word:
            assert seen != end.by

    # -- time

    @invariant()
    def silence_approves_only_what_was_asked_and_nothing_frozen(self) -> None:
        end = self.request.decision
        if end is not None and end.word == "approved" and end.by.id == "timer":
            assert self.request.terms.on_deadline is OnDeadline.APPROVE
            assert self.request.fingerprint == self.first.fingerprint
            assert not {"revised", "redirected", "changes_requested"} & set(self.words)
            assert self.words[-1] != "approved" or self.freeze_then is None

    @invariant()
    def the_deadline_moves_by_no_more_than_its_rule_allows(self) -> None:
        request = self.request
        assert (request.deadline is None) == (request.terms.deadline_s is None)
        if request.deadline is not None and request.terms.deadline_s is not None:
            most_s = request.terms.deadline_s + request.terms.extend_s
            assert request.deadline - request.asked_at <= timedelta(seconds=most_s)
        assert request.extended_s <= request.terms.extend_s

    @invariant()
    def the_ladder_is_climbed_in_its_order_each_step_once_and_in_time(self) -> None:
        event, before = self.events[-1], self.before
        if isinstance(event, Reminded | Escalated):
            assert before.is_pending and self.freeze_then is None
            assert event.step == steps_of(before)[before.climbed]
            assert event.at >= before.asked_at + timedelta(seconds=event.step.after_s)
            assert before.deadline is None or event.at < before.deadline
            assert self.request.climbed == before.climbed + 1
        places = [(ping.turn, ping.step) for ping in self.request.pings]
        assert all(one < other for one, other in pairwise(places))

    @invariant()
    def the_clock_never_forgets_what_is_open(self) -> None:
        due = next_due(self.request)
        if self.request.is_pending and self.request.deadline is not None:
            assert due is not None and due <= self.request.deadline

    # -- the record

    @invariant()
    def the_version_counts_the_events(self) -> None:
        assert self.request.version == len(self.events)

    @invariant()
    def the_events_told_again_give_the_same_request(self) -> None:
        again: Request = self.first
        for event in self.events[1:]:
            again = evolve(again, event)
        assert again == self.request


TestPromises = Promises.TestCase
TestPromises.settings = settings(max_examples=150, stateful_step_count=30)
