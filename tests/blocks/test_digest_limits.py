"""Whatever a digest holds, all that is drawn of it keeps Slack's limits and hides nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approvals.bulk import BulkVerb
from approvals.digest import Digest, GroupBy, LeftOut, covered
from approvals.model import Principal, Request, RequestId
from blocks.bulk import all_view, confirm_view
from blocks.check import check_message, check_view
from blocks.digest import digest_card, page_count, ready
from blocks.rows import row_words
from blocks.text import size
from blocks.walk import walk_end, walk_view
from tests.blocks.digests import NOW, a_digest, numbered
from tests.blocks.test_fuzz import FLOODS, UNSEEN, mrkdwn_in, ours_only, requests, texts_in
from tests.builders import T0, a_request

MANY_PEOPLE = [Principal(f"U0123456{number:02}") for number in range(20)]


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


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(requests(), min_size=1, max_size=3), st.sampled_from(GroupBy))
def test_whatever_a_digest_holds_it_keeps_the_limits_and_hides_nothing(
    those: list[Request], group_by: GroupBy
) -> None:
    many = numbered((those * 9)[:9])
    for made in everything(*a_digest(many, group_by=group_by, unit="<!x>"), NOW):
        held(made)


@settings(max_examples=10, deadline=None)
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
        spoken = digest_card(digest, by_id, NOW, ping=MANY_PEOPLE).text
        assert all(row.request_id[:6] in spoken for row in (digest.rows[index] for index in digest.shown))


@pytest.mark.long
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_keeps_the_limits_of_a_digest(flood: str) -> None:
    one = a_request(args=FLOODS[flood], reason="r\n" * 8_000, created_at=T0)
    for made in everything(*a_digest(numbered([one, one])), NOW):
        held(made)
