"""Whether a JSON value fits a schema, as much of JSON Schema as a form needs. Pure; it words nothing.

Schemas come from agents: nothing in them can be taken for granted. Patterns are not tried, since an agent's
regular expression could keep the service busy for ever. An agent checks its args again before it runs them.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

from approvals.canonical import SAFE_INTEGER
from approvals.model import Json

Schema: TypeAlias = dict[str, Any]

REF_STEPS = 16  # a schema may refer to itself
LEVELS = 32

TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """The first value that doesn't fit, and what would."""

    path: tuple[str | int, ...]  # names and places, from the top
    schema: Schema
    missing: str | None = None  # the name of what an object lacks
    is_inexact: bool = False  # a whole number too large for JSON

    def __str__(self) -> str:
        at = ".".join(map(str, self.path)) or "it"
        if self.missing is not None:
            return f"{at} needs {self.missing}"
        if self.is_inexact:
            return f"{at} is too large to be exact"
        return f"{at} must fit {json.dumps(self.schema)[:200]}"


def misfit(item: Json, schema: Json, root: Json = None, path: tuple[str | int, ...] = ()) -> Misfit | None:
    """What of a value doesn't fit `schema`, which is `root` or a part of it; None: it fits."""
    root = schema if root is None else root
    return next(_misfits(item, resolved(schema, root), root, path, 0), None)


def _misfits(
    item: Json, schema: Schema, root: Json, path: tuple[str | int, ...], level: int
) -> Iterator[Misfit]:
    if item is None and (is_nullable(schema) or not types(schema)):
        return
    if isinstance(item, int) and not isinstance(item, bool) and abs(item) > SAFE_INTEGER:
        yield Misfit(path=path, schema=schema, is_inexact=True)
    elif not (_has_type(item, schema) and _is_listed(item, schema) and _is_within(item, schema)):
        yield Misfit(path=path, schema=schema)
    elif level < LEVELS:
        yield from _inner_misfits(item, schema, root, path, level)


def _inner_misfits(
    item: Json, schema: Schema, root: Json, path: tuple[str | int, ...], level: int
) -> Iterator[Misfit]:
    if isinstance(item, dict):
        known, required = schema.get("properties"), schema.get("required")
        for name in required if isinstance(required, list) else []:
            if isinstance(name, str) and name not in item:
                yield Misfit(path=path, schema=schema, missing=name)
        known = known if isinstance(known, dict) else {}
        for name in filter(known.__contains__, item):
            yield from _misfits(item[name], resolved(known[name], root), root, (*path, name), level + 1)
    if isinstance(item, list) and isinstance(schema.get("items"), dict):
        inner = resolved(schema["items"], root)
        for index, one in enumerate(item):
            yield from _misfits(one, inner, root, (*path, index), level + 1)


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


# -- reading a schema ---------------------------------------------------------------------------------


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
    return [one for one in words if isinstance(one, str) and one in TYPES and one != "null"]


def is_nullable(schema: Schema) -> bool:
    word = schema.get("type")
    return bool(schema.get("nullable")) or word == "null" or (isinstance(word, list) and "null" in word)
