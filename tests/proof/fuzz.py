"""Whatever anybody sends: what is drawn hides nothing and shows no secret, each call has one spelling, no
decision that was changed is believed, and every text is a policy or a list of faults."""

from __future__ import annotations

import json
import math
import random
import string
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from approvals import canonical
from approvals.dsse import SigningKey, read, verified, written
from approvals.errors import InvalidCall, NotSigned
from approvals.masking import Masker
from approvals.model import Json, Request
from approvals.policy import PolicyFaults, parse
from tests.blocks import test_fuzz as drawing
from tests.proof.figures import Figures

EXAMPLES = {"drawn": 100, "no secret": 100, "one spelling": 3_000, "receipts": 4_000, "policies": 600}
POLICY_S = 1.0  # of processor time, for one file
EXAMPLE = (Path(__file__).parents[2] / "docs" / "examples" / "policy.toml").read_text()
KEY = SigningKey.of(b"for proofs alone: nobody uses it")
KIND = "application/vnd.countersign.decision+json"
PAYLOAD = b'{"agent":"billing","args":{"amount":940},"status":"approved"}'
RECEIPT = json.dumps(written(KEY.envelope(KIND, PAYLOAD))).encode()
MASKER = Masker(mac=lambda secret: canonical.fingerprint("mac", {"secret": secret}))

Trial = Callable[[st.DataObject], None]


def run(scale: int) -> Figures:
    """Each of them with so many examples."""
    counts = dict.fromkeys(EXAMPLES, 0)
    sentences = []
    for name, trial in TRIALS.items():
        counts[name], wrong = fuzzed(trial, EXAMPLES[name] * scale)
        sentences += [f"{name}: {wrong}"] if wrong else []
    return Figures(
        part="fuzz",
        counts=counts | {"violations": len(sentences)},
        sentences=tuple(sentences),
        notes=("the HTTP API is fuzzed by make test-long, from its own document",),
    )


def fuzzed(trial: Trial, examples: int) -> tuple[int, str | None]:
    """How many were tried, and the smallest that went wrong, if any."""
    tried = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.data())
    def search(data: st.DataObject) -> None:
        nonlocal tried
        tried += 1
        trial(data)

    try:
        search()
    except Exception as error:  # any at all is what is looked for
        return tried, f"{type(error).__name__}: {error}"[:500]
    return tried, None


# -- what people see -----------------------------------------------------------------------------------


def _drawn(data: st.DataObject) -> None:
    request = data.draw(drawing.requests())
    for each in drawing.everything(request):
        drawing.held(each)
    drawing.hides_nothing(request)


def _no_secret(data: st.DataObject) -> None:
    secret = "ghp_" + data.draw(st.text(string.ascii_letters + string.digits, min_size=36, max_size=36))
    request: Request = data.draw(drawing.requests())
    around = data.draw(st.tuples(drawing.text, drawing.text))
    args = {**request.args, data.draw(drawing.text): f"{around[0]} {secret} {around[1]}"}
    if len(canonical.encode(args)) > canonical.ARGS_BYTES:
        return
    print_ = canonical.fingerprint(request.tool, args)
    masked = MASKER.asked(replace(request, args=args, fingerprint=print_, reason=f"with {secret}"))
    for each in drawing.everything(masked):
        shown = json.dumps(each if isinstance(each, dict) else [each.text, each.blocks], ensure_ascii=False)
        assert secret not in shown, "a secret is shown"


# -- the canonical form --------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.builds(lambda digits, exponent: digits * 10.0**exponent, st.integers(1, 9_999), st.integers(-30, 30)),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


def _one_spelling(data: st.DataObject) -> None:
    value: Json = data.draw(VALUES)
    encoded = canonical.encode(value)
    assert encoded.decode() == spelled(value), "a second reading of RFC 8785 spells it otherwise"
    again = json.loads(encoded, parse_int=_double)
    assert canonical.encode(again) == encoded, "it doesn't read back as itself"
    loose = json.loads(json.dumps(value, indent=2, ensure_ascii=data.draw(st.booleans())))
    assert canonical.encode(loose) == encoded, "its spelling depends on how it came"


def _double(digits: str) -> int | float:
    """JSON's numbers are doubles: 1e16 is spelled without an exponent, and means the same."""
    return int(digits) if abs(int(digits)) <= canonical.SAFE_INTEGER else float(digits)


def spelled(value: Json) -> str:
    """RFC 8785 once more, written from its text and slowly."""
    match value:
        case bool() | None | str():
            return json.dumps(value, ensure_ascii=False)
        case int() | float():
            return _number(float(value))
        case list():
            return "[" + ",".join(map(spelled, value)) + "]"
        case dict():
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))  # §3.2.3
            return "{" + ",".join(f"{spelled(name)}:{spelled(value[name])}" for name in names) + "}"
        case _:
            raise TypeError(f"{value!r:.60} is no JSON")


def _number(value: float) -> str:
    """As ECMAScript's Number::toString (ECMA-262, §6.1.6.1.20) writes it."""
    if value == 0:
        return "0"
    mantissa, _, power = f"{math.fabs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(power or 0) if whole != "0" else len(digits) - len(fraction) + int(power or 0)
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if 0 < point <= 21:
        padded = digits.ljust(point, "0")
        return sign + padded[:point] + (f".{padded[point:]}" if padded[point:] else "")
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"


# -- receipts and policies -----------------------------------------------------------------------------


def mutated(text: bytes, chance: random.Random) -> bytes:
    """With one to three bytes or pieces changed, put in, moved, doubled or cut off."""
    for _ in range(chance.randint(1, 3)):
        at, until = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
        piece = text[at : min(until, at + chance.choice((1, 8, 400)))]
        after = text[at + len(piece) :]
        text = (
            text[:at] + chance.choice((b"", bytes([chance.randrange(256)]), piece * 2, piece[::-1])) + after
        )
        text = text if text else b"\0"
    return text


def _receipts(data: st.DataObject) -> None:
    forged = mutated(RECEIPT, data.draw(st.randoms(use_true_random=False)))
    try:
        payload = verified(read(forged), KIND, KEY.keys)
    except (NotSigned, InvalidCall):
        return
    assert payload == PAYLOAD, "something was believed that nobody signed"


def _policies(data: st.DataObject) -> None:
    chance = data.draw(st.randoms(use_true_random=False))
    text = mutated(EXAMPLE.encode(), chance).decode(errors="replace")
    began = time.process_time()
    try:
        parse(text if data.draw(st.booleans()) else data.draw(st.text(max_size=200)))
    except PolicyFaults as faults:
        assert faults.faults, "it is refused without a fault"
    assert time.process_time() - began < POLICY_S, "it takes too long"


TRIALS: dict[str, Trial] = {
    "drawn": _drawn,
    "no secret": _no_secret,
    "one spelling": _one_spelling,
    "receipts": _receipts,
    "policies": _policies,
}
