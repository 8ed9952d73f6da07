"""The edit form: the field that fits, the value as it was meant, and errors where they belong."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.canonical import fingerprint
from approvals.model import Args, Kind, Request
from blocks import ids
from blocks.check import check_view
from blocks.diff import ABSENT, Change, diff
from blocks.edit import Edited, edit_view, is_editable, read_edit
from tests.blocks.test_fuzz import untouched
from tests.builders import a_request

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "customer": {"type": "string", "description": "Whose money it is."},
        "amount": {"type": "number", "minimum": 1, "maximum": 1000},
        "count": {"type": "integer", "exclusiveMaximum": 10},
        "currency": {"enum": ["USD", "EUR", "GBP"]},
        "country": {"enum": [f"c{number}" for number in range(50)]},
        "urgent": {"type": "boolean"},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "labels": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "address": {"$ref": "#/$defs/Address"},
        "memo": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "mode": {"const": "live"},
        "limit": {"type": "integer", "default": 5},
    },
    "required": ["customer", "amount"],
    "$defs": {
        "Address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string", "maxLength": 5}},
            "required": ["city"],
        }
    },
}
ARGS: Args = {
    "customer": "c_42",
    "amount": 940,
    "count": 3,
    "currency": "USD",
    "country": "c7",
    "urgent": False,
    "day": "2026-03-02",
    "at": "2026-03-02T14:30:00+01:00",
    "labels": ["a", "b"],
    "address": {"city": "Berlin", "zip": "10115"},
    "memo": None,
    "mode": "live",
}


def a_call(args: Args = ARGS, schema: dict[str, Any] | None = SCHEMA) -> Request:
    return a_request(args=args, schema=schema)


def field(request: Request, name: str) -> dict[str, Any]:
    """The input block of an argument."""
    for block in edit_view(request)["blocks"]:
        if block["type"] == "input" and block["label"]["text"] == name:
            return dict(block)
    raise AssertionError(f"no field {name!r}")


def left(request: Request, **writes: str | None) -> Edited | dict[str, str]:
    """What comes of the form when some fields were written in."""
    values = untouched(edit_view(request))
    for name, written in writes.items():
        block = field(request, name)
        key = block["block_id"]
        match block["element"]["type"]:
            case "radio_buttons" | "static_select":
                picked = [one for one in block["element"]["options"] if one["text"]["text"] == written]
                values[key][key]["selected_option"] = picked[0] if picked else None
            case "datepicker":
                values[key][key]["selected_date"] = written
            case _:
                values[key][key]["value"] = written
    return read_edit(request, values)


def args_left(request: Request, **writes: str | None) -> Args:
    found = left(request, **writes)
    assert isinstance(found, Edited), found
    return found.args


def error(request: Request, name: str, written: str | None) -> str:
    """What is said below the field."""
    found = left(request, **{name: written})
    assert isinstance(found, dict), found
    assert found.keys() == {field(request, name)["block_id"]}
    return found[field(request, name)["block_id"]]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("customer", "plain_text_input"),
        ("amount", "number_input"),
        ("count", "number_input"),
        ("currency", "radio_buttons"),
        ("country", "static_select"),
        ("urgent", "radio_buttons"),
        ("day", "datepicker"),
        ("at", "plain_text_input"),
        ("labels", "plain_text_input"),
        ("address", "plain_text_input"),
        ("limit", "number_input"),
    ],
)
def test_each_argument_has_the_field_that_fits(name: str, kind: str) -> None:
    check_view(edit_view(a_call()))
    assert field(a_call(), name)["element"]["type"] == kind


def test_fields_stand_in_the_order_of_the_call() -> None:
    blocks = [block for block in edit_view(a_call())["blocks"] if block["type"] == "input"]
    assert [block["label"]["text"] for block in blocks] == [
        *(name for name in ARGS if name != "mode"),
        "limit",
        "Note",
    ]


def test_a_form_that_nobody_touched_is_the_call() -> None:
    assert args_left(a_call()) == ARGS
    assert fingerprint("refund", args_left(a_call())) == a_call().fingerprint


def test_types_are_kept() -> None:
    assert args_left(a_call(), amount="900")["amount"] == 900
    assert isinstance(args_left(a_call(), amount="900")["amount"], int)
    assert args_left(a_call(), amount="900.50")["amount"] == 900.5
    assert args_left(a_call(), urgent="Yes")["urgent"] is True
    assert args_left(a_call(), currency="EUR")["currency"] == "EUR"
    assert args_left(a_call(), country="c49")["country"] == "c49"
    assert args_left(a_call(), day="2026-04-01")["day"] == "2026-04-01"
    assert args_left(a_call(), labels="x\n\n y \n")["labels"] == ["x", "y"]
    assert args_left(a_call(), address='{"city": "Rom"}')["address"] == {"city": "Rom"}
    assert args_left(a_call(), customer="007")["customer"] == "007"
    assert args_left(a_call(), memo="hello")["memo"] == "hello"


def test_what_was_not_there_stays_away_until_somebody_writes_it() -> None:
    assert "limit" not in args_left(a_call())
    assert args_left(a_call(), limit="7")["limit"] == 7


def test_an_emptied_field_is_null_or_nothing_as_its_schema_says() -> None:
    filled = a_call({**ARGS, "memo": "x", "limit": 7})
    emptied = args_left(filled, memo=None, limit=None, labels="")
    assert emptied["memo"] is None and "limit" not in emptied and emptied["labels"] == []


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("amount", "1001", "amount must be a number, at least 1, at most 1,000"),
        ("amount", "lots", "amount must be a number, at least 1, at most 1,000"),
        ("amount", "1e999", "amount must be a number, at least 1, at most 1,000"),
        ("amount", None, "amount is needed"),
        ("customer", "  ", "customer is needed"),
        ("count", "10", "count must be a whole number, less than 10"),
        ("count", "2.5", "count must be a whole number, less than 10"),
        ("at", "tomorrow", "at must be a time, such as 2026-03-02T14:30:00+01:00"),
        ("labels", "a\nb\nc\nd", "labels must be a list, at most 3 items"),
        ("address", "{", "address must be JSON; see line 1"),
        ("address", "[]", "address must be an object"),
        ("address", '{"zip": "1"}', "address needs city"),
        ("address", '{"city": "a", "zip": "123456"}', "address.zip must be text, at most 5 characters"),
        ("address", "[" * 3000, "address must be JSON"),
        ("address", '{"city": NaN}', "address must be JSON"),
    ],
)
def test_what_is_wrong_is_said_below_the_field(name: str, written: str | None, said: str) -> None:
    assert error(a_call(), name, written) == said


def test_several_errors_are_said_at_once() -> None:
    found = left(a_call(), amount="x", count="x")
    assert isinstance(found, dict) and len(found) == 2


def test_a_number_too_large_to_be_exact_is_refused() -> None:
    assert "too large to be exact" in error(a_call({"n": 1}, None), "n", "9007199254740993")


def test_an_edit_changes_only_what_was_edited() -> None:
    hard: Args = {
        "a": " x\r\ny ",
        "b": "c_\u202e42",
        "c": 1e22,
        "d": [1, {"e": "\u200b"}],
        "f": "",
        "g": 940.0,
        "n": 1,
    }
    assert args_left(a_call(hard, None), n="2") == {**hard, "n": 2}


def test_a_call_without_a_schema_is_edited_by_what_it_holds() -> None:
    request = a_call(
        {"amount": 940, "note": "hi", "flag": True, "tags": ["x"], "deep": {"a": 1}, "none": None}, None
    )
    assert field(request, "amount")["element"]["is_decimal_allowed"] is True
    assert args_left(request, amount="1.5", none="3")["none"] == 3
    assert error(request, "note", "") == "note is needed"


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": 7},
        {"properties": {"amount": 7, "customer": {"$ref": "#/properties/customer"}}},
        {
            "properties": {"amount": {"$ref": "https://evil.example"}, "currency": {"enum": "USD"}},
            "required": 3,
        },
        {"$ref": "#"},
        {"properties": {"amount": {"type": "string"}, "customer": {"type": "integer"}}},
    ],
)
def test_a_schema_that_is_none_does_no_harm(schema: dict[str, Any]) -> None:
    request = a_request(schema=schema)
    check_view(edit_view(request))
    assert args_left(request) == request.args


@pytest.mark.attack("J20")
def test_a_pattern_is_never_tried() -> None:
    schema = {"properties": {"customer": {"type": "string", "pattern": "(a+)+$"}}}
    assert args_left(a_request(schema=schema), customer="a" * 2000 + "b")["customer"] == "a" * 2000 + "b"


def test_what_is_too_long_for_a_field_is_shown_and_stays() -> None:
    request = a_call({"body": "x" * 3001, "n": 1}, None)
    shown = str(edit_view(request))
    assert "can't be edited here" in shown and shown.count("x") >= 3001
    assert args_left(request, n="2") == {"body": "x" * 3001, "n": 2}


def test_what_is_beyond_sixty_fields_is_edited_as_json() -> None:
    many: Args = {f"k{number}": number for number in range(120)}
    request = a_call(many, None)
    check_view(edit_view(request))
    name = "All other arguments, as JSON"
    assert args_left(request) == many
    block = field(request, name)
    changed = block["element"]["initial_value"].replace('"k100": 100', '"k100": "new"')
    assert args_left(request, **{name: changed}) == {**many, "k100": "new"}
    assert "field of their own" in error(request, name, '{"k0": 5}')


def test_hidden_characters_are_told_beside_their_field() -> None:
    request = a_call({"account": "c_\u202e42"}, None)
    assert field(request, "account")["hint"]["text"] == "⚠ Holds 1 hidden: “c_⟨U+202E⟩42”."


def test_a_long_list_of_choices_is_written_and_then_checked() -> None:
    schema = {"properties": {"city": {"type": "string", "enum": [f"city {number}" for number in range(150)]}}}
    request = a_call({"city": "city 1"}, schema)
    assert field(request, "city")["element"]["type"] == "plain_text_input"
    assert args_left(request, city="city 149")["city"] == "city 149"
    assert error(request, "city", "mars").startswith("city must be one of city 0, city 1")


def test_the_note_is_read_too() -> None:
    request = a_call()
    values = untouched(edit_view(request))
    values[ids.WORDS][ids.WORDS]["value"] = "ok"
    found = read_edit(request, values)
    assert isinstance(found, Edited) and found.note == "ok"


def test_a_form_that_slack_sends_empty_is_an_error_and_no_crash() -> None:
    found = read_edit(a_call(), {})
    assert isinstance(found, dict) and "arg:0" in found


def test_what_cannot_be_shown_whole_cannot_be_edited() -> None:
    assert is_editable(a_call())
    assert not is_editable(a_call({"q": "x" * 40_000, "n": 1}, None))
    assert not is_editable(a_call({}, None))
    assert not is_editable(a_request(kind=Kind.QUESTION))


def test_a_diff_names_every_change_by_its_path() -> None:
    before: Args = {"amount": 940, "items": [{"n": 1}, {"n": 2}], "gone": True, "same": 1.0, "flag": True}
    after: Args = {"amount": 900, "items": [{"n": 1}, {"n": 3}], "same": 1, "flag": 1, "new": None}
    assert diff(before, after) == [
        Change("amount", 940, 900),
        Change("items[1].n", 2, 3),
        Change("flag", True, 1),
        Change("new", ABSENT, None),
        Change("gone", True, ABSENT),
    ]
