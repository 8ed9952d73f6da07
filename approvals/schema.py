"""The JSON Schema that an agent gives for its args: whether it is one that a form can be made from."""

from __future__ import annotations

from approvals.canonical import ARGS_BYTES, check, encode
from approvals.errors import InvalidCall
from approvals.model import Json

# The keywords of JSON Schema 2020-12 (and its forerunners) by the shape of their values. Unknown ones are let
# be, as the standard asks: https://json-schema.org/draft/2020-12/json-schema-core#section-4.3.1
_TYPES = {"array", "boolean", "integer", "null", "number", "object", "string"}
_SCHEMA = {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
_SCHEMAS_BY_NAME = {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
_SCHEMAS = {"allOf", "anyOf", "oneOf", "prefixItems"}
_TEXT = {"$comment", "$id", "$ref", "$schema", "description", "format", "pattern", "title"}
_NUMBER = {"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"}
_COUNT = {"maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"}


def check_schema(schema: dict[str, Json]) -> None:
    """Refuse what is no JSON Schema of an object, naming the place.

    Raises:
        InvalidCall: with a path such as `schema.properties.amount.type` and what belongs there.
    """
    check(schema, "schema")
    size = len(encode(schema))
    if size > ARGS_BYTES:
        raise InvalidCall(f"schema is {size:,} bytes of JSON; at most {ARGS_BYTES:,} are accepted")
    if schema.get("type", "object") != "object":
        raise InvalidCall(f"schema.type is {schema['type']!r}; args are a JSON object, so it is 'object'")
    _check_schema(schema, "schema")


def _check_schema(schema: Json, path: str) -> None:
    if isinstance(schema, bool):  # `true` lets everything through, `false` nothing
        return
    if not isinstance(schema, dict):
        raise InvalidCall(f"{path} is {schema!r}; a schema is a JSON object")
    for keyword, value in schema.items():
        _check_keyword(keyword, value, f"{path}.{keyword}")


def _check_keyword(keyword: str, value: Json, path: str) -> None:
    if keyword == "items" and isinstance(value, list):  # how drafts before 2020-12 wrote `prefixItems`
        keyword = "prefixItems"
    if keyword in _SCHEMA:
        _check_schema(value, path)
    elif keyword in _SCHEMAS_BY_NAME:
        _require(isinstance(value, dict), value, path, "an object of schemas")
        for name, inner in value.items() if isinstance(value, dict) else ():
            _check_schema(inner, f"{path}.{name}")
    elif keyword in _SCHEMAS:
        _require(isinstance(value, list) and value != [], value, path, "a list of schemas")
        for index, inner in enumerate(value if isinstance(value, list) else ()):
            _check_schema(inner, f"{path}[{index}]")
    else:
        _check_value(keyword, value, path)


def _check_value(keyword: str, value: Json, path: str) -> None:
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        known = all(isinstance(name, str) and name in _TYPES for name in names)
        _require(known and names != [], value, path, f"one of {', '.join(sorted(_TYPES))}")
    elif keyword == "required":
        is_names = isinstance(value, list) and all(isinstance(name, str) for name in value)
        _require(is_names, value, path, "a list of names")
    elif keyword == "enum":
        _require(isinstance(value, list) and value != [], value, path, "a list of values")
    elif keyword in _TEXT:
        _require(isinstance(value, str), value, path, "text")
    elif keyword in _NUMBER:
        _require(isinstance(value, int | float) and not isinstance(value, bool), value, path, "a number")
    elif keyword in _COUNT:
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        _require(is_count, value, path, "a whole number from 0 on")


def _require(holds: bool, value: Json, path: str, expected: str) -> None:
    if not holds:
        raise InvalidCall(f"{path} is {value!r}; it must be {expected}")
