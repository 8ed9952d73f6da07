"""What is written is read back as it was; what is not ours is unreadable, and is not quoted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import wire
from approvals.audit import digest, entry_of, link
from approvals.canonical import SAFE_INTEGER, fingerprint
from approvals.errors import InvalidCall
from approvals.machine import begin
from approvals.model import Json, Request, Risk, Via
from tests.builders import a_request, a_submission, terms

DEFAULTS = Path(__file__).parents[1] / "goldens" / "defaults.json"

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-SAFE_INTEGER, SAFE_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
args_values = st.dictionaries(texts, json_values, max_size=4)


@given(args=args_values)
def test_a_call_keeps_its_fingerprint_on_its_way(args: dict[str, Json]) -> None:
    request = a_request(args=args)
    read = wire.read(wire.REQUEST, wire.write(wire.REQUEST, request))
    assert read == request
    assert fingerprint(read.tool, read.args) == request.fingerprint
    submission = a_submission(args=args)
    assert wire.read(wire.LETTER, wire.write(wire.LETTER, submission)) == submission


@given(args=args_values)
def test_an_entry_keeps_its_hash_on_its_way(args: dict[str, Json]) -> None:
    request = a_request(args=args)
    entry = link("", entry_of(request, request, begin(request)[0], via=Via.REDIS))
    read = wire.read(wire.ENTRY, wire.write(wire.ENTRY, entry))
    assert read == entry and digest(read) == entry.hash


@pytest.mark.attack("H97")
def test_fields_that_a_newer_process_wrote_are_passed_over() -> None:
    request = a_request()
    text = wire.write(wire.REQUEST, request)
    assert wire.read(wire.REQUEST, '{"mood":"blue",' + text[1:]) == request


@pytest.mark.parametrize("text", ["", "{", "null", "{}", "[]", '{"id":1}', '"' + "x" * 100])
def test_what_is_not_ours_is_unreadable(text: str) -> None:
    with pytest.raises(wire.Unreadable):
        wire.read(wire.REQUEST, text)


def test_nothing_is_taken_for_what_it_only_resembles() -> None:
    text = wire.write(wire.REQUEST, a_request(terms=terms(quorum=2))).replace('"quorum":2', '"quorum":"2"')
    with pytest.raises(wire.Unreadable, match="quorum"):
        wire.read(wire.REQUEST, text)


def test_what_cannot_be_read_is_not_quoted() -> None:
    with pytest.raises(wire.Unreadable) as unreadable:
        wire.read(wire.LETTER, '{"letter":"submission","id":"R-1","tool":"t","args":"hunter2"}')
    assert "hunter2" not in str(unreadable.value)


def test_half_a_character_cannot_be_written() -> None:
    with pytest.raises(InvalidCall):
        wire.write(wire.REQUEST, replace(a_request(), reason="\ud800"))


def test_a_request_is_written_without_what_is_as_it_is_by_default() -> None:
    request = a_request(args={"amount": None, "tags": []}, terms=terms(risk=Risk.LOW))
    written = json.loads(wire.write(wire.REQUEST, request))
    assert written.keys().isdisjoint({"votes", "decision", "status"})
    assert written["terms"].keys().isdisjoint({"quorum", "ladder"})
    assert written["args"] == {"amount": None, "tags": []} and written["terms"]["risk"] == "low"


def test_what_is_left_out_means_for_ever_what_it_means_today() -> None:
    """A default that changed would change requests that are pending, and their terms are frozen."""
    of_classes = {
        of.__name__: {field.name: field.default for field in fields(of) if field.default is not MISSING}
        for of in _classes(Request)
    }
    defaults = json.loads(json.dumps(of_classes, default=str))
    if os.environ.get("GOLDENS") == "write":
        DEFAULTS.write_text(json.dumps(defaults, indent=1, sort_keys=True) + "\n")
    assert defaults == json.loads(DEFAULTS.read_text()), "GOLDENS=write is for what is new alone"


def _classes(of: Any) -> Iterator[Any]:
    """The dataclasses that a request is made of."""
    if is_dataclass(of):
        yield of
        for hint in get_type_hints(of).values():
            yield from _classes(hint)
    for part in get_args(of):
        yield from _classes(part)
