"""A JSON Schema in words: what it wants, and what is wrong with a value, as `approvals.fitting` finds it."""

from __future__ import annotations

from collections.abc import Iterator

from approvals.canonical import SAFE_INTEGER
from approvals.fitting import Schema, is_nullable, misfit, number, properties, resolved, same, types
from approvals.model import Args, Json
from blocks.call import value as shown
from blocks.text import one_line

__all__ = [
    "Schema",
    "expected",
    "fault",
    "inferred_schema",
    "is_nullable",
    "number",
    "properties",
    "resolved",
    "same",
    "told",
    "types",
]

VALUE_CHARS = 60

_NAMES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def inferred_schema(args: Args) -> Schema:
    """The schema that fits `args` as they are, for calls that came without one."""
    return {"type": "object", "properties": {name: _inferred(item) for name, item in args.items()}}


def _inferred(item: Json) -> Schema:
    match item:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "number"}  # 940 says nothing against 940.50
        case float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case list() if item and all(isinstance(one, str) for one in item):
            return {"type": "array", "items": {"type": "string"}}
        case list():
            return {"type": "array"}
        case dict():
            return {"type": "object"}
        case _:
            return {}


def fault(item: Json, schema: Schema, root: Json, path: str) -> str | None:
    """What is wrong with a value, as a sentence that begins with its name; None: nothing is."""
    found = misfit(item, schema, root)
    if found is None:
        return None
    at = path + "".join(
        f"[{step}]" if isinstance(step, int) else f".{one_line(step, VALUE_CHARS)}" for step in found.path
    )
    if found.missing is not None:
        return f"{at} needs {one_line(found.missing, VALUE_CHARS)}"
    if found.is_inexact:
        return f"{at} is too large to be exact; at most {SAFE_INTEGER:,} is"
    return f"{at} must be {expected(found.schema)}"


# -- telling ------------------------------------------------------------------------------------------


def expected(schema: Schema) -> str:
    """What a value must be, in words: “a number, at most 1,000”."""
    if "const" in schema:
        return told(schema["const"])
    listed = schema.get("enum")
    if isinstance(listed, list) and listed:
        rest = f" or {len(listed) - 10} more" if len(listed) > 10 else ""
        return "one of " + ", ".join(told(one) for one in listed[:10]) + rest
    names = " or ".join(_NAMES[word] for word in types(schema)) or "JSON"
    formats = {"date": "a date, such as 2026-03-02", "date-time": "a time, such as 2026-03-02T14:30:00+01:00"}
    return ", ".join([formats.get(str(schema.get("format")), names), *_limits(schema)])


def _limits(schema: Schema) -> Iterator[str]:
    for word, said in (
        ("minimum", "at least {:,}"),
        ("exclusiveMinimum", "more than {:,}"),
        ("maximum", "at most {:,}"),
        ("exclusiveMaximum", "less than {:,}"),
        ("minLength", "at least {:,} characters"),
        ("maxLength", "at most {:,} characters"),
        ("minItems", "at least {:,} items"),
        ("maxItems", "at most {:,} items"),
    ):
        limit = number(schema, word)
        if limit is not None:
            yield said.format(limit)


def told(item: Json) -> str:
    return one_line(shown(item).text, VALUE_CHARS)
