"""A statement holds as it was signed, by a key that is trusted, and in no other way."""

import base64
import json
from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as some

from approvals.dsse import (
    ENVELOPE_BYTES,
    Envelope,
    Signature,
    SigningKey,
    named,
    pae,
    public_key,
    read,
    verified,
    written,
)
from approvals.errors import InvalidCall, NotSigned

KEY, OTHER = SigningKey.of(bytes(32)), SigningKey.of(b"1" * 32)
KIND = "application/vnd.countersign.decision+json"
STATEMENT = KEY.envelope(KIND, b'{"status":"approved"}')


def test_type_and_payload_are_signed_each_after_its_length() -> None:
    # The example of DSSE's own protocol page.
    told = pae("http://example.com/HelloWorld", b"hello world")
    assert told == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(payload=some.binary(max_size=300))
def test_what_was_signed_holds_also_as_json(payload: bytes) -> None:
    statement = read(json.dumps(written(KEY.envelope(KIND, payload))))
    assert verified(statement, KIND, KEY.keys) == payload


@pytest.mark.attack("B41")
def test_nobody_else_s_signature_holds() -> None:
    with pytest.raises(NotSigned, match="no key that is trusted"):
        verified(OTHER.envelope(KIND, b"{}"), KIND, KEY.keys)


@pytest.mark.attack("B41")
def test_the_name_of_a_key_is_believed_for_nothing() -> None:
    forged = OTHER.envelope(KIND, b"{}").signatures[0]
    claimed = replace(STATEMENT, signatures=(replace(forged, keyid=KEY.name),))
    with pytest.raises(NotSigned, match="doesn't fit"):
        verified(claimed, KIND, KEY.keys)


def test_one_trusted_signature_among_others_is_enough() -> None:
    theirs = OTHER.envelope(KIND, b'{"status":"approved"}').signatures
    both = replace(STATEMENT, signatures=theirs + STATEMENT.signatures)
    assert verified(both, KIND, KEY.keys) == b'{"status":"approved"}'


def test_a_statement_of_another_type_is_no_decision() -> None:
    key = KEY.envelope("application/vnd.countersign.key+json", b"{}")
    with pytest.raises(NotSigned, match="not a"):
        verified(key, KIND, KEY.keys)
    with pytest.raises(NotSigned, match="doesn't fit"):
        verified(replace(key, payloadType=KIND), KIND, KEY.keys)


@pytest.mark.attack("B41")
@given(bit=some.integers(min_value=0, max_value=8 * 21 - 1))
def test_not_one_bit_of_the_payload_can_be_changed(bit: int) -> None:
    payload = bytearray(base64.b64decode(STATEMENT.payload))
    payload[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NotSigned):
        verified(replace(STATEMENT, payload=base64.b64encode(payload).decode()), KIND, KEY.keys)


@given(place=some.integers(min_value=0, max_value=87), letter=some.sampled_from("AZaz09+/=-_ \n"))
def test_not_one_letter_of_the_signature_can_be_changed(place: int, letter: str) -> None:
    [signature] = STATEMENT.signatures
    changed = signature.sig[:place] + letter + signature.sig[place + 1 :]
    if changed != signature.sig:
        with pytest.raises(NotSigned):
            verified(replace(STATEMENT, signatures=(replace(signature, sig=changed),)), KIND, KEY.keys)


def test_base64_has_one_spelling() -> None:
    [signature] = STATEMENT.signatures
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    same = (
        signature.sig[:-3] + letters[letters.index(signature.sig[-3]) + 1] + "=="
    )  # its last four bits stand for nothing
    assert base64.b64decode(same) == base64.b64decode(signature.sig)
    with pytest.raises(NotSigned):
        verified(replace(STATEMENT, signatures=(replace(signature, sig=same),)), KIND, KEY.keys)


@pytest.mark.attack("B41")
@pytest.mark.parametrize(
    "change",
    [
        {"payload": STATEMENT.payload[:-2]},
        {"payload": STATEMENT.payload + "\n"},
        {"payload": ""},
        {"signatures": ()},
        {"signatures": (Signature(keyid=KEY.name, sig=""),)},
        {"signatures": (Signature(keyid="", sig=STATEMENT.signatures[0].sig),)},
        {"signatures": (Signature(keyid=OTHER.name, sig="A" * 88),) * 8 + STATEMENT.signatures},
    ],
    ids=["cut", "newline", "nothing", "unsigned", "empty", "no name", "ninth"],
)
def test_what_is_not_whole_does_not_hold(change: dict[str, object]) -> None:
    with pytest.raises(NotSigned):
        verified(replace(STATEMENT, **change), KIND, KEY.keys)  # type: ignore[arg-type]  # one field of the right type


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"payload": "", "payload": "", "payloadType": "", "signatures": []}',
        '{"payload": 1, "payloadType": "", "signatures": []}',
        '{"payload": "", "payloadType": "", "signatures": [{"keyid": "a"}]}',
        '{"payload": "", "payloadType": "", "signatures": [{"sig": "", "keyid": "", "sig": ""}]}',
        '{"payload": "", "payloadType": "", "signatures": {}}',
        '{"payload": NaN}',
        "[" * 100_000,
        " " * (ENVELOPE_BYTES + 1),
        "\udc80",
    ],
    ids=range(13),
)
def test_what_is_no_statement_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(NotSigned):
        read(text)


@given(some.text(max_size=60) | some.binary(max_size=60))
def test_reading_anything_ends_in_a_statement_or_a_refusal(text: str | bytes) -> None:
    with suppress(NotSigned):
        assert isinstance(read(text), Envelope)


def test_a_key_is_told_as_base64_and_shown_without_its_secret() -> None:
    made = SigningKey(Ed25519PrivateKey.generate())
    assert named([made.public]).keys() == {made.name}
    assert len(made.public) == 44 and len(made.name) == 16
    assert "rivate" not in repr(made)
    for wrong in ("", made.public[:-1], made.public[:40], "ä" * 44, made.name):
        with pytest.raises(InvalidCall, match="no public key"):
            public_key(wrong)
