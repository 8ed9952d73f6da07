"""How values cross a boundary as JSON: one adapter per shape, made once."""

from __future__ import annotations

from typing import Annotated, TypeVar

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

REQUEST = TypeAdapter(Request)
LETTER: TypeAdapter[Letter] = TypeAdapter(Annotated[Letter, Field(discriminator="letter")])
OUTCOME = TypeAdapter(Outcome)
PERMIT = TypeAdapter(Permit)
UNDO = TypeAdapter(UndoAsk)
CALLBACK = TypeAdapter(Callback)
ENTRY = TypeAdapter(Entry)
POSTED = TypeAdapter(Posted)
DIGEST = TypeAdapter(Digest)
BULK = TypeAdapter(Bulk)
ROW_RESULT = TypeAdapter(RowResult)
FREEZE = TypeAdapter(Freeze)
GRANT = TypeAdapter(Grant)
ABSENCE = TypeAdapter(Absence)
DAILY_THREAD = TypeAdapter(DailyThread)
PREFERENCES = TypeAdapter(Preferences)
KEPT_CHECKPOINT = TypeAdapter(Kept)
DAY = TypeAdapter(Day)
EXPORTED = TypeAdapter(Exported)


class Unreadable(ApprovalsError):
    """Text that is not what should stand there; the message says where it goes wrong, without quoting it."""


def read(adapter: TypeAdapter[T], text: str | bytes) -> T:
    """Read what `write` wrote. Unknown fields are passed over: newer processes write them.

    Raises:
        Unreadable: it is not JSON, or not of this shape.
    """
    try:
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Unreadable(f"{where}: {first['msg']}" if where else first["msg"]) from error


def write(adapter: TypeAdapter[T], value: T) -> str:
    """Write a value as JSON.

    Raises:
        InvalidCall: a text in it can't be written.
    """
    try:
        return adapter.dump_json(value).decode()
    except ValueError as error:  # a kind of pydantic's own
        raise InvalidCall("it holds half a character (a lone surrogate), which JSON can't carry") from error
