"""Small pieces from which the shape of a block is said, checking raw JSON and complaining as Slack does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.sandbox.limits import length
from bot.sandbox.wire import Json, escape_once

Surface = Literal["message", "modal", "home"]


@dataclass(slots=True)
class Findings:
    """What is wrong with one payload, and what must be counted across all of its blocks."""

    surface: Surface
    problems: list[str] = field(default_factory=list)
    block_ids: set[str] = field(default_factory=set)
    action_ids: set[str] = field(default_factory=set)  # of the block at hand
    markdown_chars: int = 0
    tables: int = 0
    inputs: int = 0
    focused: int = 0

    def add(self, problem: str, at: str) -> None:
        self.problems.append(f"{problem} [json-pointer:{at}]")


Check = Callable[[Any, str, Findings], None]


def string(most: int, *, least: int = 0, pattern: str | None = None, escaped: bool = False) -> Check:
    """A string of `least` to `most` characters; `escaped`: as many as it has once Slack escapes it."""
    matcher = re.compile(pattern) if pattern else None

    def check(value: Any, at: str, out: Findings) -> None:
        if not isinstance(value, str):
            out.add("must be a string", at)
        elif length(escape_once(value) if escaped else value) > most:
            out.add(f"must be less than {most + 1} characters", at)
        elif len(value) < least:
            out.add(f"must be more than {least - 1} characters", at)
        elif matcher and not matcher.fullmatch(value):
            out.add(f"must match the pattern {matcher.pattern}", at)

    return check


def number(least: int, most: int) -> Check:
    def check(value: Any, at: str, out: Findings) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            out.add("must be an integer", at)
        elif value < least:
            out.add(f"must be greater than or equal to {least}", at)
        elif value > most:
            out.add(f"must be less than or equal to {most}", at)

    return check


def boolean(value: Any, at: str, out: Findings) -> None:
    if not isinstance(value, bool):
        out.add("must be a boolean", at)


def anything(value: Any, at: str, out: Findings) -> None:
    """Whatever it is."""


def one_of(*values: str) -> Check:
    def check(value: Any, at: str, out: Findings) -> None:
        if value not in values:
            out.add(f"must be one of: {', '.join(values)}", at)

    return check


def array(item: Check, *, least: int = 0, most: int | None = None) -> Check:
    def check(value: Any, at: str, out: Findings) -> None:
        if not isinstance(value, list):
            out.add("must be an array", at)
            return
        if most is not None and len(value) > most:
            out.add(f"no more than {most} items allowed", at)
        if len(value) < least:
            out.add(f"no less than {least} items allowed", at)
        for index, element in enumerate(value):
            item(element, f"{at}/{index}", out)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check], *rules: Check) -> Check:
    """An object with these fields and no others, for which `rules` hold."""
    known = {"type": anything, **required, **optional}

    def check(value: Any, at: str, out: Findings) -> None:
        if not isinstance(value, dict):
            out.add("must provide an object", at)
            return
        for name in required:
            if name not in value:
                out.add(f"missing required field: {name}", at)
        for name, part in value.items():
            if name in known:
                known[name](part, f"{at}/{name}", out)
            else:
                out.add(f"invalid additional property: {name}", at)
        for rule in rules:
            rule(value, at, out)

    return check


def by_type(shapes: Mapping[str, Check]) -> Check:
    """An object that says what it is in `type`."""

    def check(value: Any, at: str, out: Findings) -> None:
        if not isinstance(value, dict):
            out.add("must provide an object", at)
        elif "type" not in value:
            out.add("missing required field: type", at)
        elif not isinstance(value["type"], str) or value["type"] not in shapes:
            out.add(f"unsupported type: {value['type']}", f"{at}/type")
        else:
            shapes[value["type"]](value, at, out)

    return check


def exactly_one(*names: str) -> Check:
    def check(value: Json, at: str, out: Findings) -> None:
        if sum(name in value for name in names) != 1:
            out.add(f"must define either {' or '.join(f'`{name}`' for name in names)}, but not both", at)

    return check


def at_least_one(*names: str) -> Check:
    def check(value: Json, at: str, out: Findings) -> None:
        if not any(name in value for name in names):
            out.add(f"must define either {' or '.join(f'`{name}`' for name in names)}", at)

    return check
