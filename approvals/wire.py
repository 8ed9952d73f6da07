"""How values cross a boundary as JSON: one shape each."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from approvals.audit import Entry
from approvals.bulk import Bulk, RowResult
from approvals.deputies import Absence
from approvals.digest import Digest
from approvals.errors import ApprovalsError, InvalidCall
from approvals.grants import Grant
from approvals.messages import Callback, Letter, Outcome, Permit, UndoAsk
from approvals.model import Freeze, Request
from approvals.mornings import DailyThread
from approvals.places import Posted
from approvals.preferences import Preferences
from approvals.witness import Day, Exported, Kept

T = TypeVar("T")


class Shape(Generic[T]):
    """What pydantic reads and writes. Its adapter takes milliseconds to make, so it is made when it is first
    used: a command that a coding agent runs before each of its calls uses three of thirty.

    What is kept in large numbers is written tersely: without what is as it is by default. So no default of
    such a class may ever change; tests/goldens/defaults.json holds them.
    """

    def __init__(self, of: Any, *, is_terse: bool = False) -> None:
        self._of, self.is_terse = of, is_terse

    @cached_property
    def adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._of)

    def plain(self, value: T) -> Any:
        """The value as JSON's own types."""
        return self.adapter.dump_python(value, mode="json")


REQUEST: Shape[Request] = Shape(Request, is_terse=True)
LETTER: Shape[Letter] = Shape(Annotated[Letter, Field(discriminator="letter")])
OUTCOME: Shape[Outcome] = Shape(Outcome)
PERMIT: Shape[Permit] = Shape(Permit)
UNDO: Shape[UndoAsk] = Shape(UndoAsk)
CALLBACK: Shape[Callback] = Shape(Callback)
ENTRY: Shape[Entry] = Shape(Entry)
POSTED: Shape[Posted] = Shape(Posted)
DIGEST: Shape[Digest] = Shape(Digest)
BULK: Shape[Bulk] = Shape(Bulk)
ROW_RESULT: Shape[RowResult] = Shape(RowResult)
FREEZE: Shape[Freeze] = Shape(Freeze)
GRANT: Shape[Grant] = Shape(Grant)
ABSENCE: Shape[Absence] = Shape(Absence)
DAILY_THREAD: Shape[DailyThread] = Shape(DailyThread)
PREFERENCES: Shape[Preferences] = Shape(Preferences)
KEPT_CHECKPOINT: Shape[Kept] = Shape(Kept)
DAY: Shape[Day] = Shape(Day)
EXPORTED: Shape[Exported] = Shape(Exported)


class Unreadable(ApprovalsError):
    """Text that is not what should stand there; the message says where it goes wrong, without quoting it."""


def read(shape: Shape[T], text: str | bytes) -> T:
    """Read what `write` wrote. Unknown fields are passed over: newer processes write them.

    Raises:
        Unreadable: it is not JSON, or not of this shape.
    """
    try:
        return shape.adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Unreadable(f"{where}: {first['msg']}" if where else first["msg"]) from error


def write(shape: Shape[T], value: T) -> str:
    """Write a value as JSON.

    Raises:
        InvalidCall: a text in it can't be written.
    """
    try:
        return shape.adapter.dump_json(value, exclude_defaults=shape.is_terse).decode()
    except ValueError as error:  # a kind of pydantic's own
        raise InvalidCall("it holds half a character (a lone surrogate), which JSON can't carry") from error
