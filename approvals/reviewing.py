"""Which calls that ran without asking are up for a look afterwards, and what looking leaves of a review."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from approvals.events import Confirmed, Flagged, OfReview, UndoAsked, UndoFailed, Undone
from approvals.model import Action, Request, Review, ReviewState, Undo

UNDO_PATIENCE = timedelta(days=1)  # after which an agent that hasn't answered may be asked again


def is_sampled(request: Request) -> bool:
    """Whether it is among the share that people are shown; always the same answer for the same request.

    Its id alone would not do: that is the agent's to choose. When it arrived is not.
    """
    drawn = hashlib.sha256(f"{request.id} {request.created_at.isoformat()}".encode()).digest()
    return int.from_bytes(drawn[:8]) < request.terms.sample * 2**64


def opened(request: Request, at: datetime) -> Review | None:
    """The review of a call that has just run; None: nobody is to look at it."""
    if request.terms.action is not Action.REVIEW or not is_sampled(request):
        return None
    return Review(opened_at=at)


def looked_at(request: Request, event: OfReview) -> Review | None:
    """What `event` leaves of the request's review."""
    review = request.review
    if review is None:
        return None
    match event:
        case Confirmed(by=by, at=at):
            return replace(review, state=ReviewState.CONFIRMED, by=by, at=at)
        case Flagged(by=by, at=at, text=text):
            return replace(review, state=ReviewState.FLAGGED, by=by, at=at, text=text)
        case UndoAsked(by=by, at=at, text=text):
            asked = replace(review, undo=Undo(by=by, at=at, text=text))
            is_open = review.state is ReviewState.OPEN
            return replace(asked, state=ReviewState.FLAGGED, by=by, at=at, text=text) if is_open else asked
        case Undone():
            return replace(review, state=ReviewState.UNDONE, undo=_answered(review, event))
        case UndoFailed():
            return replace(review, undo=_answered(review, event))
        case _:
            assert_never(event)


def _answered(review: Review, event: Undone | UndoFailed) -> Undo | None:
    if review.undo is None:
        return None
    ok = isinstance(event, Undone)
    return replace(review.undo, ok=ok, answered_at=event.at, answer=event.text)
