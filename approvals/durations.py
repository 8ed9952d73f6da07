"""Spans of time as people write them (`30m`, `4h`, `1d`, `never`) and as they are told (`52 min`)."""

from __future__ import annotations

import re

LONGEST_S = 366 * 24 * 3600  # far beyond any deadline; what is longer is a typing error
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_PART = re.compile(r"([0-9]{1,9})([smhdw])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> int | None:
    """Read a span such as `90s`, `30m`, `4h`, `1d`, `2w` or `1h30m`, in seconds; None for `never`.

    Raises:
        ValueError: with a sentence that shows how it is written.
    """
    plain = text.strip().lower()
    if plain == "never":
        return None
    if not _WHOLE.fullmatch(plain):
        raise ValueError(f"{text!r} is no duration; write it as 90s, 30m, 4h, 1d, 1h30m, or never")
    seconds = sum(int(count) * _UNITS_S[unit] for count, unit in _PART.findall(plain))
    if seconds == 0:
        raise ValueError(f"{text!r} is no time at all; the shortest duration is 1s")
    if seconds > LONGEST_S:
        raise ValueError(f"{text!r} is longer than a year; write never if it has no end")
    return seconds


def tell_duration(seconds: float) -> str:
    """Say a span as a person would: its two largest words at most, and no zero among them."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(whole / 3600), 24)
    told = "1 day" if days == 1 else f"{days} days"
    return f"{told} {hours} h" if hours else told
