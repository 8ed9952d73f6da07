"""A digest's message and dialogs: how they look, and what a click on them means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.bulk import BulkVerb
from approvals.digest import Digest, GroupBy, covered, waiting
from approvals.model import Principal, Request, RequestId
from blocks import ids
from blocks.bulk import Done, all_view, confirm_view, told
from blocks.check import check_view
from blocks.digest import page_count
from blocks.pieces import View
from blocks.walk import walk_end, walk_view
from tests.blocks.digests import ENDED, NOW, a_digest, buttons, drawn, mixed, numbered, refunds
from tests.blocks.drawn import card_text, view_text
from tests.blocks.scenes import INJECTION, asked, scene
from tests.blocks.test_goldens import is_as_before

# -- what they look like ------------------------------------------------------------------------------


def _closed() -> tuple[Digest, dict[RequestId, Request]]:
    digest, those = a_digest(numbered([scene(name) for name in ENDED]), closed=True)
    del those[digest.rows[2].request_id]
    return digest, those


CARDS: dict[str, Callable[[], tuple[Digest, dict[RequestId, Request]]]] = {
    "open": lambda: a_digest(refunds(7, risky=2)),
    "paged": lambda: a_digest(refunds(12, risky=3)),
    "many": lambda: a_digest(refunds(5_000), page=300),
    "mixed": mixed,
    "closed": _closed,
    "by_agent": lambda: a_digest(
        numbered([asked(), asked(agent="support", tool="send_email", args={"to": "x@example.com"})]),
        group_by=GroupBy.AGENT,
    ),
    "hostile": lambda: a_digest(
        numbered(
            [
                asked(args=INJECTION),
                asked(tool="<!channel>", agent="*b*\u200b", args={"a": "⟨x⟩", "b": "c · amount 1"}),
                asked(args={"note": "a”  · amount “1", "amount": 1}),
            ]
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_a_digest_looks_as_before(name: str) -> None:
    digest, those = CARDS[name]()
    card = drawn(digest, those, ping=[Principal("U0ANA")] if name == "open" else [])
    is_as_before(f"digests/{name}", card_text(card))


def _views(name: str) -> View:
    digest, those = mixed()
    first = those[digest.rows[0].request_id]
    meant = covered(digest, those, range(len(digest.rows)), digest.version)
    past = [scene("approved"), scene("rejected")]
    views = {
        "all": lambda: all_view(digest, those, waiting(digest, those), NOW, note="Approved 2 of 3."),
        "all_none": lambda: all_view(digest, those, [], NOW),
        "confirm_approve": lambda: confirm_view(
            digest, BulkVerb.APPROVE, meant.rows, those, NOW, left_out=meant.left_out
        ),
        "confirm_reject": lambda: confirm_view(digest, BulkVerb.REJECT, meant.rows, those, NOW),
        "confirm_none": lambda: confirm_view(
            digest, BulkVerb.APPROVE, [], those, NOW, left_out=meant.left_out
        ),
        "walk": lambda: walk_view(
            digest, 0, first, NOW, place=3, left=12, past=past, can_act=True, note="Skipped R-0001."
        ),
        "walk_ended": lambda: walk_view(
            digest, 8, those[digest.rows[8].request_id], NOW, place=9, left=12, can_act=True
        ),
        "walk_end": lambda: walk_end(digest, those, note="Approved R-0002."),
    }
    return views[name]()


@pytest.mark.parametrize(
    "name",
    [
        "all",
        "all_none",
        "confirm_approve",
        "confirm_reject",
        "confirm_none",
        "walk",
        "walk_ended",
        "walk_end",
    ],
)
def test_a_digests_dialog_looks_as_before(name: str) -> None:
    view = _views(name)
    check_view(view)
    is_as_before(f"digests/{name}", view_text(view))


# -- what a click means -------------------------------------------------------------------------------


def test_all_shown_means_the_rows_of_the_page_but_never_high_risk() -> None:
    digest, those = a_digest(refunds(12, risky=3))
    card = drawn(digest, those)
    (approve,) = buttons(card.blocks, ids.BULK_APPROVE)
    assert approve["text"]["text"] == "Approve the 9 shown, $333.00"
    assert "3 more stay: each must be opened." in approve["confirm"]["text"]["text"]
    shown = ids.unpack_shown(approve["value"])
    assert (shown.digest_id, shown.version, shown.indexes) == (digest.id, 1, tuple(range(12)))
    assert len(buttons(card.blocks, "row:approve")) == 9 and len(buttons(card.blocks, "row:open")) == 12


def test_a_row_whose_call_has_changed_since_it_was_drawn_has_no_approve() -> None:
    digest, those = a_digest(refunds(2))
    first = digest.rows[0].request_id
    those[first] = replace(those[first], fingerprint=scene("pending_email").fingerprint)
    card = drawn(digest, those)
    assert len(buttons(card.blocks, "row:approve")) == 1 and not buttons(card.blocks, ids.BULK_APPROVE)


def test_nothing_can_be_decided_after_its_deadline() -> None:
    digest, those = a_digest(refunds(3))
    card = drawn(digest, those, NOW + timedelta(days=1))
    assert not buttons(card.blocks, "row:approve") and not buttons(card.blocks, ids.BULK_APPROVE)
    view = confirm_view(digest, BulkVerb.APPROVE, digest.rows, those, NOW + timedelta(days=1))
    assert "submit" not in view and "its deadline has passed" in view_text(view)


def test_pages_are_turned_and_end() -> None:
    digest, those = a_digest(refunds(18))
    assert page_count(digest) == 2 and list(replace(digest, page=1).shown) == [12, 13, 14, 15, 16, 17]
    assert [one["text"]["text"] for one in buttons(drawn(digest, those).blocks, ids.turn(1))] == ["Next"]
    last = drawn(replace(digest, page=99), those).blocks
    assert [one["text"]["text"] for one in buttons(last, ids.turn(0))] == ["Back"]


def test_a_dialog_holds_all_of_ninety_seven_and_says_how_many_follow() -> None:
    for count, shown in ((97, 97), (300, 98)):
        digest, those = a_digest(refunds(count))
        view = all_view(digest, those, waiting(digest, those), NOW)
        check_view(view)
        assert view["submit"]["text"] == f"Approve {shown}"
        assert ids.unpack_shown(view["private_metadata"]).indexes == tuple(range(shown))
        assert ("202 more follow" in view_text(view)) is (count == 300)
        one = next(block for block in view["blocks"] if block.get("accessory", {}).get("type") == "overflow")
        pick = ids.unpack_row(one["block_id"], one["accessory"]["options"][1]["value"])
        assert pick == ids.RowPick(digest.id, 0, 1, "reject")


def test_a_walk_names_its_place_and_the_call_it_shows() -> None:
    digest, those = a_digest(refunds(3))
    request = those[digest.rows[1].request_id]
    view = walk_view(digest, 1, request, NOW, place=2, left=3, can_act=True)
    shown, seen = ids.unpack_walk(view["private_metadata"])
    assert shown.indexes == (1,) and seen.fits(request)
    assert buttons(view["blocks"], ids.WALK_APPROVE)
    watching = walk_view(digest, 1, request, NOW, place=2, left=3, can_act=False)
    assert not buttons(watching["blocks"], ids.WALK_APPROVE)


def test_a_walk_approves_what_only_a_file_shows_only_beside_that_file() -> None:
    huge = scene("pending_huge")
    digest, _ = a_digest([huge])
    for url, approves in ((None, 0), ("https://files.example/R-1.txt", 1)):
        view = walk_view(digest, 0, huge, NOW, place=1, left=1, can_act=True, file_url=url)
        assert len(buttons(view["blocks"], ids.WALK_APPROVE)) == approves


def test_the_clicker_is_told_what_was_left_out_and_why() -> None:
    done = [Done("R-1"), Done("R-2", "Ana approved it."), Done("R-3", "changed"), Done("R-4", "changed")]
    assert told(BulkVerb.APPROVE, done) == (
        "Approved 1 of 4. Left out: R-2: Ana approved it; R-3, R-4: changed."
    )
    assert told(BulkVerb.REJECT, done[:1]) == "Rejected it."
    assert told(BulkVerb.APPROVE, [Done("R-1", "changed")] * 12).endswith("; and 2 more.")
