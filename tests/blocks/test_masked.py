"""Secrets on cards, in rows and in dialogs: never shown, kept as they are, and told how many they are."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.masking import Masker
from approvals.model import Actor, Args, Decision, Json, Kind, Receipt, Request, Status
from blocks.check import check_view
from blocks.dialogs import change_blocks, read_view
from blocks.edit import Edited, edit_view, read_edit, redirect_view
from blocks.question import answer_at
from blocks.request import call_file, card, trail
from blocks.rows import ended_words, row_words
from tests.approvals.test_masking import around, secrets_
from tests.blocks.test_fuzz import untouched
from tests.builders import a_question, a_request, terms

KEY = "ghp_" + "a1B2" * 9
MASKER = Masker(mac=lambda secret: f"{hash(secret) & 0xFFFFFFFF:08x}")
SECRETS = (KEY, "hunter2", "5550123", "tr0ub4dor")
ARGS: Args = {
    "host": "db.internal",
    "password": "hunter2",
    "pin_token": 5550123,
    "script": f"deploy --to prod\nexport API_KEY={KEY}",
    "headers": {"X-Api-Key": "tr0ub4dor", "Accept": "*/*"},
    "lines": ["a", f"key {KEY}"],
    KEY: "as a name",
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"password": {"type": "string", "default": "hunter2"}, "pin_token": {"type": "integer"}},
}


def asked(args: Args = ARGS, **what: Any) -> Request:
    return MASKER.asked(a_request(args=args, **what))


def assert_nothing_in(drawn: object) -> None:
    told = json.dumps(drawn, ensure_ascii=False, default=str)
    assert [secret for secret in SECRETS if secret in told] == []


NOW = datetime.now(UTC)


def test_a_card_tells_how_many_secrets_it_does_not_show() -> None:
    drawn = card(asked(reason=f"with {KEY}"), NOW)
    assert_nothing_in([drawn.text, drawn.blocks])
    assert "6 secrets in this call are shown masked" in json.dumps(drawn.blocks, ensure_ascii=False)
    assert "db.internal" in drawn.text and "deploy --to prod" in drawn.text


@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_no_dialog_row_or_file_shows_a_secret(schema: dict[str, Any] | None) -> None:
    request = asked(schema=schema, reason=f"with {KEY}")
    assert_nothing_in([read_view(request, NOW), edit_view(request), call_file(request)])
    assert_nothing_in([row_words(request).text, trail(request)])
    long = asked({**ARGS, "text": "x" * 50_000})
    assert_nothing_in([card(long, NOW), call_file(long), row_words(long)])


@settings(max_examples=30)
@given(secrets_.flatmap(lambda secret: st.tuples(st.just(secret), around(secret))))
def test_a_secret_anywhere_in_a_call_is_on_nothing_that_is_drawn(both: tuple[str, Json]) -> None:
    secret, item = both
    request = asked({"item": item}, reason=f"with {secret}")
    drawn = [card(request, NOW), read_view(request, NOW), edit_view(request), row_words(request)]
    assert secret not in json.dumps([drawn, call_file(request)], ensure_ascii=False, default=str)
    assert read_edit(request, untouched(edit_view(request))) == Edited(args=request.args, note=None)


def test_nothing_that_is_over_shows_a_secret() -> None:
    decided = Decision(word="approved", by=Actor(id="slack:U0ANA", name="Ana"), at=NOW, text=f"use {KEY}")
    receipt = Receipt(ok=True, at=NOW, result="fine")
    request = replace(asked(), status=Status.EXECUTED, decision=decided, claimed_at=NOW, receipt=receipt)
    assert_nothing_in([card(request, NOW), ended_words(request), read_view(request, NOW)])


def test_what_an_edit_changed_is_shown_without_the_secrets_of_either_side() -> None:
    changed = {**ARGS, "password": "correct-horse", "host": "db2.internal"}
    before = asked()
    edited = replace(before, args=changed, asked_args=before.args)
    request = MASKER.masked(before, edited)
    drawn = [card(request, NOW), list(change_blocks(request)), read_view(request, NOW)]
    assert_nothing_in(drawn)
    told = json.dumps(drawn, ensure_ascii=False, default=str)
    assert "correct-horse" not in told and "db2.internal" in told and "‹secret, 13 characters" in told


def test_a_form_that_nobody_touched_keeps_the_secrets() -> None:
    for schema in (None, SCHEMA):
        request = asked(schema=schema)
        view = edit_view(request)
        check_view(view)
        assert read_edit(request, untouched(view)) == Edited(args=ARGS, note=None)


def changed(request: Request, name: str, value: str) -> Edited | dict[str, str]:
    values = untouched(edit_view(request))
    block = f"arg:{list(request.args).index(name)}"
    values[block] = {block: {"type": "plain_text_input", "value": value}}
    return read_edit(request, values)


@pytest.mark.parametrize(
    ("name", "value"), [("password", "correct-horse"), ("pin_token", "42"), ("script", "make")]
)
def test_a_secret_can_be_replaced(name: str, value: str) -> None:
    made = changed(asked(schema=SCHEMA), name, value)
    assert isinstance(made, Edited)
    assert made.args == {**ARGS, name: int(value) if value.isdecimal() else value}


@pytest.mark.parametrize(
    ("name", "value"), [("script", "echo {}"), ("host", "{}"), ("headers", '{{"Accept": "{}"}}')]
)
def test_a_secret_can_not_be_moved_to_where_it_would_be_seen(name: str, value: str) -> None:
    request = asked(schema=SCHEMA)
    mask = next(mask.shown for mask in request.masks if mask.at == "/password")
    made = changed(request, name, value.format(mask))
    assert isinstance(made, dict) and "can't be moved" in next(iter(made.values()))


def test_the_form_that_comes_again_shows_what_was_typed_and_no_secret_that_was_not() -> None:
    request = asked(schema=SCHEMA)
    made = changed(request, "host", "db2.internal")
    assert isinstance(made, Edited)
    again = redirect_view(request, made, terms(), "0" * 12, voter=None)
    check_view(again)
    assert_nothing_in(again)
    assert "db2.internal" in json.dumps(again)
    assert read_edit(request, untouched(again)) == Edited(args=made.args, note=None)


def test_a_question_with_a_secret_in_it_is_masked_and_answered_as_it_was_put() -> None:
    args: Args = {"question": f"Is {KEY} still used?", "options": [f"yes, {KEY}", "no"]}
    question = MASKER.asked(a_question(args=args))
    assert question.kind is Kind.QUESTION and answer_at(question, 0) == f"yes, {KEY}"
    assert_nothing_in([card(question, NOW), read_view(question, NOW), row_words(question)])
