"""Secrets in calls: what is found, what is left alone, and that nothing of one is shown."""

from __future__ import annotations

import json
import string
from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from approvals.canonical import fingerprint
from approvals.credentials import spans
from approvals.errors import InvalidCall
from approvals.masking import (
    MARK,
    Masker,
    Masking,
    pointers,
    put_back,
    shown_args,
    spoken,
)
from approvals.model import Args, Json, Request
from tests.builders import a_request

BENIGN = (
    # commands, with what names a secret without holding it
    "git push --force origin main",
    "kubectl -n prod get secret api-token -o yaml",
    "rm -rf /var/lib/app/cache",
    "psql -h db.internal -U bot -d ledger",
    "export TOKEN=$GITHUB_TOKEN",
    "curl -H 'Authorization: Bearer $TOKEN'",
    "docker login --password-stdin registry.example.com",
    "mysql --password=/run/secrets/db",
    "deploy --token=<token>",
    "terraform apply -var=api_key={{ key }}",
    "grep -rn password= src/",
    "echo ${PASSWORD:?}",
    "make token",
    # paths and hosts
    "/etc/ssl/private/server.key",
    "C:\\Users\\ana\\secret.txt",
    "s3://bucket/token/2026-11-21.json",
    "~/.aws/credentials",
    "https://example.com/reset?user=ana",
    "postgres://db.internal:5432/ledger",
    "ssh://git@github.com/acme/app.git",
    "git@github.com:acme/app.git",
    "10.0.0.12:6379",
    "[2001:db8::1]:443",
    "sk-learn.example.com",
    "risk-desk-2026-q3-report-final",
    # names for things
    "550e8400-e29b-41d4-a716-446655440000",
    "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "e3b0c44298fc1c149afbf4c8996fb924",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "R-01JD7Z0K3M5N7P9QABCDEFGHJK",
    "arn:aws:iam::123456789012:role/deploy",
    "cus_NffrFeUfNV2Hib",
    "inv-2026-000881",
    "pk_live_51H8xk2eZvKYlo2C",
    "DE89370400440532013000",
    "U0123ABCDEF",
    "+49 151 23456789",
    "ana@example.com",
    # amounts and dates
    "940.00",
    "USD 1,234,567.89",
    "2026-11-21T01:00:00Z",
    "1732150800000",
    "1732150800000000000",
    "0.1234567890123456",
    "4111 1111 1111 1112",
    "1234567890123456",
    "4000000000000000000000000",
    # words
    "Basic authentication is required",
    "bearer of bad news",
    "the token: ask Ana",
    "password reset for c_42",
    "Authorization: required",
    "secret santa",
    "tokens: 4096",
)

