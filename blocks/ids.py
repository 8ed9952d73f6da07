"""What Slack gives back to us: the ids of actions, blocks and dialogs, and what rides on a button.

All of it is routing, never proof: the request is read from Redis again, and the fingerprint says which call
was seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast, get_args

from approvals.errors import ApprovalsError
from approvals.model import Fingerprint, Request, RequestId

# -- actions: of buttons and menus --------------------------------------------------------------------
APPROVE: Final = "approve"
EDIT: Final = "edit"
REJECT: Final = "reject"
MORE: Final = "more"  # an overflow; its option's value says which verb
READ_ALL: Final = "read_all"
DETAILS: Final = "details"  # also a dialog
CHOOSE: Final = "choose"  # a question's select; its option's value says which option
ANSWER: Final = "answer"  # also a dialog
OPEN: Final = "open"  # from lists and the Home tab: bring the card up
TAKE_BACK: Final = "take_back"
SEEN: Final = "seen"  # of what ended without an answer, or past its normal path: a person has looked at it
EXTEND: Final = "extend"  # also a dialog
REVOKE: Final = "revoke"  # a grant; the value is its id
OPTION: Final = re.compile(r"option:(\d{1,3})")  # a question's button; the number says which option

# -- dialogs: of views; submitting READ approves ------------------------------------------------------
READ: Final = "read"
RESPOND: Final = "respond"
CHANGES: Final = "changes"
SNOOZE: Final = "snooze"
SIMILAR: Final = "similar"
OVERRIDE: Final = "override"

# -- blocks of dialogs in which a person writes or chooses --------------------------------------------
WORDS: Final = "words"  # a note, the feedback or an answer: the one text of its dialog
CHOICE: Final = "choice"  # one of a question's options, or of some times

Verb: TypeAlias = Literal[
    "details", "respond", "changes", "reject", "snooze", "similar"
]  # what an overflow offers

_VERSION = "1"
_MARK_CHARS = 16  # of the fingerprint, where an option's 75 characters must hold all
_SEEN = re.compile(rf"{_VERSION}\|(R-[0-9A-Z]{{1,40}})\|([0-9a-f]{{64}})(?:\|(\d{{1,6}}))?")
_PICK = re.compile(rf"{_VERSION}\|([a-z]+|\d{{1,3}})\|(R-[0-9A-Z]{{1,40}})\|([0-9a-f]{{{_MARK_CHARS}}})")


class Stale(ApprovalsError):
    """A button, an option or a dialog of an older version, or of nobody we know."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The request that a person was looking at, and the call that it asked for then."""

    request_id: RequestId
    fingerprint: Fingerprint
    alike: int = 0  # identical calls for which the card stood as well

    def fits(self, request: Request) -> bool:
        return request.id == self.request_id and request.fingerprint == self.fingerprint


@dataclass(frozen=True, slots=True)
class Pick:
    """What was picked from a menu, of which request, and the beginning of the fingerprint that was seen."""

    picked: str  # a Verb, or the number of a question's option
    request_id: RequestId
    mark: str

    def fits(self, request: Request) -> bool:
        return request.id == self.request_id and request.fingerprint.startswith(self.mark)

    @property
    def verb(self) -> Verb:
        if self.picked not in get_args(Verb):
            raise Stale(f"no verb {self.picked!r}")
        return cast(Verb, self.picked)

    @property
    def index(self) -> int:
        if not self.picked.isdecimal():
            raise Stale(f"no option {self.picked!r}")
        return int(self.picked)


def pack(request: Request) -> str:
    """What rides on a button, and in a dialog's private_metadata."""
    alike = f"|{len(request.twins)}" if request.twins else ""
    return f"{_VERSION}|{request.id}|{request.fingerprint}{alike}"


def unpack(value: object) -> Seen:
    """Read what `pack` wrote.

    Raises:
        Stale: it is not of this version's making.
    """
    match = _SEEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Stale("the button or dialog is of an older version")
    return Seen(RequestId(match[1]), Fingerprint(match[2]), int(match[3] or 0))


def pack_agreed(request: Request, mark: str) -> str:
    """The same for a dialog's second screen; `mark` names what a person agrees to there."""
    return f"{pack(request)}#{mark}"


def unpack_agreed(value: object) -> tuple[Seen, str]:
    """Read what `pack_agreed` wrote, or `pack`: then the mark is "".

    Raises:
        Stale: it is not of this version's making.
    """
    packed, _, mark = str(value).partition("#")
    return unpack(packed), mark


def pack_pick(picked: Verb | int, request: Request) -> str:
    """What rides on an option of a menu, which holds no more than 75 characters."""
    return f"{_VERSION}|{picked}|{request.id}|{request.fingerprint[:_MARK_CHARS]}"


def unpack_pick(value: object) -> Pick:
    """Read what `pack_pick` wrote.

    Raises:
        Stale: it is not of this version's making.
    """
    match = _PICK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Stale("the menu is of an older version")
    return Pick(match[1], RequestId(match[2]), match[3])


def option(index: int) -> str:
    """The action id of a question's button."""
    return f"option:{index}"


def option_index(action_id: str) -> int:
    """Which of a question's options a button stands for.

    Raises:
        Stale: `action_id` is no such button's.
    """
    match = OPTION.fullmatch(action_id)
    if match is None:
        raise Stale(f"no option {action_id!r}")
    return int(match[1])
