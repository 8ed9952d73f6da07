"""A click on a digest means the rows that it showed: what changed or was decided since is no part of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from approvals.canonical import fingerprint
from approvals.digest import (
    Digest,
    GroupBy,
    LeftOut,
    Row,
    batch_name,
    covered,
    in_order,
    is_batch,
    may_be_in_all,
    new_digest_id,
    refreshed,
    waiting,
)
from approvals.digest_times import due_at, show_by
from approvals.model import Request, RequestId, Risk, Status
from approvals.policy.rules import Digest as Wish
from tests.builders import T0, a_question, a_request, terms


def a_digest(requests: list[Request], **changes: Any) -> Digest:
    rows = tuple(
        Row(request_id=each.id, fingerprint=each.fingerprint, is_ready=may_be_in_all(each))
        for each in requests
    )
    made = Digest(
        id=new_digest_id(), tenant="default", name="refunds", channel="C0APPROVALS", made_at=T0, rows=rows
    )
    return replace(made, **changes)


def by_id(requests: list[Request]) -> dict[RequestId, Request]:
    return {each.id: each for each in requests}


def drawn_again(digest: Digest, requests: list[Request]) -> Digest:
    return refreshed(digest, by_id(requests), is_whole=lambda _: True, amount=lambda _: None)


def to_other_args(request: Request) -> Request:
    args = {**request.args, "amount": 1}
    return replace(request, args=args, fingerprint=fingerprint(request.tool, args))


def test_all_shown_is_every_row_that_waits_as_it_was_shown() -> None:
    requests = [a_request() for _ in range(3)]
    digest = a_digest(requests)
    found = covered(digest, by_id(requests), range(3), digest.version)
    assert [row.request_id for row in found.rows] == [each.id for each in requests]
    assert found.left_out == ()


@pytest.mark.parametrize("risk", [Risk.HIGH, Risk.CRITICAL])
def test_high_risk_is_never_in_all(risk: Risk) -> None:
    risky, usual = a_request(terms=terms(risk=risk)), a_request()
    digest = a_digest([risky, usual])
    found = covered(digest, by_id([risky, usual]), range(2), 1)
    assert [row.request_id for row in found.rows] == [usual.id]
    assert [(row.request_id, why) for row, why in found.left_out] == [(risky.id, LeftOut.TO_BE_OPENED)]


def test_a_question_is_never_in_all() -> None:
    assert not may_be_in_all(a_question())


def test_what_was_decided_changed_or_forgotten_meanwhile_is_left_out_and_named() -> None:
    decided, changed, forgotten, usual = (a_request() for _ in range(4))
    digest = a_digest([decided, changed, forgotten, usual])
    now = [replace(decided, status=Status.REJECTED), to_other_args(changed), usual]
    found = covered(digest, by_id(now), range(4), 1)
    assert [row.request_id for row in found.rows] == [usual.id]
    assert {row.request_id: why for row, why in found.left_out} == {
        decided.id: LeftOut.DECIDED,
        changed.id: LeftOut.CHANGED,
        forgotten.id: LeftOut.GONE,
    }


def test_a_click_on_an_older_drawing_does_not_reach_what_a_newer_one_shows() -> None:
    changed, usual = a_request(), a_request()
    before = a_digest([changed, usual])
    requests = [to_other_args(changed), usual]
    after = drawn_again(before, requests)
    assert after.version == before.version + 1
    assert [row.request_id for row in covered(after, by_id(requests), range(2), before.version).rows] == [
        usual.id
    ]
    assert len(covered(after, by_id(requests), range(2), after.version).rows) == 2


def test_a_row_that_becomes_ready_is_not_reached_by_a_click_on_a_drawing_that_only_let_it_be_opened() -> None:
    request = a_request()
    before = a_digest([request], rows=(replace(a_digest([request]).rows[0], is_ready=False),))
    after = drawn_again(before, [request])
    assert after.rows[0].is_ready
    assert covered(after, by_id([request]), [0], before.version).left_out[0][1] is LeftOut.CHANGED


def test_a_drawing_that_shows_the_same_is_the_same_version() -> None:
    requests = [a_request() for _ in range(3)]
    digest = a_digest(requests)
    assert drawn_again(digest, requests) == digest


def test_a_digest_closes_itself_when_nothing_in_it_waits() -> None:
    requests = [a_request(), a_request()]
    ended = [replace(each, status=Status.APPROVED) for each in requests]
    assert not drawn_again(a_digest(requests), [ended[0], requests[1]]).closed
    assert drawn_again(a_digest(requests), ended).closed
    assert list(waiting(a_digest(requests), by_id([ended[0], requests[1]]))) == [1]


def test_rows_stand_by_group_then_by_risk_then_by_what_ends_first() -> None:
    late = a_request(created_at=T0 + timedelta(minutes=5))
    early = a_request(created_at=T0)
    risky = a_request(created_at=T0 + timedelta(minutes=9), terms=terms(risk=Risk.HIGH))
    other = a_request(tool="deploy", created_at=T0)
    assert in_order([other, late, early, risky], GroupBy.TOOL) == [risky, early, late, other]


# -- when ---------------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def held(deadline_s: int | None = 86_400) -> Request:
    return a_request(created_at=NOON, terms=terms(deadline_s=deadline_s))


@pytest.mark.parametrize(
    ("wish", "due"),
    [
        (Wish(name="a", at=(time(9), time(15)), tz="Europe/Berlin"), NOON + timedelta(hours=2)),
        (Wish(name="a", at=(time(9),), tz="Europe/Berlin"), NOON + timedelta(hours=18)),  # not T+20, its lead
        (Wish(name="a", every_s=3600), NOON + timedelta(hours=1)),
        (Wish(name="a", every_s=3600, at=(time(12, 30),)), NOON + timedelta(minutes=30)),
        (Wish(name="a", when=20), NOON + timedelta(hours=18)),
    ],
)
def test_it_is_shown_at_the_next_of_its_times_or_when_a_deadline_nears(wish: Wish, due: datetime) -> None:
    assert due_at(wish, held(), NOON) == due


def test_a_flood_is_shown_after_a_second() -> None:
    assert due_at(None, held(), NOON) == NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("deadline_s", "left"),
    [(600, 300), (3600, 900), (86_400, 21_600)],
)
def test_people_have_time_left_when_they_see_what_was_held(deadline_s: int, left: int) -> None:
    request = held(deadline_s)
    assert request.deadline is not None
    assert show_by(request) == request.deadline - timedelta(seconds=left)


def test_nothing_is_kept_from_people_for_longer_than_a_day() -> None:
    assert due_at(Wish(name="a", when=20), held(None), NOON) == NOON + timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-29T00:30:00", "2026-03-29T01:30:00"),  # 02:30 doesn't exist that day: 03:30 on that clock
        ("2026-10-25T00:00:00", "2026-10-25T00:30:00"),  # 02:30 comes twice: the first
    ],
)
def test_when_clocks_change_it_comes_once(now: str, due: str) -> None:
    wish = Wish(name="a", at=(time(2, 30),), tz="Europe/Berlin")
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    request = a_request(created_at=at, terms=terms(deadline_s=None))
    assert due_at(wish, request, at) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_what_an_agent_asks_for_together_is_a_digest_of_its_own() -> None:
    ours = a_request(batch="b")
    name = batch_name(ours)
    assert name is not None
    assert is_batch(name)
    assert batch_name(a_request(batch="b")) == name
    assert batch_name(a_request(batch="b", agent="shipping")) != name  # an agent can't join another's
    assert batch_name(a_question(batch="b")) is None
    assert batch_name(a_request()) is None
    assert not is_batch("batch-of-refunds")