KNOWN = (
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "11ABCDEFG0" * 3,
    "glpat-" + "x9Y8z7W6v5" * 2,
    "xoxb-" + "123456789012-ABCdefGHI",
    "xapp-1-" + "A0123456789-abcdef0123456789",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "AIza" + "SyD4-9x" * 5,
    "sk-proj-" + "abc123DEF456" * 3,
    "sk-ant-api03-" + "Zz9_" * 8,
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "npm_" + "aB3dE6" * 6,
    "hf_" + "aBcDeFgHiJ" * 3,
    "cs~billing~" + "aB3dE6gH9" * 4,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nq2w3e4\n-----END RSA PRIVATE KEY-----",
    "4111111111111111",
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    "378282246310005",
)
WITHIN = (
    ("postgres://bot:{}@db.internal:5432/ledger?sslmode=on", "hunter2"),
    ("https://ana:{}@example.com/x", "p@ss"),
    ("curl -H 'Authorization: Bearer {}' https://api.example.com/v1", "abc123DEF456"),
    ("Authorization: Basic {}", "YW5hOmh1bnRlcjI="),
    ("mysql --password={} -e 'show tables'", "hunter22"),
    ("API_TOKEN={} ./deploy.sh", "s3cretValue"),
    ('{{"client_secret": "{}"}}', "s3cretValue"),
    ("AWS_SECRET_ACCESS_KEY={} aws s3 ls", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("https://hooks.slack.com/services/T0/B0/{}", "XXXXXXXXXXXXXXXXXXXXXXXX"),
)

MASKER = Masker(mac=lambda secret: fingerprint("mac", {"secret": secret}))


def asked(args: Args, masker: Masker = MASKER, **what: object) -> Request:
    request = a_request(args=args, fingerprint=fingerprint("refund", args))
    return masker.asked(replace(request, **what))  # type: ignore[arg-type]  # some of its fields


@pytest.mark.parametrize("text", BENIGN)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert (
        spans(text) == [] and shown_args(asked({"command": text, "nested": [{"x": text}]}))["command"] == text
    )


@pytest.mark.attack("F83")
@pytest.mark.parametrize("secret", KNOWN)
def test_a_known_credential_is_masked_wherever_it_stands(secret: str) -> None:
    shown = shown_args(asked({"note": f"use {secret} here", "list": [{"x": secret}], secret: 1}))
    assert secret not in json.dumps(shown) and str(shown["note"]).startswith(
        f"use {MARK}, {len(secret)} char"
    )
    assert str(shown["note"]).endswith("› here")


@pytest.mark.parametrize(("text", "secret"), WITHIN)
def test_of_a_longer_text_only_the_secret_goes(text: str, secret: str) -> None:
    before, after = text.format("|").split("|")
    shown = str(shown_args(asked({"command": text.format(secret)}))["command"])
    assert shown.startswith(before + MARK) and shown.endswith("›" + after) and secret not in shown


def test_a_named_argument_is_masked_whatever_it_holds() -> None:
    args: Args = {
        "password": "x",
        "apiKey": 940,
        "db": {"credentials": {"user": "ana", "on": True}},
        "Auth-Token": ["t"],
    }
    assert shown_args(asked(args, Masker())) == {
        "password": "‹secret, 1 character›",
        "apiKey": "‹secret, 3 characters›",
        "db": {"credentials": {"user": "‹secret, 3 characters›", "on": True}},
        "Auth-Token": ["‹secret, 1 character›"],
    }


def test_long_secrets_show_their_end_and_short_ones_do_not() -> None:
    shown = shown_args(asked({"token": "a" * 11 + "bcde", "secret": "a" * 12 + "bcde"}, Masker()))
    assert shown == {"token": "‹secret, 15 characters›", "secret": "‹secret, 16 characters, ends bcde›"}


def test_the_same_secret_is_told_alike_everywhere_and_another_is_not() -> None:
    one = shown_args(asked({"token": "hunter2", "secret": "hunter2", "password": "hunter3"}))
    assert one["token"] == one["secret"] != one["password"]
    assert one["token"] == shown_args(asked({"x": {"token": "hunter2"}}))["x"]["token"]  # type: ignore[index]


def test_the_policy_names_more_and_lets_some_be() -> None:
    masking = Masking(names=("*_nr", "token"), allow=("customer_nr", "4242*"))
    args: Args = {"passport_nr": "C01X", "customer_nr": "C02X", "card": "4242424242424242", "token": "x"}
    shown = shown_args(asked(args, Masker(masking=lambda: masking)))
    assert [name for name in args if shown[name] != args[name]] == ["passport_nr", "token"]


def test_the_agents_words_hold_neither_credentials_nor_the_secrets_of_its_call() -> None:
    request = asked(
        {"password": "tr0ub4dor"},
        reason="logs in with tr0ub4dor, then ghp_" + "a1B2" * 9,
        tags=("prod", "tr0ub4dor"),
    )
    assert request.tags[0] == "prod" and request.tags[1].startswith(MARK)
    assert (
        request.reason is not None and request.reason.count(MARK) == 2 and "tr0ub4dor" not in request.reason
    )
    assert MASKER.text(request.reason, request) == request.reason  # to do it twice changes nothing


@pytest.mark.attack("F83")
def test_words_that_look_like_a_mask_are_told_apart() -> None:
    assert shown_args(asked({"note": f"{MARK}, 4 characters›"})) == {
        "note": "(not masked, but written so:) secret, 4 characters›"
    }


def test_the_log_names_where_something_is_masked_and_no_secret_by_that() -> None:
    request = asked({"a/b": [{"token": "x"}], KNOWN[0]: {"password": "y"}})
    assert pointers(request) == ("/a~1b/0/token", "/…", "/…/password")


def test_what_stays_as_it_was_shown_is_put_back() -> None:
    request = asked({"amount": 940, "password": "hunter2", "run": f"deploy {KNOWN[0]}", "l": [{"token": 5}]})
    edited = {**shown_args(request), "amount": 900}
    assert put_back(edited, request) == {**request.args, "amount": 900}


@pytest.mark.parametrize(
    "change",
    [
        lambda shown: {**shown, "comment": shown["password"]},
        lambda shown: {"comment": shown["password"]},
        lambda shown: {**shown, "run": f"echo {shown['run']}"},
        lambda shown: {**shown, "run": [shown["run"]]},
        lambda shown: {**shown, str(shown["password"]): 1},
    ],
)
def test_a_masked_secret_can_not_be_moved_to_where_it_would_be_seen(change: object) -> None:
    request = asked({"password": "hunter2", "run": f"deploy {KNOWN[0]}"})
    with pytest.raises(InvalidCall, match="can't be moved"):
        put_back(change(shown_args(request)), request)  # type: ignore[operator]  # one of the above


def test_people_may_write_credentials_and_others_do_not_see_them() -> None:
    assert spoken(f"use {KNOWN[0]} instead") == f"use {MARK}, 40 characters, ends a1B2› instead"


secrets_ = st.one_of(
    st.builds(
        lambda body: f"ghp_{body}", st.text(string.ascii_letters + string.digits, min_size=36, max_size=36)
    ),
    st.builds(lambda body: f"xoxb-{body}", st.text(string.ascii_letters + string.digits, min_size=20)),
    st.builds(
        lambda body: f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----",
        st.text(string.ascii_letters + "+/\n", min_size=40, max_size=80),
    ),
)
texts = st.text(max_size=12)


def around(secret: str) -> st.SearchStrategy[Json]:
    """A secret within a text, or as a name, anywhere in what JSON can hold."""
    told = st.builds(lambda before, after: f"{before} {secret} {after}", texts, texts)
    named = st.builds(lambda name, value: {name: value}, told, st.integers(0, 9))
    return st.recursive(
        st.one_of(told, named),
        lambda inner: st.one_of(
            st.lists(st.one_of(inner, texts), min_size=1, max_size=3),
            st.dictionaries(texts, st.one_of(inner, st.none()), min_size=1, max_size=3),
        ),
        max_leaves=4,
    )


@pytest.mark.attack("F83")
@settings(max_examples=40)
@given(secrets_.flatmap(lambda secret: st.tuples(st.just(secret), around(secret))))
def test_a_secret_is_never_in_what_is_shown(both: tuple[str, Json]) -> None:
    secret, item = both
    request = asked({"item": item}, reason=f"with {secret}")
    assert secret not in json.dumps(shown_args(request), ensure_ascii=False)
    assert secret not in (request.reason or "")
    assert secret not in json.dumps(pointers(request), ensure_ascii=False)
    assert put_back(shown_args(request), request) == request.args


@given(st.text(max_size=60))
@example("‹secret‹secret")
@example("Authorization: Bearer password=‹secret")
def test_no_text_is_too_strange_and_doing_it_twice_changes_nothing(text: str) -> None:
    assume(MARK not in text)
    once = MASKER.text(text)
    assert MASKER.text(once) == once


@pytest.mark.parametrize(
    "piece", ["eyJ", "sk-", "://a:", "-----BEGIN PRIVATE KEY-----", "Bearer ", "SG.", "password=", "4 "]
)
def test_a_flood_of_beginnings_is_looked_through_at_once(piece: str) -> None:
    """What is quadratic here would take minutes."""
    flood = piece * (250_000 // len(piece))
    assert len(MASKER.text(flood)) > 0
