"""What Slack gives back to us: the ids of actions, blocks and dialogs, and what rides on a button.

All of it is routing, never proof: the request is read from Redis again, and the fingerprint says which call
was seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast, get_args

from approvals.digest import DigestId, is_digest_id
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
SIGN_IN: Final = "sign_in"  # its press opens a page; Slack tells of it all the same
SEEN: Final = "seen"  # of what ended without an answer, or past its normal path: a person has looked at it
EXTEND: Final = "extend"  # also a dialog
LOOKS_RIGHT: Final = "looks_right"  # of what ran without asking
FLAG: Final = "flag"  # likewise; also a dialog
UNDO: Final = "undo"  # likewise; also a dialog
REVOKE: Final = "revoke"  # a grant; the value is its id
SEE_RULE: Final = "see_rule"  # of a proposed rule, whose id is the value; also a dialog
PROPOSE_RULE: Final = "propose_rule"  # to the policy's owners
NOT_NOW: Final = "not_now"  # a proposed rule isn't to be proposed again soon
OPTION: Final = re.compile(r"option:(\d{1,3})")  # a question's button; the number says which option
BULK_APPROVE: Final = "bulk_approve"  # of a digest's rows; also a dialog
BULK_REJECT: Final = "bulk_reject"  # also a dialog
SEE_ALL: Final = "see_all"  # of a digest's rows that wait; also a dialog, whose submitting approves them
ROW: Final = "row"  # of that dialog; its block says which row, its value which verb
IN_ROW: Final = re.compile(r"row:(approve|reject|open)")  # the buttons of a row of the message; likewise
TURN: Final = re.compile(r"turn:(\d{1,4})")  # a digest's page; the number says which
WALK: Final = "walk"  # through a digest, one by one; also a dialog
WALK_APPROVE: Final = "walk_approve"
WALK_EDIT: Final = "walk_edit"
WALK_REJECT: Final = "walk_reject"
WALK_READ: Final = "walk_read"
WALK_SKIP: Final = "walk_skip"
WALK_BACK: Final = "walk_back"

HOME_FILTER: Final = "home_filter"  # a select on the Home tab; its value says what of the queue is shown
HOME_BACK: Final = "home_back"  # the value is a page of the queue
HOME_NEXT: Final = "home_next"
SETTINGS: Final = "settings"  # one's own; also a dialog
FREEZE: Final = "freeze"  # the value says what; also a dialog
THAW: Final = "thaw"

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
    "details", "respond", "changes", "reject", "snooze", "similar", "takeover"
]  # what an overflow offers
RowVerb: TypeAlias = Literal["approve", "reject", "open"]  # what a row of a digest's dialog offers

_VERSION = "1"
_MARK_CHARS = 16  # of the fingerprint, where an option's 75 characters must hold all
_SEEN = re.compile(rf"{_VERSION}\|(R-[0-9A-Z]{{1,40}})\|([0-9a-f]{{64}})(?:\|(\d{{1,6}}))?")
_PICK = re.compile(rf"{_VERSION}\|([a-z]+|\d{{1,3}})\|(R-[0-9A-Z]{{1,40}})\|([0-9a-f]{{{_MARK_CHARS}}})")
_SHOWN = re.compile(rf"{_VERSION}\|(D-[0-9A-Z]{{26}})\|(\d{{1,9}})\|([\d,-]{{0,2000}})")
_RANGE = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")
_ROW = re.compile(rf"{_VERSION}\|row\|(D-[0-9A-Z]{{26}})\|(\d{{1,4}})\|(\d{{1,9}})")


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


@dataclass(frozen=True, slots=True)
class Shown:
    """Rows of a digest, as a version of it showed them."""

    digest_id: DigestId
    version: int
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RowPick:
    """What was picked for one row of a digest, as a version of it showed the row."""

    digest_id: DigestId
    index: int
    version: int
    verb: RowVerb


def pack(request: Request) -> str:
    """What rides on a button, and in a dialog's private_metadata."""
    return pack_seen(Seen(request.id, request.fingerprint, len(request.twins)))


