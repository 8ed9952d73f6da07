"""The document of the API (OpenAPI 3.1), made from the operations and the shapes that they really use."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from bot.api.answers import Happening
from bot.api.operations import EVERY, IN_PATH, Operation
from bot.api.problems import CONTENT_TYPE, KINDS, Problem
from bot.api.shapes import adapter

Json: TypeAlias = dict[str, Any]
REF = "#/components/schemas/{model}"
ABOUT = """\
People approve what AI agents want to do, in Slack, before it happens. Ask with `POST /v1/requests`, wait
with `GET /v1/requests/{id}?wait=30`, claim, run the args of the permit, report. A call must not run unless
its claim answered 200."""
DESCRIPTIONS = {
    "submit": "The same Idempotency-Key from the same agent is the same request, for 90 days.",
    "events": "Each event's `data` is a Happening, its `id` a number to resume from by `Last-Event-ID`.",
}


def document(operations: tuple[Operation[Any, Any], ...]) -> bytes:
    """The document, as JSON."""
    shapes = _Shapes(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _told(operation, shapes)
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Countersign", "version": version("countersign"), "description": ABOUT},
            "paths": paths,
            "components": {
                "schemas": shapes.definitions,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"token": []}],
        }
    ).encode()


class _Shapes:
    """The JSON Schemas of everything that is sent or answered: each shape once, by reference."""

    def __init__(self, operations: Iterable[Operation[Any, Any]]) -> None:
        inputs: list[tuple[type, JsonSchemaMode, TypeAdapter[Any]]] = []
        for operation in operations:
            if operation.body is not None:
                inputs.append((operation.body, "validation", adapter(operation.body)))
            answers = [shape for shape in operation.answers.values() if shape is not str]
            inputs += [(shape, "serialization", adapter(shape)) for shape in answers]
        inputs += [(shape, "serialization", adapter(shape)) for shape in (Problem, Happening)]
        self._schemas, whole = TypeAdapter.json_schemas(inputs, ref_template=REF)
        self.definitions: Json = whole.get("$defs", {})

    def sent(self, shape: type) -> Json:
        return self._schemas[shape, "validation"]

    def answered(self, shape: type) -> Json:
        return self._schemas[shape, "serialization"]


def _told(operation: Operation[Any, Any], shapes: _Shapes) -> Json:
    told: Json = {
        "operationId": operation.name,
        "tags": [operation.path.split("/")[2]],
        "summary": operation.summary,
        "parameters": [*_in_path(operation), *_in_query(operation), *_in_headers(operation)],
        "responses": _answers(operation, shapes) | _troubles(operation, shapes),
    }
    if operation.name in DESCRIPTIONS:
        told["description"] = DESCRIPTIONS[operation.name]
    if operation.body is not None:
        told["requestBody"] = {
            "required": not operation.is_body_optional,
            "content": {"application/json": {"schema": shapes.sent(operation.body)}},
        }
    return told


def _in_path(operation: Operation[Any, Any]) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{pattern}$"},
        }
        for name, pattern in IN_PATH.items()
        if f"{{{name}}}" in operation.path
    ]


def _in_query(operation: Operation[Any, Any]) -> list[Json]:
    if operation.query is None:
        return []
    schema = adapter(operation.query).json_schema(mode="validation")
    found = []
    for name, each in schema["properties"].items():
        description = {"description": each["description"]} if "description" in each else {}
        own = _without_null(each, schema.get("$defs", {}))
        found.append({"name": name, "in": "query", "required": False, "schema": own, **description})
    return found


def _without_null(schema: Json, definitions: Json) -> Json:
    """A parameter is left out where a body would say null; it has no references either."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    kind = dict(kinds[0])
    if "$ref" in kind:
        kind = definitions[kind["$ref"].rpartition("/")[2]]
    return {name: value for name, value in kind.items() if name not in ("title", "description", "default")}


def _in_headers(operation: Operation[Any, Any]) -> list[Json]:
    found = []
    if operation.takes_key:
        schema = {"type": "string", "minLength": 1, "maxLength": 500}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema})
    if operation.name == "events":
        schema = {"type": "string", "pattern": "^[0-9]{1,16}$"}
        found.append({"name": "Last-Event-ID", "in": "header", "required": False, "schema": schema})
    return found


def _answers(operation: Operation[Any, Any], shapes: _Shapes) -> Json:
    return {
        str(status): {
            "description": operation.summary,
            "content": {"text/event-stream": {"schema": {"type": "string"}}}
            if shape is str
            else {"application/json": {"schema": shapes.answered(shape)}},
        }
        for status, shape in operation.answers.items()
    }


def _troubles(operation: Operation[Any, Any], shapes: _Shapes) -> Json:
    found: dict[str, list[str]] = {}
    for kind in (*EVERY, *operation.problems):
        found.setdefault(str(KINDS[kind][0]), []).append(f"`{kind}`: {KINDS[kind][1]}.")
    content = {CONTENT_TYPE: {"schema": shapes.answered(Problem)}}
    return {
        status: {"description": " ".join(lines), "content": content}
        for status, lines in sorted(found.items())
    }
