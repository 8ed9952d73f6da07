"""A digest's message and dialogs: what they show, what a click on them means, and that nothing is hidden."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approvals.bulk import BulkVerb
from approvals.digest import Digest, DigestId, GroupBy, LeftOut, Row, covered, may_be_in_all, waiting
from approvals.model import Args, OnDeadline, Principal, Request, RequestId, Risk
from blocks import ids
from blocks.bulk import Done, all_view, confirm_view, told
from blocks.check import check_message, check_view
from blocks.digest import digest_card, page_count, page_indexes, ready
from blocks.pieces import Block, Card, View, line_text
from blocks.rows import ended_words, row_words, standing
from blocks.sums import money
from blocks.text import size
from blocks.walk import walk_end, walk_view
from tests.blocks.drawn import card_text, view_text
from tests.blocks.scenes import INJECTION, asked, scene
from tests.blocks.test_fuzz import FLOODS, UNSEEN, mrkdwn_in, ours_only, requests, texts_in
from tests.blocks.test_goldens import is_as_before
from tests.builders import T0, a_request

NOW = T0 + timedelta(minutes=5)
ENDED = (
    "approved",
    "edited",
    "rejected",
    "expired",
    "executed",
    "failed",
    "withdrawn",
    "cancelled",
    "lapsed",
)
WAITING = ("pending", "pending_high_risk", "pending_email", "with_agent", "pending_groups_one", "question")


def a_digest(those: list[Request], **changes: Any) -> tuple[Digest, dict[RequestId, Request]]:
    """A digest of these, as its first version shows them."""
    rows = tuple(
        Row(
            request_id=one.id,
            fingerprint=one.fingerprint,
            is_ready=may_be_in_all(one) and row_words(one).is_whole,
            amount=_amount(one.args),
        )
        for one in those
    )
    usual: dict[str, Any] = {"name": "refunds", "channel": "C0APPROVALS", "unit": "$"}
    made = Digest(id=DigestId("D-" + "7" * 26), tenant="default", made_at=T0, rows=rows, **(usual | changes))
    return made, {one.id: one for one in those}


def _amount(args: Args) -> int | None:
    amount = args.get("amount")
    return round(amount * 1e6) if isinstance(amount, int | float) and abs(amount) < 1e9 else None


def numbered(those: list[Request]) -> list[Request]:
    return [
        replace(one, id=RequestId(f"R-{number:04}" + "0" * 22), short=f"R-{number:04}")
        for number, one in enumerate(those)
    ]


def refunds(count: int, risky: int = 0) -> list[Request]:
    return numbered(
        [
            asked(
                args={"customer": f"c_{number}", "amount": 30 + number, "currency": "USD"},
                risk=Risk.HIGH if number < risky else Risk.MEDIUM,
            )
            for number in range(count)
        ]
    )


def drawn(digest: Digest, those: dict[RequestId, Request], now: datetime = NOW, **kwargs: Any) -> Card:
    card = digest_card(digest, those, now, **kwargs)
    check_message(card.text, card.blocks)
    return card


def buttons(blocks: list[Block], action_id: str) -> list[Block]:
    found = [one for block in blocks for one in [*block.get("elements", []), block.get("accessory", {})]]
    return [one for one in found if one.get("action_id") == action_id]


# -- what they look like ------------------------------------------------------------------------------


def _mixed() -> tuple[Digest, dict[RequestId, Request]]:
    return a_digest(numbered([scene(name) for name in (*WAITING, *ENDED)]))


def _closed() -> tuple[Digest, dict[RequestId, Request]]:
    digest, those = a_digest(numbered([scene(name) for name in ENDED]), closed=True)
    del those[digest.rows[2].request_id]
    return digest, those


CARDS: dict[str, Callable[[], tuple[Digest, dict[RequestId, Request]]]] = {
    "open": lambda: a_digest(refunds(7, risky=2)),
    "paged": lambda: a_digest(refunds(12, risky=3)),
    "many": lambda: a_digest(refunds(5_000), page=300),
    "mixed": _mixed,
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
    digest, those = _mixed()
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


# -- nothing hidden -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        {"customer": "c_42", "amount": 940, "currency": "USD"},
        {"to": "Ana Duarte", "flags": {"canary": True}, "zones": ["a", "b"], "dry": None},
        {"customer": "940", "path": "/var/log/x.log", "on": False},
        {},
    ],
)
def test_a_short_plain_call_is_whole_in_its_row(args: Args) -> None:
    row = row_words(asked(args=args))
    assert row.is_whole and "more" not in row.text
    assert all(key in row.text for key in args)


@pytest.mark.parametrize(
    "args",
    [
        {"body": "x" * 200},
        {"body": "two\nlines"},
        {"body": "two  spaces"},
        {"body": "pay\u200bpal"},
        {"body": "a” · amount “1"},
        {"body": "⟨marked⟩"},
        {"body": "\u05d0\u05d1 940"},
        {"name\namount": "fake"},
        {"a b": 1},
        {"flags": {f"region_{n}": n for n in range(20)}},
        {f"k{n}": n for n in range(60)},
        {f"key_{n}": "value" for n in range(12)},
    ],
)
def test_a_call_that_a_row_cannot_show_letter_by_letter_must_be_opened(args: Args) -> None:
    one = asked(args=args)
    row = row_words(one)
    assert not row.is_whole and " more — billing" in row.text and len(row.text) <= 220
    card = drawn(*a_digest([one]))
    assert buttons(card.blocks, ids.OPEN) and not buttons(card.blocks, ids.APPROVE)


def test_a_tool_that_is_not_read_as_it_is_makes_no_whole_row() -> None:
    for tool in ("t" * 41, "\\" * 21, "two  words"):
        assert not row_words(asked(tool=tool)).is_whole


def test_a_text_that_looks_like_two_arguments_stays_one() -> None:
    assert "customer “c_42 · amount 1” · amount 2" in row_words(
        asked(args={"customer": "c_42 · amount 1", "amount": 2})
    ).text  # fmt: skip
    assert 'customer "940"' in row_words(asked(args={"customer": "940"})).text


def test_the_most_telling_arguments_come_first() -> None:
    args: Args = {"zone": 1, "customer": "c_42", "note": "n"}
    assert row_words(asked(args=args), with_tool=False).text.startswith("R-7K2M · customer c_42 · zone 1")


def test_a_row_says_how_far_it_is() -> None:
    assert standing(scene("pending_quorum_one"), NOW) == "1 of 2, Ana Duarte approved"
    assert standing(scene("with_agent"), NOW) == "back with billing: “Take the shipping off, please.”"
    assert standing(asked(), NOW) == ""
    assert "deadline has passed" in standing(asked(), NOW + timedelta(days=1))
    assert "unless someone rejects" in standing(asked(on_deadline=OnDeadline.APPROVE), NOW)


def test_a_row_that_is_over_tells_who_did_what_and_what_came_of_it() -> None:
    words = {name: line_text(ended_words(scene(name))) for name in ENDED}
    assert (
        words["approved"].startswith("✓ R-7K2M · customer c_42")
        and "Ana Duarte approved," in words["approved"]
    )
    assert "rejected," in words["rejected"] and words["rejected"].endswith(
        "“Ask the customer for the invoice first.”"
    )
    assert words["executed"].endswith(" · ran") and words["failed"].endswith(" · ran, and failed")
    assert words["withdrawn"].endswith(" · taken back") and words["expired"].startswith("◷ ")


# -- what a click means -------------------------------------------------------------------------------


def test_all_shown_means_the_rows_of_the_page_but_never_high_risk() -> None:
    digest, those = a_digest(refunds(12, risky=3))
    card = drawn(digest, those)
    (approve,) = buttons(card.blocks, ids.BULK_APPROVE)
    assert approve["text"]["text"] == "Approve the 5 shown, $175.00"
    assert "3 more stay: each must be opened." in approve["confirm"]["text"]["text"]
    shown = ids.unpack_shown(approve["value"])
    assert (shown.digest_id, shown.version, shown.indexes) == (digest.id, 1, tuple(range(8)))
    assert len(buttons(card.blocks, ids.APPROVE)) == 5 and len(buttons(card.blocks, ids.OPEN)) == 8


def test_a_row_whose_call_has_changed_since_it_was_drawn_has_no_approve() -> None:
    digest, those = a_digest(refunds(2))
    first = digest.rows[0].request_id
    those[first] = replace(those[first], fingerprint=scene("pending_email").fingerprint)
    card = drawn(digest, those)
    assert len(buttons(card.blocks, ids.APPROVE)) == 1 and not buttons(card.blocks, ids.BULK_APPROVE)


def test_nothing_can_be_decided_after_its_deadline() -> None:
    digest, those = a_digest(refunds(3))
    card = drawn(digest, those, NOW + timedelta(days=1))
    assert not buttons(card.blocks, ids.APPROVE) and not buttons(card.blocks, ids.BULK_APPROVE)
    view = confirm_view(digest, BulkVerb.APPROVE, digest.rows, those, NOW + timedelta(days=1))
    assert "submit" not in view and "its deadline has passed" in view_text(view)


def test_pages_are_turned_and_end() -> None:
    digest, those = a_digest(refunds(12))
    assert page_count(digest) == 2 and list(page_indexes(replace(digest, page=1))) == [8, 9, 10, 11]
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


def test_sums_are_told_as_their_unit_wants() -> None:
    assert money(1_310_000_000, "$") == "$1,310.00"
    assert money(-500_000, "€") == "-€0.50"
    assert money(1_310_000_000, "credits") == "1,310 credits"
    assert money(1, "") == "0.000001"
    assert money(2_500_000, "EUR") == "2.50 EUR"


MANY_PEOPLE = [Principal(f"U0123456{number:02}") for number in range(20)]


# -- limits -------------------------------------------------------------------------------------------


def everything(digest: Digest, those: dict[RequestId, Request], now: datetime) -> list[Any]:
    meant = covered(digest, those, range(len(digest.rows)), digest.version)
    left_out = [*meant.left_out, *((row, LeftOut.GONE) for row in digest.rows)]
    pages = [replace(digest, page=page) for page in range(page_count(digest))]
    made: list[Any] = [digest_card(page, those, now, ping=MANY_PEOPLE) for page in pages]
    made.append(all_view(digest, those, range(len(digest.rows)), now, note="Approved."))
    made += [confirm_view(digest, verb, meant.rows, those, now, left_out=left_out) for verb in BulkVerb]
    for index, one in enumerate(those.values()):
        made.append(walk_view(digest, index, one, now, place=1, left=2, past=[one] * 7, can_act=True))
    return [*made, walk_end(digest, those)]


def held(made: Any) -> None:
    blocks = made["blocks"] if isinstance(made, dict) else made.blocks
    if isinstance(made, dict):
        check_view(made)
    else:
        check_message(made.text, made.blocks)
        assert not UNSEEN.search(made.text) and ours_only(made.text)
    assert all(ours_only(markup) for markup in mrkdwn_in(blocks))
    assert not any(UNSEEN.search(shown) for shown in texts_in(blocks))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(requests(), min_size=1, max_size=3), st.sampled_from(GroupBy))
def test_whatever_a_digest_holds_it_keeps_the_limits_and_hides_nothing(
    those: list[Request], group_by: GroupBy
) -> None:
    many = numbered((those * 9)[:9])
    for made in everything(*a_digest(many, group_by=group_by, unit="<!x>"), NOW):
        held(made)


@settings(max_examples=150, deadline=None)
@given(requests())
def test_what_is_whole_in_a_row_says_every_letter(request: Request) -> None:
    row = row_words(request)
    if row.is_whole:
        assert request.tool in row.text
        assert all(key in row.text for key in request.args)
        texts = [item for item in request.args.values() if isinstance(item, str)]
        assert all(item in row.text or json.dumps(item, ensure_ascii=False) in row.text for item in texts)


@pytest.mark.parametrize("letter", ["x", "&", "'", "\\", "é", "👩"])
def test_the_longest_rows_keep_the_limits(letter: str) -> None:
    those = [
        a_request(
            tool=f"{number:02}{letter * (38 // size(letter))}",
            agent=letter * 90,
            args={f"a{key}": letter * length for key, length in enumerate((84, 8, 1))},
            created_at=T0,
            short="",
        )
        for number in range(24)
    ]
    for group_by in GroupBy:
        digest, by_id = a_digest(those, group_by=group_by)
        if letter in "xé":
            assert len(ready(digest, by_id, range(24), NOW)) == 24
        for made in everything(digest, by_id, NOW):
            held(made)


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_keeps_the_limits_of_a_digest(flood: str) -> None:
    one = a_request(args=FLOODS[flood], reason="r\n" * 8_000, created_at=T0)
    for made in everything(*a_digest(numbered([one, one])), NOW):
        held(made)
