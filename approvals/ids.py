"""Request ids: made by whoever asks, so unguessable, and written so that people can type them."""

from __future__ import annotations

import secrets

from approvals.model import RequestId

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to be misread
LETTERS = 26  # 130 bits


def new_id() -> RequestId:
    return RequestId("R-" + "".join(secrets.choice(ALPHABET) for _ in range(LETTERS)))


def is_id(text: str) -> bool:
    """Whether `text` is a whole id as `new_id` makes them."""
    return text.startswith("R-") and len(text) == 2 + LETTERS and all(c in ALPHABET for c in text[2:])
