"""The fields of the edit form: which one fits an argument, how it is drawn, and how it is read back.

A field that nobody touched gives back exactly the value it was drawn from, whatever Slack did to it on the
way.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, NoReturn, TypeAlias

from approvals.canonical import check
from approvals.errors import InvalidCall
from approvals.masking import is_hidden, restored, shown_args
from approvals.model import Json, Request
from blocks import schema as schemas
from blocks.call import key
from blocks.diff import ABSENT, Absent, Side
from blocks.pieces import Block, asked, option, select, writing
from blocks.schema import Schema, expected, fault, is_nullable, number, same, told, types
from blocks.text import INPUT_CHARS, OPTION_CHARS, clip, one_line, reveal, size

Values: TypeAlias = Mapping[str, Mapping[str, Any]]  # view.state.values, as Slack sends it

FIELDS = 60  # with the call beside them they fit a dialog's hundred blocks
REST = "args:rest"  # the block of all args beyond those
RADIOS = 5  # more options than these are a menu
OPTIONS = 100  # of one menu
FORM_OPTIONS = 500  # of one form: each takes room, and a view has 250 kB
LINE_CHARS = 80  # a longer text gets a larger field
LABEL_CHARS = 150
HINT_CHARS = 300
EXACT_DIGITS = 15  # that a number field may be trusted to keep
_NUMBER = re.compile(r"[+-]?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?")
_SIMPLE_NUMBER = re.compile(rf"-?\d{{1,{EXACT_DIGITS}}}(?:\.\d{{1,{EXACT_DIGITS}}})?")


class As(StrEnum):
    """How a value is edited."""

    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes_no"
    CHOICE = "choice"
    DATE = "date"
    LINES = "lines"  # a list of texts, one a line
    JSON = "json"
    FIXED = "fixed"  # not at all


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why what was written can't be the value; the sentence stands below the field."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    block_id: str
    name: str
    kind: As
    schema: Schema
    root: Schema  # where the schema's references lead
    before: Side  # the present value, if there is one
    required: bool
    seen: Side  # how people see the present value, of which something may be masked
    label: str  # how they see its name
    inferred: bool = False  # nobody gave a schema for it

    @property
    def told_name(self) -> str:
        return one_line(self.label, LABEL_CHARS) if self.name else "This"

    @property
    def is_masked(self) -> bool:
        return self.seen != self.before

    @property
    def is_hidden(self) -> bool:
        """Whether nothing is seen of the value: its field is empty, and left so keeps it."""
        return self.is_masked and is_hidden(self.seen)


def form_of(request: Request) -> list[Field]:
    """The fields of a call: its args in their order, then what else its schema knows."""
    props, required = schemas.properties(request.schema)
    shown = shown_args(request)
    labels = dict(zip(request.args, shown, strict=True))
    names = [*request.args, *(name for name in props if name not in request.args)]
    own, rest = (names, []) if len(names) <= FIELDS else (names[: FIELDS - 1], names[FIELDS - 1 :])
    present = {name: request.args[name] for name in own if name in request.args}
    known = {**schemas.inferred_schema(present)["properties"], **props}
    fields: list[Field] = []
    options_left = FORM_OPTIONS
    for index, name in enumerate(own):
        before = request.args.get(name, ABSENT)
        label = labels.get(name, name)
        seen = shown.get(label, ABSENT)
        is_masked = seen != before or label != name
        kind = (_masked_kind if is_masked else _kind)(known[name], before, seen, options_left)
        if kind is As.CHOICE:
            options_left -= len(known[name]["enum"])
        field = Field(
            block_id=f"arg:{index}",
            name=name,
            kind=kind,
            schema=known[name],
            root=request.schema or {},
            before=before,
            seen=seen,
            label=label,
            required=name in required,
            inferred=name not in props,
        )
        fields.append(field)
    others = {name: request.args[name] for name in rest if name in request.args}
    seen_others = {labels[name]: shown[labels[name]] for name in others}
    return [*fields, _rest(others, seen_others)] if others else fields


def _rest(others: dict[str, Json], seen: dict[str, Json]) -> Field:
    return Field(
        block_id=REST,
        name="",
        kind=As.JSON if size(_json(seen)) <= INPUT_CHARS else As.FIXED,
        schema={"type": "object"},
        root={},
        before=others,
        seen=seen,
        label="",
        required=True,
    )


def has_fields(request: Request) -> bool:
    """Whether anything of the call can be edited."""
    return any(field.kind is not As.FIXED for field in form_of(request))


def _masked_kind(schema: Schema, before: Side, seen: Side, _: int) -> As:
    """Of a value with a secret in it nothing is offered that would tell it."""
    if "const" in schema or "enum" in schema:
        return As.FIXED
    kind = _kind_by_type(schema, before)
    if kind not in (As.NUMBER, As.LINES, As.JSON):
        kind = As.TEXT
    return As.FIXED if size(initial(kind, seen) or "") > INPUT_CHARS else kind


def _kind(schema: Schema, before: Side, _: Side, options_left: int) -> As:
    if "const" in schema:
        return As.FIXED
    if _is_choice(schema, before, options_left):
        return As.CHOICE
    kind = _kind_by_type(schema, before)
    if kind in (As.TEXT, As.LINES, As.JSON) and size(initial(kind, before) or "") > INPUT_CHARS:
        return As.FIXED
    return kind


def _is_choice(schema: Schema, before: Side, options_left: int) -> bool:
    """Only options that a label can tell in full are offered; others are written, and then checked."""
    listed = schema.get("enum")
    if not isinstance(listed, list) or not 1 < len(listed) <= min(OPTIONS, options_left):
        return False
    spelled = [_spelled(one) for one in listed]
    labels = [one_line(one, OPTION_CHARS) for one in spelled]
    if labels != spelled or "" in labels or len(set(labels)) != len(labels):
        return False
    return before is None or isinstance(before, Absent) or any(same(before, one) for one in listed)


def _kind_by_type(schema: Schema, before: Side) -> As:
    is_open = before is None or isinstance(before, Absent)
    match types(schema):
        case ["boolean"] if is_open or isinstance(before, bool):
            return As.YES_NO
        case ["integer"] | ["number"] | ["integer", "number"] | ["number", "integer"] if (
            is_open or _is_number(before)
        ):
            return As.NUMBER
        case ["string"] if is_open or isinstance(before, str):
            return As.DATE if schema.get("format") == "date" and _is_date_or_open(before) else As.TEXT
        case ["array"] if _is_lines(schema, before):
            return As.LINES
        case _:
            return As.JSON


def _is_number(item: Side) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)


def _is_date_or_open(before: Side) -> bool:
    if not isinstance(before, str):
        return True
    try:
        return date.fromisoformat(before).isoformat() == before
    except ValueError:
        return False


def _is_lines(schema: Schema, before: Side) -> bool:
    items = schema.get("items")
    if not isinstance(items, dict) or items.get("type") != "string":
        return False
    if not isinstance(before, list):
        return before is None or isinstance(before, Absent)
    return all(
        isinstance(one, str) and one == one.strip() != "" and len(one.splitlines()) == 1 for one in before
    )


def _spelled(item: Json) -> str:
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def _json(item: Json) -> str:
    """JSON to be edited: over several lines where that fits, and with what hides in it written as escapes."""
    is_ascii = reveal(json.dumps(item, ensure_ascii=False))[1] > 0
    lines = json.dumps(item, ensure_ascii=is_ascii, indent=2)
    return lines if size(lines) <= INPUT_CHARS else json.dumps(item, ensure_ascii=is_ascii)


def initial(kind: As, before: Side) -> str | None:
    """The text that a field starts with; None: it starts empty."""
    if isinstance(before, Absent) or (before is None and kind is not As.JSON):
        return None
    match kind:
        case As.JSON:
            return _json(before)
        case As.LINES if isinstance(before, list):
            return "\n".join(str(one) for one in before)
        case As.YES_NO:
            return "yes" if before else "no"
        case _:
            return _spelled(before)


# -- drawing ------------------------------------------------------------------------------------------


def drawn(field: Field) -> Block:
    label = key(field.label).text if field.name else "All other arguments, as JSON"
    return asked(
        field.block_id,
        clip(label, LABEL_CHARS),
        _element(field),
        hint=" ".join(_hints(field)) or None,
        optional=field.is_hidden or not isinstance(_empty(field), Wrong),
    )


def _start(field: Field) -> str | None:
    """The text that it starts with, as people may see it."""
    return None if field.is_hidden else initial(field.kind, field.seen)


def _element(field: Field) -> Block:
    start = _start(field)
    match field.kind:
        case As.YES_NO:
            return _chosen("radio_buttons", [option("Yes", "yes"), option("No", "no")], start)
        case As.CHOICE:
            listed = field.schema["enum"]
            options = [option(_spelled(one), str(index)) for index, one in enumerate(listed)]
            kind = "radio_buttons" if len(options) <= RADIOS else "static_select"
            return _chosen(kind, options, _chosen_index(field))
        case As.DATE:
            return {"type": "datepicker"} if start is None else {"type": "datepicker", "initial_date": start}
        case As.NUMBER if start is None or _SIMPLE_NUMBER.fullmatch(start):
            return _number_input(field, start)
        case kind:
            is_long = start is not None and ("\n" in start or len(start) > LINE_CHARS)
            return writing(lines=is_long or kind in (As.JSON, As.LINES), initial=start)


def _chosen(kind: str, options: list[Block], value: str | None) -> Block:
    made = {"type": kind, "options": options}
    if kind == "static_select":
        made = select("", "Choose", options)
    picked = [one for one in options if one["value"] == value]
    return {**made, "initial_option": picked[0]} if picked else made


def _chosen_index(field: Field) -> str | None:
    if isinstance(field.before, Absent):
        return None
    at = [index for index, one in enumerate(field.schema["enum"]) if same(field.before, one)]
    return str(at[0]) if at else None


def _number_input(field: Field, start: str | None) -> Block:
    """Slack checks the limits too, but may not refuse the present value."""
    made: Block = {"type": "number_input", "is_decimal_allowed": types(field.schema) != ["integer"]}
    if start is not None:
        made["initial_value"] = start
    for word, name in (("minimum", "min_value"), ("maximum", "max_value")):
        limit = number(field.schema, word)
        is_kept = start is None or fault(field.before, field.schema, {}, "") is None
        if limit is not None and is_kept and _SIMPLE_NUMBER.fullmatch(json.dumps(limit)):
            made[name] = json.dumps(limit)
    return made


def _hints(field: Field) -> list[str]:
    hints = []
    if field.is_hidden:
        return [f"It is {field.seen} now. Left empty: it stays as it is."]
    if field.is_masked:
        hints.append("Holds a secret, shown masked. Leave all of it as it is, or write all of it anew.")
    hidden = reveal(field.seen)[1] if isinstance(field.seen, str) else 0
    if hidden and isinstance(field.seen, str):
        hints.append(f"⚠ Holds {hidden:,} hidden: “{one_line(field.seen, HINT_CHARS)}”.")
    described = field.schema.get("description")
    if isinstance(described, str) and described.strip():
        hints.append(f"“{one_line(described, HINT_CHARS)}”")
    if field.schema.get("format") == "date-time" or field.kind in (As.NUMBER, As.JSON):
        wanted = expected(field.schema)
        if field.kind is not As.NUMBER or "," in wanted:
            hints.append(f"{wanted[0].upper()}{wanted[1:]}.")
    if field.kind is As.LINES:
        hints.append("One a line.")
    empty = _empty(field)
    if isinstance(empty, Absent):
        default = field.schema.get("default")
        hints.append(f"Left empty: {told(default)}." if default is not None else "Left empty: not given.")
    elif empty is None:
        hints.append("Left empty: null.")
    return hints


# -- reading ------------------------------------------------------------------------------------------


def read(field: Field, values: Values) -> Side | Wrong:
    """The value that a field was left with."""
    written = _written(values.get(field.block_id, {}).get(field.block_id, {}))
    start = _chosen_index(field) if field.kind is As.CHOICE else _start(field)
    if field.is_hidden and not written.strip():
        return field.before
    if _plainly(written) == _plainly(start or ""):
        return field.before if start is not None or field.before is None else _untouched(field)
    if not written.strip():
        return _empty(field)
    item = _parsed(field, written)
    if isinstance(item, Wrong):
        return item
    try:
        item = restored(item, None if isinstance(field.seen, Absent) else field.seen, field.before)
    except InvalidCall as error:
        return Wrong(str(error))
    why = fault(item, field.schema, field.root, field.told_name)
    if why is not None:
        return Wrong(why)
    try:
        check({field.told_name: item})
    except InvalidCall as error:
        return Wrong(str(error).removeprefix("args."))
    return item


def _untouched(field: Field) -> Side | Wrong:
    """What was not there, and was left so."""
    return Wrong(f"{field.told_name} is needed") if field.required else ABSENT


def _written(state: Mapping[str, Any]) -> str:
    chosen = state.get("selected_option")
    found = (
        chosen.get("value") if isinstance(chosen, Mapping) else state.get("value", state.get("selected_date"))
    )
    return found if isinstance(found, str) else ""


def _plainly(text: str) -> str:
    """A text without what Slack's fields may change in it by themselves."""
    return "\n".join(line.strip() for line in text.splitlines()).strip()


