"""Where its present terms have brought a request, and which cards only tell that it was there before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from approvals.model import Request
from approvals.places import PING, Place, Posted, is_card, is_somewhere

MARKED = "-"  # in place of the channel and the time of a message, where there is none


def mark_of_route(request: Request, channels: Iterable[str] = ()) -> Posted:
    """What is kept when it has been found out where its present terms want it to be shown."""
    place = Place(f"{PING}:{request.turn}")
    return Posted(place=place, channel=MARKED, ts=MARKED, state=" ".join(channels))


def mark_of_lost(request: Request, channel: str) -> Posted:
    """What is kept when the operators know that a channel of its ladder can't be shown it."""
    return Posted(place=Place(f"{PING}:{request.turn}:{channel}"), channel=MARKED, ts=MARKED)


def is_to_be_routed(request: Request, posted: Mapping[Place, Posted], ladder: Collection[str]) -> bool:
    """Whether it has yet to be found out where it is to be shown. `ladder`: channels its ladder has added."""
    is_moved = request.turn > 0 and mark_of_route(request).place not in posted
    behind = left_behind(request, posted, ladder)
    return is_moved or not any(is_somewhere(place) and place not in behind for place in posted)


def left_behind(
    request: Request, posted: Mapping[Place, Posted], ladder: Collection[str]
) -> frozenset[Place]:
    """The cards of a request that waits elsewhere by now: what it asks is decided there."""
    routed = channels_of(request, posted)
    if not request.is_pending or not routed:
        return frozenset()
    cards = (place for place in posted if is_card(place))
    return frozenset(place for place in cards if posted[place].channel not in {*routed, *ladder})


def channels_of(request: Request, posted: Mapping[Place, Posted]) -> list[str]:
    """Where a changed call has been sent; nothing, as long as it is where it was asked first."""
    mark = posted.get(mark_of_route(request).place) if request.turn > 0 else None
    return mark.state.split() if mark else []
