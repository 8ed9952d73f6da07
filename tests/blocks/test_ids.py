"""What rides on a button comes back as what was seen, or not at all."""

from dataclasses import replace

import pytest

from approvals.digest import DigestId
from approvals.model import Fingerprint
from blocks import ids
from tests.builders import a_request


def test_a_button_names_the_request_and_the_call_it_showed() -> None:
    request = a_request()
    seen = ids.unpack(ids.pack(request))
    assert seen == ids.Seen(request.id, request.fingerprint) and seen.fits(request)
    assert not seen.fits(replace(request, fingerprint=Fingerprint("0" * 64)))


def test_a_menu_does_so_in_75_characters() -> None:
    request = a_request()
    value = ids.pack_pick("changes", request)
    assert len(value) <= 75
    pick = ids.unpack_pick(value)
    assert pick.verb == "changes" and pick.fits(request)
    assert not pick.fits(replace(request, fingerprint=Fingerprint("0" * 64)))
    assert ids.unpack_pick(ids.pack_pick(12, request)).index == 12


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "1",
        "0|R-7K2M|" + "a" * 64,
        "2|R-7K2M|" + "a" * 64,
        "|R-7K2M|" + "a" * 64,
        "1|R-7K2M|beef",
        "1|X-1|" + "a" * 64,
        "1|R-7K2M|" + "a" * 64 + "\n",
    ],
)
def test_a_button_of_another_version_is_stale(value: object) -> None:
    with pytest.raises(ids.Stale):
        ids.unpack(value)


@pytest.mark.parametrize(
    "value", [None, "", "details", "2|details|R-7K2M|" + "a" * 16, "1|details|R-7K2M|" + "a" * 64]
)
def test_a_menu_of_another_version_is_stale(value: object) -> None:
    with pytest.raises(ids.Stale):
        ids.unpack_pick(value)


def test_a_verb_is_no_option_and_an_option_no_verb() -> None:
    request = a_request()
    with pytest.raises(ids.Stale):
        _ = ids.unpack_pick(ids.pack_pick("reject", request)).index
    with pytest.raises(ids.Stale):
        _ = ids.unpack_pick(ids.pack_pick(3, request)).verb
    with pytest.raises(ids.Stale):
        _ = ids.unpack_pick(f"1|withdraw|{request.id}|{'a' * 16}").verb


def test_an_options_button_says_which() -> None:
    assert ids.option_index(ids.option(4)) == 4
    for other in ("option:", "option:x", "option:-1", "approve"):
        with pytest.raises(ids.Stale):
            ids.option_index(other)


DIGEST = DigestId("D-" + "7" * 26)


@pytest.mark.parametrize("indexes", [(), (0,), (0, 1, 2), (0, 2, 3, 9), tuple(range(0, 400, 2))])
def test_rows_of_a_digest_come_back_as_they_were_shown(indexes: tuple[int, ...]) -> None:
    packed = ids.pack_shown(DIGEST, 7, indexes)
    assert len(packed) <= 2000
    assert ids.unpack_shown(packed) == ids.Shown(DIGEST, 7, indexes)


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", f"2|{DIGEST}|1|0", f"1|{DIGEST}|1", "1|D-short|1|0", f"1|D-{'U' * 26}|1|0"),
        *(f"1|{DIGEST}|1|{rows}" for rows in ("2-1", "1,0", "0,1", "0-", ",", "0,0", "00", "-1", "99999")),
        f"1|{DIGEST}|01|0",
    ],
)
def test_rows_that_are_not_as_we_write_them_are_stale(value: object) -> None:
    with pytest.raises(ids.Stale):
        ids.unpack_shown(value)


def test_a_row_says_which_it_is_and_what_was_picked() -> None:
    block_id = ids.row_block(DIGEST, 12, 3)
    assert ids.unpack_row(block_id, ids.pack_row("reject")) == ids.RowPick(DIGEST, 12, 3, "reject")
    for value in (None, "", "reject", "1|edit", "2|reject", "1|1|reject"):
        with pytest.raises(ids.Stale):
            ids.unpack_row(block_id, value)
    for other in (None, "card|R-1|2", f"1|row|{DIGEST}|12", f"1|row|D-{'U' * 26}|1|1"):
        with pytest.raises(ids.Stale):
            ids.unpack_row(other, ids.pack_row("open"))


def test_a_walk_says_where_it_is_and_which_call_it_shows() -> None:
    request = a_request()
    shown, seen = ids.unpack_walk(ids.pack_walk(DIGEST, 3, 5, request))
    assert shown == ids.Shown(DIGEST, 3, (5,)) and seen.fits(request)
    for other in (None, ids.pack(request), f"{ids.pack_shown(DIGEST, 3, [1, 2])}#{ids.pack(request)}"):
        with pytest.raises(ids.Stale):
            ids.unpack_walk(other)


def test_a_pages_button_says_which() -> None:
    assert ids.turned_to(ids.turn(12)) == 12
    for other in ("turn:", "turn:-1", "turn:x", "walk"):
        with pytest.raises(ids.Stale):
            ids.turned_to(other)
