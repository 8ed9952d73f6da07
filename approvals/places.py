"""Where a request is shown, as a value: one `Posted` for each message that is to be, or has been, posted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

Place = NewType("Place", str)  # "C0…" or "D0…": a card; "C0…/1699.22": a card in a thread
TRAIL, FILE = "#trail", "#file"  # after the card's place: what lies in the thread under it
HELD, IN_DIGEST = "#held", "#digest"  # it waits for a digest; a digest shows it
PING, LOUD = "#ping", "#override"  # what is said once, with its card or without


def is_card(place: Place) -> bool:
    """Whether a card is shown there, and not what goes with it."""
    return "#" not in place


def is_said_once(place: Place) -> bool:
    """Whether it is a message that is posted once and never drawn again."""
    return PING in place or LOUD in place


def held_place(channel: str) -> Place:
    """The mark that a request waits for a digest there."""
    return Place(f"{channel}{HELD}")


def digest_place(channel: str, digest_id: str) -> Place:
    """The mark that a digest shows it there."""
    return Place(f"{channel}{IN_DIGEST}:{digest_id}")


def digests_in(places: Iterable[Place]) -> list[str]:
    """The ids of the digests that show it."""
    return [place.partition(f"{IN_DIGEST}:")[2] for place in places if IN_DIGEST in place]


def is_somewhere(place: Place) -> bool:
    """Whether people see it there, or will: on a card, or in a digest."""
    return is_card(place) or HELD in place or IN_DIGEST in place


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message of ours; without `ts` it is still to be posted, or nobody knows whether it was."""

    place: Place
    channel: str
    thread_ts: str | None = None
    ts: str | None = None
    attempt: str | None = None  # a nonce that goes into the message, by which a lost reply is reconciled
    attempted_at: datetime | None = None
    fingerprint: str | None = None  # of what was drawn
    version: int = 0  # of the request, as drawn
    state: str = ""  # the poster's own word
