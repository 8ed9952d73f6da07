"""As much of JSON Schema as a form needs: read what an agent sent, of which nothing can be taken for granted.

Patterns are not tried: an agent's regular expression could keep the service busy for ever. The agent checks
its own args again before it runs them; this is there to help the person who edits.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, TypeAlias

from approvals.canonical import SAFE_INTEGER
from approvals.model import Args, Json
from blocks.call import value as shown
from blocks.text import one_line

Schema: TypeAlias = dict[str, Any]

REF_STEPS = 16  # a schema may refer to itself
LEVELS = 32
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


def properties(schema: Json) -> tuple[dict[str, Schema], frozenset[str]]:
    """The properties of an object's schema with references followed, and which of them are required."""
    top = resolved(schema, schema)
    listed, required = top.get("properties"), top.get("required")
    if not isinstance(listed, dict):
        return {}, frozenset()
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    return {str(name): resolved(one, schema) for name, one in listed.items()}, frozenset(names)


def resolved(schema: Json, root: Json) -> Schema:
    """Follow references, one-part `allOf` and nullable `anyOf`; what can't be followed says nothing."""
    seen: Schema = schema if isinstance(schema, dict) else {}
    for _ in range(REF_STEPS):
        inner, is_nullable = _inner(seen, root)
        if inner is None:
            return seen
        rest = {key: one for key, one in seen.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")}
        seen = {**inner, **rest}
        if is_nullable:
            seen["nullable"] = True
    return {}


def _inner(schema: Schema, root: Json) -> tuple[Schema | None, bool]:
    if isinstance(schema.get("$ref"), str):
        return _pointed(schema["$ref"], root), False
    whole = schema.get("allOf")
    if isinstance(whole, list) and len(whole) == 1 and isinstance(whole[0], dict):
        return whole[0], False
    for word in ("anyOf", "oneOf"):
        parts = schema.get(word)
        if isinstance(parts, list):
            others = [one for one in parts if isinstance(one, dict) and one.get("type") != "null"]
            if len(others) == 1 and len(parts) <= 2:
                return others[0], len(parts) == 2
    return None, False


def _pointed(ref: str, root: Json) -> Schema:
    """What a local reference such as `#/$defs/Address` points to; others are never fetched."""
    at: Json = root
    for step in ref.removeprefix("#").split("/")[1:] if ref.startswith("#") else ["#"]:
        if not isinstance(at, dict):
            return {}
        at = at.get(step.replace("~1", "/").replace("~0", "~"))
    return at if isinstance(at, dict) else {}


def types(schema: Schema) -> list[str]:
    """The types that a value may have, without null; none: any."""
    word = schema.get("type")
    words = word if isinstance(word, list) else [word]
    return [one for one in words if isinstance(one, str) and one in _NAMES and one != "null"]


def is_nullable(schema: Schema) -> bool:
    word = schema.get("type")
    return bool(schema.get("nullable")) or word == "null" or (isinstance(word, list) and "null" in word)


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


# -- checking -----------------------------------------------------------------------------------------


def fault(item: Json, schema: Schema, root: Json, path: str, level: int = 0) -> str | None:
    """What is wrong with a value, as a sentence that begins with its name; None: nothing is."""
    if item is None and (is_nullable(schema) or not types(schema)):
        return None
    if isinstance(item, int) and not isinstance(item, bool) and abs(item) > SAFE_INTEGER:
        return f"{path} is too large to be exact; at most {SAFE_INTEGER:,} is"
    if not (_has_type(item, schema) and _is_listed(item, schema) and _is_within(item, schema)):
        return f"{path} must be {expected(schema)}"
    return next(_inner_faults(item, schema, root, path, level), None) if level < LEVELS else None


def _inner_faults(item: Json, schema: Schema, root: Json, path: str, level: int) -> Iterator[str]:
    if isinstance(item, dict):
        known, required = schema.get("properties"), schema.get("required")
        for name in required if isinstance(required, list) else []:
            if isinstance(name, str) and name not in item:
                yield f"{path} needs {one_line(name, VALUE_CHARS)}"
        known = known if isinstance(known, dict) else {}
        for name in filter(known.__contains__, item):
            inner = resolved(known[name], root)
            found = fault(item[name], inner, root, f"{path}.{one_line(name, VALUE_CHARS)}", level + 1)
            if found:
                yield found
    if isinstance(item, list) and isinstance(schema.get("items"), dict):
        inner = resolved(schema["items"], root)
        for index, one in enumerate(item):
            found = fault(one, inner, root, f"{path}[{index}]", level + 1)
            if found:
                yield found


def _has_type(item: Json, schema: Schema) -> bool:
    allowed = types(schema)
    return not allowed or any(_is_a(item, word) for word in allowed)


def _is_a(item: Json, word: str) -> bool:
    match item:
        case bool():
            return word == "boolean"
        case int():
            return word in ("integer", "number")
        case float():
            return word == "number" or (word == "integer" and item.is_integer())
        case str():
            return word == "string"
        case list():
            return word == "array"
        case dict():
            return word == "object"
        case _:
            return False


def _is_listed(item: Json, schema: Schema) -> bool:
    listed = schema.get("enum")
    if "const" in schema:
        return same(item, schema["const"])
    return not isinstance(listed, list) or not listed or any(same(item, one) for one in listed)


def same(item: Json, other: Json) -> bool:
    """Whether JSON finds two values equal: 1 is 1.0, and neither is true."""
    return item == other and json.dumps(item, sort_keys=True, default=str).count("true") == json.dumps(
        other, sort_keys=True, default=str
    ).count("true")


def _is_within(item: Json, schema: Schema) -> bool:
    match item:
        case bool():
            return True
        case int() | float():
            limits = ((number(schema, word), holds) for word, holds in _BOUNDS)
            return all(limit is None or holds(item, limit) for limit, holds in limits)
        case str():
            return _between(len(item), schema, "minLength", "maxLength") and _has_format(item, schema)
        case list():
            return _between(len(item), schema, "minItems", "maxItems")
        case _:
            return True


_BOUNDS = (
    ("minimum", operator.ge),
    ("maximum", operator.le),
    ("exclusiveMinimum", operator.gt),
    ("exclusiveMaximum", operator.lt),
)


def _between(count: int, schema: Schema, least: str, most: str) -> bool:
    low, high = number(schema, least), number(schema, most)
    return (low is None or count >= low) and (high is None or count <= high)


def _has_format(item: str, schema: Schema) -> bool:
    parse = {"date": date.fromisoformat, "date-time": datetime.fromisoformat}.get(str(schema.get("format")))
    if parse is None:
        return True
    try:
        parse(item)
    except ValueError:
        return False
    return True


def number(schema: Schema, word: str) -> int | float | None:
    """A limit that a schema names, if it is a number."""
    limit = schema.get(word)
    return limit if isinstance(limit, int | float) and not isinstance(limit, bool) else None


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