def _empty(field: Field) -> Side | Wrong:
    """What it means to leave a field empty."""
    if field.kind is As.LINES and not number(field.schema, "minItems"):
        return []
    if field.kind is As.TEXT and field.before == "":
        return ""
    if is_nullable(field.schema):
        return None
    if field.required or field.inferred:
        return Wrong(f"{field.told_name} is needed")
    return ABSENT


def _parsed(field: Field, written: str) -> Json | Wrong:
    must = Wrong(f"{field.told_name} must be {expected(field.schema)}")
    match field.kind:
        case As.NUMBER:
            return _parsed_number(written.strip(), must)
        case As.YES_NO:
            return written == "yes"
        case As.CHOICE:
            listed = field.schema["enum"]
            return listed[int(written)] if written.isdecimal() and int(written) < len(listed) else must
        case As.LINES:
            return [line.strip() for line in written.splitlines() if line.strip()]
        case As.JSON:
            return _parsed_json(field, written)
        case _:
            return written


def _parsed_number(written: str, must: Wrong) -> Json | Wrong:
    """`940` and `940.00` are 940, `940.5` is a fraction: a whole number stays whole."""
    if not _NUMBER.fullmatch(written):
        return must
    if written.lstrip("+-").isdecimal():
        return int(written)
    found = float(written)
    if not math.isfinite(found):
        return must
    return int(found) if found.is_integer() else found


def _parsed_json(field: Field, written: str) -> Json | Wrong:
    try:
        found: Json = json.loads(written, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        where = f"; see line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        return Wrong(f"{field.told_name} must be JSON{where}")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
