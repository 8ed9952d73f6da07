"""Request ids: made by whoever asks, so unguessable, and written so that people can type them."""

from __future__ import annotations

import secrets

from approvals.model import RequestId

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to be misread
LETTERS = 26  # 130 bits


def new_id() -> RequestId:
    bits = secrets.randbits(5 * LETTERS)
    return RequestId("R-" + "".join(ALPHABET[bits >> 5 * place & 31] for place in range(LETTERS)))


def is_id(text: str) -> bool:
    """Whether `text` is a whole id as `new_id` makes them."""
    return text.startswith("R-") and len(text) == 2 + LETTERS and all(c in ALPHABET for c in text[2:])
