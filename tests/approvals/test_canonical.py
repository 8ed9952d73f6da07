"""One spelling for one call: equal JSON has equal fingerprints, other JSON others, and the rest has none."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.canonical import ARGS_BYTES, ARGS_LEVELS, SAFE_INTEGER, TOOL_CHARS, check, encode, fingerprint
from approvals.errors import InvalidCall
from approvals.model import Json

# Small pools again: what matters is that values nearly collide.
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.0, -0.0, 1.0, 0.1, 1e21, SAFE_INTEGER]),
    st.sampled_from(["", "a", "1", "true", "é", "e\u0301", "€", "😂", "\u2028", '"', "\\"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["", "a", "b", "€", "😂"]), inner, max_size=3)
    ),
    max_leaves=6,
)
ARGS = st.dictionaries(st.sampled_from(["a", "b", "amount"]), VALUES, max_size=3)


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: unlike in Python, true is not 1; like in JSON, 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def nested(levels: int) -> dict[str, Json]:
    value: Json = 1
    for level in range(levels - 1):
        value = [value] if level % 2 else {"a": value}
    return {"a": value}


def circular() -> dict[str, Json]:
    args: dict[str, Json] = {}
    args["self"] = args
    return args


class Colour(StrEnum):
    RED = "red"


class TestTheCanonicalForm:
    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            # RFC 8785 §3.2.2 and §3.2.3
            (
                '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
                ' "string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
                ' "literals": [null, true, false]}',
                '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
                '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
            ),
            (
                '{"\\u20ac": "Euro Sign", "\\r": "Carriage Return", "\\ufb33": "Hebrew Letter Dalet",'
                ' "1": "One", "\\ud83d\\ude00": "Emoji: Grinning Face", "\\u0080": "Control",'
                ' "\\u00f6": "Latin Small Letter O"}',
                '{"\\r":"Carriage Return","1":"One","\x80":"Control","ö":"Latin Small Letter O",'
                '"€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet"}',
            ),
            # RFC 8785 Appendix B: what ECMAScript writes
            ("[0, -0.0, 1.0, 1e21, 1e-7, 5e-324]", "[0,0,1,1e+21,1e-7,5e-324]"),
            ("[1.7976931348623157e308, 9007199254740991]", "[1.7976931348623157e+308,9007199254740991]"),
            ("[295147905179352830000, 999999999999999700000.0]", None),
        ],
    )
    def test_it_is_rfc_8785s(self, text: str, canonical: str | None) -> None:
        value = json.loads(text)
        if canonical is None:  # an integer that JSON's numbers can't hold exactly
            with pytest.raises(InvalidCall):
                encode(value)
        else:
            assert encode(value).decode() == canonical

    @given(ARGS)
    def test_it_reads_back_as_the_same_json(self, args: dict[str, Json]) -> None:
        assert same(json.loads(encode(args)), args)


class TestTheFingerprint:
    @given(ARGS, ARGS)
    def test_equal_json_and_only_equal_json_has_equal_fingerprints(
        self, one: dict[str, Json], other: dict[str, Json]
    ) -> None:
        assert (fingerprint("t", one) == fingerprint("t", other)) == same(one, other)

    @given(ARGS)
    def test_the_order_of_keys_and_a_trip_over_the_wire_change_nothing(self, args: dict[str, Json]) -> None:
        turned = dict(reversed(list(args.items())))
        assert fingerprint("t", json.loads(json.dumps(turned))) == fingerprint("t", args)

    def test_the_tool_is_part_of_it(self) -> None:
        assert fingerprint("refund", {}) != fingerprint("refunds", {})

    def test_a_tool_cannot_pass_as_args(self) -> None:
        assert fingerprint('x","y":"', {}) != fingerprint("x", {"y": ""})

    def test_it_is_written_as_sha_256_in_hex(self) -> None:
        # printf '{"args":{"amount":940},"tool":"refund"}' | sha256sum
        expected = "a82c333c9ff92de38a694a4e2161f6d1eca221ee065cd768527814f1c6599462"
        assert fingerprint("refund", {"amount": 940}) == expected

    def test_words_of_an_enum_are_words(self) -> None:
        assert fingerprint("t", {"a": Colour.RED}) == fingerprint("t", {"a": "red"})


class TestWhatIsNotAccepted:
    @pytest.mark.parametrize(
        ("args", "why"),
        [
            ({"a": float("nan")}, "args.a is nan, which JSON has no word for"),
            ({"a": [0, float("inf")]}, "args.a[1] is inf"),
            ({"a": -float("inf")}, "args.a is -inf"),
            ({"a": "\ud800"}, "args.a holds half a character"),
            ({"\udfff": 1}, "a key of args holds half a character"),
            ({"a": {1: 2}}, "args.a has the key 1; JSON's keys are strings"),
            ({None: 2}, "args has the key None"),
            ({"a": (1, 2)}, "args.a is a tuple, which is not JSON"),
            ({"a": {1}}, "args.a is a set"),
            ({"a": b"x"}, "args.a is a bytes"),
            ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "args.a is a datetime"),
            ({"a": object()}, "args.a is a object"),
            ({"a": 2**53}, "args.a is beyond ±2^53"),
            ({"a": -(2**53)}, "args.a is beyond ±2^53"),
            ({"a": 10**400}, "args.a is beyond ±2^53"),
            ([], "args must be a JSON object, not list"),
            (None, "args must be a JSON object, not NoneType"),
            ("{}", "args must be a JSON object, not str"),
            (nested(ARGS_LEVELS + 1), f"nested deeper than {ARGS_LEVELS} levels"),
            (nested(50_000), f"nested deeper than {ARGS_LEVELS} levels"),
            (circular(), f"nested deeper than {ARGS_LEVELS} levels"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_it_says_what_and_where(self, args: Any, why: str) -> None:
        for refuse in (check, lambda args: fingerprint("t", args)):
            with pytest.raises(InvalidCall) as caught:
                refuse(args)
            assert why in str(caught.value)
            assert str(caught.value).startswith(("args", "a key of args"))

    def test_the_limits_themselves_are_accepted(self) -> None:
        check(nested(ARGS_LEVELS))
        check({"a": [SAFE_INTEGER, -SAFE_INTEGER, 1.7976931348623157e308]})
        frame = len(encode({"a": ""}))
        assert fingerprint("t", {"a": "x" * (ARGS_BYTES - frame)})
        with pytest.raises(InvalidCall, match="args are 262,145 bytes of JSON; at most 262,144 are accepted"):
            fingerprint("t", {"a": "x" * (ARGS_BYTES - frame + 1)})

    def test_bytes_are_counted_and_not_characters(self) -> None:
        with pytest.raises(InvalidCall, match="bytes of JSON"):
            fingerprint("t", {"a": "😂" * (ARGS_BYTES // 4)})

    @pytest.mark.parametrize(
        "tool", ["", "x" * (TOOL_CHARS + 1), "re\nfund", "re\u202efund", "\ud800", "\x00"]
    )
    def test_a_tool_has_a_name_that_can_be_seen(self, tool: str) -> None:
        with pytest.raises(InvalidCall, match="a tool's name is 1 to 200 printable characters"):
            fingerprint(tool, {})

    def test_a_message_stays_a_sentence_however_long_the_key(self) -> None:
        with pytest.raises(InvalidCall) as caught:
            check({"k" * 10_000: float("nan")})
        assert len(str(caught.value)) < 120

    @pytest.mark.parametrize("value", ["\ud800", 2**53, float("nan"), b"x", {1: 2}])
    def test_what_has_no_canonical_form_is_an_invalid_call(self, value: Any) -> None:
        with pytest.raises(InvalidCall):
            encode(value)
