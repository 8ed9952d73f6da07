"""What a model reads in the place of a result: the same words under every framework."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from approvals.errors import (
    Answered,
    Cancelled,
    ChangesRequested,
    Expired,
    NotApproved,
    NotClaimed,
    Rejected,
    TakenOver,
    Undeliverable,
)

if TYPE_CHECKING:
    from approvals.errors import InvalidCall
    from approvals.model import Args

_SAID: dict[type[NotApproved], str] = {
    Rejected: "The call was rejected and did not run. Don't try it again in other words.",
    Expired: "The call did not run: nobody answered in time. That is not a no; say that it is still to do.",
    Answered: "The call did not run: a person answered instead.",
    ChangesRequested: "The call did not run: a person wants it otherwise. Call the tool again, changed.",
    NotClaimed: "The call did not run now: its approval was used before, was taken back, or has lapsed.",
    Cancelled: "The call did not run: the request for it was taken back.",
    Undeliverable: "The call did not run: nobody who may decide could be reached. Don't try again; say so.",
    TakenOver: "A person has taken this over. Stop, and leave the rest to them.",
}

MISTYPED = "a person gave {names} values of another type."
UNFIT = "The call did not run: what people approved doesn't fit the tool."


def instead(no: NotApproved) -> str:
    """What the model reads when a call didn't run. Never for `Unavailable`: nobody has answered then."""
    said = _SAID.get(type(no), f"The call did not run: {no}")
    return f"{said} Their words: {no.feedback}" if no.feedback else said


def unaskable(fault: InvalidCall) -> str:
    """What the model reads when it has made a call that can't even be asked for."""
    return f"The call did not run, since it can't be asked for: {fault}"


def edited(args: Args) -> str:
    """What the model reads before the result when a person has changed the call."""
    return f"A person changed the call, and it ran with {json.dumps(args, ensure_ascii=False)}."


def edited_in_vain(args: Args) -> str:
    """What the model reads before the error when a changed call failed, or couldn't even run."""
    return f"A person changed the call to {json.dumps(args, ensure_ascii=False)}, which failed."