def pack_seen(seen: Seen) -> str:
    """The same, of what somebody saw."""
    alike = f"|{seen.alike}" if seen.alike else ""
    return f"{_VERSION}|{seen.request_id}|{seen.fingerprint}{alike}"


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


# -- digests ------------------------------------------------------------------------------------------


def turn(page: int) -> str:
    """The action id of the button that leads to a digest's page."""
    return f"turn:{page}"


def turned_to(action_id: str) -> int:
    """Which page a button leads to.

    Raises:
        Stale: `action_id` is no such button's.
    """
    match = TURN.fullmatch(action_id)
    if match is None:
        raise Stale(f"no page {action_id!r}")
    return int(match[1])


def pack_shown(digest_id: DigestId, version: int, indexes: Iterable[int]) -> str:
    """What rides on a button that means many rows, and in a dialog's private_metadata."""
    return f"{_VERSION}|{digest_id}|{version}|{','.join(_ranges(indexes))}"


def _ranges(indexes: Iterable[int]) -> Iterator[str]:
    numbers = sorted(set(indexes))
    starts = [number for number in numbers if number - 1 not in set(numbers)]
    ends = [number for number in numbers if number + 1 not in set(numbers)]
    for first, last in zip(starts, ends, strict=True):
        yield f"{first}" if first == last else f"{first}-{last}"


def unpack_shown(value: object) -> Shown:
    """Read what `pack_shown` wrote.

    Raises:
        Stale: it is not of this version's making.
    """
    match = _SHOWN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not is_digest_id(match[1]):
        raise Stale("the digest's button or dialog is of an older version")
    ranges = [_RANGE.fullmatch(part) for part in match[3].split(",") if match[3]]
    indexes = [i for one in ranges if one for i in range(int(one[1]), int(one[2] or one[1]) + 1)]
    shown = Shown(DigestId(match[1]), int(match[2]), tuple(indexes))
    if pack_shown(shown.digest_id, shown.version, shown.indexes) != value:
        raise Stale("the rows of a digest are not as we write them")
    return shown


def row_block(digest_id: DigestId, index: int, version: int) -> str:
    """The block id of a digest's row."""
    return f"{_VERSION}|row|{digest_id}|{index}|{version}"


def in_row(verb: RowVerb) -> str:
    """The action id of a button in a row of the message."""
    return f"row:{verb}"


def pack_row(verb: RowVerb) -> str:
    """What rides on an option or a button of a row; its block's id says the rest."""
    return f"{_VERSION}|{verb}"


def unpack_in_row(block_id: object, action_id: str) -> RowPick:
    """What a button in a row of the message says, by its block and its own id.

    Raises:
        Stale: they are not of this version's making.
    """
    return unpack_row(block_id, f"{_VERSION}|{action_id.removeprefix('row:')}")


def unpack_row(block_id: object, value: object) -> RowPick:
    """Read what `row_block` and `pack_row` wrote.

    Raises:
        Stale: they are not of this version's making.
    """
    match = _ROW.fullmatch(block_id) if isinstance(block_id, str) else None
    verb = value.removeprefix(f"{_VERSION}|") if isinstance(value, str) else ""
    if match is None or not is_digest_id(match[1]) or verb not in get_args(RowVerb) or verb == value:
        raise Stale("the row is of an older version")
    return RowPick(DigestId(match[1]), int(match[2]), int(match[3]), cast(RowVerb, verb))


def pack_walk(digest_id: DigestId, version: int, index: int, request: Request) -> str:
    """What rides on the buttons of a walk, and in its dialog: where it is, and which call it shows there."""
    return f"{pack_shown(digest_id, version, [index])}#{pack(request)}"


def unpack_walk(value: object) -> tuple[Shown, Seen]:
    """Read what `pack_walk` wrote; the one index is where the walk is.

    Raises:
        Stale: it is not of this version's making.
    """
    place, _, seen = str(value).partition("#")
    shown = unpack_shown(place)
    if len(shown.indexes) != 1:
        raise Stale("a walk is in one place")
    return shown, unpack(seen)
