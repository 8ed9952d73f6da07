"""The audit log: whatever somebody does to it afterwards is found, and the first place is named."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.audit import GENESIS, Entry, Fault, content, entry_of, exported, link, verify
from approvals.canonical import encode
from approvals.commands import Approve, Claim, Command, RecordRefusal, Reject, Report, Revise
from approvals.evolution import evolve
from approvals.machine import begin, decide
from approvals.model import PersonId, Request, RequestId, Via
from tests.builders import REFUND, T0, a_person, a_request, terms

ANA, KIM = a_person(), a_person(id=PersonId("U0KIM"), name="Kim Osei")


def story(request: Request, *commands: Command) -> list[Entry]:
    """The chain of one request to which `commands` happened, a second apart."""
    submitted, answer = begin(request)
    after = evolve(request, answer)
    entries = [
        entry_of(request, request, submitted, via=Via.REDIS),
        entry_of(request, after, answer, via=Via.SERVICE),
    ]
    for seconds, command in enumerate(commands, start=1):
        before = after
        event = decide(before, command, now=T0 + timedelta(seconds=seconds))
        after = evolve(before, event)
        entries.append(entry_of(before, after, event, via=command.via))
    return entries


def chained(entries: list[Entry]) -> list[Entry]:
    """As Redis keeps them: each linked onto the previous one of its request, and numbered."""
    heads: dict[str, str] = {}
    log = []
    for seq, entry in enumerate(entries, start=1):
        linked = link(heads.get(entry.request, GENESIS), entry)
        heads[entry.request] = linked.hash
        log.append(replace(linked, seq=seq))
    return log


def a_log() -> list[Entry]:
    """Two requests, told in turns."""
    ids = RequestId("R-" + "A" * 26), RequestId("R-" + "B" * 26)
    two = [a_request(id=id, created_at=T0, terms=terms(quorum=2)) for id in ids]
    seen = two[0].fingerprint
    first = story(
        two[0],
        Approve(by=ANA, seen=seen, note="fine"),
        Approve(by=KIM, seen=seen),
        Claim(),
        Report(ok=True, result="re_81f", duration_ms=800),
    )
    second = story(two[1], Reject(by=ANA, feedback="Too much."))
    return chained([first[0], second[0], first[1], second[1], *first[2:4], second[2], *first[4:]])


LOG = a_log()
WHERE = st.integers(0, len(LOG) - 1)


def fault(seq: int, kind: Any) -> Fault:
    return Fault(seq=seq, kind=kind)


class TestALogThatHolds:
    def test_it_is_found_to_hold(self) -> None:
        assert verify(LOG, last_seq=len(LOG)) is None
        assert verify([], last_seq=0) is None

    @given(WHERE)
    def test_it_may_be_read_from_the_middle(self, at: int) -> None:
        assert verify(LOG[at:], first_seq=at + 1, last_seq=len(LOG)) is None

    def test_it_may_be_read_as_it_comes(self) -> None:
        assert verify(iter(LOG)) is None


class TestWhatSomebodyDidToIt:
    CHANGES: tuple[dict[str, Any], ...] = (
        {"actor": "slack:U0EVE"},
        {"event": "approved"},
        {"at": T0 + timedelta(microseconds=1)},
        {"tenant": "other"},
        {"via": "cli"},
        {"tool": "refunds"},
        {"args": {"amount": 1}},
        {"fingerprint": "0" * 64},
        {"rule": "another"},
        {"policy": "0"},
        {"latency_ms": 999_999},
        {"detail": {"by": "Eve"}},
        {"detail": None},
        {"previous": "0" * 64},
        {"hash": "0" * 64},
        {"detail": {"big": 2**60}},
        {"detail": {"half": "\ud800"}},
    )

    @pytest.mark.attack("G89")
    @given(WHERE, st.sampled_from(CHANGES))
    def test_every_edit_is_found(self, at: int, change: dict[str, Any]) -> None:
        edited = replace(LOG[at], **change)
        if edited != LOG[at]:
            assert verify([*LOG[:at], edited, *LOG[at + 1 :]]) == fault(at + 1, "changed")

    @given(WHERE)
    def test_an_edit_with_a_hash_made_to_fit_is_found_at_the_next_of_its_request(self, at: int) -> None:
        forged = replace(link(LOG[at].previous, replace(LOG[at], actor="slack:U0EVE")), seq=at + 1)
        follows = [entry for entry in LOG[at + 1 :] if entry.request == forged.request]
        found = verify([*LOG[:at], forged, *LOG[at + 1 :]])
        assert found == (fault(follows[0].seq, "unlinked") if follows else None)

    @pytest.mark.attack("G89", "G91")
    @given(WHERE)
    def test_every_deletion_is_found(self, at: int) -> None:
        assert verify([*LOG[:at], *LOG[at + 1 :]], last_seq=len(LOG)) == fault(at + 1, "missing")

    @given(WHERE)
    def test_a_deletion_that_numbers_the_rest_anew_is_found(self, at: int) -> None:
        closed = [replace(entry, seq=n) for n, entry in enumerate([*LOG[:at], *LOG[at + 1 :]], start=1)]
        found = verify(closed, last_seq=len(LOG))
        assert found is not None
        assert found.kind == ("unlinked" if has_successor(at) else "missing")

    @pytest.mark.attack("G89")
    @given(st.integers(0, len(LOG)), WHERE)
    def test_every_insertion_is_found(self, at: int, of: int) -> None:
        foreign = replace(LOG[of], seq=at + 1)
        numbered = [replace(entry, seq=n) for n, entry in enumerate([*LOG[:at], foreign, *LOG[at:]], start=1)]
        found = verify(numbered)
        assert found is not None
        assert found.kind in ("unlinked", "changed")

    @pytest.mark.attack("G89")
    @given(WHERE)
    def test_an_entry_told_twice_is_found(self, at: int) -> None:
        assert verify([*LOG[: at + 1], LOG[at], *LOG[at + 1 :]]) == fault(at + 1, "order")

    @pytest.mark.attack("G89", "G95")
    @given(WHERE, WHERE)
    def test_every_reordering_is_found_at_its_first_place(self, one: int, other: int) -> None:
        turned = list(LOG)
        turned[one], turned[other] = turned[other], turned[one]
        assert verify(turned) == (None if one == other else fault(min(one, other) + 1, "missing"))

    @pytest.mark.attack("G89")
    @given(st.integers(0, len(LOG) - 1))
    def test_what_was_cut_off_the_end_is_found_by_the_last_number(self, kept: int) -> None:
        assert verify(LOG[:kept], last_seq=len(LOG)) == fault(kept + 1, "missing")

    @given(st.integers(1, len(LOG) - 1))
    def test_what_was_cut_off_the_beginning_is_found(self, cut: int) -> None:
        assert verify(LOG[cut:]) == fault(1, "missing")

    def test_another_request_put_in_whole_is_found_by_the_last_number(self) -> None:
        extra = story(a_request(created_at=T0), Reject(by=ANA))
        assert verify(chained([*LOG, *extra]), last_seq=len(LOG)) == fault(len(LOG) + 1, "order")

    @pytest.mark.parametrize(
        ("found", "sentence"),
        [
            (fault(7, "changed"), "entry 7 was changed: its hash does not fit its content"),
            (fault(7, "missing"), "entry 7 is missing"),
            (fault(7, "unlinked"), "entry 7 does not follow the previous entry of its request"),
            (fault(7, "order"), "entry 7 stands where it does not belong"),
        ],
    )
    def test_it_is_told_in_a_sentence(self, found: Fault, sentence: str) -> None:
        assert str(found) == sentence


def has_successor(at: int) -> bool:
    return any(entry.request == LOG[at].request for entry in LOG[at + 1 :])


class TestAnEntry:
    def test_it_says_who_what_when_from_where_under_which_rule(self) -> None:
        (voted,) = [entry for entry in LOG if entry.event == "voted"]
        assert (voted.actor, voted.via, voted.rule, voted.policy) == (
            "slack:U0ANA",
            "slack",
            "refunds",
            "3f9c1d2e4b5a",
        )
        assert (voted.latency_ms, voted.tool) == (1000, "refund")
        assert voted.detail == {"by": "Ana Duarte", "text": "fine", "votes": "1 of 2"}

    def test_its_first_line_says_what_was_asked(self) -> None:
        request = a_request(
            created_at=T0, tags=("vip",), confidence=0.5, on_behalf_of=PersonId("U0KIM"), batch="b1"
        )
        submitted = story(request)[0]
        assert (submitted.args, submitted.actor) == (REFUND, "agent:billing")
        assert submitted.detail == {
            "by": "billing",
            "kind": "action",
            "risk": "medium",
            "reason": "Charged twice for invoice 881.",
            "on_behalf_of": "U0KIM",
            "confidence": 0.5,
            "tags": ["vip"],
            "batch": "b1",
        }

    def test_args_stand_only_where_they_are_new(self) -> None:
        less = REFUND | {"amount": 900}
        request = a_request(created_at=T0)
        entries = story(
            request, Revise(args=less), RecordRefusal(by=KIM.actor, attempted="x", reason="y"), Reject(by=ANA)
        )
        assert [entry.args for entry in entries] == [REFUND, None, less, None, None]
        assert entries[2].detail == {"by": "billing", "before": request.fingerprint}

    def test_a_decision_is_told_by_one_entry_only(self) -> None:
        decisions = {
            "approved",
            "edited",
            "rejected",
            "answered",
            "expired",
            "cancelled",
            "allowed",
            "denied",
        }
        told = [entry.request for entry in LOG if entry.event in decisions]
        assert len(told) == len(set(told)) == 2

    def test_a_refused_attempt_gives_its_reason(self) -> None:
        note = RecordRefusal(by=KIM.actor, attempted="approve", reason="a guest")
        refused = story(a_request(created_at=T0), note)[-1]
        assert (refused.event, refused.actor) == ("refused", "slack:U0KIM")
        assert refused.detail == {"by": "Kim Osei", "attempted": "approve", "reason": "a guest"}

    def test_it_is_exported_as_json_with_its_time_in_utc(self) -> None:
        told = exported(LOG[0])
        assert told["at"] == "2026-11-20T14:40:00.000000Z"
        assert next(iter(told)) == "seq"
        assert encode(told)

    def test_the_number_is_not_in_the_hash_as_redis_gives_it_later(self) -> None:
        assert "seq" not in content(LOG[0])
        assert verify([replace(LOG[0], seq=5)], first_seq=5) is None
