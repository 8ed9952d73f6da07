"""The fields of a question that no button can answer: several options, or a form made from a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from approvals.model import Args, Json, Request
from approvals.questions import is_many
from blocks import ids
from blocks.diff import Absent
from blocks.form import As, Field, Values, Wrong, drawn, form_of, read
from blocks.pieces import Block, asked
from blocks.question import answer_at, menu
from blocks.text import clip

CHECKBOXES = 10  # of one field: reference/block-kit/block-elements/checkboxes-element
ERROR_CHARS = 200


def answer_fields(request: Request) -> list[Block]:
    """What is filled in."""
    if not is_many(request):
        return [drawn(field) for field in _form(request) if field.kind is not As.FIXED]
    options = menu(request)
    groups = [options[at : at + CHECKBOXES] for at in range(0, len(options), CHECKBOXES)]
    return [
        asked(_group(number), "Choose", {"type": "checkboxes", "options": group}, optional=True)
        for number, group in enumerate(groups)
    ]


def read_fields(request: Request, values: Values) -> str | dict[str, str]:
    """The answer as it is kept, which is JSON; or errors by block id.

    Raises:
        Stale: an option is of another request, or of a question that has changed.
    """
    return _chosen(request, values) if is_many(request) else _filled_in(request, values)


def _chosen(request: Request, values: Values) -> str | dict[str, str]:
    chosen: list[str] = []
    for number in range(len(menu(request))):
        state = values.get(_group(number), {}).get(_group(number), {})
        for one in state.get("selected_options") or ():
            pick = ids.unpack_pick(one.get("value") if isinstance(one, Mapping) else None)
            words = answer_at(request, pick.index) if pick.fits(request) else None
            if words is None:
                raise ids.Stale("an option is of another request, or of a question that has changed")
            chosen.append(words)
    return json.dumps(chosen, ensure_ascii=False) if chosen else {_group(0): "Choose at least one."}


def _filled_in(request: Request, values: Values) -> str | dict[str, str]:
    filled: Args = {}
    errors: dict[str, str] = {}
    for field in _form(request):
        found: Json = field.schema.get("const") if field.kind is As.FIXED else read(field, values)
        if isinstance(found, Wrong):
            errors[field.block_id] = clip(found.why, ERROR_CHARS)
        elif not isinstance(found, Absent):
            filled[field.name] = found
    return errors or json.dumps(filled, ensure_ascii=False)


def _form(request: Request) -> list[Field]:
    return form_of(replace(request, args={}))


def _group(number: int) -> str:
    return f"{ids.CHOICE}:{number}"
