"""What rides on a button comes back as what was seen, or not at all."""

from dataclasses import replace

import pytest

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
